"""What the cells of a study say: each method beside pooled training and FedAvg, paired over test patients and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from cells import Place, results_of
from design import Cell, Partition, Ranking, Study, cells_of, home_of

from wardround.build import build_strategy
from wardround.core.predictions import Predictions, Results
from wardround.evaluation import paired
from wardround.evaluation.ensemble import averaged
from wardround.evaluation.metrics import recalls
from wardround.evaluation.scores import Entry, known, measure
from wardround.plan.schema import Plan
from wardround.strategies.base import Personal

BASELINE = "fedavg"
ENSEMBLE = "ensemble"  # the mean of the local models' probabilities, weighted by their training images
ENOUGH = 0.02  # least value whose ratio is taken


@dataclass(frozen=True, kw_only=True)
class Group:
    """A method's finished cells on a partition. is_personal: each site has a model of its own. records: by seed. results, thresholds: by
    seed, of each model."""

    method: str
    arm: str
    family: str = ""
    is_personal: bool = False
    records: Mapping[int, dict[str, Any]]
    results: Mapping[int, list[Results]]
    thresholds: Mapping[int, list[float | None]]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted(self.records))

    def values(self, metric: str) -> list[float]:
        """The metric of each seed that has one."""
        found = [self.records[seed]["metrics"][metric]["value"] for seed in self.seeds if metric in self.records[seed]["metrics"]]
        return [value for value in found if value is not None]

    def mean_of(self, name: str) -> float | None:
        """Mean over seeds of a number of the records; None where a record has none."""
        found = [self.records[seed].get(name) for seed in self.seeds]
        return None if None in found else float(np.mean(found))

    def recalls(self, seeds: Sequence[int]) -> dict[str, float]:
        """Recall by class, mean over these seeds."""
        held = [self.records[seed]["recalls"] for seed in seeds]
        return {label: mean(one[label] for one in held) for label in held[0] if all(one[label] is not None for one in held)}

    def worst_to_mean_site(self, metric: str) -> float | None:
        """Worst site / mean site, mean over seeds, over the sites where the metric can be estimated."""
        ratios = []
        for seed in self.seeds:
            sites = [site["metrics"].get(metric) for site in self.records[seed]["per_site"].values()]
            known = [value for value in sites if value is not None]
            if len(known) > 1 and mean(known) > ENOUGH:
                ratios.append(min(known) / mean(known))
        return mean(ratios) if ratios else None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A partition of a study. groups: by method, those with results. missing: cells without, and why."""

    study: Study
    partition: Partition
    plan: Plan
    groups: Mapping[str, Group]
    missing: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def contrasts(self) -> dict[tuple[str, str], dict[str, Entry]]:
        """{(method, other): {metric: entry of paired.compare}} for pooled training and FedAvg as the other."""
        others = [name for name in (self.partition.reference, BASELINE) if name in self.groups]
        return self.contrast([(name, other) for name in self.groups for other in others if name != other])

    def contrast(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Entry]]:
        """Pairs of methods over the seeds that both have; pairs without such a seed are left out."""
        by_seeds: dict[tuple[int, ...], list[tuple[str, str]]] = {}
        for first, second in pairs:
            common = tuple(sorted({*self.groups[first].seeds} & {*self.groups[second].seeds}))
            if common:
                by_seeds.setdefault(common, []).append((first, second))
        found = {}
        for seeds, asked in by_seeds.items():
            groups = {name: self.groups[name] for pair in asked for name in pair}
            compared = paired.compare({name: [group.results[seed] for seed in seeds] for name, group in groups.items()},
                                      {name: [group.thresholds[seed] for seed in seeds] for name, group in groups.items()},
                                      plan=self.plan.evaluation, seed=self.plan.split.seed, pairs=asked)
            found |= {(first, second): compared[f"{first}/{second}"] for first, second in asked}
        return found

    def worst_recall_ratio(self, group: Group) -> float | None:
        """The least, over classes, of the recall divided by pooled training's, over the seeds that both have."""
        reference = self.groups.get(self.partition.reference or "")
        common = sorted({*group.seeds} & {*reference.seeds}) if reference else []
        if reference is None or not common:
            return None
        pooled = reference.recalls(common)
        ratios = [value / pooled[label] for label, value in group.recalls(common).items() if pooled.get(label, 0.0) > ENOUGH]
        return min(ratios) if ratios else None


