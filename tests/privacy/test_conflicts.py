"""Every pair of settings that breaks a guarantee is refused when the plan is read, with reason and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from wardround.build import check_names
from wardround.errors import PlanError
from wardround.plan.load import load_plan
from wardround.privacy.conflicts import CONFLICTS, cautions, check_conflicts

PLAIN = ("recipe.single_step=false", "recipe.keep_optimizer=false", "recipe.class_weights=none", "recipe.label_skew=none", "recipe.mixup=0",
         "data.harmonise=none", "strategy.name=fedavg", "model.norm=group", "sites.names=none", "sites.partition=iid", "sites.num=7",
         "cohort.min_sites=7", "aggregation.rule=mean", "engine.precision=auto", "recipe.schedule=constant")
SECURE, IMAGE, SITE = ("aggregation.secure=true",), ("privacy.unit=image",), ("privacy.unit=site", "aggregation.weights=equal")
KRUM = ("aggregation.rule=krum", "aggregation.attackers=1")
PAIRS = (
    (*SECURE, *KRUM), (*SECURE, "strategy.name=qfedavg"), (*SECURE, "exchange.updates=int8"),
    (*SECURE, "sites.num=2", "cohort.min_sites=2"), (*SECURE, "model.norm=batch"), (*SECURE, *SITE),
    (*IMAGE, "model.norm=batch"), (*IMAGE, "recipe.class_weights=balanced"), (*IMAGE, "recipe.label_skew=restricted"),
    (*IMAGE, "recipe.mixup=0.2"), (*IMAGE, "recipe.single_step=true"), (*IMAGE, "data.harmonise=site"), (*IMAGE, "engine.precision=bf16"),
    ("privacy.unit=patient", "strategy.name=moon"),
    ("privacy.unit=site",), (*SITE, *KRUM), (*SITE, "model.norm=batch"), (*SITE, "strategy.name=fedbn"),
    (*SITE, "recipe.class_weights=balanced"), ("aggregation.weights=equal", *KRUM),
)


@pytest.mark.parametrize(("conflict", "settings"), list(zip(CONFLICTS, PAIRS, strict=True)), ids=lambda value: "")
def test_a_pair_that_breaks_a_guarantee_is_refused(conflict: object, settings: tuple[str, ...]) -> None:
    plan = load_plan("demo", [*PLAIN, *settings])
    with pytest.raises(PlanError) as refused:
        check_names(plan)
    assert str(conflict) in str(refused.value)


@pytest.mark.parametrize("settings", [(), SECURE, IMAGE, SITE, (*SECURE, *IMAGE), KRUM], ids=str)
def test_settings_that_go_together_are_let_through(settings: tuple[str, ...]) -> None:
    check_conflicts(load_plan("demo", [*PLAIN, *settings]))


def test_every_conflict_of_a_plan_is_named_at_once() -> None:
    with pytest.raises(PlanError) as refused:
        check_conflicts(load_plan("demo", [*PLAIN, *IMAGE, "recipe.mixup=0.2", "model.norm=batch"]))
    assert "recipe.mixup = 0" in str(refused.value)
    assert "also:" in str(refused.value)


def test_a_plan_without_protection_has_no_cautions() -> None:
    assert cautions(load_plan("demo", list(PLAIN))) == []


@pytest.mark.parametrize(("settings", "words"), [(SITE, "not covered by epsilon"), (SECURE, "malicious"), (IMAGE, "not covered by epsilon"),
                                                  ((*IMAGE, "privacy.epsilon=50"), "promises little")])
def test_what_a_protection_does_not_do_is_said(settings: tuple[str, ...], words: str) -> None:
    assert any(words in text for text in cautions(load_plan("demo", [*PLAIN, *settings])))


def test_the_documentation_names_every_conflict() -> None:
    told = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    for conflict in CONFLICTS:
        assert f"| {conflict.first} | {conflict.second} | {conflict.reason} |" in told
