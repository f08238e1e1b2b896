"""The rule that a plan names, what it means in plain words, and the plans that it cannot work in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from wardround.aggregation import bulyan, clipping, fltrust, geomed, krum, median, nnm, trimmed
from wardround.aggregation.limits import Limit
from wardround.aggregation.mean import equal_mean, mean
from wardround.aggregation.norm_bound import norm_bound
from wardround.aggregation.robust import Robust, Rule
from wardround.core.exchange import Aggregator
from wardround.errors import PlanError
from wardround.plan.schema import AggregationPlan, Plan, RuleName

LIMITS: Mapping[str, Limit] = {limit.rule: limit for limit in (
    median.LIMIT, trimmed.LIMIT, krum.LIMIT, krum.MANY_LIMIT, bulyan.LIMIT, geomed.LIMIT, clipping.LIMIT, nnm.LIMIT, fltrust.LIMIT)}

MEANINGS: Mapping[RuleName, str] = {
    "mean": "the sites' changes are averaged, so that a single site that sends harmful ones is not guarded against",
    "median": "of each number of the model the middle one of the sites' changes is taken",
    "trimmed-mean": "of each number of the model the largest and smallest changes are dropped and the others are averaged",
    "krum": "the change of one site is taken, that which lies nearest to most others",
    "multi-krum": "the changes that lie nearest to most others are averaged, and the rest is dropped",
    "bulyan": "changes that lie far from most others are dropped, then of each number those near the middle are averaged",
    "geometric-median": "the change is taken whose summed distance to all sites' changes is smallest",
    "centred-clipping": "the sites' changes are averaged after each was drawn in towards the middle one, if it lay far from it",
    "norm-bound": "the sites' changes are averaged after long ones were shortened, which limits what a harmful one can do and stops none",
    "nnm-trimmed": "each site's change is averaged with those nearest to it, then the largest and smallest are dropped, the rest averaged",
    "fltrust": "the sites' changes are weighed by how far they go the same way as that of one site which is trusted",
}


def make_combine(plan: AggregationPlan) -> Aggregator:
    """The plan's rule as a strategy's `combine`."""
    if plan.rule == "mean":
        return mean if plan.weights == "examples" else equal_mean
    return Robust(rule=_rule(plan))


def in_words(plan: AggregationPlan) -> str:
    """A sentence for those who answer for a hospital's images."""
    if plan.rule == "mean":
        return f"{_sentence(plan)}."
    trusted = f" The site that is trusted is {plan.root}." if plan.rule == "fltrust" else ""
    guards = f"; it is made to withstand {plan.attackers} malicious site{'s' if plan.attackers > 1 else ''}" if plan.attackers else ""
    return f"{_sentence(plan)} (rule {plan.rule}){guards}. All sites count alike, whatever their size.{trusted}"


def check_plan(plan: Plan) -> None:
    """PlanError, with the reason and the remedy, for a plan in which its rule would guard against nothing or could not be computed."""
    wanted = plan.aggregation
    if wanted.rule == "mean" or wanted.rule == "norm-bound":
        _check_unguarded(wanted)
        return
    if wanted.attackers == 0 and wanted.rule != "fltrust":
        raise PlanError(f"{_asked(wanted)} would guard against nobody. Say how many sites may be malicious, e.g. aggregation.attackers = "
                        "1, or leave the rule at 'mean'.")
    _check_numbers(plan, LIMITS[wanted.rule])
    if plan.exchange.updates == "top-k":
        raise PlanError(f"exchange.updates = 'top-k' does not go with aggregation.rule = '{wanted.rule}': each site sends other numbers "
                        "and leaves the rest at 0, so that the middle of most is 0 and distances tell who sent what, not who is "
                        "malicious. Use exchange.updates = 'int8', or aggregation.rule = 'norm-bound'.")
    if wanted.rule == "fltrust":
        _check_root(plan)