def judged(study: Study, out: Path) -> list[Judged]:
    """All partitions of a study that have results, from the cells in folder `out`; also of seeds that were run beyond its number."""
    place = Place(out=out, work=out)
    seeds = [int(path.stem.rpartition("seed")[2]) for path in (out / study.name).glob("*.seed*.json")]
    if not seeds:
        return []
    cells = {(cell.partition, cell.method, cell.seed): cell for cell in cells_of(study, max(seeds) + 1)}
    due = {cell.id for cell in cells_of(study)}
    found = [_partition(study, partition, cells, due, place) for partition in study.partitions]
    return [one for one in found if one.groups]


def verdict(ranking: Ranking, entry: Entry) -> str:
    """ "agrees", "disagrees" or "not shown", by the interval of the difference first - second.

    ">" agrees if it lies above 0 and disagrees below; "~" agrees if it lies within the margin and disagrees if it lies beyond it on
    one side; "not >" agrees if it reaches no further than the margin and disagrees if it lies above 0."""
    low, high = entry["difference_low"], entry["difference_high"]
    if low is None or high is None:
        return "not shown"
    margin = ranking.margin
    agrees, disagrees = {">": (low > 0, high < 0), "~": (-margin <= low and high <= margin, low > margin or high < -margin),
                         "not >": (high <= margin, low > 0)}[ranking.relation]
    return "disagrees" if disagrees else "agrees" if agrees else "not shown"


def words(metric: str) -> str:
    """A metric's name as it is read."""
    return {"auroc": "AUROC", "ece": "ECE"}.get(metric, metric.replace("_", " "))


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds."""
    return stdev(values) if len(values) > 1 else None


def _partition(study: Study, partition: Partition, cells: Mapping[tuple[str, str, int], Cell], due: set[str], place: Place) -> Judged:
    groups, missing = {}, {}
    for method in partition.methods:
        own = [cell for (home, name, _), cell in cells.items() if (home, name) == (home_of(partition, method), method.name)]
        states = {cell: place.state(cell) for cell in own}
        missing |= {f"{cell.method} seed {cell.seed}": _why(cell, state, place) for cell, state in states.items()
                    if state != "done" and (state != "due" or cell.id in due)}
        records = {cell.seed: record for cell, state in states.items() if state == "done" and (record := place.read(cell))}
        if records:
            groups[method.name] = Group(
                method=method.name, arm=method.arm, family=method.family, records=records,
                is_personal=method.arm == "federated" and isinstance(build_strategy(own[0].plan()), Personal),
                results={seed: results_of(record, place.out / study.name) for seed, record in records.items()},
                thresholds={seed: [model["threshold"] for model in record["predictions"]["models"]] for seed, record in records.items()})
    local = next((group for group in groups.values() if group.arm == "local"), None)
    if local is not None and all(isinstance(model, Predictions) for models in local.results.values() for model in models):
        groups[ENSEMBLE] = ensemble(local)
    plan = next(iter(cells.values())).plan()
    return Judged(study=study, partition=partition, plan=plan, groups=groups, missing=missing)


def _why(cell: Cell, state: str, place: Place) -> str:
    record = place.read(cell)
    return record["error"] if state == "failed" and record else "run with other settings" if state == "outdated" else "not run"


def ensemble(local: Group) -> Group:
    """The local models as one, as `wardround compare` judges it: the mean of their probabilities and, of two classes, of their
    thresholds, weighted by their training images."""
    records, results, thresholds = {}, {}, {}
    for seed, record in local.records.items():
        weights = [model["num_train"] for model in record["predictions"]["models"]]
        mixed = averaged([model for model in local.results[seed] if isinstance(model, Predictions)], weights)
        cuts = local.thresholds[seed]
        threshold = None if None in cuts else float(np.average(np.array(cuts, float), weights=weights))
        metrics = {name: {"value": known(float(value))} for name, value in measure(tested(mixed), threshold).items()}
        records[seed] = {**record, "metrics": metrics, "recalls": _recalls(tested(mixed), threshold), "per_site": {}}
        results[seed], thresholds[seed] = [mixed], [threshold]
    return Group(method=ENSEMBLE, arm=ENSEMBLE, records=records, results=results, thresholds=thresholds)


def tested(results: Predictions) -> Predictions:
    """The rows that count: those that leak from a published test split are left out."""
    return results.take(results.splits == "test")


def _recalls(results: Predictions, threshold: float | None) -> dict[str, float | None]:
    if results.is_multilabel:
        return {}
    values = recalls(results.truth, results.probabilities, threshold)
    return {label: known(float(value)) for label, value in zip(results.classes, values, strict=True)}
