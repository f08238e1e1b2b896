"""FedNova: Wang et al. 2020, section 4 (arXiv:2007.07481)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from wardround.core.exchange import Update
from wardround.core.state import State
from wardround.errors import AggregationError, PlanError
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class FedNova(FedAvg):
    """Sites that take more steps do not count for more: w = w + tau_eff sum_i p_i delta_i / |a_i|, where p_i = n_i / n,
    tau_eff = sum_i p_i |a_i|, and |a_i| is how many times a site's learning rate its gradients went into delta_i.

    Equal steps at all sites are FedAvg. Buffers get the plain mean. PlanError where |a_i| is not known: see `travelled`.
    """

    needs_mean = "it scales each round by the numbers of steps that the sites tell, and one that tells many would move the model far"

    def __post_init__(self) -> None:
        found = f"optimizer = '{self.recipe.optimizer}'" if self.recipe.optimizer != "sgd" else "keep_optimizer = true"
        if self.recipe.optimizer != "sgd" or self.recipe.keep_optimizer:
            raise PlanError("fednova divides a site's change by the weight of its gradients in it, which is known for SGD whose momentum "
                            f"starts anew each round. The recipe has {found}. Use recipe.optimizer = 'sgd' with keep_optimizer = false, or "
                            "another strategy.")

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        lengths: list[tuple[int, float]] = []  # n_i, |a_i|

        def normalised() -> Iterator[Update]:
            for update in updates:
                if update.num_steps < 1:
                    raise AggregationError(f"site '{update.site}' sent a change of {update.num_steps} steps: fednova needs at least 1")
                length = travelled(update.num_steps, self.recipe.momentum)
                lengths.append((update.num_examples, length))
                delta = update.delta.clone()
                delta.trainable.div_(length)
                yield replace(update, delta=delta)

        change = self.combine(normalised())
        change.trainable.mul_(sum(num * length for num, length in lengths) / sum(num for num, _ in lengths))  # tau_eff
        return replace(state, round=state.round + 1, params=change.add_(state.params))


def travelled(num_steps: int, momentum: float) -> float:
    """|a_i|_1: the summed weights of a round's gradients in the site's change, in learning rates.

    (tau - rho (1 - rho^tau) / (1 - rho)) / (1 - rho) for tau steps of SGD with momentum rho that begins at 0; tau without momentum.
    """
    return (num_steps - momentum * (1 - momentum**num_steps) / (1 - momentum)) / (1 - momentum)
