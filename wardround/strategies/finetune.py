"""Local fine-tuning, the plainest way to a personal model: Yu, Bagdasaryan & Shmatikov 2020 (arXiv:2002.04758)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.personal import OWN


@dataclass(frozen=True, kw_only=True)
class FineTune(FedAvg):
    """FedAvg for `after` rounds; in the others each site trains the model it got on its own, and the global one stays as it is.

    The last global model goes out in round after + 1; from then on nothing is sent either way. (A site that is drawn for the first
    time later, with cohort.fraction < 1, gets it then: those bytes are not counted.) PlanError unless after >= 0.
    """

    after: int

    def __post_init__(self) -> None:
        if self.after < 0:
            raise PlanError(f"strategy.after is the number of rounds in which the sites learn together: 0 or more, not {self.after}")

    def order(self, state: State) -> Order:
        order = super().order(state)
        return replace(order, sent_bytes=0) if order.round > self.after + 1 else order

    def train(self, site: Site, order: Order) -> Update:
        if order.round <= self.after:
            return super().train(site, order)
        model = site.model_with(self.personal(site, order.params))
        fit = site.fit(model, order, slot="own_optimizer")  # momentum of rounds together points where the sites went together
        site.memory[OWN] = model.params.flat.clone()
        return Update(site=site.name, num_examples=site.num_train, delta=order.params.zeros(), num_steps=fit.num_steps,
                      train_loss=fit.train_loss, sent_bytes=0)

    def personal(self, site: Site, params: Params) -> Params:
        """The site's own model; before it goes on alone the global one."""
        return Params(site.memory[OWN], params.layout) if OWN in site.memory else params
