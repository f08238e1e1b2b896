"""From a plan to what an arm runs: strategy, sites, model. Combinations that cannot work are refused here, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast

import numpy as np
import torch

from wardround.core.params import FlatModel, Params
from wardround.data.cache import cores
from wardround.data.catalogue import Catalogue, Task
from wardround.data.feeds import CaseFeed, Feed, ImageFeed
from wardround.data.labels import balanced_weights, finding_weights
from wardround.data.patches import VolumeFeed
from wardround.data.prepare import Prepared
from wardround.data.slices import SliceFeed
from wardround.data.transforms import Augment
from wardround.errors import PlanError
from wardround.evaluation.segmentation import headline_regions, scored_regions
from wardround.lookup import suggestion
from wardround.models import MODELS
from wardround.models.build import build_model
from wardround.plan.schema import CohortPlan, DataPlan, Plan, StrategyPlan
from wardround.sites.classify import classify
from wardround.sites.examine import Examine
from wardround.sites.segment import examine
from wardround.sites.site import Bench, SiteRows
from wardround.strategies import STRATEGIES
from wardround.strategies.base import Strategy
from wardround.training.arithmetic import Arithmetic
from wardround.training.losses import Loss, make_loss
from wardround.training.schedule import learning_rate

Arm = Literal["federated", "pooled", "local"]
ARMS: tuple[Arm, ...] = ("federated", "pooled", "local")
POOLED = "pooled"  # name of the one site that holds all rows
METRICS: dict[Task, tuple[str, ...]] = {  # that may choose the round, the task's headline first
    "binary": ("balanced_accuracy", "auroc", "accuracy", "loss"), "multiclass": ("balanced_accuracy", "auroc", "accuracy", "loss"),
    "multilabel": ("auroc", "loss"), "segmentation": ("dice", "loss")}


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmBlueprint:
    """All that a worker process needs to be any site of this arm.

    classes: what the model answers. regions: unions of classes that a segmentation is scored by. class_weights: (C,), of the loss.
    """

    plan: Plan
    strategy: Strategy
    rows: Mapping[str, SiteRows]
    feed: Feed
    task: Task
    classes: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    class_weights: np.ndarray | None = None

    def model(self) -> FlatModel:
        """The model with its initial weights: the same for all arms of a seed."""
        plan = self.plan
        module = build_model(plan.model, in_channels=plan.data.channels, num_outputs=len(self.classes),
                             shape=network_shape(plan.data, self.task), dense=self.task == "segmentation", seed=plan.seed)
        return FlatModel(module, self.device, share=plan.model.share)

    @property
    def device(self) -> str:
        return device_of(self.plan)

    def bench(self) -> Bench:
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, dtype=torch.float32, device=self.device)
        loss = make_loss(self.plan.recipe, weights, self.task)
        return Bench(model=self.model(), feed=self.feed, loss=loss, examine=self._examine(loss), seed=self.plan.seed,
                     arithmetic=arithmetic_of(self.plan))

    def _examine(self, loss: Loss) -> Examine:
        device, num_classes = torch.device(self.device), len(self.classes)
        if isinstance(self.feed, ImageFeed):
            return partial(classify, feed=self.feed, loss=loss, num_classes=num_classes, device=device)
        return partial(examine, feed=cast(CaseFeed, self.feed), patch=patch_of(self.plan.data), loss=loss, num_classes=num_classes,
                       device=device, scored=scored_regions(self.classes, self.regions),
                       headline=headline_regions(self.classes, self.regions))


def build(plan: Plan, prepared: Prepared, arm: Arm, site: str | None = None) -> ArmBlueprint:
    """The blueprint of one arm. site: which hospital trains alone, for arm "local"."""
    arm_plan = plan_of_arm(plan, arm, len(prepared.site_names))
    rows, catalogue = rows_of_arm(prepared, arm, site), prepared.catalogue
    primary_metric(plan, catalogue.task)
    make_loss(plan.recipe, None, catalogue.task)  # a loss that does not fit is refused here, not by a worker that dies of it
    return ArmBlueprint(plan=arm_plan, strategy=build_strategy(arm_plan), rows=rows, feed=feed_of(plan, prepared), task=catalogue.task,
                        classes=catalogue.classes, regions=catalogue.regions,
                        class_weights=class_weights(catalogue, rows) if plan.recipe.class_weights == "balanced" else None)


def primary_metric(plan: Plan, task: Task) -> str:
    """The test metric that matters most: the one that chooses the round, or the task's headline where that is the loss.

    PlanError if the task has no such metric."""
    if plan.rounds.metric not in METRICS[task]:
        raise PlanError(f"rounds.metric = \"{plan.rounds.metric}\" does not fit a {task} task. Choose one of: {', '.join(METRICS[task])}.")
    return METRICS[task][0] if plan.rounds.metric == "loss" else plan.rounds.metric


def feed_of(plan: Plan, prepared: Prepared) -> Feed:
    """Where the sites of this process take their batches from."""
    catalogue, augment = prepared.catalogue, Augment(plan.augment)
    if prepared.volumes is not None and catalogue.task == "segmentation":
        return VolumeFeed(volumes=prepared.volumes, patients=catalogue.patients, patch=plan.data.patch, foreground=plan.data.foreground,
                          augment=augment)
    if prepared.masks is not None:
        return SliceFeed(images=prepared.pixels, masks=prepared.masks, patients=catalogue.patients, normalisation=plan.data.normalise,
                         augment=augment)
    images = prepared.pixels if prepared.volumes is None else prepared.volumes.stacked()
    return ImageFeed(images=images, labels=torch.from_numpy(catalogue.labels.astype(np.int64)), normalisation=plan.data.normalise,
                     augment=augment)


def patch_of(plan: DataPlan) -> tuple[int, int, int]:
    """Depth, height and width of what the network sees; a depth of 1 is a 2-D network."""
    return plan.patch if plan.dims == 3 else (1, plan.size, plan.size)


def network_shape(plan: DataPlan, task: Task) -> tuple[int, ...]:
    """The network's spatial shape: (H, W), or (D, H, W) for volumes; only masks of volumes can be drawn slice by slice."""
    is_flat = plan.dims == 2 or (task == "segmentation" and plan.patch[0] == 1)
    return patch_of(plan)[1:] if is_flat else plan.patch


def class_weights(catalogue: Catalogue, rows: Mapping[str, SiteRows]) -> np.ndarray:
    """Weights from the sites' counts of training images by class, summed; no row leaves a site for them."""
    counts = [catalogue.counts(held.train) for held in rows.values()]
    total = np.array([sum(held[name] for held in counts) for name in catalogue.classes])
    if catalogue.task == "multilabel":
        return finding_weights(total, sum(len(held.train) for held in rows.values()))
    return balanced_weights(total)


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


def arithmetic_of(plan: Plan) -> Arithmetic:
    """How a resolved plan computes; what is still "auto" is the plainest way."""
    precision = "bf16" if plan.engine.precision == "bf16" else "fp32"
    return Arithmetic(precision=precision, layout="channels_last" if plan.engine.layout == "channels_last" else "contiguous")


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
