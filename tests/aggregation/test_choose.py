"""A plan's rule, its words, and the plans it does not go with."""

from typing import Any, get_args

import pytest
from stacks import X, numbers, updates

from wardround.aggregation.choose import LIMITS, MEANINGS, check_plan, check_sites, in_words, make_combine
from wardround.aggregation.mean import mean
from wardround.aggregation.robust import Robust
from wardround.errors import PlanError
from wardround.plan.schema import AggregationPlan, Plan, RuleName

RULES = get_args(RuleName)


def plan(num: int = 7, *, cohort: dict[str, Any] | None = None, sites: dict[str, Any] | None = None, exchange: str = "float32",
         **aggregation: Any) -> Plan:
    return Plan.model_validate({"name": "p", "sites": {"num": num, **(sites or {})}, "cohort": {"min_sites": num, **(cohort or {})},
                                "aggregation": aggregation, "exchange": {"updates": exchange}})


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_built_limited_and_told(rule: str) -> None:
    wanted = AggregationPlan(rule=rule, attackers=1, root="site-1")
    combine = make_combine(wanted)
    assert len(numbers(combine(updates(X)))) == 3
    assert (combine is mean) == (rule == "mean")
    assert isinstance(combine, Robust) == (rule != "mean")
    assert (rule in LIMITS) == (rule not in ("mean", "norm-bound"))
    assert in_words(wanted).startswith(MEANINGS[rule][0].upper() + MEANINGS[rule][1:])


def test_settings_reach_the_rule() -> None:
    def combined(**settings: Any) -> list[float]:
        return numbers(make_combine(AggregationPlan(**settings))(updates(X)))

    assert combined(rule="multi-krum", attackers=1, selected=4) == pytest.approx([.975, 2.0125, 2.9375])
    assert combined(rule="norm-bound", bound=5.0) == pytest.approx([1.10107953, 1.50606333, 3.22466717])
    once = combined(rule="centred-clipping", attackers=1, bound=.5)
    assert once == pytest.approx([1.05645103, 1.9793394, 3.07672765])
    assert combined(rule="centred-clipping", attackers=1, bound=.5, iterations=9) != once
    assert combined(rule="geometric-median", attackers=1, smoothing=1e3) == pytest.approx(X.mean(axis=0).tolist(), abs=1e-5)
    assert combined(rule="fltrust", root="site-1") == pytest.approx([1.04299615, 1.63870408, 3.03257593])


def test_words_say_whom_the_rule_withstands_and_trusts() -> None:
    assert in_words(AggregationPlan()) == ("The sites' changes are averaged, so that a single site that sends harmful ones is not guarded "
                                           "against.")
    told = in_words(AggregationPlan(rule="krum", attackers=2))
    assert told.endswith("(rule krum); it is made to withstand 2 malicious sites. All sites count alike, whatever their size.")
    assert in_words(AggregationPlan(rule="fltrust", root="north")).endswith("The site that is trusted is north.")


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in ("mean", "norm-bound", "fltrust")])
def test_a_rule_against_nobody_is_refused(rule: str) -> None:
    with pytest.raises(PlanError, match=r"attackers = 0 would guard against nobody. Say how many"):
        check_plan(plan(rule=rule))
    check_plan(plan(rule=rule, attackers=1))


@pytest.mark.parametrize(("rule", "why"), [("mean", "the mean withstands none"), ("norm-bound", "withstands no certain number")])
def test_attackers_whom_nothing_withstands_are_refused(rule: str, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        check_plan(plan(rule=rule, attackers=1))
    check_plan(plan(rule=rule))


def test_fewer_sites_than_the_rule_needs_are_refused() -> None:
    with pytest.raises(PlanError, match=r"'krum' with aggregation.attackers = 3 needs at least 9 sites \(n >= 2f \+ 3, f being the "
                       r"attackers\), and there are 7\. Ask more sites, or set aggregation.attackers to at most 2"):
        check_plan(plan(rule="krum", attackers=3))
    with pytest.raises(PlanError, match=r"'bulyan' .* at least 11 sites .* there are 7"):
        check_plan(plan(rule="bulyan", attackers=2, sites={"names": [f"s{i}" for i in range(7)], "partition": "column"}))


@pytest.mark.parametrize("cohort", [{"min_sites": 4}, {"min_sites": 1, "fraction": 0.5}])
def test_rounds_that_may_pass_with_too_few_are_refused(cohort: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"'krum' .* needs 5 updates in every round, but cohort.min_sites = \d lets one pass with fewer. "
                       "Set cohort.min_sites = 5"):
        check_plan(plan(rule="krum", attackers=1, cohort=cohort))
    check_plan(plan(rule="krum", attackers=1, cohort={"min_sites": 5, "fraction": 0.5}))


def test_more_selected_than_can_be_honest_are_refused() -> None:
    with pytest.raises(PlanError, match=r"selected = 6, but of cohort.min_sites = 6 updates 1 may be malicious\. Set it to at most 5"):
        check_plan(plan(rule="multi-krum", attackers=1, selected=6, cohort={"min_sites": 6}))
    check_plan(plan(rule="multi-krum", attackers=1, selected=6))


def test_updates_of_which_each_site_sends_other_numbers_are_refused() -> None:
    with pytest.raises(PlanError, match=r"'top-k' does not go with aggregation.rule = 'median': each site sends other numbers"):
        check_plan(plan(rule="median", attackers=1, exchange="top-k"))
    for rule in ("mean", "norm-bound"):
        check_plan(plan(rule=rule, exchange="top-k"))
    check_plan(plan(rule="median", attackers=1, exchange="int8"))


@pytest.mark.parametrize(("changes", "why"), [
    ({}, "the server has no images to make it of. Name the site whose images somebody vouches for"),
    ({"root": "west", "sites": {"names": ["north", "south", "east"]}}, "aggregation.root = 'west' is none of sites.names: north, south"),
    ({"root": "site-1", "cohort": {"fraction": 0.5}}, "needs the root 'site-1' in every round, and cohort.fraction = 0.5")])
def test_a_root_that_is_not_there_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        check_plan(plan(3, rule="fltrust", **changes))
    check_plan(plan(3, rule="fltrust", root="site-1"))


def test_sites_that_only_the_data_name_are_counted_when_they_are_known() -> None:
    check_plan(plan(3, rule="krum", attackers=1, sites={"partition": "column"}, cohort={"min_sites": 5}))
    with pytest.raises(PlanError, match=r"needs at least 5 sites .* there are 4"):
        check_sites(AggregationPlan(rule="krum", attackers=1), dict.fromkeys("abcd"))
    with pytest.raises(PlanError, match=r"aggregation.root = 'e' is none of the sites: a, b, c, d"):
        check_sites(AggregationPlan(rule="fltrust", root="e"), dict.fromkeys("abcd"))
    check_sites(AggregationPlan(rule="krum", attackers=1), dict.fromkeys("abcde"))
    check_sites(AggregationPlan(), {"a": 0})
