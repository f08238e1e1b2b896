"""What an arm leaves: the test of its best round, its model, its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from wardround.build import Arm, ArmBlueprint, Design
from wardround.core.exchange import EvaluateOrder, Rows, SiteFailed, SiteReport
from wardround.core.predictions import Measured, Predictions, Results
from wardround.core.tally import Tally
from wardround.data.catalogue import suffixes_of
from wardround.data.prepare import Prepared
from wardround.errors import SiteError
from wardround.evaluation import scores as judging
from wardround.evaluation.metrics import from_tally
from wardround.evaluation.operating_point import threshold as choose_threshold
from wardround.evaluation.segmentation import measure_names, scored_regions
from wardround.evaluation.temperature import TEMPERATURES, fitted, scaled
from wardround.fleet.base import Fleet
from wardround.rounds.course import Course
from wardround.runs.folder import write_json
from wardround.session import gallery
from wardround.strategies.base import Personal


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The best round's results on test rows (rows: their catalogue rows), with temperature and threshold fixed on validation.

    raw: the results before the temperature. temperature: None of segmentations. elsewhere: sums over the other sites' test rows of each
    site's own model, None where there are none; empty if the plan does not ask for it."""

    tested: Results
    raw: Results
    rows: np.ndarray
    temperature: float | None
    threshold: float | None
    elsewhere: Mapping[str, Tally | None] = field(default_factory=dict)


def test(blueprint: ArmBlueprint, prepared: Prepared, course: Course, fleet: Fleet) -> Judged:
    """Fix temperature and threshold on validation rows, then read the test rows once."""
    temperature, threshold = fixed(blueprint, prepared, course, fleet)
    order = order_of(blueprint, course, "test", detail=True)
    order = replace(order, elsewhere=order.is_personal and blueprint.plan.evaluation.elsewhere)
    reports = asked(fleet, order)
    raw, rows = results(blueprint, prepared, reports)
    return Judged(tested=at_temperature(raw, temperature), raw=raw, rows=rows, temperature=temperature, threshold=threshold,
                  elsewhere={report.site: report.elsewhere for report in reports} if order.elsewhere else {})


def fixed(blueprint: ArmBlueprint, prepared: Prepared, course: Course, fleet: Fleet) -> tuple[float | None, float | None]:
    """Temperature, of probabilities, and threshold, of two classes. A hospital alone may have no validation rows: then 1 and 0.5."""
    is_binary, has_probabilities = blueprint.task == "binary", blueprint.task != "segmentation"
    temperature, threshold = 1.0 if has_probabilities else None, 0.5 if is_binary else None
    temperatures = TEMPERATURES if has_probabilities and blueprint.plan.evaluation.calibrate else ()
    if not (is_binary or temperatures) or not any(len(rows.val) for rows in blueprint.rows.values()):
        return temperature, threshold
    reports = asked(fleet, order_of(blueprint, course, "val", detail=is_binary, temperatures=temperatures))
    if temperatures:
        temperature = fitted(np.sum([report.loss_sums for report in reports if report.loss_sums is not None], axis=0))
    if is_binary:
        validated = at_temperature(results(blueprint, prepared, reports)[0], temperature)
        threshold = choose_threshold(validated) if isinstance(validated, Predictions) else None
    return temperature, threshold


def order_of(blueprint: ArmBlueprint, course: Course, rows: Rows, *, detail: bool, temperatures: tuple[float, ...] = ()) -> EvaluateOrder:
    """The order to evaluate the best round."""
    return EvaluateOrder(round=course.best_round, params=course.best, rows=rows, detail=detail, temperatures=temperatures,
                         is_personal=isinstance(blueprint.strategy, Personal))


def asked(fleet: Fleet, order: EvaluateOrder) -> list[SiteReport]:
    """Every site's report; SiteError names one that failed or left out what was asked."""
    reports: list[SiteReport] = []
    for reply in fleet.evaluate(order, list(fleet.sites())):
        if isinstance(reply, SiteFailed):
            raise SiteError(f"site '{reply.site}' could not evaluate its {order.rows} rows: {reply.reason}")
        if (order.detail and reply.values is None) or (order.temperatures and reply.loss_sums is None):
            raise SiteError(f"site '{reply.site}' could not evaluate its {order.rows} rows: it sent no results")
        reports.append(reply)
    return reports


def results(blueprint: ArmBlueprint, prepared: Prepared, reports: Sequence[SiteReport]) -> tuple[Results, np.ndarray]:
    """All sites' results, of reports with detail, in catalogue order, and their rows; for segmentation one a patient."""
    found = np.concatenate([report.rows for report in reports if report.rows is not None])
    values = np.concatenate([report.values for report in reports if report.values is not None])
    ranked = np.argsort(found, kind="stable")
    return label(blueprint, prepared, found[ranked], values[ranked]), found[ranked]


