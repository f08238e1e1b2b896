"""SCAFFOLD by hand, against Option II and against FedAvg."""

from dataclasses import replace

import pytest
import torch
from quadratic import RECIPE, rounds, two_sites
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.core.params import Layout, Params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.scaffold import Scaffold, ScaffoldOrder, ScaffoldUpdate
from wardround.testing import check_strategy, toy_blueprint, toy_run

LAYOUT = Layout.of([("w", torch.zeros(2), True), ("mean", torch.zeros(1), False)])
PLAIN = Recipe(lr=0.1, batch_size=4, momentum=0.0)


def params(*numbers: float) -> Params:
    return Params(torch.tensor(numbers, dtype=torch.float32), LAYOUT)


def update(site: str, num_examples: int, delta: Params, control_delta: Params) -> ScaffoldUpdate:
    return ScaffoldUpdate(site=site, num_examples=num_examples, delta=delta, num_steps=1, train_loss=0.0, control_delta=control_delta)


def trained(recipe: Recipe, **memory: torch.Tensor) -> tuple[Site, ScaffoldOrder, ScaffoldUpdate]:
    """A site's round under a control that is not zero."""
    blueprint = toy_blueprint(Scaffold, recipe=recipe)
    start = initial_params(blueprint)
    control = start.zeros()
    control.trainable.copy_(noise("c", control.layout.num_trainable))
    order = ScaffoldOrder(round=1, params=start, recipe=recipe, control=control)
    site = Site(rows=blueprint.rows["site-2"], bench=blueprint.bench(), memory=memory)
    return site, order, blueprint.strategy.train(site, order)


def noise(seed: str, num: int) -> torch.Tensor:
    return 0.1 * torch.randn(num, generator=torch.Generator().manual_seed(len(seed)))


def test_two_rounds_of_two_sites_by_hand() -> None:
    """Steps of 0.25 on losses w^2 / 2 and 3/2 (w - 4)^2, two a round, from 0."""
    sites = two_sites()
    first = rounds(Scaffold(recipe=RECIPE), sites, 1)
    assert sites[0].memory["control"].tolist() == [0.0]  # gradients 0, 0
    assert sites[1].memory["control"].tolist() == [-7.5]  # w 0 -> 3 -> 3.75, gradients -12, -3
    assert (first.params.flat.tolist(), first.control.flat.tolist()) == ([1.875], [-3.75])
    sites = two_sites()
    second = rounds(Scaffold(recipe=RECIPE), sites, 2)
    assert sites[0].memory["control"].tolist() == [2.109375]  # gradients 1.875, 2.34375: drift -3.75 moves it up, though its minimum is 0
    assert sites[1].memory["control"].tolist() == [-5.390625]  # gradients -6.375, -4.40625, drift 3.75
    assert (second.params.flat.tolist(), second.control.flat.tolist()) == ([2.6953125], [-1.640625])


def test_it_ends_at_the_minimum_of_the_mean_loss_where_fedavg_does_not() -> None:
    assert rounds(Scaffold(recipe=RECIPE), two_sites(), 60).params.flat.tolist() == pytest.approx([3.0], abs=1e-5)
    assert rounds(FedAvg(recipe=RECIPE), two_sites(), 60).params.flat.tolist() == pytest.approx([30 / 11], abs=1e-5)


@pytest.mark.parametrize(("by_examples", "minimum"), [(False, 3.0), (True, 3 * 2 * 4 / (1 + 3 * 2))])
def test_where_sizes_differ_the_losses_count_alike_or_by_examples(by_examples: bool, minimum: float) -> None:
    sites = two_sites()
    sites[1].num_train = 2
    assert rounds(Scaffold(recipe=RECIPE, by_examples=by_examples), sites, 100).params.flat.tolist() == pytest.approx([minimum], abs=1e-4)


