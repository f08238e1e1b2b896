"""Two arms compared on the same patients: their difference and ratio with intervals, as they stand in compare.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from wardround.core.predictions import Results
from wardround.errors import WardroundError
from wardround.evaluation.intervals import Draws
from wardround.evaluation.metrics import ratio as divide
from wardround.evaluation.scores import Entry, draw_tests, known, mean_draws
from wardround.plan.schema import EvaluationPlan

PAIRS = (("federated", "pooled"), ("federated", "ensemble"), ("federated", "local"))


def compare(arms: Mapping[str, Sequence[Sequence[Results]]], thresholds: Mapping[str, Sequence[Sequence[float | None]]], *,
            plan: EvaluationPlan, seed: int, pairs: Sequence[tuple[str, str]] = PAIRS) -> dict[str, dict[str, Entry]]:
    """Return {"federated/pooled": {metric: {"ratio", "low", "high", "difference", "difference_low", "difference_high"}}, ...}.

    arms[arm][seed][model]: predictions of that model, thresholds likewise; the local arm has a model for each site. An arm's
    metric is the mean over its seeds of the mean over its models, on the rows as they are and on each resample of patients, the
    same for all arms. Pairs with an arm that was not run are left out. ratio and difference are first / second and
    first - second for every metric; of brier and ece less is better, so there a ratio below 1 favours the first arm.
    Intervals cover the choice of test patients, not of seeds. WardroundError if arms differ in test cases or number of seeds."""
    num_seeds = {arm: len(runs) for arm, runs in arms.items()}
    if len(set(num_seeds.values())) > 1:
        raise WardroundError(f"arms were run with different numbers of seeds: {num_seeds}. Run every arm with the same seeds")
    means = _arm_means(arms, thresholds, plan, seed)
    return {f"{first}/{second}": {name: _contrast(means[first][name], means[second][name], plan.level) for name in means[first]}
            for first, second in pairs if first in means and second in means}


def verdict(entry: Mapping[str, float | None]) -> str:
    """The difference in words: "higher", "lower", "no difference shown" (its interval includes 0) or "not estimable"."""
    low, high = entry["difference_low"], entry["difference_high"]
    if low is None or high is None:
        return "not estimable"
    if low <= 0 <= high:
        return "no difference shown"
    return "higher" if low > 0 else "lower"


def _arm_means(arms: Mapping[str, Sequence[Sequence[Results]]], thresholds: Mapping[str, Sequence[Sequence[float | None]]],
               plan: EvaluationPlan, seed: int) -> dict[str, dict[str, Draws]]:
    models = [(predictions, threshold) for arm in arms for run, chosen in zip(arms[arm], thresholds[arm], strict=True)
              for predictions, threshold in zip(run, chosen, strict=True)]
    drawn = iter(draw_tests(models, plan, seed))
    return {arm: mean_draws([mean_draws([next(drawn) for _ in run]) for run in runs]) for arm, runs in arms.items()}


def _contrast(first: Draws, second: Draws, level: float) -> Entry:
    ratio = Draws(value=float(divide(first.value, second.value)), draws=divide(first.draws, second.draws))
    difference = Draws(value=first.value - second.value, draws=first.draws - second.draws)
    numbers = chain([ratio.value], ratio.interval(level), [difference.value], difference.interval(level))
    names = ("ratio", "low", "high", "difference", "difference_low", "difference_high")
    return dict(zip(names, map(known, numbers), strict=True))
