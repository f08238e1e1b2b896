"""FedBN: what stays, and without norm layers it is FedAvg."""

from dataclasses import replace

import pytest
import torch
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.core.params import FlatModel
from wardround.models.norms import use_norm
from wardround.plan.schema import Recipe
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN
from wardround.testing import check_strategy, toy_blueprint, toy_net, toy_run


def without_norms(strategy: type) -> object:
    """A blueprint that shares the convolution and the last layer only."""
    blueprint = toy_blueprint(strategy)
    model = blueprint.plan.model.model_copy(update={"share": ("0.*", "5.*")})
    return replace(blueprint, plan=blueprint.plan.model_copy(update={"model": model}))


def test_fedbn_without_norm_layers_is_fedavg() -> None:
    plain, _ = toy_run(without_norms(FedAvg))
    found, memories = toy_run(without_norms(FedBN))
    assert torch.equal(plain.state.params.flat, found.state.params.flat)
    assert (plain.best_score, plain.bytes_up, memories) == (found.best_score, found.bytes_up, {})


def test_scale_shift_and_statistics_stay_at_their_sites_and_are_not_counted() -> None:
    blueprint = toy_blueprint(FedBN)
    course, memories = toy_run(blueprint)
    first = initial_params(blueprint)
    moved = {name for name, tensor in course.state.params.named().items() if not torch.equal(tensor, first.named()[name])}
    assert moved == {"0.weight", "5.weight", "5.bias"}  # a bias before batch norm has no gradient
    assert len({tuple(kept["own"].tolist()) for kept in memories.values()}) == 3
    assert [kept["own"].numel() for kept in memories.values()] == [4 * 4] * 3
    assert course.bytes_up == course.bytes_down == 3 * 3 * 4 * (first.layout.size - 4 * 4)  # rounds, sites


@pytest.mark.parametrize(("norm", "num"), [("batch", 16), ("group", 8), ("instance", 8)])
def test_of_group_and_instance_norm_scale_and_shift_stay(norm: str, num: int) -> None:
    layout = FlatModel(use_norm(toy_net(in_channels=1, num_outputs=2), norm)).params.layout
    assert int(FedBN(recipe=Recipe()).stays(layout).sum()) == num


def test_fedbn_passes_the_checks_for_strategies() -> None:
    check_strategy(FedBN)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(FedBN) == pytest.approx(0.96660, rel=TOLERANCE)
