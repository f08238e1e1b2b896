"""Long vectors in spans."""

import numpy as np
import pytest
import torch

from wardround.aggregation import spans
from wardround.aggregation.spans import fill, ordered, summed, weighted, wide
from wardround.rng import stream


@pytest.fixture
def rows() -> list[torch.Tensor]:
    return [torch.from_numpy(stream("rows", i).normal(size=5000).astype(np.float32)) for i in range(4)]


@pytest.fixture(params=[1, 2, 7])
def num_cores(request, monkeypatch) -> int:
    monkeypatch.setattr(spans, "CHUNK", 4096)  # 5000 coordinates are five spans of 1024
    monkeypatch.setattr(spans, "cores", lambda: request.param)
    return request.param


def test_spans_cover_every_coordinate_once(num_cores: int) -> None:
    seen = torch.zeros(5000)

    def work(span: slice) -> None:
        seen[span] += 1

    fill(5000, 4, work)
    assert (seen == 1).all()


def test_sums_have_the_same_bits_for_any_number_of_cores(num_cores: int, rows: list[torch.Tensor]) -> None:
    products = summed(5000, 4, lambda span: wide(rows, span) @ wide(rows, span).T)
    one_by_one = torch.zeros(4, 4, dtype=torch.float64)
    for start in range(0, 5000, 1024):
        chunk = wide(rows, slice(start, min(start + 1024, 5000)))
        one_by_one += chunk @ chunk.T
    assert np.array_equal(products, one_by_one.numpy())


def test_weighted_sums_are_taken_in_float64(num_cores: int, rows: list[torch.Tensor]) -> None:
    weights = np.array([1e8, -1e8, 0.0, 0.5])
    expected = 1e8 * rows[0].double() - 1e8 * rows[1].double() + 0.5 * rows[3].double()
    assert torch.equal(weighted(rows, weights), expected.float())


def test_values_are_ordered_coordinate_by_coordinate() -> None:
    found = ordered([torch.tensor([3.0, 1.0]), torch.tensor([2.0, 5.0]), torch.tensor([9.0, 4.0])], slice(0, 2))
    assert found.tolist() == [[2.0, 3.0, 9.0], [1.0, 4.0, 5.0]]


def test_nothing_is_an_empty_sum() -> None:
    assert summed(0, 3, lambda span: torch.ones(())) == 0
    assert weighted([torch.ones(2)], np.zeros(1)).tolist() == [0.0, 0.0]


def test_torch_keeps_its_threads_when_a_span_fails() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        fill(10, 1, lambda span: 1 // 0)
    assert torch.get_num_threads() == before
