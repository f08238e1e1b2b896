"""A study's results over all sites, made at the server of the sites' summaries, in the form of a run's own files.

Confusion and what follows from it, Brier score and Dice are exact. AUROC and average precision treat scores in one of the tally's 1,024
bins as equal, the calibration error those in one of 64: "approximate" names them. Intervals are percentiles of the sites' summed
resamples, each site a stratum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from wardround.build import Design
from wardround.core.tally import SCORE_BINS, ClassTally, DiceTally, FindingTally, Tally, total
from wardround.errors import NetworkError, WireError
from wardround.evaluation import scores as judging
from wardround.evaluation.intervals import Draws
from wardround.evaluation.metrics import binned_auroc, binned_average_precision, mean_estimable
from wardround.evaluation.operating_point import threshold_of_counts
from wardround.evaluation.temperature import fitted, scaled
from wardround.network import few
from wardround.network.messages import Ready, SiteSummary
from wardround.network.summary import curves
from wardround.network.sums import ClassSums, FindingSums, MeasureSums, Sums, is_fitting, sums_of
from wardround.plan.schema import EvaluationPlan, Plan
from wardround.report.card import model_card
from wardround.rounds.course import Course
from wardround.runs import provenance
from wardround.runs.folder import RunFolder, read_json, write_json, write_text
from wardround.session import outcome
from wardround.session.single import model_record

APPROXIMATE = ("auroc", "auprc", "ece")
KINDS: Mapping[type, type[Tally]] = {ClassSums: ClassTally, FindingSums: FindingTally, MeasureSums: DiceTally}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Entry(_Part):
    value: FiniteFloat | None
    low: FiniteFloat | None
    high: FiniteFloat | None
    reason: Literal["few"] | None = None


class _Bin(_Part):
    predicted: FiniteFloat
    observed: FiniteFloat
    count: int


class _Curve(_Part):
    fpr: list[FiniteFloat]
    tpr: list[FiniteFloat]


class _Told(_Part):
    """A summary's `scores`, as they may come from outside."""

    num_train: int | None
    num_val: int | None
    num_test: int | None
    hidden: bool
    metrics: dict[str, _Entry]
    confusion: list[list[int | None]] | None = None
    calibration: list[_Bin] = []
    roc: dict[str, _Curve] = {}


def fixed_from_sums(design: Design, tallies: Sequence[Tally], loss_sums: Sequence[np.ndarray]) -> tuple[float | None, float | None]:
    """Temperature, of probabilities, and threshold, of two classes, of the sites' validation rows; without any, 1 and 0.5.

    tallies: before the temperature. loss_sums: (T,) each, see evaluation/temperature.py. The threshold follows the rule of the rows, on
    the tally's bins: evaluation/operating_point.py."""
    if design.task == "segmentation":
        return None, None
    temperature = fitted(np.sum(loss_sums, axis=0)) if design.plan.evaluation.calibrate and len(loss_sums) else 1.0
    if design.task != "binary":
        return temperature, None
    scores = sum((tally.scores[1] for tally in tallies if isinstance(tally, ClassTally)), np.zeros((2, SCORE_BINS), np.int64))
    limits = np.arange(1, SCORE_BINS) / SCORE_BINS
    edges = scaled(np.stack([1 - limits, limits], 1), temperature, is_multilabel=False)[:, 1]
    return temperature, threshold_of_counts(scores, np.concatenate([[0.0], edges, [1.0]]))


