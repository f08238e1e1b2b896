"""AFL, agnostic federated learning: Mohri et al. 2019, Stochastic-AFL of section 4 (arXiv:1902.00146)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import cast

from wardround.aggregation.mean import mean
from wardround.core.exchange import Update, told_loss
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import AggregationError, PlanError
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class Mixture(State):
    """shares: of the sites that have replied so far, >= 0, summing to 1. num_examples: training images of these sites."""

    shares: dict[str, float] = field(default_factory=dict)  # lambda
    num_examples: int = 0


@dataclass(frozen=True, kw_only=True)
class AFL(FedAvg):
    """The model for the worst mixture of sites: sites' changes are averaged by their shares, which follow the sites' losses,
    lambda = P(lambda + gamma F), P being the projection onto the simplex.

    Shares begin as the sites' shares of training images: weight_lr = 0 is FedAvg. F is the update's train_loss, the mean over the
    round's batches: the paper's loss of the order's parameters where a round is one step. A site that does not reply keeps its place
    as if its loss were the mean of the others'. Buffers are averaged by shares too.
    """

    weight_lr: float = 0.1  # gamma: a loss one above the mean adds so much of a share in a round

    needs_mean = "it weighs the sites by the losses that they tell"

    def __post_init__(self) -> None:
        if not self.weight_lr >= 0:
            raise PlanError(f"afl needs weight_lr of at least 0 (0: FedAvg), got weight_lr = {self.weight_lr}")
        if self.combine is not mean:
            raise PlanError("afl has its own weights of sites, so no other rule can combine their updates")

    def begin(self, params: Params, num_sites: int) -> Mixture:
        return Mixture(round=0, params=params, num_sites=num_sites)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held = cast(Mixture, state)  # `begin` made it
        change, weights = state.params.zeros(), 0.0
        masses = {site: share * held.num_examples for site, share in held.shares.items()}  # shares in images: newcomers join with theirs
        num_examples, losses = held.num_examples, dict[str, float]()
        for update in updates:
            if update.site not in masses:
                masses[update.site] = float(update.num_examples)
                num_examples += update.num_examples
            change.add_(update.delta, alpha=masses[update.site])
            weights += masses[update.site]
            losses[update.site] = told_loss(update)
        if not losses:
            raise AggregationError("no site sent an update that can be used")
        if weights:  # 0 where only sites without a share replied: they move nothing
            change.flat.div_(weights)
        shares = self._moved({site: mass / num_examples for site, mass in masses.items()}, losses)
        return replace(held, round=state.round + 1, params=change.add_(state.params), shares=shares, num_examples=num_examples)

    def _moved(self, shares: dict[str, float], losses: dict[str, float]) -> dict[str, float]:
        """The shares of the next round. A constant added to all losses changes nothing, so they are taken from their mean."""
        centre = sum(losses.values()) / len(losses)
        raised = [share + self.weight_lr * (losses.get(site, centre) - centre) for site, share in shares.items()]
        return dict(zip(shares, onto_simplex(raised), strict=True))


def onto_simplex(values: Sequence[float]) -> list[float]:
    """The nearest point with coordinates >= 0 that sum to 1: Duchi et al. 2008, Figure 1 (doi:10.1145/1390156.1390191)."""
    top = max(values)  # taken off, for 1 is lost beside a very large value
    falling = sorted((value - top for value in values), reverse=True)
    cuts = [(total - 1) / num for num, total in enumerate(accumulate(falling), start=1)]
    cut = [cut for value, cut in zip(falling, cuts, strict=True) if value > cut][-1]
    return [max(value - top - cut, 0.0) for value in values]
