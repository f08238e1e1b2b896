"""FedAdagrad, FedYogi and FedAdam against FedAvg and by hand."""

from math import sqrt

import pytest
import torch
from byhand import params, update
from regression import TOLERANCE, final_loss

from wardround.errors import PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedopt import FedAdagrad, FedAdam, FedOpt, FedYogi
from wardround.testing import check_strategy, toy_blueprint, toy_run

VARIANTS = pytest.mark.parametrize("variant", [FedAdagrad, FedYogi, FedAdam])


@pytest.mark.parametrize(("variant", "seconds"), [
    (FedAdagrad, ([5.0, 17.0], [9.0, 33.0])),            # 1 + 4, 1 + 16; and once more
    (FedYogi, ([2.0, 5.0], [3.0, 9.0])),                 # 1 + 4/4, 1 + 16/4: v is below Delta^2 and grows
    (FedAdam, ([1.75, 4.75], [2.3125, 7.5625])),         # 3/4 + 4/4, 3/4 + 16/4
])
def test_two_rounds_by_hand(variant: type[FedOpt], seconds: tuple[list[float], list[float]]) -> None:
    betas = {"beta1": 0.5} if variant is FedAdagrad else {"beta1": 0.5, "beta2": 0.75}
    strategy = variant(recipe=Recipe(), server_lr=0.1, tau=1.0, **betas)
    replies = [update("a", 8.0, 4.0, 3.0, num_examples=1), update("b", 0.0, 4.0, 3.0, num_examples=3)]  # Delta = 2, 4; buffer 3
    state, w, first = strategy.begin(params(1.0, 1.0, 1.0), num_sites=2), [1.0, 1.0], [0.0, 0.0]
    for t, second in enumerate(seconds, start=1):
        state = strategy.aggregate(state, replies)
        first = [0.5 * first[0] + 0.5 * 2, 0.5 * first[1] + 0.5 * 4]
        w = [number + 0.1 * m / (sqrt(v) + 1) for number, m, v in zip(w, first, second, strict=True)]
        assert state.first.flat.tolist() == [*first, 0.0]
        assert state.second.flat.tolist() == pytest.approx([*second, 0.0])
        assert state.params.flat.tolist() == pytest.approx([*w, 1.0 + 3 * t])  # the buffer moves by the plain mean


def test_yogi_shrinks_at_the_pace_it_grows() -> None:
    strategy = FedYogi(recipe=Recipe(), tau=2.0, beta2=0.75)
    state = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=1), [update("a", 1.0, 2.0, 0.0)])
    assert state.second.flat.tolist() == [3.75, 4.0, 0.0]  # 4 - 1/4; Delta^2 = v changes nothing


@VARIANTS
def test_a_round_leaves_the_state_before_it_as_it_was(variant: type[FedOpt]) -> None:
    strategy = variant(recipe=Recipe())
    before = strategy.aggregate(strategy.begin(params(1.0, 2.0, 3.0), num_sites=1), [update("a", 1.0, -1.0, 1.0)])
    held = [before.params.flat.clone(), before.first.flat.clone(), before.second.flat.clone()]
    strategy.aggregate(before, [update("a", -3.0, 1.0, 1.0)])
    assert all(torch.equal(old, now.flat) for old, now in zip(held, (before.params, before.first, before.second), strict=True))


@pytest.mark.parametrize(("variant", "settings"), [
    (FedAdagrad, {"server_lr": 2e3}), (FedYogi, {"server_lr": 2e3, "beta1": 0.0}),  # v stays near tau^2: sqrt(v) + tau is 2 tau
    (FedAdam, {"server_lr": 1e3, "beta1": 0.0, "beta2": 0.0}),                       # v = Delta^2: sqrt(v) + tau is near tau
])
def test_a_tau_far_above_all_changes_is_fedavg(variant: type[FedOpt], settings: dict[str, float]) -> None:
    long = RoundsPlan(num=2, metric="loss")
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=long))
    adaptive, _ = toy_run(toy_blueprint(variant, rounds=long, tau=1e3, **settings))
    assert torch.allclose(plain.state.params.flat, adaptive.state.params.flat, rtol=1e-2, atol=1e-3)


@VARIANTS
@pytest.mark.parametrize("settings", [{"server_lr": 0.0}, {"tau": 0.0}, {"beta1": 1.0}])
def test_impossible_settings_are_refused(variant: type[FedOpt], settings: dict[str, float]) -> None:
    with pytest.raises(PlanError, match=rf"{variant.__name__.lower()} needs server_lr and tau above 0"):
        variant(recipe=Recipe(), **settings)


@VARIANTS
def test_the_variants_pass_the_checks_for_strategies(variant: type[FedOpt]) -> None:
    check_strategy(variant)


@pytest.mark.parametrize(("variant", "loss"), [(FedAdagrad, 1.26908), (FedYogi, 0.72648), (FedAdam, 0.72428)])
def test_the_stored_result_is_found_again(variant: type[FedOpt], loss: float) -> None:
    assert final_loss(variant, server_lr=0.05, tau=0.01, beta1=0.5) == pytest.approx(loss, rel=TOLERANCE)


@VARIANTS
def test_the_schedule_is_the_server_s_and_sites_keep_their_rate(variant: type[FedOpt]) -> None:
    whole, half = variant(recipe=Recipe(lr=0.3)), variant(recipe=Recipe(lr=0.3), lr_factor=lambda t: 0.5)
    moved = [one.aggregate(one.begin(params(0.0, 0.0, 0.0), 1), [update("a", 2.0, -1.0, 4.0)]).params.flat for one in (whole, half)]
    assert torch.allclose(moved[1][:2], moved[0][:2] / 2)
    assert moved[1][2] == 4  # the buffer moves by the plain mean
    assert half.order(half.begin(params(0.0, 0.0, 0.0), 1)).recipe.lr == 0.3
