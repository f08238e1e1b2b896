"""From a plan to what an arm runs: strategy, sites, model. Combinations that cannot work are refused here, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from wardround.core.params import FlatModel, Params
from wardround.data.cache import cores
from wardround.data.labels import balanced_weights, class_counts
from wardround.data.prepare import Prepared
from wardround.data.transforms import Augment
from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.models import MODELS
from wardround.models.build import build_model
from wardround.plan.schema import CohortPlan, Plan, StrategyPlan
from wardround.sites.site import Bench, SiteRows
from wardround.strategies import STRATEGIES
from wardround.strategies.base import Strategy
from wardround.training.losses import Loss, make_loss
from wardround.training.schedule import learning_rate

Arm = Literal["federated", "pooled", "local"]
ARMS: tuple[Arm, ...] = ("federated", "pooled", "local")
POOLED = "pooled"  # name of the one site that holds all rows


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmBlueprint:
    """All that a worker process needs to be any site of this arm."""

    plan: Plan
    strategy: Strategy
    rows: Mapping[str, SiteRows]
    images: np.ndarray
    labels: np.ndarray
    num_classes: int

    def model(self) -> FlatModel:
        """The model with its initial weights: the same for all arms of a seed."""
        module = build_model(self.plan.model, in_channels=self.plan.data.channels, num_outputs=self.num_classes,
                             size=self.plan.data.size, seed=self.plan.seed)
        return FlatModel(module, self.device)

    @property
    def device(self) -> str:
        return device_of(self.plan)

    def bench(self) -> Bench:
        return Bench(model=self.model(), images=self.images, labels=torch.from_numpy(self.labels), num_classes=self.num_classes,
                     loss=self._loss(), augment=Augment(self.plan.augment), normalisation=self.plan.data.normalise,
                     precision=self.plan.engine.precision, seed=self.plan.seed)

    def _loss(self) -> Loss:
        """Class weights come from the sites' class counts, summed; no row leaves a site for them."""
        if self.plan.recipe.class_weights == "none":
            return make_loss(self.plan.recipe, None)
        counts = sum((class_counts(self.labels[rows.train], self.num_classes) for rows in self.rows.values()),
                     start=np.zeros(self.num_classes, np.int64))
        return make_loss(self.plan.recipe, torch.tensor(balanced_weights(counts), dtype=torch.float32, device=self.device))


def build(plan: Plan, prepared: Prepared, arm: Arm, site: str | None = None) -> ArmBlueprint:
    """The blueprint of one arm. site: which hospital trains alone, for arm "local"."""
    arm_plan = plan_of_arm(plan, arm, len(prepared.site_names))
    return ArmBlueprint(plan=arm_plan, strategy=build_strategy(arm_plan), rows=rows_of_arm(prepared, arm, site), images=prepared.pixels,
                        labels=prepared.catalogue.labels.astype(np.int64), num_classes=len(prepared.catalogue.classes))


def plan_of_arm(plan: Plan, arm: Arm, num_sites: int) -> Plan:
    """The plan as one arm runs it: equal gradient steps per image, plain training where there is nobody to federate with.

    A one-site arm keeps its optimiser over the rounds, as ordinary training does. Pooled takes num_sites times local_steps, for it
    holds all sites' images; local_epochs need no such change.
    """
    if arm == "federated":
        return plan
    changes: dict[str, Any] = {"keep_optimizer": True}
    if arm == "pooled" and plan.recipe.local_steps is not None:
        changes["local_steps"] = plan.recipe.local_steps * num_sites
    return plan.model_copy(update={"recipe": plan.recipe.model_copy(update=changes), "strategy": StrategyPlan(), "cohort": CohortPlan()})


def rows_of_arm(prepared: Prepared, arm: Arm, site: str | None) -> dict[str, SiteRows]:
    """Who holds which rows. Every arm is tested on the same rows; a hospital alone validates on its own."""
    def held(name: str, source: str | None, test_source: str | None) -> SiteRows:
        test = np.sort(np.concatenate([prepared.rows(test_source, "test"), prepared.rows(test_source, "test-leak")]))
        return SiteRows(name=name, train=prepared.rows(source, "train"), val=prepared.rows(source, "val"), test=test)

    if arm == "pooled":
        return {POOLED: held(POOLED, None, None)}
    if arm == "federated":
        return {name: held(name, name, name) for name in prepared.site_names}
    if site not in prepared.site_names:
        raise PlanError(f"arm 'local' trains one site alone: name it with --site. Sites: {', '.join(prepared.site_names)}. Got: {site}")
    name = str(site)
    return {name: held(name, name, None)}


def resolved(plan: Plan) -> Plan:
    """The plan with "auto" replaced by what this machine has, so that a resumed run computes as it began.

    Names that are not known are refused here, before any image is read.
    """
    MODELS.find(plan.model.name)
    build_strategy(plan)
    engine = plan.engine.model_copy(update={"device": device_of(plan), "precision": precision_of(plan)})
    return plan.model_copy(update={"engine": engine})


def device_of(plan: Plan) -> Literal["cpu", "cuda"]:
    """Where the plan trains on this machine; PlanError if it asks for CUDA and there is none."""
    wanted = plan.engine.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise PlanError("engine.device = 'cuda', but torch sees no CUDA device. Use 'auto' or 'cpu', or install a CUDA build of torch.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def precision_of(plan: Plan) -> Literal["fp32", "bf16"]:
    """The plan's precision; "auto" is bf16 where the hardware has instructions for it (else it would be slower, not faster)."""
    if plan.engine.precision != "auto":
        return plan.engine.precision
    if device_of(plan) == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if has_bf16 else "fp32"


def build_strategy(plan: Plan) -> Strategy:
    """The strategy with its settings; PlanError names a setting it does not have."""
    kind = STRATEGIES.find(plan.strategy.name)
    settings = plan.strategy.arguments()
    if dataclasses.is_dataclass(kind):
        known = [field.name for field in dataclasses.fields(kind) if field.name not in ("recipe", "lr_factor", "combine")]
        for name in settings:
            if name not in known:
                raise PlanError(f"strategy '{plan.strategy.name}' has no setting '{name}'.{suggestion(name, known)} "
                                f"It has: {', '.join(known) or 'none'}.")
    factor = partial(lr_factor, plan)
    return kind(recipe=plan.recipe, lr_factor=factor, **settings)  # type: ignore[no-any-return]


def lr_factor(plan: Plan, round: int) -> float:
    """The schedule's factor of recipe.lr in a round."""
    return learning_rate(plan.recipe, round, plan.rounds.num) / plan.recipe.lr


def initial_params(blueprint: ArmBlueprint) -> Params:
    """Parameters before round 1, on the CPU."""
    params = blueprint.model().params
    return Params(params.flat.cpu().clone(), params.layout)


def num_workers(plan: Plan) -> int:
    """Worker processes: the plan's number, or one a core (one on CUDA: its kernels already fill the device)."""
    if plan.engine.workers:
        return plan.engine.workers
    if plan.engine.device != "cpu" and torch.cuda.is_available():
        return 1
    return cores()
