"""Named streams."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wardround.rng import global_torch_stream, stream, stream_seed, torch_stream


def test_the_same_parts_give_the_same_numbers() -> None:
    assert stream(3, "site", "north", 1).random(5).tolist() == stream(3, "site", "north", 1).random(5).tolist()
    assert torch.equal(torch.rand(5, generator=torch_stream(3, "a")), torch.rand(5, generator=torch_stream(3, "a")))


def test_a_stream_does_not_change_between_versions() -> None:
    assert stream_seed(0, "site", "north", 1) == 7761295008249891276


@pytest.mark.parametrize("other", [(4, "site", "north"), (3, "site", "south"), (3, "site", "north", 0), (3, "sitenorth"),
                                   ("3", "site", "north"), (3, "north", "site")])
def test_other_parts_give_other_numbers(other: tuple[object, ...]) -> None:
    assert stream_seed(*other) != stream_seed(3, "site", "north")


@given(st.lists(st.text()), st.lists(st.text()))
def test_no_text_imitates_the_seam_between_parts(left: list[str], right: list[str]) -> None:
    assert (stream_seed(*left) == stream_seed(*right)) == (left == right)


def test_a_seed_fits_63_bits() -> None:
    assert all(0 <= stream_seed(i) < 2**63 for i in range(1000))


def test_global_torch_state_is_put_back() -> None:
    before = torch.get_rng_state()
    with global_torch_stream(1, "init"):
        first = torch.rand(3)
    with global_torch_stream(1, "init"):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_numpy_global_state_is_not_touched() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stream(1, "x").random(10)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
