"""Settings that break each other's guarantee: refused when a plan is read, with the reason. The table of docs/security.md is this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wardround.errors import PlanError
from wardround.plan.schema import Plan
from wardround.privacy.secagg.manifest import least_threshold

MEAN_ONLY = ("fedavg", "fedprox", "fedavgm", "fedadagrad", "fedadam", "fedyogi", "fedmuon")  # whose server needs the mean change alone
SUMMED = (*MEAN_ONLY, "fedbn", "fedper", "moon")  # ... whatever their sites do
PRIVATE = (*MEAN_ONLY, "fedbn", "fedper")  # whose sites look at images in clipped gradients alone


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two settings that do not go together. holds: whether a plan has both. remedy: what to set instead."""

    first: str
    second: str
    reason: str
    remedy: str
    holds: Callable[[Plan], bool]

    def __str__(self) -> str:
        return f"{self.first} does not go with {self.second}: {self.reason}. {self.remedy}"


def is_example_level(plan: Plan) -> bool:
    """Whether each site's training is private (DP-SGD)."""
    return plan.privacy.unit in ("image", "patient")


def is_site_level(plan: Plan) -> bool:
    return plan.privacy.unit == "site"


def _is_cohort_small(plan: Plan) -> bool:
    """Whether so few sites are asked in a round that no secure sum could be opened; False where the data's column tells how many."""
    num = plan.sites.known
    return num is not None and plan.cohort.asked(num) < max(3, least_threshold(num))


SECURE, EXAMPLE, SITE = "aggregation.secure = true", "privacy.unit = 'image' or 'patient'", "privacy.unit = 'site'"

