"""What a report is made of: one run's files, or a comparison's. What is missing becomes a sentence, not a failure."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wardround.core.events import Event, RoundFinished, RunFinished, WorkerRestarted
from wardround.core.predictions import Measured, Predictions, Results
from wardround.data.readers.arrays import ArrayFile
from wardround.errors import WardroundError
from wardround.plan.schema import Plan
from wardround.report import words
from wardround.report.overlays import OverlayCase
from wardround.runs.folder import MOST_CLASSES, RunFolder, check_links, read_json

ARM_ORDER = ("pooled", "federated", "ensemble", "local")
HEADLINES = {"binary": "auroc", "multiclass": "balanced_accuracy", "multilabel": "auroc", "segmentation": "dice"}  # task -> metric
MOST_SHOWN = 48  # images in figures/errors.npz
MOST_SITES = 10_000
OVERLAYS = ("best", "median", "worst")  # patients in figures/overlays.npz
KEPT_AT_SITES = ("predictions.csv", "ledger.csv", "figures/errors.npz", "figures/overlays.npz")  # a study's run has none


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """figures/errors.npz: the surest wrong answers. images: (k, C, H, W) uint8; captions: one text each."""

    images: np.ndarray
    captions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunMaterial:
    """A finished run. Everything after `scores` may be empty or None; `missing` says so in sentences."""

    folder: Path
    plan: Plan
    scores: Mapping[str, Any]
    provenance: Mapping[str, Any]
    events: Sequence[Event]
    tested: Results | None
    ledger: Mapping[str, Mapping[str, int]]  # status -> reason -> number of images
    errors: Errors | None
    overlays: tuple[OverlayCase, ...]
    missing: tuple[str, ...]

    @property
    def task(self) -> str:
        return str(self.scores["task"])

    @property
    def is_network(self) -> bool:
        """Whether this is a study's run over a network: single results and lists of images stayed at the hospitals."""
        return bool(self.scores.get("network"))

    @property
    def unit(self) -> str:
        """What a test result belongs to: "image" or "patient"."""
        return unit_of(self.scores)

    @property
    def predictions(self) -> Predictions | None:
        """Probabilities of the test images, where the task has them."""
        return self.tested if isinstance(self.tested, Predictions) else None

    @property
    def measured(self) -> Measured | None:
        """Measures of the test patients' segmentations."""
        return self.tested if isinstance(self.tested, Measured) else None

    @property
    def sent_share(self) -> float | None:
        """Which share of the model's numbers is trained and exchanged; None if that was not recorded."""
        model = self.provenance.get("model") or {}
        if not model.get("bytes") or model.get("frozen") is None:
            return None
        return float(model["bytes"] / (model["bytes"] + 4 * model["frozen"]))  # 4 bytes a number

    @property
    def data(self) -> Mapping[str, Any]:
        """The provenance of the images; {} if it was not written."""
        return self.provenance.get("data") or {}

    @property
    def rounds(self) -> list[RoundFinished]:
        """One event a round, the last one where a resumed run repeated a round."""
        return list({event.round: event for event in self.events if isinstance(event, RoundFinished)}.values())

    @property
    def stopped_early(self) -> bool:
        return any(isinstance(event, RunFinished) and event.stopped_early for event in self.events)

    @property
    def num_restarts(self) -> int:
        return sum(isinstance(event, WorkerRestarted) for event in self.events)

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the files that a repeated run can be held against."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
                for name in ("model.safetensors", "predictions.csv") if (self.folder / name).exists()}

    @property
    def site_counts(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """site -> split -> class -> images; of a study None where the number is hidden."""
        return self.data.get("site_counts") or {}

    @property
    def grouping(self) -> str:
        """What is never torn by a split, and drawn again for an interval."""
        if self.is_network:
            return "patient (or group of near-duplicate images)"
        return "patient" if self.patients_known else "group of near-duplicate images"

    @property
    def failures(self) -> dict[str, dict[str, list[int]]]:
        """Who was left out of which rounds: site -> reason -> rounds."""
        found: dict[str, dict[str, list[int]]] = {}
        for event in self.rounds:
            for site, reason in sorted(event.failed.items()):
                found.setdefault(site, {}).setdefault(reason, []).append(event.round)
        return found

    @property
    def suspicion(self) -> dict[str, dict[int, float]]:
        """How far each site stood apart: site -> round -> score of aggregation/suspicion.py; {} where the mean combined."""
        found: dict[str, dict[int, float]] = {}
        for event in self.rounds:
            for site, score in event.suspicion.items():
                found.setdefault(site, {})[event.round] = score
        return found

    @property
    def patients_known(self) -> bool:
        return bool(self.data.get("patients_known"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """compare.json and the run folders beside it. runs: arm -> the runs of the first seed that could be read."""

    folder: Path
    compare: Mapping[str, Any]
    runs: Mapping[str, Sequence[RunMaterial]]
    missing: tuple[str, ...]

    @property
    def metric(self) -> str:
        return str(self.compare["primary"])

    @property
    def lead(self) -> RunMaterial:
        """The run whose curves and errors are shown: federated, else pooled, else the first there is."""
        return next(self.runs[arm][0] for arm in ("federated", "pooled", *self.runs) if self.runs.get(arm))


def read_run(path: Path) -> RunMaterial:
    """Read a finished run's folder. WardroundError if it has no plan.toml or no scores.json."""
    check_links(path)
    folder = RunFolder(path)
    plan, scores = folder.plan(), folder.scores()
    if scores.get("task") not in HEADLINES:
        raise WardroundError(f"{path / 'scores.json'}: task is {scores.get('task')!r}, expected one of {', '.join(HEADLINES)}. Was the run "
                             "made by another version?")
    _check_scores(path / "scores.json", scores)
    missing: list[str] = []
    kept = KEPT_AT_SITES if scores.get("network") else ()

    def optional(name: str, what: str) -> bool:
        if name in kept:
            return False
        if (path / name).exists():
            return True
        missing.append(f"{name} is absent from {path.name}: {what}.")
        return False

    provenance = folder.provenance() if optional("provenance.json", "versions, hardware and counts of images are not known") else {}
    events = folder.events() if optional("journal.jsonl", "the learning curves cannot be drawn") else []
    lost = "results by patient" if scores["task"] == "segmentation" else "curves and calibration"
    tested = _test_rows(folder) if optional("predictions.csv", f"{lost} cannot be drawn") else None
    ledger = _ledger(folder) if optional("ledger.csv", "the list of images that were left out cannot be counted") else {}
    errors, overlays = None, tuple[OverlayCase, ...]()
    if scores["task"] == "segmentation" and optional("figures/overlays.npz", "no segmentation can be shown"):
        overlays = _overlays(path / "figures" / "overlays.npz")
    elif scores["task"] in ("binary", "multiclass") and optional("figures/errors.npz", "the worst errors cannot be shown"):
        errors = _errors(path, scores["classes"])
    return RunMaterial(folder=path, plan=plan, scores=scores, provenance=provenance, events=events, tested=tested,
                       ledger=ledger, errors=errors, overlays=overlays, missing=tuple(missing))


def read_comparison(path: Path) -> Comparison:
    """Read a comparison's folder. WardroundError if it has no compare.json."""
    if not (path / "compare.json").exists():
        raise WardroundError(f"{path} is not a comparison's folder (it has no compare.json). "
                             f"Make one: wardround compare PLAN --out {path}")
    compare = read_json(path / "compare.json")
    runs: dict[str, list[RunMaterial]] = {}
    missing: list[str] = []
    for arm, by_seed in (compare.get("runs") or {}).items():
        for name in by_seed[0] if by_seed else []:
            if Path(name).name != name or name == "..":
                raise WardroundError(f"{path / 'compare.json'} names a run outside of its folder: {name[:80]!r}. Was it changed?")
            if not (path / name / "scores.json").exists():
                missing.append(f"The run folder {name} is absent: its curves cannot be drawn.")
                continue
            run = read_run(path / name)
            runs.setdefault(arm, []).append(run)
            missing += run.missing if arm == "federated" else []
    if not runs:
        raise WardroundError(f"{path} holds compare.json but none of its run folders. Put them back beside it, or compare again.")
    return Comparison(folder=path, compare=compare, runs=runs, missing=tuple(missing))


def primary_metric(run: RunMaterial) -> str:
    """The metric a single run is judged by: the plan's, or where that is the loss the task's (HEADLINES)."""
    return run.plan.rounds.metric if run.plan.rounds.metric in run.scores["metrics"] else HEADLINES[run.task]


def tested(scores: Mapping[str, Any]) -> str:
    """ "1 311 test images", or a range where the number would tell a hospital's hidden one."""
    unit = f"test {unit_of(scores)}"
    if scores["num_test"] is not None:
        return words.plural(int(scores["num_test"]), unit)
    return f"{words.total_told([part['num_test'] for part in scores['per_site'].values() if 'untested' not in part])} {unit}s"


def unit_of(scores: Mapping[str, Any]) -> str:
    """What scores["num_test"] counts: "image", or "patient" of segmentations."""
    return "patient" if scores.get("task") == "segmentation" else "image"


def value_of(scores: Mapping[str, Any], metric: str, part: str = "value") -> float:
    """One number of scores["metrics"], NaN if it is not there."""
    found = (scores.get("metrics") or {}).get(metric) or {}
    number = found.get(part)
    return math.nan if number is None else float(number)


def ordered_arms(compare: Mapping[str, Any]) -> list[str]:
    """The arms that were judged: pooled, federated, ensemble, local, then others."""
    present = [arm for arm, results in compare["arms"].items() if results]
    return sorted(present, key=lambda arm: (ARM_ORDER.index(arm) if arm in ARM_ORDER else len(ARM_ORDER), arm))


def trained_at(run: RunMaterial) -> str | None:
    """The one hospital that a local run trained at; None if its folder's name local-seedN-SITE does not tell."""
    name = run.folder.name.split("-", 2)[-1]
    return next((site for site in run.scores["per_site"] if site == name or _slug(site) == _slug(name)), None)


def _slug(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _test_rows(folder: RunFolder) -> Results:
    tested = folder.predictions()
    return tested.take(tested.splits == "test")


def _ledger(folder: RunFolder) -> dict[str, dict[str, int]]:
    counts = Counter((row.get("status") or "", row.get("reason") or "") for row in folder.ledger())
    found: dict[str, dict[str, int]] = {}
    for (status, reason), number in sorted(counts.items()):
        found.setdefault(status, {})[reason] = number
    return found


def _errors(path: Path, classes: Sequence[str]) -> Errors | None:
    """The gallery of errors.npz; class columns hold an index or a name."""
    file = path / "figures" / "errors.npz"
    arrays = ArrayFile(file)
    images, truth, predicted, probability, site = map(arrays.array, ("images", "truth", "predicted", "probability", "site"))
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) > MOST_SHOWN:
        raise WardroundError(f"{file}: its images are {images.shape} {images.dtype}, expected up to {MOST_SHOWN} of (C, H, W) uint8. Was "
                             "it changed?")

    def name(value: Any) -> str:
        return classes[int(value)] if isinstance(value, np.integer) else str(value)

    captions = tuple(f"truth: {name(truth[i])}\nmodel: {name(predicted[i])}\n{float(probability[i]):.0%} sure, {site[i]}"
                     for i in range(len(images)))
    return Errors(images=images, captions=captions)


def _overlays(path: Path) -> tuple[OverlayCase, ...]:
    """The best, median and worst patient of overlays.npz, as far as they are in it."""
    arrays = ArrayFile(path)
    classes, there = tuple(map(str, arrays.array("classes"))), arrays.headers()
    found = tuple(OverlayCase(image=arrays.array(f"{kind}_image"), truth=arrays.array(f"{kind}_truth"),
                              predicted=arrays.array(f"{kind}_predicted"), classes=classes, dice=float(arrays.array(f"{kind}_dice")),
                              label=kind) for kind in OVERLAYS if f"{kind}_image" in there)
    if any(case.image.ndim != 3 or not case.image.shape == case.truth.shape == case.predicted.shape for case in found):
        raise WardroundError(f"{path}: its image, truth and answer differ in shape, or are no volumes. Was it changed?")
    return found


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Files of a run that are whole, but do not hold what a run writes, are a WardroundError that names their folder."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise WardroundError(f"{path}: scores.json or another file in it does not hold what a run writes ({type(error).__name__}: "
                             f"{str(error)[:200]}). Was it changed, or made by another version? (--debug shows where)") from error


def _check_scores(path: Path, scores: Mapping[str, Any]) -> None:
    """WardroundError unless the parts that everything is built on are there, of their types and not endless."""
    classes, confusion = scores.get("classes"), scores.get("confusion")
    faults = {
        "classes": not isinstance(classes, list) or len(classes) > MOST_CLASSES or not all(isinstance(name, str) for name in classes),
        "metrics": not _is_table(scores.get("metrics"), 10 * MOST_CLASSES),
        "per_site": not _is_table(scores.get("per_site"), MOST_SITES),
        "confusion": confusion is not None and not (isinstance(confusion, list) and len(confusion) == len(classes or ())
                                                    and all(isinstance(row, list) and len(row) == len(confusion) for row in confusion)),
        "rounds": type(scores.get("rounds")) is not int,
        "arm": not isinstance(scores.get("arm"), str),
    }
    if wrong := [name for name, is_wrong in faults.items() if is_wrong]:
        raise WardroundError(f"{path}: not as a run writes it, or too long: {', '.join(wrong)}. Was it changed, or made by another "
                             "version?")


def _is_table(value: Any, most: int) -> bool:
    return isinstance(value, dict) and len(value) <= most and all(isinstance(entry, dict) for entry in value.values())
