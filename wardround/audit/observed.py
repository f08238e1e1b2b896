"""What a curious server has of a run's sites: their updates under the run's own recipe, privacy and exchange, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from typing import Any

import torch
from torch import Tensor

from wardround.attacks.inversion import loss_gradient, update_gradient
from wardround.audit.subject import Subject
from wardround.core.exchange import Order
from wardround.core.params import Params
from wardround.data.feeds import ImageFeed
from wardround.errors import PrivacyError
from wardround.fleet.worker import trained
from wardround.sites.site import Bench, Site

FEWEST = 3  # sites of a secure sum: the least it is made of, and the most that it then tells
MOST = 2**26  # numbers of true images in memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """gradient: what the update is nearly, by parameter. images: (N, C, H, W) in network units, as they were trained on. labels: theirs.
    num: images of a batch, of all the sites in it together."""

    gradient: Mapping[str, Tensor]
    images: Tensor
    labels: Tensor
    num: int
    num_steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Server:
    """One that does what it should and keeps what it gets. bench: of this process. sites: whose update it sees, or whose sum."""

    subject: Subject
    bench: Bench
    sites: Sequence[str]

    @staticmethod
    def of(subject: Subject) -> Server:
        """The server of the run; it looks at the smallest site, or at the sum of the three smallest. PrivacyError if the plan promises
        DP-SGD and the sites here know no terms of it."""
        plan, rows = subject.plan, subject.blueprint.rows
        smallest = sorted((name for name in rows if len(rows[name].train)), key=lambda name: len(rows[name].train))
        sites, bench = smallest[: FEWEST if plan.aggregation.secure else 1], subject.blueprint.bench()
        if plan.privacy.unit in ("image", "patient") and not all(site in bench.terms for site in sites):
            raise PrivacyError(f"the plan hides each {plan.privacy.unit}, but the sites of this process have no terms to train by")
        return Server(subject=subject, bench=bench, sites=sites)

    @property
    def is_private(self) -> bool:
        """Whether batches are drawn so that nobody can tell which images were in them."""
        return bool(self.bench.terms)

    def one_image(self, params: Params) -> Observed:
        """The bare gradient of one image of the first site, as a batch of one would send it without any defence."""
        images, labels = self._feed.plain(self.subject.blueprint.rows[self.sites[0]].train[:1])
        images, labels = images.to(self.bench.model.device), labels.to(self.bench.model.device)
        self.bench.model.load(params)
        self.bench.model.eval()
        gradient = loss_gradient(self.bench.model.module, self.bench.loss, images, labels)
        return Observed(gradient=gradient, images=images, labels=labels, num=1, num_steps=1)

    def update(self, params: Params, round: int, *, is_one_step: bool = False) -> Observed:
        """What comes back in a round that begins from params: of the whole round, or of its first batch alone."""
        order, bench = self._order(params, round), self.bench
        if is_one_step:
            order = replace(order, recipe=order.recipe.model_copy(update={"local_steps": 1}))
            bench = replace(bench, terms={name: replace(terms, steps_per_round=1) for name, terms in bench.terms.items()})
        total, weight, num_steps, seen = params.zeros(), 0.0, 0, []
        for name in self.sites:
            site = Site(rows=self.subject.blueprint.rows[name], bench=bench)
            update = trained(self.subject.blueprint, site, order)
            share = 1.0 if self.subject.plan.aggregation.weights == "equal" else float(update.num_examples)
            total.add_(Params(update.delta.flat.detach().cpu(), params.layout), alpha=share)
            weight, num_steps = weight + share, max(num_steps, update.num_steps)
            seen.append(self._seen(site, order))
        images, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
        num = min(len(images), sum(min(order.recipe.batch_size, len(part)) for part, _ in seen))
        return Observed(gradient=update_gradient(total / weight, params, order.recipe, num_steps), images=images, labels=labels, num=num,
                        num_steps=num_steps)

    def _order(self, params: Params, round: int) -> Order:
        strategy = self.subject.blueprint.strategy
        state: Any = strategy.begin(params, len(self.subject.blueprint.rows))
        return strategy.order(replace(state, round=round - 1))

    def _seen(self, site: Site, order: Order) -> tuple[Tensor, Tensor]:
        """The images that the update may tell of, no more than fit: in the round's batches, or anywhere at a site that draws in secret."""
        most = max(1, MOST // (len(self.sites) * prod(self._feed.images.shape[1:])))
        if self.is_private:
            return self._feed.plain(site.rows.train[:most])
        batches = list(islice(site.batches(order), max(1, most // order.recipe.batch_size)))
        return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])

    @property
    def _feed(self) -> ImageFeed:
        if not isinstance(self.bench.feed, ImageFeed):
            raise TypeError("only labelled images are attacked")
        return self.bench.feed
