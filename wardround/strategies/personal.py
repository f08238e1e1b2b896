"""What algorithms with personal models share: parts of a model that never leave the site, and gradients taken on the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import Tensor

from wardround.core.exchange import Order, Update
from wardround.core.params import FlatModel, Layout, Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.training.local import Fit

OWN = "own"  # what a site remembers of its own model


@dataclass(frozen=True, kw_only=True)
class Partial(FedAvg):
    """FedAvg of a part of the model. The other numbers, those that `stays` names, are each site's own: they are trained with the rest,
    are never sent, and do not count as bytes. In the global model they stay as they were first drawn."""

    def stays(self, layout: Layout) -> Tensor:
        """(layout.size,) bool: the numbers that stay at the site; here none, which is FedAvg."""
        return layout.where(lambda entry: False)

    def begin(self, params: Params, num_sites: int) -> State:
        """PlanError if nothing would be shared."""
        if bool(self.stays(params.layout).all()):
            raise PlanError("strategy: every tensor that is exchanged would stay at its site, and nothing would be learnt together. Let "
                            "fewer stay (strategy.head), or share more of the model (model.share).")
        return super().begin(params, num_sites)

    def order(self, state: State) -> Order:
        return replace(super().order(state), sent_bytes=self._sent_bytes(state.params.layout))

    def train(self, site: Site, order: Order) -> Update:
        layout = order.params.layout
        stays = self.stays(layout).to(order.params.flat.device)
        model = site.model_with(self.personal(site, order.params))
        fit = self.fit(site, model, order)
        if bool(stays.any()):
            site.memory[OWN] = model.params.flat[stays]
        delta = site.delta(model, order)
        delta.flat[stays] = 0
        return Update(site=site.name, num_examples=site.num_train, delta=delta, num_steps=fit.num_steps, train_loss=fit.train_loss,
                      sent_bytes=self._sent_bytes(layout))

    def fit(self, site: Site, model: FlatModel, order: Order) -> Fit:
        """The site's training of shared and own numbers; here of both at once."""
        return site.fit(model, order, penalty=self.penalty(order))

    def personal(self, site: Site, params: Params) -> Params:
        """The global model with the site's own numbers put in; without any at a site that has not trained yet."""
        if OWN not in site.memory:
            return params
        own = params.clone()
        own.flat[self.stays(params.layout).to(own.flat.device)] = site.memory[OWN]
        return own

    def _sent_bytes(self, layout: Layout) -> int:
        return layout.num_bytes - 4 * int(self.stays(layout).sum())


def in_head(layout: Layout, head: Sequence[str]) -> Tensor:
    """(layout.size,) bool: the tensors whose names fit one of the patterns, e.g. "fc.*"; without patterns the last layer.

    PlanError for a pattern that fits no tensor."""
    for pattern in head:
        if not any(fnmatchcase(entry.name, pattern) for entry in layout.entries):
            parts = sorted({entry.name.split(".")[0] for entry in layout.entries})
            raise PlanError(f"strategy.head: no tensor that is exchanged fits '{pattern}'. Names begin with: {', '.join(parts[:30])}. "
                            f"A pattern is e.g. \"{parts[-1]}.*\".")
    if not head:
        return layout.where(lambda entry: entry.name.rpartition(".")[0] == layout.last_layer)
    return layout.where(lambda entry: any(fnmatchcase(entry.name, pattern) for pattern in head))


def gradient(model: FlatModel, loss: Tensor) -> Tensor:
    """(num_trainable,) the gradient of a loss with a graph to the model; model.grads stay as they were."""
    kept = model.grads.clone()
    model.grads.zero_()
    loss.backward()  # type: ignore[no-untyped-call]
    found = model.grads.clone()
    model.grads.copy_(kept)
    return found
