"""What travels between server and sites, and the two kinds of function applied on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Generator, Tensor

from wardround.core.params import Params
from wardround.core.tally import Tally
from wardround.errors import AggregationError
from wardround.plan.schema import Recipe

Rows = Literal["train", "val", "test"]


class Message:
    """What an order and an update have in common."""

    sent_bytes: int | None

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays as they travel: `sent_bytes`, or all of them as float32."""
        if self.sent_bytes is not None:
            return self.sent_bytes
        return sum(value.layout.num_bytes for value in vars(self).values() if isinstance(value, Params))


@dataclass(frozen=True, kw_only=True)
class Order(Message):
    """What goes out in round `round` (from 1). `recipe.lr` is this round's learning rate.

    sent_bytes: set where less travels than the arrays whole, for parts that stay at the sites.
    """

    round: int
    params: Params
    recipe: Recipe
    sent_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Update(Message):
    """What comes back: local minus global. `delta` may be a view that is valid only until the next reply is asked for.

    train_loss: mean over the round's batches; None where the plan's privacy keeps it at the site. seconds: time the site's training
    took. sent_bytes: set where less travels than the arrays whole: compressed, or with parts that stay at the site.
    """

    site: str
    num_examples: int
    delta: Params
    num_steps: int
    train_loss: float | None
    seconds: float = 0.0
    sent_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Summed(Update):
    """The mean of several sites' updates, of which nobody has seen a single one (secure aggregation).

    site: a name for them together. members: whose updates are in it. num_examples: 1, so that the mean of it alone is itself."""

    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EvaluateOrder:
    """Evaluate params on a site's own rows. detail: also return each row's result (simulation only).

    is_personal: what is evaluated is the site's own model, made of params and what the site remembers. elsewhere: that model also on
    the rows of all other sites together (simulation only). temperatures: also sum the loss at each of these.
    """

    round: int
    params: Params
    rows: Rows = "val"
    detail: bool = False
    is_personal: bool = False
    elsewhere: bool = False
    temperatures: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SiteReport:
    """A site's evaluation. With detail, rows: (n,) catalogue rows, and values: (n, C) their probabilities; or for segmentation
    the first row of each patient and (n, M) the measures of evaluation/segmentation.py. loss_sums: (T,) float64, summed negative
    log-likelihood at each of the order's temperatures. elsewhere: the tally of the other sites' rows, None where there are none."""

    site: str
    tally: Tally
    rows: np.ndarray | None = None
    values: np.ndarray | None = None
    loss_sums: np.ndarray | None = None
    elsewhere: Tally | None = None


@dataclass(frozen=True, kw_only=True)
class SiteFailed:
    """A site's failure in a round; the run goes on without it."""

    site: str
    reason: str


def told_loss(update: Update) -> float:
    """The update's train_loss, for strategies that weigh sites by it; the plan saw to it that sites tell it."""
    if update.train_loss is None:
        raise AggregationError(f"site '{update.site}' keeps its training loss to itself, and this strategy weighs sites by it")
    return update.train_loss


Filter = Callable[[Update, dict[str, Tensor], Generator], Update]  # at the site, which may remember something: its memory
Aggregator = Callable[[Iterable[Update]], Params]  # at the server: one pass over the replies, in site order; gives a vector of its own
