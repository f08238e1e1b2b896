"""Hiding whole sites: the server shortens every site's change, adds them up and adds noise: McMahan et al. 2018, Algorithm 1, with its
fixed-denominator estimator (arXiv:1710.06963). The server is trusted: it sees the single changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from wardround.core.exchange import Summed, Update
from wardround.core.params import Params
from wardround.errors import AggregationError, PrivacyError
from wardround.privacy.accountant import noise_for
from wardround.privacy.noise import gaussian

FEW_SITES, TIGHT = 10, 8.0  # fewer sites with a smaller epsilon: no model is left


@dataclass(frozen=True, kw_only=True)
class SiteNoise:
    """Return sum_k clip(delta_k, bound) / cohort_size + N(0, (multiplier * bound / cohort_size)^2) for each trainable number.

    Sites count alike: with example weights the sum's sensitivity would be the largest weight, not 1 / n. cohort_size: of the sites that
    are asked, whoever replies: divided by the replies, a site's absence would change every other one's share. bound: L2 norm of a site's
    change of the trainable numbers. Buffers get no update: running statistics would leave without noise (a plan that has them is refused,
    privacy/conflicts.py). Streams. AggregationError without an update; PrivacyError for a site that counts twice, and for a secure sum, in
    which no single change can be shortened.
    """

    multiplier: float
    bound: float
    cohort_size: int

    def __call__(self, updates: Iterable[Update]) -> Params:
        total: Params | None = None
        counted: set[str] = set()
        for update in updates:
            if isinstance(update, Summed):
                raise PrivacyError("privacy.unit = 'site' shortens each site's change, and a secure sum shows none. Leave one of them out.")
            if update.site in counted:
                raise PrivacyError(f"site '{update.site}' sent two updates in a round: it would count twice, its noise once")
            counted.add(update.site)
            total = update.delta.zeros() if total is None else total
            add_clipped(total.trainable, update.delta.trainable, self.bound)
        if total is None:
            raise AggregationError("no site sent an update that can be used")
        total.trainable.div_(self.cohort_size)
        std = self.multiplier * self.bound / self.cohort_size
        total.trainable.add_(gaussian(total.layout.num_trainable, std).to(total.flat.device))
        return total


def add_clipped(total: Tensor, change: Tensor, bound: float) -> None:
    """total += change * min(1, bound / |change|); a change with NaN or infinite numbers adds nothing, for its norm bounds nothing."""
    length = float(torch.linalg.vector_norm(change, dtype=torch.float64))  # squares of finite float32 numbers stay finite
    if length <= bound:  # of zeros too, by which nothing could be divided
        total.add_(change)
    elif length < float("inf"):
        total.add_(change, alpha=bound / length)


def warning(num_sites: int, epsilon: float, rounds: int, num_parameters: int, *, delta: float = 1e-5) -> str | None:
    """What hiding whole sites costs, in a sentence; None where the noise of a round is shorter than the longest change that may come in.

    num_sites: asked each round. The noise of the mean has the norm multiplier * bound / n * sqrt(num_parameters).
    """
    multiplier = noise_for(epsilon=epsilon, delta=delta, sample_rate=1.0, steps=rounds)
    times = multiplier / num_sites * sqrt(num_parameters)
    if times < 1:
        return None
    text = (f"privacy.unit = 'site' with {num_sites} sites, {rounds} rounds and epsilon {epsilon:g}: each round's noise is {times:,.3g} "
            f"times as long as the longest change that the model may make (sigma {multiplier:.3g}, {num_parameters:,} numbers). ")
    if num_sites < FEW_SITES and epsilon < TIGHT:
        return (f"EXPECT NO USABLE MODEL. {text}With fewer than {FEW_SITES} sites no epsilon below {TIGHT:g} leaves one. "
                "Use privacy.unit = 'patient', which hides patients inside each site.")
    return f"{text}A model of this size learns little under it. privacy.unit = 'patient' hides patients inside each site at far less cost."
