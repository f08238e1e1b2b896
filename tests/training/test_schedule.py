import pytest

from wardround.plan.schema import Recipe
from wardround.training.schedule import learning_rate


def rates(num_rounds: int, **settings: object) -> list[float]:
    recipe = Recipe.model_validate({"lr": 0.8, **settings})
    return [learning_rate(recipe, t, num_rounds) for t in range(1, num_rounds + 1)]


def test_constant_is_the_recipe_s_rate() -> None:
    assert rates(3) == [0.8, 0.8, 0.8]


def test_cosine_begins_at_the_rate_and_would_be_zero_after_the_last_round() -> None:
    assert rates(4, schedule="cosine") == pytest.approx([0.8, 0.4 + 0.4 * 2**-0.5, 0.4, 0.4 - 0.4 * 2**-0.5])
    assert learning_rate(Recipe(lr=0.8, schedule="cosine"), 5, 4) == pytest.approx(0)


def test_step_drops_by_its_factor_every_so_many_rounds() -> None:
    assert rates(5, schedule="step", step_every=2, step_factor=0.5) == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2])


def test_warm_up_rises_linearly_in_its_share_of_the_rounds() -> None:
    assert rates(10, warmup=0.3) == pytest.approx([0.2, 0.4, 0.6] + [0.8] * 7)


def test_warm_up_multiplies_the_schedule() -> None:
    plain, warmed = rates(4, schedule="cosine"), rates(4, schedule="cosine", warmup=0.25)
    assert warmed == pytest.approx([plain[0] / 2, *plain[1:]])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_one_round_is_at_the_full_rate(schedule: str) -> None:
    assert rates(1, schedule=schedule) == [0.8]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_every_round_has_a_rate_above_zero(schedule: str, warmup: float) -> None:
    assert min(rates(30, schedule=schedule, warmup=warmup)) > 0
