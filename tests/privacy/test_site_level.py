"""Noise that hides whole sites."""

import math

import pytest
import torch

from wardround.core.exchange import Summed, Update
from wardround.core.params import Layout, Params
from wardround.errors import AggregationError, PrivacyError
from wardround.privacy import site_level
from wardround.privacy.site_level import SiteNoise, warning

LAYOUT = Layout.of([("w", torch.zeros(2), True), ("mean", torch.zeros(1), False)])


def update(site: str, *numbers: float, num_examples: int = 1) -> Update:
    return Update(site=site, num_examples=num_examples, delta=Params(torch.tensor([*numbers, 7.0]), LAYOUT), num_steps=1, train_loss=None)


@pytest.fixture
def stds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The noise is 0 in these tests; its std is noted."""
    asked: list[float] = []

    def gaussian(num: int, std: float) -> torch.Tensor:
        asked.append(std)
        return torch.zeros(num)

    monkeypatch.setattr(site_level, "gaussian", gaussian)
    return asked


def combined(*updates: Update, bound: float = 1.0, cohort_size: int = 4) -> list[float]:
    return SiteNoise(multiplier=3.0, bound=bound, cohort_size=cohort_size)(iter(updates)).flat.tolist()


def test_sites_count_alike_and_long_changes_are_shortened(stds) -> None:
    found = combined(update("a", 3.0, 4.0, num_examples=900), update("b", 0.2, 0.0), bound=1.0, cohort_size=2)
    assert found == pytest.approx([(0.6 + 0.2) / 2, 0.8 / 2, 0.0])
    assert stds == [1.5]  # 3 * 1 / 2


def test_the_sum_is_divided_by_those_who_were_asked_not_by_who_replied(stds) -> None:
    assert combined(update("a", 0.4, 0.0), cohort_size=4)[0] == pytest.approx(0.1)
    assert stds == [0.75]


def test_buffers_get_no_update() -> None:
    assert combined(update("a", 1.0, 0.0), update("b", 0.0, 1.0))[2] == 0.0


def test_no_change_moves_the_sum_by_more_than_the_bound(stds) -> None:
    for numbers in ((3e38, -3e38), (1e-30, 0.0), (5.0, 12.0), (1e3, 1e-3)):
        found = SiteNoise(multiplier=1.0, bound=0.7, cohort_size=1)(iter([update("a", *numbers)]))
        assert found.norm() <= 0.7 * (1 + 1e-6)
    assert found.norm() == pytest.approx(0.7)


def test_an_unchanged_model_is_a_change_of_zero(stds) -> None:
    assert combined(update("a", 0.0, 0.0)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_change_that_is_no_number_adds_nothing(stds, number) -> None:
    assert combined(update("a", number, 0.0), update("b", 0.4, 0.0), cohort_size=2) == pytest.approx([0.2, 0.0, 0.0])


def test_updates_are_left_as_they_came(stds) -> None:
    sent = update("a", 3.0, 4.0)
    combined(sent)
    assert sent.delta.flat.tolist() == [3.0, 4.0, 7.0]


def test_a_site_that_counts_twice_is_refused(stds) -> None:
    with pytest.raises(PrivacyError, match="'a' sent two updates"):
        combined(update("a", 1.0, 0.0), update("a", 1.0, 0.0))


def test_a_secure_sum_is_refused(stds) -> None:
    summed = Summed(site="sum", members=("a", "b"), num_examples=1, delta=update("a", 1.0, 0.0).delta, num_steps=1, train_loss=None)
    with pytest.raises(PrivacyError, match="secure sum"):
        combined(summed)


def test_no_update_is_an_error() -> None:
    with pytest.raises(AggregationError, match="no site"):
        combined()


def test_noise_has_the_std_of_the_bound_shared_among_the_cohort() -> None:
    layout = Layout.of([("w", torch.zeros(20_000), True)])
    sent = Update(site="a", num_examples=1, delta=Params(torch.zeros(20_000), layout), num_steps=1, train_loss=None)
    combine = SiteNoise(multiplier=4.0, bound=0.5, cohort_size=10)
    one, two = combine([sent]).flat, combine([sent]).flat
    assert float(one.std()) == pytest.approx(0.2, rel=0.03)  # 6 standard errors
    assert abs(float(one.mean())) < 0.2 * 6 / math.sqrt(20_000)
    assert not one.equal(two)


def test_what_ten_sites_pay_is_said_in_numbers() -> None:
    text = warning(10, 8.0, 50, 1_000_000)  # sigma 4.24 at delta 1e-5: 0.424 * sqrt(1e6)
    assert text is not None
    assert "424 times as long" in text
    assert "sigma 4.24" in text
    assert "EXPECT NO USABLE MODEL" not in text


def test_few_sites_with_a_small_epsilon_are_warned_loudly() -> None:
    assert str(warning(5, 3.0, 20, 10_000)).startswith("EXPECT NO USABLE MODEL.")


def test_noise_that_is_shorter_than_the_changes_needs_no_warning() -> None:
    assert warning(1000, 8.0, 20, 10_000) is None
