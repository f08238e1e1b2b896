"""The grid of attacks and rules on a run's own federation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wardround.audit.finding import Finding, verdict
from wardround.audit.robustness import Cell, audit_robustness, finding_of
from wardround.audit.subject import Subject
from wardround.plan.schema import AttackPlan


def by_rule(finding: Finding) -> dict[str, float]:
    return {row["rule"]: row["drop"] for row in finding.rows}


def test_a_run_with_the_mean_is_broken_by_what_breaks_its_planted_victim(subject_with: Callable[..., Subject]) -> None:
    (finding,) = audit_robustness(subject_with(), attacks=("sign-flip",))
    assert finding.verdict == "leaks"
    assert finding.canary.value == finding.result.value >= 0.2
    assert by_rule(finding)["median"] < 0.05


def test_a_run_with_a_robust_rule_resists_what_breaks_the_mean(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with(aggregation={"rule": "median", "attackers": 1}, cohort={"min_sites": 5})
    mean = Cell(rule="mean", clean=0.9, attacked=0.5, clean_success=None, success=None)
    for attacked, expected in ((0.88, "resists"), (0.86, "leaks")):  # a drop of 2 points, and of 4
        own = Cell(rule="median", clean=0.9, attacked=attacked, clean_success=None, success=None)
        assert finding_of(subject, AttackPlan(kind="sign-flip"), 1, [mean, own]).verdict == expected


def test_a_backdoor_is_judged_by_how_much_more_often_it_succeeds_than_mistakes_do(subject_with: Callable[..., Subject]) -> None:
    cell = Cell(rule="mean", clean=0.9, attacked=0.9, clean_success=0.10, success=0.95)
    finding = finding_of(subject_with(), AttackPlan(kind="backdoor"), 1, [cell])
    assert finding.verdict == "leaks"
    assert finding.result.value == pytest.approx(0.85)


def test_among_too_few_sites_nothing_is_concluded(subject_with: Callable[..., Subject]) -> None:
    findings = audit_robustness(subject_with(sites={"num": 4}))
    assert {finding.verdict for finding in findings} == {"inconclusive"}
    assert all("at least 5" in finding.says_not for finding in findings)


def test_an_attack_that_breaks_no_planted_victim_proves_nothing() -> None:
    assert verdict(is_canary_broken=False, is_broken=False) == "inconclusive"
    assert verdict(is_canary_broken=True, is_broken=False) == "resists"
    assert verdict(is_canary_broken=False, is_broken=True) == "leaks"
