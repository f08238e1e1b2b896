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
from wardround.core.predictions import Predictions
from wardround.data.prepare import Prepared
from wardround.errors import SiteError
from wardround.evaluation import scores as judging
from wardround.evaluation.operating_point import threshold as choose_threshold
from wardround.fleet.base import Fleet
from wardround.rounds.course import Course
from wardround.runs.folder import write_json

NUM_ERRORS = 12  # worst errors kept for the report


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The best round's predictions on test rows (rows: their catalogue rows), and the threshold fixed on validation."""

    tested: Predictions
    rows: np.ndarray
    threshold: float | None


def test(blueprint: ArmBlueprint, prepared: Prepared, course: Course, fleet: Fleet) -> Judged:
    """Fix the threshold on validation rows, then read the test rows once."""
    validated, _ = predictions(prepared, course, fleet, "val")
    tested, rows = predictions(prepared, course, fleet, "test")
    has_val = len(validated) > 0  # a hospital alone may have none; then its last round is kept and 0.5 decides
    threshold = choose_threshold(validated) if has_val else 0.5 if blueprint.num_classes == 2 else None
    return Judged(tested=tested, rows=rows, threshold=threshold)


def predictions(prepared: Prepared, course: Course, fleet: Fleet, rows: Rows) -> tuple[Predictions, np.ndarray]:
    """The best round's predictions on all sites' rows, in catalogue order, and those rows."""
    numbers: list[np.ndarray] = []
    probabilities: list[np.ndarray] = []
    order = EvaluateOrder(round=course.best_round, params=course.best, rows=rows, detail=True)
    for reply in fleet.evaluate(order, list(fleet.sites())):
        if isinstance(reply, SiteFailed) or reply.rows is None or reply.probabilities is None:
            reason = reply.reason if isinstance(reply, SiteFailed) else "it sent no predictions"
            raise SiteError(f"site '{reply.site}' could not evaluate its {rows} rows: {reason}")
        numbers.append(reply.rows)
        probabilities.append(reply.probabilities)
    found = np.concatenate(numbers)
    order_of = np.argsort(found, kind="stable")
    return label(prepared, found[order_of], np.concatenate(probabilities)[order_of]), found[order_of]


def label(prepared: Prepared, rows: np.ndarray, probabilities: np.ndarray) -> Predictions:
    """Predictions with salted ids. The salt is a hash of the whole list of images: arms and seeds on the same data can be paired."""
    salt = hashlib.sha256("\n".join(prepared.catalogue.images).encode()).digest()

    def hashed(kind: str, value: object) -> str:
        return hashlib.blake2b(f"{kind}:{value}".encode(), digest_size=8, key=salt).hexdigest()

    catalogue = prepared.catalogue
    return Predictions(classes=catalogue.classes, cases=np.array([hashed("case", catalogue.images[row]) for row in rows], dtype=object),
                       groups=np.array([hashed("group", prepared.groups[row]) for row in rows], dtype=object),
                       sites=prepared.homes[rows], splits=prepared.split[rows], truth=catalogue.labels[rows].astype(np.int64),
                       probabilities=probabilities)


def scores(blueprint: ArmBlueprint, prepared: Prepared, arm: Arm, course: Course, judged: Judged) -> dict[str, Any]:
    """scores.json (design.md, section 6)."""
    plan = blueprint.plan
    settings: dict[str, Any] = {"threshold": judged.threshold, "plan": plan.evaluation, "seed": plan.split.seed}
    per_site = judging.per_site(judged.tested, **settings)
    for site in prepared.site_names:
        held = {f"num_{rows}": len(prepared.rows(site, rows)) for rows in ("train", "val", "test")}
        per_site[site] = {**per_site.get(site, {"metrics": {}}), **held}
    return {"arm": arm, "task": "binary" if blueprint.num_classes == 2 else "multiclass", "phantom": prepared.catalogue.phantom,
            "rounds": course.state.round, "best_round": course.best_round, "seconds": course.seconds,
            "train_seconds": course.train_seconds, **exchanged(arm, course),
            "num_train": sum(len(rows.train) for rows in blueprint.rows.values()),
            "num_test": int((judged.tested.splits == "test").sum()), "threshold": judged.threshold,
            "metrics": judging.test_scores(judged.tested, **settings), "published": judging.published(judged.tested, **settings),
            "per_site": per_site, "confusion": judging.confusion(judged.tested, judged.threshold).tolist(),
            "classes": list(prepared.catalogue.classes), "without": list(course.dropped)}


def exchanged(arm: Arm, course: Course) -> dict[str, int]:
    """Bytes between hospitals and server; training in one place exchanges none."""
    if arm != "federated":
        return {"bytes_up": 0, "bytes_down": 0}
    return {"bytes_up": course.bytes_up, "bytes_down": course.bytes_down}


def write_model(folder: Path, blueprint: ArmBlueprint, prepared: Prepared, course: Course, threshold: float | None) -> None:
    """model.safetensors (the best round, tensors by name) and model.json (what is needed to use it)."""
    part = folder / "model.safetensors.part"
    save_file({name: tensor.contiguous() for name, tensor in course.best.named().items()}, part)
    part.replace(folder / "model.safetensors")
    plan = blueprint.plan
    write_json(folder / "model.json", {
        "model": plan.model.model_dump(mode="json"), "classes": list(prepared.catalogue.classes), "size": plan.data.size,
        "channels": plan.data.channels, "normalise": plan.data.normalise, "precision": plan.engine.precision,
        "loss": plan.recipe.loss, "threshold": threshold,
        "best_round": course.best_round, "parameters": course.best.layout.num_trainable, "phantom": prepared.catalogue.phantom,
        "data": prepared.catalogue.name, "licence": prepared.catalogue.licence, "fingerprint": prepared.fingerprint,
        "notice": "A research model. Not for clinical use."})


def write_errors(folder: Path, tested: Predictions, rows: np.ndarray, prepared: Prepared) -> None:
    """figures/errors.npz: the images of the surest wrong answers, without any id, for the report's gallery."""
    folder.mkdir(exist_ok=True)
    predicted = tested.probabilities.argmax(1)
    certainty = tested.probabilities.max(1)
    wrong = np.flatnonzero((predicted != tested.truth) & (tested.splits == "test"))
    surest = wrong[np.argsort(-certainty[wrong], kind="stable")]
    _, first = np.unique(tested.groups[surest].astype(str), return_index=True)  # one image a patient or group of near-duplicates
    worst = surest[np.sort(first)][:NUM_ERRORS]
    with (folder / "errors.npz").open("wb") as file:
        np.savez_compressed(file, images=prepared.pixels[rows[worst]], truth=tested.truth[worst], predicted=predicted[worst],
                            probability=certainty[worst], site=tested.sites[worst].astype(str))
