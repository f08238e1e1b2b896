"""Where a run stands between two rounds: the strategy's state and what the loop itself must not forget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from wardround.core.params import Params
from wardround.core.state import State
from wardround.plan.schema import RoundsPlan


@dataclass(frozen=True, kw_only=True)
class Course:
    """Frozen: a round that fails leaves it as it was. All of it goes into a checkpoint.

    average: mean of num_averaged rounds' parameters, where the plan asks for one and it has begun.
    best: what is kept of best_round, the round with the best validation score, or the last of a run with personal models. best_score:
    the best (higher is better; NaN: none yet). num_waited: evaluations since it came. seconds: wall time so far.
    """

    state: State
    best: Params
    average: Params | None = None
    num_averaged: int = 0
    best_round: int = 0
    best_score: float = math.nan
    num_waited: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    dropped: tuple[str, ...] = ()

    @property
    def answer(self) -> Params:
        """What is evaluated and kept: the average, or before it has begun the state's parameters, from which training goes on."""
        return self.state.params if self.average is None else self.average

    def averaged(self, plan: RoundsPlan) -> Course:
        """With the present state's parameters, buffers too, in the average.

        swa: equal mean of the rounds > average_from * num, Izmailov et al. 2018, Algorithm 1 (arXiv:1803.05407), over rounds. ema: from
        round 1, with the bias of its start corrected as by Kingma & Ba 2015, section 3 (arXiv:1412.6980). x_t joins a mean m of t - 1
        rounds as m + (x_t - m) * step; step is 1 / t for swa, (1 - decay) / (1 - decay^t) for ema.
        """
        if plan.average == "none" or (plan.average == "swa" and self.state.round <= plan.average_from * plan.num):
            return self
        t = self.num_averaged + 1
        step = 1 / t if plan.average == "swa" else (1 - plan.ema_decay) / (1 - plan.ema_decay**t)
        mean = torch.lerp(self.answer.flat, self.state.params.flat, step)
        return replace(self, average=Params(mean, self.state.params.layout), num_averaged=t)

    def judged(self, score: float, *, keeps_last: bool = False) -> Course:
        """After an evaluation of the present answer. Where a score cannot be estimated, the latest round is kept. keeps_last: so it is
        whatever the score, which then only tells how long the best has been waited for."""
        is_better = math.isnan(self.best_score) or score > self.best_score
        kept = replace(self, best=self.answer, best_round=self.state.round) if is_better or keeps_last else self
        return replace(kept, best_score=score, num_waited=0) if is_better else replace(kept, num_waited=self.num_waited + 1)

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