def scores(design: Design, plan: Plan, course: Course, summaries: Sequence[SiteSummary], *, temperature: float | None,
           threshold: float | None, missing: Mapping[str, str], ready: Mapping[str, Ready],
           locals: Mapping[str, SiteSummary]) -> dict[str, Any]:
    """scores.json of a study (as session/outcome.py writes it, further "network", "approximate",
    "untested", "resamples", "calibration", "roc", of findings "support").

    ready: of every site of the study. missing: site -> why it did not answer the test; it is in "without" and "untested". locals: of the
    sites that have trained alone. NetworkError if no site has test images, WireError naming a site whose summary cannot be used."""
    layout = sums_of(design, threshold)
    told = {summary.site: _checked(summary, layout, plan.evaluation, is_local=False) for summary in summaries}
    alone = {site: _checked(summary, layout, plan.evaluation, is_local=True) for site, summary in locals.items()}
    tallies = {summary.site: summary.tally for summary in summaries if summary.tally is not None}
    tested = {site: tally.num_examples for site, tally in tallies.items()}
    if not any(tested.values()):
        raise NetworkError(f"no site has sent results of test images{_reasons(missing)}. Bring the sites back and resume the study.")
    summed = np.stack([_sums(summary) for summary in summaries]).sum(0)
    tally, num_test = total(list(tallies.values())), few.told_total(list(tested.values()))
    metrics = _metrics(layout, design, summed, tally, plan.evaluation)
    shapes = curves(layout, summed[0], tally)
    if num_test is None:  # what rests on all would tell how many these are
        metrics = _rounded(metrics, few.decimals_of(tally.num_examples))
        shapes["calibration"] = [{**part, "count": None} for part in shapes["calibration"]]
    if isinstance(layout, ClassSums):
        shapes["confusion"] = _confusions(layout, summaries, told)
    elif isinstance(layout, FindingSums):  # of single classes it would tell hidden cells of the confusion
        shapes["support"] = {name: few.told(num) for name, num in layout.support(summed[0]).items()}
    return {"arm": "federated", "network": True, "task": design.task, "phantom": any(site.phantom for site in ready.values()),
            "rounds": course.state.round, "best_round": course.best_round, "seconds": course.seconds,
            "train_seconds": course.train_seconds, **outcome.exchanged("federated", course),
            "num_train": few.told_total([site.num_train for site in ready.values()]), "num_test": num_test, "threshold": threshold,
            "temperature": temperature, "uncalibrated": None, "metrics": metrics,
            "approximate": [name for name in metrics if name.partition("_")[0] in APPROXIMATE], "published": None,
            "resamples": len(summed) - 1,
            "per_site": {site: _site(own, told.get(site), missing.get(site), alone.get(site)) for site, own in ready.items()},
            **shapes, "regions": {name: list(parts) for name, parts in design.regions.items()}, "classes": list(design.classes),
            "without": sorted({*course.dropped, *missing}), "untested": dict(missing)}


def write(folder: RunFolder, design: Design, course: Course, found: Mapping[str, Any], ready: Mapping[str, Ready], *,
          plan_hash: str) -> tuple[dict[str, Any], str]:
    """Write the model, model.json, provenance.json, card.md, then scores.json, which marks the run as finished, and its report.

    found: of `scores`. Returns what model.json holds and the card: both go back to the sites with the model."""
    images = {"mask_values": {str(label): label for label in range(len(design.classes))}, "suffixes": [], "greys": None,
              "phantom": found["phantom"], "dataset": design.plan.data.dataset, "licence": None, "fingerprint": _fingerprint(ready)}
    record = outcome.save_model(folder.path, design, course, temperature=found["temperature"], threshold=found["threshold"], images=images)
    stands_on = provenance_of(design, ready, plan_hash=plan_hash, started=_started(folder))
    write_json(folder.path / "provenance.json", stands_on)
    card = model_card(found, record, stands_on)
    write_text(folder.path / "card.md", card)
    write_json(folder.path / "scores.json", found)
    from wardround.report.html import write_run_report  # matplotlib is loaded when there is something to draw

    write_run_report(folder.path)
    return record, card


def provenance_of(design: Design, ready: Mapping[str, Ready], *, plan_hash: str, started: str | None = None) -> dict[str, Any]:
    """provenance.json of a study: the server's software and machine, and of each site what it told. Small counts are hidden.

    plan_hash: SHA-256 of the plan as the sites have approved it. started: when the study began, if not now."""
    here = provenance.environment()
    sites = {site: {"wardround": own.version, "device": own.device, "threads": own.threads, "phantom": own.phantom,
                    "fingerprint": own.fingerprint} for site, own in ready.items()}
    counted = {site: {"train": _by_class(own), "val": {"images": few.told(own.num_val)}, "test": {"images": few.told(own.num_test)}}
               for site, own in ready.items()}
    return {**here, "started": started or here["started"], "arm": "federated", "site": None, "seed": design.plan.seed, "network": True,
            "plan_hash": plan_hash, "sites": sites, "model": model_record(design),
            "data": {"name": design.plan.data.dataset, "task": design.task, "fingerprint": _fingerprint(ready),
                     "phantom": any(own.phantom for own in ready.values()), "site_counts": counted}}


def _checked(summary: SiteSummary, layout: Sums, plan: EvaluationPlan, *, is_local: bool) -> dict[str, Any]:
    """What a summary tells; WireError naming the site if it does not hold what it should."""
    def refuse(why: str) -> WireError:
        return WireError(f"site '{summary.site}' sent a test result that cannot be used: {why}. Is its wardround of the server's version?")

    if not is_local:
        expected = KINDS[type(layout)]
        if not is_fitting(summary.replicates, layout, plan.resamples):
            raise refuse("its resampled sums have another shape, or are not finite and at least 0")
        if not isinstance(summary.tally, expected):
            raise refuse(f"its tally is {type(summary.tally).__name__}, expected {expected.__name__}")
        if isinstance(layout, ClassSums) and round(layout.confusion(_sums(summary)[0]).sum()) != summary.tally.num_examples:
            raise refuse("its tally and its sums are of different rows")
    try:
        told = _Told.model_validate(summary.scores).model_dump()
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise refuse(f"'{place}' of its scores: {error.errors()[0]['msg']}") from None
    if unknown := set(told["metrics"]) - set(layout.metrics(np.zeros(layout.size))):
        raise refuse(f"it has a metric '{min(unknown)}', which the plan has not")
    told["metrics"] = {name: {key: part for key, part in entry.items() if key != "reason" or part} for name, entry in
                       told["metrics"].items()}
    return told


