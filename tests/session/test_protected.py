"""Whole runs with privacy and with secure sums: what they leave, and what they keep to themselves."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import load_file

from wardround.core.events import Note, RoundFinished
from wardround.plan.schema import Plan
from wardround.runs.spending import read_spending
from wardround.session import run

TWO = {"num": 2, "metric": "loss", "checkpoint_every_s": 0}
EXACT = {"workers": 1, "precision": "fp32", "layout": "contiguous", "device": "cpu"}


@pytest.fixture
def plan(plan_with: Callable[..., Plan]) -> Callable[..., Plan]:
    """A plan of two rounds; keyword arguments as of plan_with."""
    return lambda **sections: plan_with(**{"rounds": TWO, "engine": EXACT, "recipe": {"lr": 0.1, "batch_size": 8}, **sections})


def test_a_private_run_tells_what_it_spent_and_no_loss_of_its_training(plan: Callable[..., Plan], tmp_path) -> None:
    result = run(plan(privacy={"unit": "image", "noise_multiplier": 1.0}), out=tmp_path)
    spent = read_spending(result.path)
    assert spent is not None
    assert set(spent["sites"]) == {"north", "south", "east"}
    assert all(0 < site["epsilon"] <= 8 and site["steps"] > 0 for site in spent["sites"].values())
    rounds = [event for event in result.events() if isinstance(event, RoundFinished)]
    assert all(math.isnan(event.train_loss) and not event.train_loss_by_site for event in rounds)
    assert any("not covered by epsilon" in event.text for event in result.events() if isinstance(event, Note))
    assert "What privacy was spent" in (result.path / "report.html").read_text()


def test_a_private_run_is_another_each_time(plan: Callable[..., Plan], tmp_path) -> None:
    settings = plan(privacy={"unit": "image", "noise_multiplier": 1.0})
    first, second = (load_file(run(settings, out=tmp_path / name).path / "model.safetensors") for name in ("first", "second"))
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_secure_sums_end_near_plain_ones_and_show_no_single_update(plan: Callable[..., Plan], tmp_path) -> None:
    plain = run(plan(), out=tmp_path / "plain")
    secure = run(plan(aggregation={"secure": True}), out=tmp_path / "secure")
    models = [load_file(result.path / "model.safetensors") for result in (plain, secure)]
    assert all(np.allclose(models[0][name], models[1][name], atol=1e-4) for name in models[0])
    for event in (event for event in secure.events() if isinstance(event, RoundFinished)):
        assert not event.update_norms
        assert not event.train_loss_by_site
        assert not event.failed
