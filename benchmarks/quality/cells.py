"""A finished cell as JSON: what it scored, what it cost, and its predictions, so that any machine can compare cells later.

Kept: salted hashes of test cases and patients, their classes, probabilities. No image, no path.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from design import HERE, Cell

from wardround.build import plan_of_arm, rows_of_arm
from wardround.core.events import RoundFinished
from wardround.core.predictions import Measured, Predictions, Results
from wardround.data.prepare import Prepared
from wardround.plan.schema import Plan
from wardround.runs import provenance
from wardround.runs.folder import RunFolder, read_json, write_text
from wardround.session.comparison import arm_scores
from wardround.sites.site import steps_per_round

KEPT = ("rounds", "best_round", "bytes_up", "bytes_down", "num_train", "num_test", "threshold", "temperature", "uncalibrated", "phantom")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where cells lie (out) and where their runs are worked on (work). A run's folder goes by its settings: others never meet it."""

    out: Path = HERE / "cells"
    work: Path

    def file(self, cell: Cell) -> Path:
        return self.out / cell.study.name / f"{cell.id}.json"

    def runs(self, cell: Cell) -> Path:
        return self.work / cell.study.name / f"{cell.id}-{cell.digest}"

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's record: of other settings, or with an "error", too; None if there is none."""
        path = self.file(cell)
        return read_json(path) if path.exists() else None

    def state(self, cell: Cell) -> str:
        """ "done", "failed", "outdated" (other settings) or "due"."""
        record = self.read(cell)
        if record is None:
            return "due"
        if record["digest"] != cell.digest:
            return "outdated"
        return "failed" if "error" in record else "done"

    def write(self, cell: Cell, record: dict[str, Any]) -> None:
        _write(self.file(cell), {**identity(cell), **record})


def identity(cell: Cell) -> dict[str, Any]:
    return {"id": cell.id, "study": cell.study.name, "partition": cell.partition, "method": cell.method, "seed": cell.seed, "arm": cell.arm,
            "overrides": list(cell.overrides), "digest": cell.digest, **environment()}


def environment() -> dict[str, Any]:
    found = provenance.environment()
    return {"machine": {"processor": found["cpu"], "cores": len(os.sched_getaffinity(0)), "load_average": round(os.getloadavg()[0], 2),
                        "measured": time.strftime("%Y-%m-%d", time.gmtime())},
            "versions": {name: found[name] for name in ("wardround", "python", "torch", "platform")}}


def record_of(cell: Cell, plan: Plan, prepared: Prepared, folders: Sequence[RunFolder], place: Place) -> dict[str, Any]:
    """All that is kept of a cell's finished runs (one, or of arm "local" one a site, in the order of sites).

    passes: over a site's images, the mean over sites weighted by images. curve: [round, passes, bytes up, validation metric] of each
    evaluation, none of arm "local"."""
    results = [folder.predictions() for folder in folders]
    scores = arm_scores(plan, folders, results)
    courses = [course(plan, prepared, cell, folder) for folder in folders]
    sites = prepared.site_names if cell.arm == "local" else (None,) * len(folders)
    models = [{"site": site, "num_train": folder.scores()["num_train"], "threshold": folder.scores()["threshold"], "values": packed(result)}
              for site, folder, result in zip(sites, folders, results, strict=True)]
    return {"seconds": round(scores["seconds"], 2), "passes": round(float(np.mean([passes for passes, _ in courses])), 3),
            **{name: scores[name] for name in KEPT if name in scores},
            "curve": courses[0][1] if len(courses) == 1 else [], "metrics": rounded(scores["metrics"]),
            "recalls": recalls(scores["metrics"], scores["classes"]),
            "per_site": {site: of_site(held) for site, held in scores["per_site"].items()},
            "predictions": {"rows": keep_rows(results[0], place.out / cell.study.name), "models": models}}


