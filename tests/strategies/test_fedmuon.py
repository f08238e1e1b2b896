"""FedMuon: the orthogonal step by hand, what it leaves to Adam and to the mean, and its indifference to label skew."""

import pytest
import torch
from regression import TOLERANCE, final_loss

from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.strategies.fedmuon import FedMuon, orthogonal
from wardround.testing import check_strategy

LAYOUT = Layout.of([("w", torch.zeros(2, 2), True), ("b", torch.zeros(2), True), ("mean", torch.zeros(1), False)])
SINGLE = {"single_step": True, "momentum": 0.0}


def after(strategy: FedMuon, *deltas: list[float]) -> torch.Tensor:
    """The global numbers after one round from zero; sites hold 1, 3, ... images."""
    state = strategy.begin(Params(torch.zeros(7), LAYOUT), num_sites=len(deltas))
    updates = [Update(site=str(index), num_examples=1 + 2 * index, delta=Params(torch.tensor(delta), LAYOUT), num_steps=1, train_loss=0.0)
               for index, delta in enumerate(deltas)]
    return strategy.aggregate(state, updates).params.flat


def test_singular_values_become_about_one_whatever_their_size() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((6, 6), (4, 9), (9, 4)):
        left, _, right = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
        sizes = torch.logspace(0, -1.5, min(shape))
        found = torch.linalg.svdvals(orthogonal(left * sizes @ right)) / max(1, shape[0] / shape[1]) ** 0.5
        assert found.min() > 0.6 and found.max() < 1.3


def test_directions_are_kept() -> None:
    left, _, right = torch.linalg.svd(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
    step = left.T @ orthogonal(left @ torch.diag(torch.tensor([5.0, 0.5])) @ right) @ right.T
    assert torch.allclose(step, torch.diag(step.diagonal()), atol=1e-5) and (step.diagonal() > 0).all()


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_two_sites_by_hand() -> None:
    """The mean change (1 a + 3 b) / 4 is -lr * diag(4, 4) for the matrix: orthogonal already, so each entry moves by server_lr times
    the Newton-Schulz value of 1/sqrt(2); the vector by vector_lr, Adam's first step; the buffer by the mean change itself."""
    strategy = FedMuon(recipe=Recipe(lr=0.5), server_lr=0.1, vector_lr=0.01, server_momentum=0.0, weight_decay=0.0)
    moved = after(strategy, [-8.0, 0.0, 0.0, -2.0, -1.0, 3.0, 4.0], [0.0, 0.0, 0.0, -2.0, -1.0, 3.0, 8.0])
    value = 2**-0.5
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    assert moved[:4].tolist() == pytest.approx([-0.1 * value, 0.0, 0.0, -0.1 * value], abs=1e-6)
    assert moved[4:6].tolist() == pytest.approx([-0.01, 0.01], rel=1e-4)
    assert moved[6].item() == pytest.approx((4 + 3 * 8) / 4)


def test_the_size_of_the_gradient_does_not_matter() -> None:
    delta = [-3.0, 1.0, 0.5, -2.0, -1.0, 3.0, 0.0]
    strategy = FedMuon(recipe=Recipe())
    assert torch.allclose(after(strategy, delta), after(strategy, [100 * number for number in delta]), atol=1e-6)


def test_the_schedule_is_the_server_s_and_sites_keep_their_rate() -> None:
    delta = [-3.0, 1.0, 0.5, -2.0, -1.0, 3.0, 0.0]
    whole, half = FedMuon(recipe=Recipe(lr=0.3)), FedMuon(recipe=Recipe(lr=0.3), lr_factor=lambda t: 0.5)
    assert torch.allclose(after(half, delta), 0.5 * after(whole, delta))
    assert half.order(half.begin(Params(torch.zeros(7), LAYOUT), 1)).recipe.lr == 0.3


def test_matrices_shrink_by_weight_decay_and_vectors_do_not() -> None:
    strategy = FedMuon(recipe=Recipe(), server_lr=0.1, weight_decay=0.5)
    state = strategy.begin(Params(torch.ones(7), LAYOUT), num_sites=1)
    still = Update(site="a", num_examples=1, delta=Params(torch.zeros(7), LAYOUT), num_steps=1, train_loss=0.0)
    assert strategy.aggregate(state, [still]).params.flat.tolist() == pytest.approx([0.95] * 4 + [1.0] * 3)


def test_filters_of_one_channel_are_vectors() -> None:
    layout = Layout.of([("depthwise", torch.zeros(2, 1, 1, 2), True)])
    strategy = FedMuon(recipe=Recipe(lr=1.0), vector_lr=0.01, server_momentum=0.0)
    state = strategy.begin(Params(torch.zeros(4), layout), num_sites=1)
    update = Update(site="a", num_examples=1, delta=Params(torch.tensor([-5.0, 1.0, -1.0, 2.0]), layout), num_steps=1, train_loss=0.0)
    assert strategy.aggregate(state, [update]).params.flat.tolist() == pytest.approx([-0.01, 0.01, -0.01, 0.01], rel=1e-4)


def test_only_the_mean_of_the_sites_changes_counts_not_who_sent_which() -> None:
    """So with recipe.single_step (test_single_step.py) label skew changes nothing."""
    strategy = FedMuon(recipe=Recipe())
    first, second = torch.tensor([-3.0, 1.0, 0.5, -2.0, -1.0, 3.0, 1.0]), torch.tensor([9.0, -2.0, 4.0, 1.0, 0.5, 1.0, -1.0])
    mean = (first + 3 * second) / 4
    assert torch.allclose(after(strategy, first.tolist(), second.tolist()), after(strategy, mean.tolist()), atol=1e-6)


@pytest.mark.parametrize("settings", [{"server_lr": 0.0}, {"vector_lr": -1.0}, {"server_momentum": 1.0}, {"weight_decay": -0.1}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError, match="fedmuon needs server_lr and vector_lr above 0"):
        FedMuon(recipe=Recipe(), **settings)


def test_fedmuon_passes_the_checks_for_strategies() -> None:
    check_strategy(FedMuon)


def test_a_tiny_problem_ends_where_it_did() -> None:
    assert final_loss(FedMuon, recipe=SINGLE, server_lr=0.1, vector_lr=0.02) == pytest.approx(1.27350, rel=TOLERANCE)
