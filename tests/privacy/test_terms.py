"""From a plan to what a site promises."""

import logging
from typing import Any

import pytest

from wardround.errors import PlanError, PrivacyError
from wardround.plan.schema import Plan
from wardround.privacy import terms as module
from wardround.privacy.terms import Terms, promises, terms_of


def plan(*, rounds: int = 10, recipe: dict[str, Any] | None = None, **privacy: Any) -> Plan:
    return Plan.model_validate({"name": "p", "rounds": {"num": rounds}, "recipe": {"batch_size": 32, **(recipe or {})},
                                "privacy": {"unit": "image", "noise_multiplier": 1.5, **privacy}})


def test_terms_of_images_by_hand() -> None:
    """640 images, batches of 32: a rate of 1/20, 20 steps an epoch, delta a tenth of 1/640 were 1.6e-4, so 1e-5."""
    assert terms_of(plan(clip_norm=0.7, physical_batch=9), 640, 640) == Terms(
        unit="image", noise_multiplier=1.5, sample_rate=0.05, clip_norm=0.7, delta=1e-5, epsilon=8.0, steps_per_round=20, physical_batch=9,
        images_per_patient=4)


def test_batches_are_counted_in_images_for_patients_too() -> None:
    """200 patients with 640 images: 32 * 200 / 640 = 10 patients are expected in a step, again a rate of 1/20."""
    terms = terms_of(plan(unit="patient", images_per_patient=2), 200, 640)
    assert (terms.unit, terms.sample_rate, terms.steps_per_round, terms.images_per_patient) == ("patient", 0.05, 20, 2)


def test_sites_count_in_every_round_once() -> None:
    terms = terms_of(plan(unit="site"), 5, 3000)
    assert (terms.sample_rate, terms.steps_per_round, terms.delta) == (1.0, 1, 1e-5)


@pytest.mark.parametrize(("recipe", "steps"), [({"local_epochs": 0.5}, 10), ({"local_epochs": 0.01}, 1), ({"local_steps": 7}, 7),
                                               ({"local_steps": 7, "local_epochs": 3.0}, 7), ({"batch_size": 60}, 11)])
def test_steps_a_round_come_from_the_recipe(recipe: dict[str, Any], steps: int) -> None:
    assert terms_of(plan(recipe=recipe), 640, 640).steps_per_round == steps


def test_delta_is_a_tenth_of_one_units_share_in_a_large_site() -> None:
    assert terms_of(plan(), 50_000, 50_000).delta == pytest.approx(2e-6)
    assert terms_of(plan(delta=1e-4), 640, 640).delta == 1e-4


@pytest.mark.parametrize("unit", ["image", "patient", "site"])
def test_a_delta_of_one_units_share_is_refused(unit: str) -> None:
    with pytest.raises(PlanError, match=f"privacy.delta = 0.01 is not below one unit's share, 1/100.*of the {unit}s"):
        terms_of(plan(unit=unit, delta=0.01), 100, 100)


@pytest.mark.parametrize(("unit", "num_units", "num_images"), [("image", 0, 0), ("patient", 0, 5), ("site", 0, 0), ("patient", 6, 5)])
def test_a_site_without_units_is_refused(unit: str, num_units: int, num_images: int) -> None:
    with pytest.raises(PrivacyError, match=f"{num_units} {unit}s with {num_images} training images"):
        terms_of(plan(unit=unit), num_units, num_images)


def test_a_plan_without_privacy_has_no_terms() -> None:
    with pytest.raises(PlanError, match=r"privacy\.unit is 'none'"):
        terms_of(Plan(name="p"), 10, 10)


def test_a_batch_of_the_whole_site_gains_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """20 images, batches of 32, 3 epochs: each step takes all, an epoch is one step."""
    with caplog.at_level(logging.WARNING):
        terms = terms_of(plan(recipe={"local_epochs": 3.0}), 20, 20)
    assert (terms.sample_rate, terms.steps_per_round) == (1.0, 3)
    assert "batch_size = 32 takes every step from all 20 training images" in caplog.text
    assert any("nothing is gained by sampling" in text for text in promises(terms))


def test_noise_is_made_for_all_rounds_unless_the_plan_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "noise_for", lambda **numbers: asked.append(numbers) or 2.5)
    assert terms_of(plan(noise_multiplier=None, epsilon=3.0), 640, 640).noise_multiplier == 2.5
    assert terms_of(plan(), 640, 640).noise_multiplier == 1.5
    assert asked == [{"epsilon": 3.0, "delta": 1e-5, "sample_rate": 0.05, "steps": 200}]


@pytest.mark.parametrize("unit", ["image", "patient", "site"])
def test_the_words_tell_what_is_promised(unit: str) -> None:
    told = " ".join(promises(terms_of(plan(unit=unit), 200, 640 if unit == "patient" else 200)))
    for part in (f"whether one {unit}", "add or remove one", "delta 1e-05", "epsilon 8", "taken as public", "L2 norm 1", "1.5 times"):
        assert part in told, part
    assert ("Poisson sampling" in told) == (unit != "site")
    assert ("up to 4 images drawn anew" in told) == (unit == "patient")


def test_the_words_hold_the_numbers_of_the_sampling() -> None:
    images, sites = promises(terms_of(plan(), 640, 640)), promises(terms_of(plan(unit="site"), 4, 640))
    patients = promises(terms_of(plan(unit="patient", images_per_patient=1), 9, 99))
    assert any("independently with probability 0.05 (Poisson sampling, 20 steps a round)" in text for text in images)
    assert any("1 step a round" in text for text in sites)
    assert any("the mean over one image drawn" in text for text in patients)