def at_temperature(found: Results, temperature: float | None) -> Results:
    """Predictions with their probabilities at a temperature; segmentations as they are."""
    if temperature is None or not isinstance(found, Predictions):
        return found
    return replace(found, probabilities=scaled(found.probabilities, temperature, is_multilabel=found.is_multilabel))


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
        if site in judged.elsewhere:
            per_site[site]["elsewhere"] = abroad(judged.elsewhere[site])
    tested, confusion = judged.tested, None
    if isinstance(tested, Predictions) and not tested.is_multilabel:
        confusion = judging.confusion(tested, judged.threshold).tolist()
    return {"arm": arm, "task": blueprint.task, "phantom": prepared.catalogue.phantom,
            "rounds": course.state.round, "best_round": course.best_round, "seconds": course.seconds,
            "train_seconds": course.train_seconds, **exchanged(arm, course),
            "num_train": sum(len(rows.train) for rows in blueprint.rows.values()),
            "num_test": int((tested.splits == "test").sum()), "threshold": judged.threshold,
            "temperature": judged.temperature, "uncalibrated": uncalibrated(judged.raw),
            "metrics": judging.test_scores(tested, **settings), "published": judging.published(tested, **settings),
            "per_site": per_site, "confusion": confusion, "regions": {name: list(parts) for name, parts in blueprint.regions.items()},
            "classes": list(prepared.catalogue.classes), "without": list(course.dropped)}


def abroad(tally: Tally | None) -> dict[str, float | None] | None:
    """Scores by metric; None if nobody else has test rows."""
    return None if tally is None else {name: judging.known(value) for name, value in from_tally(tally).items()}


def uncalibrated(raw: Results) -> dict[str, float | None] | None:
    """ECE and Brier score of the test rows before the temperature; None of segmentations."""
    if not isinstance(raw, Predictions):
        return None
    measured = judging.measure(raw.take(raw.splits == "test"), None)
    return {name: judging.known(float(measured[name])) for name in ("ece", "brier")}


def exchanged(arm: Arm, course: Course) -> dict[str, int]:
    """Bytes between hospitals and server; training in one place exchanges none."""
    if arm != "federated":
        return {"bytes_up": 0, "bytes_down": 0}
    return {"bytes_up": course.bytes_up, "bytes_down": course.bytes_down}


def write_model(folder: Path, blueprint: ArmBlueprint, prepared: Prepared, course: Course, judged: Judged) -> None:
    """model.safetensors (the best round, tensors by name) and model.json (what is needed to use it)."""
    catalogue = prepared.catalogue
    images = {"mask_values": {str(value): label for value, label in catalogue.mask_values.items()},
              "suffixes": list(suffixes_of(catalogue.images[0])), "greys": None if prepared.greys is None else prepared.greys.record(),
              "phantom": catalogue.phantom, "dataset": catalogue.name, "licence": catalogue.licence, "fingerprint": prepared.fingerprint}
    save_model(folder, blueprint, course, temperature=judged.temperature, threshold=judged.threshold, images=images)


def save_model(folder: Path, design: Design, course: Course, *, temperature: float | None, threshold: float | None,
               images: Mapping[str, Any]) -> dict[str, Any]:
    """Write the model's two files and return what is in model.json. images: what it holds of the images that the model was trained on."""
    part = folder / "model.safetensors.part"
    model = design.model()
    model.load(course.best)
    save_file({name: tensor.cpu().contiguous() for name, tensor in model.tensors().items()}, part)
    part.replace(folder / "model.safetensors")
    plan = design.plan
    model_plan = plan.model.model_copy(update={"weights": Path(plan.model.weights).name})  # a path tells of this machine
    record = {"model": model_plan.model_dump(mode="json"), "task": design.task, "classes": list(design.classes),
              "data": plan.data.model_dump(mode="json", exclude={"folder", "phantoms", "max_failed"}),
              "precision": plan.engine.precision, "layout": plan.engine.layout,
              "personal": plan.strategy.name if isinstance(design.strategy, Personal) else None, "loss": plan.recipe.loss,
              "temperature": temperature, "threshold": threshold, "best_round": course.best_round,
              "parameters": course.best.layout.num_trainable, **images, "notice": "A research model. Not for clinical use."}
    write_json(folder / "model.json", record)
    return record


def write_gallery(folder: Path, judged: Judged, blueprint: ArmBlueprint, prepared: Prepared, course: Course) -> None:
    """The images that the report shows: the surest wrong answers, or the best, median and worst segmentation.

    No segmentations of personal models: they would have to be drawn at the sites."""
    folder.mkdir(exist_ok=True)
    if isinstance(judged.tested, Measured):
        if not isinstance(blueprint.strategy, Personal):
            gallery.write_overlays(folder, judged.tested, judged.rows, blueprint, course.best)
    elif not judged.tested.is_multilabel:
        gallery.write_errors(folder, judged.tested, judged.rows, prepared)
