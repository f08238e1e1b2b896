"""Cyclical weight transfer against training at one site and then at the next."""

import pytest
import torch
from byhand import params, update
from regression import TOLERANCE, final_loss, skewed_blueprint

from wardround.build import initial_params
from wardround.fleet.scripted import ScriptedFleet
from wardround.plan.schema import Recipe
from wardround.sites.site import Site
from wardround.strategies.cyclic import Cyclic
from wardround.testing import check_strategy, toy_run


def test_two_rounds_over_two_sites_are_training_at_one_and_then_at_the_other() -> None:
    blueprint = skewed_blueprint(Cyclic, rounds=2, num_sites=2)
    cyclic, _ = toy_run(blueprint)
    strategy, bench = blueprint.strategy, blueprint.bench()
    state = strategy.begin(initial_params(blueprint), 2)
    bench.model.load(state.params)
    for t, rows in enumerate(blueprint.rows.values()):
        site = Site(rows=rows, bench=bench)
        site.fit(bench.model, strategy.order(state.__class__(round=t, params=state.params, num_sites=2)))
    assert torch.allclose(cyclic.state.params.flat, bench.model.params.flat, atol=1e-6)


def test_sites_take_turns_in_their_order() -> None:
    strategy, cohort = Cyclic(recipe=Recipe()), ["north", "east", "south"]
    fleet, asked = ScriptedFleet(replies={site: update(site, 1.0, 0.0, 0.0) for site in cohort}), []
    state = strategy.begin(params(0.0, 0.0, 0.0), num_sites=3)
    for _ in range(4):
        turn = strategy.asked(state, cohort)
        asked += turn
        state = strategy.aggregate(state, fleet.train(strategy.order(state), turn))
    assert asked == ["north", "east", "south", "north"]
    assert state.params.flat[0] == 4.0  # each whole change, whatever the site's size


def test_cyclic_passes_the_checks_for_strategies() -> None:
    check_strategy(Cyclic)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(Cyclic) == pytest.approx(0.93099, rel=TOLERANCE)
