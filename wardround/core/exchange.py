"""What travels between server and sites, and the two kinds of function applied on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wardround.core.params import Params
from wardround.core.tally import Tally
from wardround.plan.schema import Recipe

Rows = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What goes out in round `round` (from 1). `recipe.lr` is this round's learning rate."""

    round: int
    params: Params
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Update:
    """What comes back: local minus global. `delta` may be a view that is valid only until the next reply is asked for.

    train_loss: mean over the round's batches. seconds: time the site's training took.
    """

    site: str
    num_examples: int
    delta: Params
    num_steps: int
    train_loss: float
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EvaluateOrder:
    """Evaluate params on a site's own rows. detail: also return each row's result (simulation only)."""

    round: int
    params: Params
    rows: Rows = "val"
    detail: bool = False


@dataclass(frozen=True, kw_only=True)
class SiteReport:
    """A site's evaluation. With detail, rows: (n,) catalogue rows, and values: (n, C) their probabilities; or for segmentation
    the first row of each patient and (n, M) the measures of evaluation/segmentation.py."""

    site: str
    tally: Tally
    rows: np.ndarray | None = None
    values: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class SiteFailed:
    """A site's failure in a round; the run goes on without it."""

    site: str
    reason: str


Filter = Callable[[Update, np.random.Generator], Update]  # at the site
Aggregator = Callable[[Iterable[Update]], Params]  # at the server: one pass over the replies, in site order; gives a vector of its own
