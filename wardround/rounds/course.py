"""Where a run stands between two rounds: the strategy's state and what the loop itself must not forget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from wardround.core.params import Params
from wardround.core.state import State
from wardround.plan.schema import RoundsPlan


@dataclass(frozen=True, kw_only=True)
class Course:
    """Frozen: a round that fails leaves it as it was. All of it goes into a checkpoint.

    best: parameters of the round with the best validation score, best_score its value (higher is better; NaN: none yet).
    num_waited: evaluations since then. seconds: wall time so far.
    """

    state: State
    best: Params
    best_round: int = 0
    best_score: float = math.nan
    num_waited: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    dropped: tuple[str, ...] = ()

    def judged(self, score: float) -> Course:
        """After an evaluation of the present state. Where a score cannot be estimated, the latest round is kept."""
        is_better = math.isnan(self.best_score) or score > self.best_score
        if is_better:
            return replace(self, best=self.state.params, best_round=self.state.round, best_score=score, num_waited=0)
        return replace(self, num_waited=self.num_waited + 1)

    def is_over(self, plan: RoundsPlan) -> bool:
        return self.state.round >= plan.num or self.has_stopped_early(plan)

    def has_stopped_early(self, plan: RoundsPlan) -> bool:
        return plan.patience is not None and self.num_waited >= plan.patience


def is_due(round: int, plan: RoundsPlan) -> bool:
    """Whether a round ends with an evaluation on validation rows."""
    return round % plan.evaluate_every == 0 or round == plan.num


def score_of(scores: dict[str, float], metric: str) -> float:
    """The plan's metric with higher meaning better."""
    return -scores["loss"] if metric == "loss" else scores[metric]