def course(plan: Plan, prepared: Prepared, cell: Cell, folder: RunFolder) -> tuple[float, list[list[float]]]:
    """Passes over a site's images, and the curve, from the journal: only the sites that took part in a round passed over theirs."""
    recipe = plan_of_arm(plan, cell.arm, len(prepared.site_names)).recipe
    site = folder.provenance()["site"]
    sizes = {name: len(rows.train) for name, rows in rows_of_arm(prepared, cell.arm, site).items()}
    batches = {name: -(-size // recipe.batch_size) for name, size in sizes.items()}
    seen = {name: sizes[name] * steps_per_round(recipe, sizes[name]) / batches[name] for name in sizes}  # images in a round
    rounds = {event.round: event for event in folder.events() if isinstance(event, RoundFinished)}
    images, sent, curve = 0.0, 0, []
    for number, event in sorted(rounds.items()):
        images += sum(seen[name] for name in event.train_loss_by_site)
        sent += event.bytes_up if cell.arm == "federated" else 0
        if cell.study.metric in event.val:
            curve.append([number, round(images / sum(sizes.values()), 3), sent, round(event.val[cell.study.metric], 5)])
    return images / sum(sizes.values()), curve


def recalls(metrics: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
    """Recall by class, none where images have no single class."""
    names = {classes[0]: "specificity", classes[-1]: "sensitivity"} if len(classes) == 2 else {name: f"recall_{name}" for name in classes}
    return {label: metrics[name]["value"] for label, name in names.items() if name in metrics}


def rounded(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: {part: None if number is None else round(number, 5) for part, number in entry.items()} for name, entry in metrics.items()}


def of_site(held: dict[str, Any]) -> dict[str, Any]:
    """A site's numbers of images and its test metrics, without intervals."""
    metrics = {name: None if entry["value"] is None else round(entry["value"], 5) for name, entry in held["metrics"].items()}
    return {**{name: value for name, value in held.items() if name != "metrics"}, "metrics": metrics}


def packed(results: Results) -> str:
    """Values (n, C) as float32, zlib, base64; of one class an image the last column is left out, for rows sum to 1.

    float16 would do for accuracy, but its ties moved an AUROC of 24 images by 0.007 and an AUPRC of 500 by 0.005."""
    values = results.values if isinstance(results, Measured) else results.probabilities
    if _sums_to_one(results):
        values = values[:, :-1]
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values, np.float32).tobytes(), 9)).decode()


def unpacked(text: str, rows: dict[str, Any]) -> np.ndarray:
    """(n, C) float64 of what `packed` made. rows: test-rows-DIGEST.json."""
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.float32).astype(np.float64).reshape(len(rows["cases"]), -1)
    if "truth" in rows and np.ndim(rows["truth"]) == 1:
        values = np.concatenate([values, np.maximum(1 - values.sum(1, keepdims=True), 0)], axis=1)
    return values


def _sums_to_one(results: Results) -> bool:
    return isinstance(results, Predictions) and not results.is_multilabel


def keep_rows(results: Results, folder: Path) -> str:
    """Write the test rows of a study once, as test-rows-DIGEST.json; the digest."""
    held: dict[str, Any] = {"cases": results.cases.tolist(), "groups": results.groups.tolist(), "splits": results.splits.tolist()}
    if isinstance(results, Measured):
        held["names"] = list(results.names)
    else:
        held |= {"classes": list(results.classes), "truth": results.truth.tolist()}
    digest = hashlib.sha256(json.dumps(held).encode()).hexdigest()[:12]
    path = folder / f"test-rows-{digest}.json"
    if not path.exists():
        _write(path, held)
    return digest


def results_of(record: dict[str, Any], folder: Path) -> list[Results]:
    """The predictions of a cell's models. Sites are left out: they differ between partitions, and scores by site are in the cell."""
    rows = read_json(folder / f"test-rows-{record['predictions']['rows']}.json")
    held: dict[str, Any] = {name: np.array(rows[name], object) for name in ("cases", "groups", "splits")}
    held["sites"] = np.full(len(rows["cases"]), "", object)
    values = [unpacked(model["values"], rows) for model in record["predictions"]["models"]]
    if "names" in rows:
        return [Measured(names=tuple(rows["names"]), values=value, **held) for value in values]
    truth = np.array(rows["truth"], np.int64)
    return [Predictions(classes=tuple(rows["classes"]), truth=truth, probabilities=value, **held) for value in values]


def _write(path: Path, record: dict[str, Any]) -> None:
    """One key a line: a changed number is one changed line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()) + "\n}\n")