CONFLICTS: tuple[Conflict, ...] = (
    Conflict(first=SECURE, second="an aggregation.rule other than 'mean'",
             reason="medians, distances, trust and suspicion need each site's update, and secure aggregation hides it",
             remedy="Choose which you fear more: a malicious site (aggregation.secure = false) or a curious server (rule = 'mean').",
             holds=lambda plan: plan.aggregation.secure and plan.aggregation.rule != "mean"),
    Conflict(first=SECURE, second="a strategy that looks at single updates, or sends more than one",
             reason="the server sees the sum of the changes and no site's steps, loss or control variate",
             remedy=f"Use one of: {', '.join(SUMMED)}.",
             holds=lambda plan: plan.aggregation.secure and plan.strategy.name not in SUMMED),
    Conflict(first=SECURE, second="exchange.updates other than 'float32'",
             reason="masked numbers are whole numbers already, and compressed ones do not add up",
             remedy="Leave exchange.updates at 'float32': a masked update takes no more bytes.",
             holds=lambda plan: plan.aggregation.secure and plan.exchange.updates != "float32"),
    Conflict(first=SECURE, second="rounds of fewer than three sites, or of two thirds of all",
             reason="of two sites each learns the other's update from the sum, and more than two thirds must open it together",
             remedy="Ask more sites: raise sites.num or cohort.fraction.",
             holds=lambda plan: plan.aggregation.secure and _is_cohort_small(plan)),
    Conflict(first=SECURE, second="model.norm = 'batch'",
             reason="running statistics change by far more than what is trained, and one aggregation.secure_range cannot hold both",
             remedy="Set model.norm = 'group'.",
             holds=lambda plan: plan.aggregation.secure and plan.model.norm == "batch"),
    Conflict(first=SECURE, second=SITE, reason="the server must clip each site's change before it adds noise, and cannot see it",
             remedy="Use privacy.unit = 'image' or 'patient': that noise is added at the sites.",
             holds=lambda plan: plan.aggregation.secure and is_site_level(plan)),
    Conflict(first=EXAMPLE, second="model.norm = 'batch'",
             reason="batch normalisation mixes the images of a batch, so that no single image's part can be clipped, and its statistics "
                    "leave the site without noise",
             remedy="Set model.norm = 'group'.", holds=lambda plan: is_example_level(plan) and plan.model.norm == "batch"),
    Conflict(first=EXAMPLE, second="recipe.class_weights = 'balanced'",
             reason="exact counts of each class leave the sites, and weigh every image by all others",
             remedy="Set recipe.class_weights = 'none'.",
             holds=lambda plan: is_example_level(plan) and plan.recipe.class_weights != "none"),
    Conflict(first=EXAMPLE, second="recipe.label_skew", reason="it shifts every image's loss by the site's exact counts of each class",
             remedy="Set recipe.label_skew = 'none'.", holds=lambda plan: is_example_level(plan) and plan.recipe.label_skew != "none"),
    Conflict(first=EXAMPLE, second="recipe.mixup", reason="a mixed picture holds two images, and clipping it bounds neither alone",
             remedy="Set recipe.mixup = 0.", holds=lambda plan: is_example_level(plan) and plan.recipe.mixup > 0),
    Conflict(first=EXAMPLE, second="recipe.single_step", reason="it takes one step for many batches, which are accounted for one by one",
             remedy="Set recipe.single_step = false and recipe.batch_size to the images of a step.",
             holds=lambda plan: is_example_level(plan) and plan.recipe.single_step),
    Conflict(first=EXAMPLE, second="data.harmonise", reason="it maps every image by the grey values of all training images of its site",
             remedy="Set data.harmonise = 'none'.", holds=lambda plan: is_example_level(plan) and plan.data.harmonise != "none"),
    Conflict(first=EXAMPLE, second="bf16 or tf32", reason="sums of clipped gradients in half precision no longer keep the bound",
             remedy="Set engine.precision = 'auto' or 'fp32'.",
             holds=lambda plan: is_example_level(plan) and plan.engine.precision not in ("auto", "fp32")),
    Conflict(first=EXAMPLE, second="a strategy whose sites look at images outside of clipped gradients",
             reason="their losses, second models or raw gradients would be told without noise, or cost a budget that nobody counts",
             remedy=f"Use one of: {', '.join(PRIVATE)}.",
             holds=lambda plan: is_example_level(plan) and plan.strategy.name not in PRIVATE),
    Conflict(first=SITE, second="aggregation.weights = 'examples'",
             reason="a site that counts for more moves the mean further than the noise was made for",
             remedy="Set aggregation.weights = 'equal'.", holds=lambda plan: is_site_level(plan) and plan.aggregation.weights != "equal"),
    Conflict(first=SITE, second="an aggregation.rule other than 'mean'",
             reason="what a single site can change in a median or in a choice of updates is not bounded by clipping",
             remedy="Set aggregation.rule = 'mean'.", holds=lambda plan: is_site_level(plan) and plan.aggregation.rule != "mean"),
    Conflict(first=SITE, second="model.norm = 'batch'", reason="running statistics are no part of what is clipped and given noise",
             remedy="Set model.norm = 'group'.", holds=lambda plan: is_site_level(plan) and plan.model.norm == "batch"),
    Conflict(first=SITE, second="a strategy whose server needs more than the mean change",
             reason="what else the sites send would have no noise",
             remedy=f"Use one of: {', '.join(MEAN_ONLY)}.", holds=lambda plan: is_site_level(plan) and plan.strategy.name not in MEAN_ONLY),
    Conflict(first=SITE, second="recipe.class_weights = 'balanced'", reason="exact counts of each class leave the sites",
             remedy="Set recipe.class_weights = 'none'.", holds=lambda plan: is_site_level(plan) and plan.recipe.class_weights != "none"),
    Conflict(first="aggregation.weights = 'equal'", second="an aggregation.rule other than 'mean'",
             reason="those rules count all sites alike already", remedy="Leave aggregation.weights out.",
             holds=lambda plan: plan.aggregation.weights == "equal" and plan.aggregation.rule != "mean"),
)


def check_conflicts(plan: Plan) -> None:
    """PlanError that names every pair of settings which would break a guarantee."""
    found = [str(conflict) for conflict in CONFLICTS if conflict.holds(plan)]
    if found:
        raise PlanError("\n".join([found[0], *(f"  also: {text}" for text in found[1:])]))


def cautions(plan: Plan) -> list[str]:
    """What a plan's protection does not do, where its settings make that a danger. To be shown before training."""
    found: list[str] = []
    privacy = plan.privacy
    if privacy.unit != "none":
        found.append("Validation results, the choice of the best round" + (", early stopping" if plan.rounds.patience else "")
                     + " and the test are not covered by epsilon: they are told without noise.")
        if plan.model.weights:
            found.append("If model.weights was trained on the same patients, its own epsilon adds to this run's.")
        if privacy.epsilon > 8:
            found.append(f"privacy.epsilon = {privacy.epsilon:g} promises little: e^{privacy.epsilon:g} times as likely is allowed. Hold "
                         "the result against `wardround audit`.")
    if plan.aggregation.secure:
        found.append("Secure aggregation hides a malicious site's update as well as any other, and all other sites together can still take "
                     "theirs away from the sum.")
    return found