def check_sites(plan: AggregationPlan, sites: Mapping[str, object]) -> None:
    """PlanError for too few sites, or if the root is none of them: for plans that do not name their sites."""
    if plan.rule == "fltrust" and plan.root not in sites:
        raise PlanError(f"aggregation.root = '{plan.root}' is none of the sites: {', '.join(sites)}.")
    if plan.rule in LIMITS and len(sites) < LIMITS[plan.rule].least(plan.attackers):
        raise PlanError(_too_few(plan, len(sites)))


def _rule(plan: AggregationPlan) -> Rule:
    f = plan.attackers
    rules: Mapping[str, Rule] = {
        "median": partial(median.median, attackers=f),
        "trimmed-mean": partial(trimmed.trimmed_mean, attackers=f),
        "krum": partial(krum.krum, attackers=f),
        "multi-krum": partial(krum.multi_krum, attackers=f, selected=plan.selected),
        "bulyan": partial(bulyan.bulyan, attackers=f),
        "geometric-median": partial(geomed.geometric_median, attackers=f, smoothing=plan.smoothing),
        "centred-clipping": partial(clipping.centred_clipping, attackers=f, bound=plan.bound, iterations=plan.iterations),
        "norm-bound": partial(norm_bound, bound=plan.bound),
        "nnm-trimmed": partial(nnm.nnm_trimmed, attackers=f),
        "fltrust": partial(fltrust.fltrust, root=plan.root, attackers=f),
    }
    return rules[plan.rule]


def _check_unguarded(plan: AggregationPlan) -> None:
    if plan.attackers:
        why = "the mean withstands none" if plan.rule == "mean" else "a bound limits how far each pulls, and withstands no certain number"
        raise PlanError(f"{_asked(plan)}: {why}. Take another rule, e.g. 'nnm-trimmed', or leave aggregation.attackers out.")


def _check_numbers(plan: Plan, limit: Limit) -> None:
    wanted, least = plan.aggregation, limit.least(plan.aggregation.attackers)
    num, fewest = plan.sites.known, plan.cohort.min_sites
    if num is not None and num < least:
        raise PlanError(_too_few(wanted, num))
    if fewest < least:
        raise PlanError(f"{_asked(wanted)} needs {least} updates in every round, but cohort.min_sites = {fewest} lets one pass with fewer. "
                        f"Set cohort.min_sites = {least}.")
    if wanted.rule == "multi-krum" and wanted.selected is not None and wanted.selected > fewest - wanted.attackers:
        raise PlanError(f"aggregation.selected = {wanted.selected}, but of cohort.min_sites = {fewest} updates {wanted.attackers} may be "
                        f"malicious. Set it to at most {fewest - wanted.attackers}, or leave it out.")


def _check_root(plan: Plan) -> None:
    root = plan.aggregation.root
    if not root:
        raise PlanError("aggregation.rule = 'fltrust' holds every update against one that is known to be clean, and the server has no "
                        "images to make it of. Name the site whose images somebody vouches for: aggregation.root. Without one take "
                        "another rule.")
    if plan.sites.names is not None and root not in plan.sites.names:
        raise PlanError(f"aggregation.root = '{root}' is none of sites.names: {', '.join(plan.sites.names)}.")
    if plan.cohort.fraction < 1:
        raise PlanError(f"aggregation.rule = 'fltrust' needs the root '{root}' in every round, and cohort.fraction = "
                        f"{plan.cohort.fraction:g} leaves it out of some. Set cohort.fraction = 1.")


def _too_few(plan: AggregationPlan, num: int) -> str:
    limit = LIMITS[plan.rule]
    return (f"{_asked(plan)} needs at least {limit.least(plan.attackers)} sites ({limit.formula}, f being the attackers), and there are "
            f"{num}. {limit.remedy(num)}")


def _asked(plan: AggregationPlan) -> str:
    return f"aggregation.rule = '{plan.rule}' with aggregation.attackers = {plan.attackers}"


def _sentence(plan: AggregationPlan) -> str:
    words = MEANINGS[plan.rule]
    return words[0].upper() + words[1:]
