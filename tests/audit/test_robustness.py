"""The grid of attacks and rules on a run's own federation."""

from __future__ import annotations

from collections.abc import Callable

from wardround.audit.finding import Finding, verdict
from wardround.audit.robustness import audit_robustness
from wardround.audit.subject import Subject


def by_rule(finding: Finding) -> dict[str, float]:
    return {row["rule"]: row["drop"] for row in finding.rows}


def test_a_run_with_the_mean_is_broken_by_what_breaks_its_planted_victim(subject_with: Callable[..., Subject]) -> None:
    (finding,) = audit_robustness(subject_with(), attacks=("sign-flip",))
    assert finding.verdict == "leaks"
    assert finding.canary.value == finding.result.value >= 0.2
    assert by_rule(finding)["median"] < 0.05


def test_a_run_with_a_robust_rule_resists_what_breaks_the_mean(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with(aggregation={"rule": "nnm-trimmed", "attackers": 1}, cohort={"min_sites": 5})
    (finding,) = audit_robustness(subject, attacks=("sign-flip",))
    assert finding.verdict == "resists"
    assert finding.settings["rule"] == "nnm-trimmed"
    assert by_rule(finding)["mean"] >= 0.2


def test_among_too_few_sites_nothing_is_concluded(subject_with: Callable[..., Subject]) -> None:
    findings = audit_robustness(subject_with(sites={"num": 4}))
    assert {finding.verdict for finding in findings} == {"inconclusive"}
    assert all("at least 5" in finding.says_not for finding in findings)


def test_an_attack_that_breaks_no_planted_victim_proves_nothing() -> None:
    assert verdict(is_canary_broken=False, is_broken=False) == "inconclusive"
    assert verdict(is_canary_broken=True, is_broken=False) == "resists"
    assert verdict(is_canary_broken=False, is_broken=True) == "leaks"
