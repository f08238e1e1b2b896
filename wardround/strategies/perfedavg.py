"""Per-FedAvg: Fallah, Mokhtari & Ozdaglar 2020, Algorithm 1, first-order variant (arXiv:2002.07948)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.errors import PlanError
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.personal import gradient
from wardround.training.local import Batch


@dataclass(frozen=True, kw_only=True)
class PerFedAvg(FedAvg):
    """FedAvg of a model that is good after each site has taken a step or a few of its own, instead of good as it is.

    A step takes two of the round's batches D and D': u = w - alpha grad f(w, D), then the recipe's optimiser moves w along
    grad f(u, D'), without the Hessian of the exact gradient (I - alpha H) grad f(u, D'). So a round has half of FedAvg's steps; a last
    batch without a partner is both D and D'. alpha = 0 is FedAvg on every second batch.
    A site's own model: the global one after num_own plain gradient steps of length alpha on the first of its training batches. A site
    that never trained has one as well, and nothing is remembered. PlanError unless alpha >= 0 and num_own >= 1.
    """

    alpha: float = 0.01
    num_own: int = 1

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.num_own < 1:
            raise PlanError("strategy.alpha is the length of a site's own steps, 0 or more, and strategy.num_own how many there are, at "
                            f"least 1; got {self.alpha} and {self.num_own}")

    def train(self, site: Site, order: Order) -> Update:
        model = site.model_with(order.params)
        batches, loss, trainable = site.batches(order), site.objective(order), model.params.trainable
        w = trainable.clone()

        def second_of_pairs() -> Iterator[Batch]:
            for first in batches:
                second = next(batches, first)
                w.copy_(trainable)
                trainable.sub_(gradient(model, loss(*first)), alpha=self.alpha)  # u
                yield second
                if order.recipe.single_step:
                    trainable.copy_(w)  # no step was taken, and so no penalty asked for

        def back_to_w(trainable: Tensor, grads: Tensor) -> None:
            trainable.copy_(w)

        fit = site.fit(model, order, objective=loss, penalty=back_to_w, batches=second_of_pairs())
        return Update(site=site.name, num_examples=site.num_train, delta=site.delta(model, order), num_steps=fit.num_steps,
                      train_loss=fit.train_loss)

    def personal(self, site: Site, params: Params) -> Params:
        """The global model, adapted to the site's training images; as it is at a site without any, or with alpha = 0."""
        if not site.num_train or not self.alpha:
            return params
        plain = {"optimizer": "sgd", "lr": self.alpha, "momentum": 0.0, "weight_decay": 0.0, "clip_norm": None, "keep_optimizer": False,
                 "single_step": False, "local_steps": self.num_own}
        order = Order(round=1, params=params, recipe=self.recipe.model_copy(update=plain))
        model = site.model_with(params)
        site.fit(model, order)
        return model.params.clone()
