"""Ditto: Li et al. 2021, Algorithm 1 (arXiv:2012.04221)."""

from __future__ import annotations

from dataclasses import dataclass

from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedprox import proximal
from wardround.strategies.personal import OWN


@dataclass(frozen=True, kw_only=True)
class Ditto(FedAvg):
    """FedAvg, and beside it at each site a model v of its own, trained with + pull/2 * |v - w_t|^2 on the same batches.

    It costs a second local training a round, and nothing on the way: v, with its buffers, never leaves the site. It begins as the
    global model of the site's first round. pull (lambda): 0 is a model trained alone, and a large one keeps v near the global model; a
    step is stable while lr * pull < 1.
    """

    pull: float = 0.1  # lambda

    def train(self, site: Site, order: Order) -> Update:
        update = super().train(site, order)
        model = site.model_with(self.personal(site, order.params))
        site.fit(model, order, slot="own_optimizer", penalty=proximal(order.params.trainable, self.pull))
        site.memory[OWN] = model.params.flat.clone()
        return update

    def personal(self, site: Site, params: Params) -> Params:
        """v; the global model at a site that has not trained yet."""
        return Params(site.memory[OWN], params.layout) if OWN in site.memory else params
