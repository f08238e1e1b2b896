"""A tiny seeded problem whose result is stored in the tests: a formula that changes is seen, other processors' rounding is not.

    assert final_loss(FedProx, mu=0.1) == pytest.approx(1.2345, rel=TOLERANCE)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from wardround.build import ArmBlueprint
from wardround.core.exchange import EvaluateOrder
from wardround.core.tally import total
from wardround.data.feeds import ImageFeed
from wardround.evaluation.metrics import from_tally
from wardround.plan.schema import ExchangePlan, Recipe, RoundsPlan
from wardround.sites.site import Site
from wardround.strategies.base import Personal, Strategy
from wardround.strategies.fedavg import FedAvg
from wardround.testing import toy_blueprint, toy_run

TOLERANCE = 1e-3  # relative; float32 sums in another order move these losses by less than 1e-5


def final_loss(strategy: Callable[..., Strategy] = FedAvg, *, rounds: int = 4, num_sites: int = 3, recipe: Mapping[str, Any] | None = None,
               exchange: ExchangePlan | None = None, **settings: Any) -> float:
    """Mean loss over all sites' validation rows of the last round's model; of each site's own where the strategy is Personal.

    recipe: keys that differ from SGD with lr 0.05, momentum 0.9, batches of 4, one pass a round (3, 4 and 5 steps at 3 sites).
    settings: the strategy's fields."""
    blueprint = skewed_blueprint(strategy, rounds=rounds, num_sites=num_sites, recipe=recipe, exchange=exchange, **settings)
    course, memories = toy_run(blueprint)
    bench, params = blueprint.bench(), course.state.params
    tallies = []
    for name, rows in blueprint.rows.items():
        site = Site(rows=rows, bench=bench, memory=memories.get(name, {}))
        own = blueprint.strategy.personal(site, params) if isinstance(blueprint.strategy, Personal) else params
        tallies.append(site.evaluate(EvaluateOrder(round=rounds, params=own, rows="val")).tally)
    return from_tally(total(tallies))["loss"]


def skewed_blueprint(strategy: Callable[..., Strategy] = FedAvg, *, rounds: int = 4, num_sites: int = 3,
                     recipe: Mapping[str, Any] | None = None, exchange: ExchangePlan | None = None, **settings: Any) -> ArmBlueprint:
    """Toy sites of unequal size and four classes, of which a site trains on one to three; every site validates on all."""
    trained = Recipe(**{"lr": 0.05, "batch_size": 4, **(recipe or {})})
    blueprint = toy_blueprint(strategy, num_sites=num_sites, num_classes=4, recipe=trained, rounds=RoundsPlan(num=rounds, metric="loss"),
                              **settings)
    feed = blueprint.feed
    assert isinstance(feed, ImageFeed)
    train = np.concatenate([rows.train for rows in blueprint.rows.values()])
    by_class = train[torch.argsort(feed.labels[train], stable=True).numpy()]
    parts = np.split(by_class, np.cumsum([len(rows.train) for rows in blueprint.rows.values()])[:-1])
    rows = {name: replace(held, train=np.sort(part)) for (name, held), part in zip(blueprint.rows.items(), parts, strict=True)}
    plan = blueprint.plan.model_copy(update={"exchange": exchange or ExchangePlan()})
    return replace(blueprint, plan=plan, rows=rows)