def test_the_server_s_half_by_hand() -> None:
    strategy = Scaffold(recipe=Recipe(), server_lr=0.5)
    state = replace(strategy.begin(params(1, 1, 5), num_sites=4), control=params(0.5, 0.25, 0))
    updates = [update("a", 10, params(1, 0, 2), params(1, 2, 0)), update("b", 30, params(-1, 4, 6), params(3, -2, 0))]
    after = strategy.aggregate(state, updates)
    assert after.params.flat.tolist() == [0.75, 2.5, 10.0]  # 1 + (10 - 30) / 40 / 2, 1 + 120 / 40 / 2; the buffer 5 + (20 + 180) / 40
    assert after.control.flat.tolist() == [1.5, 0.25, 0.0]  # + 2/4 * the mean (2, 0)
    weighted = replace(strategy, by_examples=True).aggregate(state, updates)
    assert weighted.control.flat.tolist() == [1.75, -0.25, 0.0]  # + 2/4 * (10 + 90, 20 - 60) / 40
    assert (state.params.flat.tolist(), state.control.flat.tolist()) == ([1, 1, 5], [0.5, 0.25, 0])


def test_for_plain_sgd_the_new_control_is_option_two() -> None:
    num = initial_params(toy_blueprint()).layout.num_trainable
    ci = noise("ci", num)
    site, order, reply = trained(PLAIN, control=ci.clone())
    option_two = ci - order.control.trainable - reply.delta.trainable / (reply.num_steps * PLAIN.lr)  # c_i - c + (x - y_i) / (K lr)
    assert reply.num_steps == 4
    assert torch.allclose(site.memory["control"], option_two, atol=1e-5)
    assert torch.allclose(reply.control_delta.trainable, option_two - ci, atol=1e-5)


@pytest.mark.parametrize("other", [{"momentum": 0.9}, {"optimizer": "adam"}, {"clip_norm": 0.01}])
def test_the_control_is_a_gradient_whatever_is_made_of_it(other: dict) -> None:
    plain, _, _ = trained(PLAIN.model_copy(update={"local_steps": 1}))
    site, _, _ = trained(PLAIN.model_copy(update={"local_steps": 1, **other}))
    assert torch.equal(site.memory["control"], plain.memory["control"])


def test_the_control_of_buffers_is_zero() -> None:
    _, order, reply = trained(PLAIN)
    assert order.params.buffers.numel() == 8
    assert reply.delta.buffers.abs().sum() > 0
    assert not reply.control_delta.buffers.any()


def test_the_first_round_is_fedavg() -> None:
    once = RoundsPlan(num=1, metric="loss")
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=once))
    scaffold, _ = toy_run(toy_blueprint(Scaffold, rounds=once))
    assert torch.equal(plain.state.params.flat, scaffold.state.params.flat)


def test_one_step_rounds_of_equal_sites_are_large_batch_sgd() -> None:
    """Then the drifts c - c_i add up to 0, and FedAvg's round is a step of the mean gradient."""
    recipe = PLAIN.model_copy(update={"local_steps": 1})

    def run(strategy: type[FedAvg]) -> Params:
        blueprint = toy_blueprint(strategy, recipe=recipe, rounds=RoundsPlan(num=4, metric="loss"))
        rows = {name: replace(site, train=site.train[:8]) for name, site in blueprint.rows.items()}
        return toy_run(replace(blueprint, rows=rows))[0].state.params

    assert torch.allclose(run(Scaffold).flat, run(FedAvg).flat, atol=1e-6)


def test_where_all_take_part_c_is_the_mean_of_the_sites_controls() -> None:
    course, memories = toy_run(toy_blueprint(Scaffold))
    controls = torch.stack([memories[f"site-{index}"]["control"] for index in (1, 2, 3)])
    assert torch.allclose(course.state.control.trainable, controls.mean(0), atol=1e-6)


def test_a_server_that_stands_still_is_refused() -> None:
    with pytest.raises(PlanError, match="server_lr"):
        Scaffold(recipe=Recipe(), server_lr=0.0)


def test_scaffold_passes_the_checks_for_strategies() -> None:
    check_strategy(Scaffold)
    check_strategy(Scaffold, by_examples=True)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(Scaffold) == pytest.approx(0.89999, rel=TOLERANCE)
