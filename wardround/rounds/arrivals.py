"""Updates are checked on arrival: a bad one is left out with its site named, and too few good ones stop the round.

A secure sum is one reply that stands for all its members; of them nothing but their names is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

import torch

from wardround.core.exchange import Order, SiteFailed, Summed, Update
from wardround.core.params import Params
from wardround.errors import TooFewSites


@dataclass(kw_only=True)
class Arrivals:
    """What a round's replies came to, filled while the aggregator reads `accepted`.

    members: sites whose updates were accepted. losses, norms: of those that tell them."""

    order: Order
    sites: Mapping[str, int]  # declared training images
    min_sites: int
    members: list[str] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    norms: dict[str, float] = field(default_factory=dict)
    num_examples: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    bytes_up: int = 0
    train_seconds: float = 0.0

    def accepted(self, replies: Iterable[Update | SiteFailed]) -> Iterator[Update]:
        """Hand on the good updates one by one; TooFewSites after the last reply if they are fewer than min_sites."""
        for reply in replies:
            norms = {} if isinstance(reply, SiteFailed) else norms_of(reply)
            reason = reply.reason if isinstance(reply, SiteFailed) else fault(reply, self.order, self.sites, norms)
            if reason is not None or isinstance(reply, SiteFailed):
                self.failed[reply.site] = reason or "no reason given"
                continue
            if isinstance(reply, Summed):
                self.members.extend(reply.members)
            else:
                self.members.append(reply.site)
                self.norms[reply.site] = norms["delta"]
                self.num_examples[reply.site] = reply.num_examples
            if reply.train_loss is not None:
                self.losses[reply.site] = reply.train_loss
            self.bytes_up += reply.num_bytes
            self.train_seconds += reply.seconds
            yield reply
        if len(self.members) < self.min_sites:
            causes = "; ".join(f"{site}: {reason}" for site, reason in self.failed.items()) or "no site was asked"
            raise TooFewSites(f"round {self.order.round}: {len(self.members)} of {len(self.sites)} sites sent a usable update, the plan "
                              f"needs cohort.min_sites = {self.min_sites}. {causes}")

    @property
    def train_loss(self) -> float:
        """Mean over the images of the sites that tell their loss; NaN if none does."""
        total = sum(self.num_examples[site] for site in self.losses)
        return sum(loss * self.num_examples[site] for site, loss in self.losses.items()) / total if total else float("nan")


def norms_of(update: Update) -> dict[str, float]:
    """L2 norm of every Params field: the one pass over an update's trainable numbers."""
    return {name: value.norm() for name, value in vars(update).items() if isinstance(value, Params)}


def fault(update: Update, order: Order, sites: Mapping[str, int], norms: Mapping[str, float]) -> str | None:
    """What is wrong with an update, or None. norms: see norms_of."""
    if isinstance(update, Summed):
        if strange := [site for site in update.members if site not in sites] or len(set(update.members)) < len(update.members):
            return f"a sum of sites that are none of this run, or counted twice: {strange}"
    elif update.site not in sites:
        return f"not a site of this run: {update.site!r}"
    elif update.num_examples != sites[update.site] or update.num_examples <= 0:
        return f"claims {update.num_examples} training images, declared {sites[update.site]}"
    for name, norm in norms.items():
        value: Params = getattr(update, name)
        if value.layout != order.params.layout:
            return f"{name} has other tensors than the model (names or shapes differ)"
        if not is_finite(value, norm):
            return f"{name} holds NaN or infinite numbers: training diverged (a lower recipe.lr or clip_norm helps) or it is damaged"
    if update.train_loss is not None and not isfinite(update.train_loss):  # some strategies weigh sites by it
        return f"its training loss is {update.train_loss}: training diverged (a lower recipe.lr or clip_norm helps)"
    return None


def is_finite(params: Params, norm: float) -> bool:
    """Whether every number is finite. norm: of the trainable part; it is finite only if all of them are, and only where a float32 sum
    of squares overflows they are looked at one by one."""
    is_trained_finite = isfinite(norm) or bool(torch.isfinite(params.trainable).all())
    return is_trained_finite and (not params.buffers.numel() or bool(torch.isfinite(params.buffers).all()))
