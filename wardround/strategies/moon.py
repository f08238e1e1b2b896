"""MOON: Li, He & Song 2021, equations 3 to 5 and Algorithm 1 (arXiv:2103.16257)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from wardround.core.exchange import Order, Update
from wardround.core.params import FlatModel, Params
from wardround.errors import PlanError, SiteError
from wardround.sites.site import Bench, Site
from wardround.strategies.fedavg import FedAvg
from wardround.training.local import Objective


@dataclass(frozen=True, kw_only=True)
class Moon(FedAvg):
    """A site's loss gets + mu * -log(exp(s_t) / (exp(s_t) + exp(s_i))): its features stay near those of the global model w_t and leave
    those of the site's model after its last round.

    s_t and s_i are the cosines between an image's features now and of these two models, over temperature. Features are what the last
    layer reads (of the shared tensors), flattened; the paper puts a projection before it, which our networks have not. The two models
    see the same images as the one in training, augmented and mixed alike, in evaluation mode: dropout off, running statistics as they
    are. That takes two more forward passes a step. In a site's first round there is no last model, and with w_t in its place the
    term's gradient is 0: it is FedAvg, as with mu = 0. The training loss told is the recipe's alone, as of FedProx.
    """

    mu: float = 1.0
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if self.mu < 0 or self.temperature <= 0:
            raise PlanError(f"moon needs strategy.mu of at least 0 and strategy.temperature above 0, got {self.mu} and {self.temperature}. "
                            "The paper's are 1 (of 0.1, 1, 5, 10) and 0.5.")

    def train(self, site: Site, order: Order) -> Update:
        model, previous = site.model_with(order.params), site.memory.get("previous")
        if previous is None or not self.mu:
            fit = site.fit(model, order)
        else:
            with seen_by(model) as seen:
                fit = site.fit(model, order, objective=self.contrasted(site, order, Params(previous, order.params.layout), seen))
        if self.mu:
            site.memory["previous"] = model.params.flat.clone()
        return Update(site=site.name, num_examples=site.num_train, delta=site.delta(model, order), num_steps=fit.num_steps,
                      train_loss=fit.train_loss)

    def contrasted(self, site: Site, order: Order, previous: Params, seen: Seen) -> Objective:
        """The site's objective with the gradient of the contrast added."""
        plain, others = site.objective(order), [order.params.named(), previous.named()]

        def objective(images: Tensor, truth: Tensor) -> Tensor:
            loss = plain(images, truth)
            features = seen.features()
            near, far = (functional.cosine_similarity(features, other) for other in features_of(site.bench, seen, others))
            term = self.mu * functional.softplus((far - near) / self.temperature).mean()  # -log(e^a / (e^a + e^b)) = softplus(b - a)
            return loss + term - term.detach()

        return objective


@dataclass
class Seen:
    """What went into the network, (B, C, ...), and into its last layer, (B, ...), in the last forward pass."""

    images: list[Tensor] = field(default_factory=list)
    last: list[Tensor] = field(default_factory=list)

    def features(self) -> Tensor:
        """(B, F) float32."""
        return self.last[0].flatten(1).float()


@contextmanager
def seen_by(model: FlatModel) -> Iterator[Seen]:
    """Watch what the network and its last layer read; SiteError if that layer cannot be watched."""
    name, seen = model.params.layout.last_layer, Seen()
    try:
        last = model.module.get_submodule(name)
    except AttributeError:
        raise SiteError(f"moon compares what the network's last layer reads, but '{name}' is not a torch layer of this network. "
                        "Choose another strategy, or a network of torch layers.") from None
    with model.module.register_forward_pre_hook(_keep(seen.images)), last.register_forward_pre_hook(_keep(seen.last)):
        yield seen


def features_of(bench: Bench, seen: Seen, models: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """The features of other models of the same network, given by their tensors, on the images that it has just seen: each (B, F)."""
    images, model = seen.images[0], bench.model
    model.eval()
    found = []
    with torch.no_grad():
        for tensors in models:
            bench.arithmetic.logits(model, images, tensors)
            found.append(seen.features())
    model.train()
    return found


def _keep(place: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        place[:] = inputs[:1]

    return hook
