"""What an arm leaves: the test of its best round, its model, its numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from wardround.build import Arm, ArmBlueprint
from wardround.core.exchange import EvaluateOrder, Rows, SiteFailed
from wardround.core.predictions import Measured, Predictions, Results
from wardround.data.catalogue import suffixes_of
from wardround.data.prepare import Prepared
from wardround.errors import SiteError
from wardround.evaluation import scores as judging
from wardround.evaluation.operating_point import threshold as choose_threshold
from wardround.evaluation.segmentation import measure_names, scored_regions
from wardround.fleet.base import Fleet
from wardround.rounds.course import Course
from wardround.runs.folder import write_json
from wardround.session import gallery


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The best round's results on test rows (rows: their catalogue rows), and the threshold fixed on validation."""

    tested: Results
    rows: np.ndarray
    threshold: float | None


def test(blueprint: ArmBlueprint, prepared: Prepared, course: Course, fleet: Fleet) -> Judged:
    """Fix the threshold on validation rows, then read the test rows once."""
    threshold = 0.5 if blueprint.task == "binary" else None  # a hospital alone may have no validation rows: then 0.5 decides
    if blueprint.task == "binary" and any(len(rows.val) for rows in blueprint.rows.values()):
        validated, _ = results(blueprint, prepared, course, fleet, "val")
        threshold = choose_threshold(validated) if isinstance(validated, Predictions) else None
    tested, rows = results(blueprint, prepared, course, fleet, "test")
    return Judged(tested=tested, rows=rows, threshold=threshold)


def results(blueprint: ArmBlueprint, prepared: Prepared, course: Course, fleet: Fleet, rows: Rows) -> tuple[Results, np.ndarray]:
    """The best round's results on all sites' rows, in catalogue order, and those rows; for segmentation one a patient."""
    numbers: list[np.ndarray] = []
    values: list[np.ndarray] = []
    order = EvaluateOrder(round=course.best_round, params=course.best, rows=rows, detail=True)
    for reply in fleet.evaluate(order, list(fleet.sites())):
        if isinstance(reply, SiteFailed) or reply.rows is None or reply.values is None:
            reason = reply.reason if isinstance(reply, SiteFailed) else "it sent no results"
            raise SiteError(f"site '{reply.site}' could not evaluate its {rows} rows: {reason}")
        numbers.append(reply.rows)
        values.append(reply.values)
    found = np.concatenate(numbers)
    order_of = np.argsort(found, kind="stable")
    return label(blueprint, prepared, found[order_of], np.concatenate(values)[order_of]), found[order_of]


def label(blueprint: ArmBlueprint, prepared: Prepared, rows: np.ndarray, values: np.ndarray) -> Results:
    """Results with salted ids. The salt is a hash of the whole list of images: arms and seeds on the same data can be paired."""
    salt = hashlib.sha256("\n".join(prepared.catalogue.images).encode()).digest()

    def hashed(kind: str, value: object) -> str:
        return hashlib.blake2b(f"{kind}:{value}".encode(), digest_size=8, key=salt).hexdigest()

    catalogue = prepared.catalogue
    held: dict[str, Any] = {"cases": np.array([hashed("case", catalogue.images[row]) for row in rows], dtype=object),
                            "groups": np.array([hashed("group", prepared.groups[row]) for row in rows], dtype=object),
                            "sites": prepared.homes[rows], "splits": prepared.split[rows]}
    if blueprint.task == "segmentation":
        return Measured(names=measure_names(scored_regions(blueprint.classes, blueprint.regions)), values=values, **held)
    return Predictions(classes=catalogue.classes, truth=catalogue.labels[rows].astype(np.int64), probabilities=values, **held)


def scores(blueprint: ArmBlueprint, prepared: Prepared, arm: Arm, course: Course, judged: Judged) -> dict[str, Any]:
    """scores.json (design.md, section 6)."""
    plan = blueprint.plan
    settings: dict[str, Any] = {"threshold": judged.threshold, "plan": plan.evaluation, "seed": plan.split.seed}
    per_site = judging.per_site(judged.tested, **settings)
    for site in prepared.site_names:
        held = {f"num_{rows}": len(prepared.rows(site, rows)) for rows in ("train", "val", "test")}
        per_site[site] = {**held, **per_site.get(site, {"num_test": 0, "metrics": {}})}  # of segmentation num_test counts patients
    tested, confusion = judged.tested, None
    if isinstance(tested, Predictions) and not tested.is_multilabel:
        confusion = judging.confusion(tested, judged.threshold).tolist()
    return {"arm": arm, "task": blueprint.task, "phantom": prepared.catalogue.phantom,
            "rounds": course.state.round, "best_round": course.best_round, "seconds": course.seconds,
            "train_seconds": course.train_seconds, **exchanged(arm, course),
            "num_train": sum(len(rows.train) for rows in blueprint.rows.values()),
            "num_test": int((tested.splits == "test").sum()), "threshold": judged.threshold,
            "metrics": judging.test_scores(tested, **settings), "published": judging.published(tested, **settings),
            "per_site": per_site, "confusion": confusion, "regions": {name: list(parts) for name, parts in blueprint.regions.items()},
            "classes": list(prepared.catalogue.classes), "without": list(course.dropped)}


def exchanged(arm: Arm, course: Course) -> dict[str, int]:
    """Bytes between hospitals and server; training in one place exchanges none."""
    if arm != "federated":
        return {"bytes_up": 0, "bytes_down": 0}
    return {"bytes_up": course.bytes_up, "bytes_down": course.bytes_down}


def write_model(folder: Path, blueprint: ArmBlueprint, prepared: Prepared, course: Course, threshold: float | None) -> None:
    """model.safetensors (the best round, tensors by name) and model.json (what is needed to use it)."""
    part = folder / "model.safetensors.part"
    model = blueprint.model()
    model.load(course.best)
    save_file({name: tensor.cpu().contiguous() for name, tensor in model.tensors().items()}, part)
    part.replace(folder / "model.safetensors")
    plan = blueprint.plan
    write_json(folder / "model.json", {
        "model": plan.model.model_dump(mode="json"), "task": blueprint.task, "classes": list(blueprint.classes),
        "data": plan.data.model_dump(mode="json", exclude={"folder", "phantoms", "max_failed"}), "precision": plan.engine.precision,
        "layout": plan.engine.layout,
        "loss": plan.recipe.loss, "threshold": threshold,
        "mask_values": {str(value): label for value, label in prepared.catalogue.mask_values.items()},
        "suffixes": list(suffixes_of(prepared.catalogue.images[0])),
        "best_round": course.best_round, "parameters": course.best.layout.num_trainable, "phantom": prepared.catalogue.phantom,
        "dataset": prepared.catalogue.name, "licence": prepared.catalogue.licence, "fingerprint": prepared.fingerprint,
        "notice": "A research model. Not for clinical use."})


def write_gallery(folder: Path, judged: Judged, blueprint: ArmBlueprint, prepared: Prepared, course: Course) -> None:
    """The images that the report shows: the surest wrong answers, or the best, median and worst segmentation."""
    folder.mkdir(exist_ok=True)
    if isinstance(judged.tested, Measured):
        gallery.write_overlays(folder, judged.tested, judged.rows, blueprint, course.best)
    elif not judged.tested.is_multilabel:
        gallery.write_errors(folder, judged.tested, judged.rows, prepared)
