"""The example-weighted mean."""

import pytest
import torch

from wardround.aggregation.mean import mean
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.errors import AggregationError


def update(site: str, num_examples: int, *numbers: float) -> Update:
    layout = Layout.of([("w", torch.zeros(len(numbers)), True)])
    return Update(site=site, num_examples=num_examples, delta=Params(torch.tensor(numbers), layout), num_steps=1, train_loss=0.0)


def test_two_sites_by_hand() -> None:
    assert mean([update("a", 1, 1.0, 0.0), update("b", 3, 5.0, 4.0)]).flat.tolist() == [4.0, 3.0]  # (1*1 + 3*5) / 4


def test_one_site_is_its_own_mean() -> None:
    assert mean([update("a", 7, 2.0)]).flat.tolist() == [2.0]


def test_updates_are_read_once_and_not_changed() -> None:
    first = update("a", 2, 1.0)
    assert mean(iter([first, update("b", 2, 3.0)])).flat.tolist() == [2.0]
    assert first.delta.flat.tolist() == [1.0]


def test_an_update_may_be_overwritten_once_the_next_is_asked_for() -> None:
    """The local fleet hands out views of a few slots: the mean must not keep them."""
    slot = torch.zeros(1)

    def stream():
        for number in (1.0, 2.0, 6.0):
            slot.fill_(number)
            yield Update(site="s", num_examples=1, delta=Params(slot, Layout.of([("w", slot, True)])), num_steps=1, train_loss=0.0)

    assert mean(stream()).flat.tolist() == [3.0]


def test_no_update_is_an_error() -> None:
    with pytest.raises(AggregationError, match="no site"):
        mean([])
