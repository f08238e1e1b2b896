"""FedRep: Collins et al. 2021, Algorithm 1 (arXiv:2102.07078)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import ceil

from torch import Tensor

from wardround.core.exchange import Order
from wardround.core.params import FlatModel, Layout
from wardround.errors import PlanError
from wardround.sites.site import Site, steps_per_round
from wardround.strategies.personal import Partial, in_head
from wardround.training.local import Batch, Fit


@dataclass(frozen=True, kw_only=True)
class FedRep(Partial):
    """FedPer in turns: each round first the site's own head h is trained on the body phi as it came, then phi with h held still.

    Of a round's batches the first head_share train the head, the rest the body: as many images as FedAvg sees. Fractions of a batch
    are carried to the next round, so rounds of one batch train head and body in turn. A round without batches for the body sends a
    delta of no training. Batch norm's running statistics belong to their layer, and follow the images in both phases.
    head: as in FedPer. PlanError unless 0 <= head_share <= 1.
    """

    head: tuple[str, ...] = ()
    head_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.head_share <= 1:
            raise PlanError(f"strategy.head_share is the share of a round's batches that train the head: 0 to 1, not {self.head_share}")

    def stays(self, layout: Layout) -> Tensor:
        return in_head(layout, self.head)

    def fit(self, site: Site, model: FlatModel, order: Order) -> Fit:
        is_head = self.stays(model.params.layout)[: model.params.layout.num_trainable].to(model.device)
        batches = site.batches(order)
        steps = steps_per_round(order.recipe, site.num_train)
        before, after = (ceil(t * steps * self.head_share - 1e-9) for t in (order.round - 1, order.round))
        parts = [_fit_but(site, model, order, ~is_head, list(islice(batches, after - before)), slot="head"),
                 _fit_but(site, model, order, is_head, list(batches), slot="body")]
        num_images = sum(part.num_images for part in parts)
        return Fit(num_steps=sum(part.num_steps for part in parts), num_images=num_images,
                   train_loss=sum(part.train_loss * part.num_images for part in parts if part.train_loss is not None) / num_images)


def _fit_but(site: Site, model: FlatModel, order: Order, still: Tensor, batches: list[Batch], *, slot: str) -> Fit:
    """Train all numbers but those of `still`, (num_trainable,) bool."""
    if not batches:
        return Fit(num_steps=0, num_images=0, train_loss=0.0)
    trainable, loss = model.params.trainable, site.objective(order)
    kept = trainable[still]

    def objective(images: Tensor, truth: Tensor) -> Tensor:
        trainable[still] = kept  # weight decay moves numbers without a gradient, too
        return loss(images, truth)

    def penalty(trainable: Tensor, grads: Tensor) -> None:
        grads[still] = 0

    fit = site.fit(model, order, objective=objective, penalty=penalty, slot=slot, batches=batches)
    trainable[still] = kept
    return fit