def _metrics(layout: Sums, design: Design, summed: np.ndarray, tally: Tally, plan: EvaluationPlan) -> dict[str, Any]:
    """Scores of all sites together. summed: (1 + R, K)."""
    support, num = layout.support(summed[0]), tally.num_examples
    common = few.common_findings(design.classes, support, num)
    found = layout.metrics(summed, rare=frozenset(design.classes) - frozenset(common))
    areas, is_moving = _areas(layout, tally, common), bool((summed[1:] != summed[0]).any())  # not of a single patient a site
    metrics = {}
    for name, values in found.items():
        value = areas.get(name, float(values[0]))
        drawn = values[1:] + (value - values[0]) if is_moving else np.full(len(values) - 1, np.nan)
        draws = Draws(value=value, draws=drawn.clip(0, 1) if name in areas else drawn)
        metrics[name] = judging.entry(draws.centred() if name == "ece" else draws, plan.level)
    hidden = few.few_metrics(design.task, design.classes, support, num)
    if isinstance(layout, MeasureSums):
        hidden |= {name for name, known in support.items() if few.is_few(known)}
    return few.told_metrics(metrics, hidden)


def _rounded(metrics: Mapping[str, Any], decimals: int) -> dict[str, Any]:
    """Scores to so many decimals, and how many these are."""
    rounded = few.told_metrics(metrics, frozenset(), decimals)
    return {name: entry if "reason" in entry else {**entry, "decimals": decimals} for name, entry in rounded.items()}


def _areas(layout: Sums, tally: Tally, common: Sequence[str]) -> dict[str, float]:
    """AUROC and average precision by the tally's fine bins."""
    if isinstance(layout, ClassSums) and isinstance(tally, ClassTally):
        scores = tally.scores[layout.labels]
        found = {"auroc": float(mean_estimable(binned_auroc(scores)))}
        return found | ({"auprc": float(mean_estimable(binned_average_precision(scores)))} if len(layout.classes) == 2 else {})
    if not isinstance(tally, FindingTally) or not isinstance(layout, FindingSums):
        return {}
    areas: dict[str, float] = {}
    for name, area in (("auroc", binned_auroc), ("auprc", binned_average_precision)):
        values = area(tally.scores)
        areas[name] = float(mean_estimable(values[[finding in common for finding in layout.classes]]))
        areas |= {f"{name}_{finding}": float(value) for finding, value in zip(layout.classes, values, strict=True)}
    return areas


def _confusions(layout: ClassSums, summaries: Sequence[SiteSummary], told: Mapping[str, dict[str, Any]]) -> list[list[int | None]]:
    """The confusion of all sites; each site's own is set in `told`."""
    tables, whole = few.told_tables({summary.site: layout.confusion(_sums(summary)[0]).astype(np.int64) for summary in summaries})
    for site, table in tables.items():
        told[site]["confusion"] = table
    return whole


def _site(own: Ready, told: Mapping[str, Any] | None, reason: str | None, alone: Mapping[str, Any] | None) -> dict[str, Any]:
    """The site's part of per_site."""
    counts = {"num_train": own.num_train, "num_val": own.num_val, "num_test": own.num_test}
    found = dict(told) if told is not None else {**few.told_counts(counts), "metrics": {}}
    return found | ({"untested": reason} if reason is not None else {}) | ({"local": alone["metrics"]} if alone is not None else {})


def _by_class(own: Ready) -> dict[str, int | None]:
    """Training images, by class where the site has told them so."""
    if own.counts is None:
        return {"images": few.told(own.num_train)}
    if own.task == "multilabel":  # images with several findings: their counts do not add up
        return {name: few.told(num) for name, num in own.counts.items()}
    return few.told_parts(own.counts)


def _sums(summary: SiteSummary) -> np.ndarray:
    """(1 + R, K): of the rows as they are, then of resamples."""
    return np.asarray(summary.replicates, np.float64)


def _fingerprint(ready: Mapping[str, Ready]) -> str:
    """Of all sites' images together."""
    return hashlib.sha256("\n".join(f"{site} {own.fingerprint}" for site, own in sorted(ready.items())).encode()).hexdigest()


def _started(folder: RunFolder) -> str | None:
    """When the run began, if its provenance was written then."""
    path = folder.path / "provenance.json"
    return str(read_json(path).get("started") or "") or None if path.exists() else None


def _reasons(missing: Mapping[str, str]) -> str:
    return f" ({'; '.join(f'{site}: {reason}' for site, reason in missing.items())})" if missing else ""
