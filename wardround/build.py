"""From a plan to what an arm runs: strategy, sites, model. Combinations that cannot work are refused here, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from typing import Any, Literal, cast

import numpy as np
import torch

from wardround.aggregation.choose import check_plan, check_sites, make_combine
from wardround.attacks.choose import check_attack, make_poison
from wardround.compression.filter import make_filter
from wardround.core.events import Watch, silent
from wardround.core.exchange import Aggregator, Filter
from wardround.core.params import FlatModel, Params
from wardround.data.cache import cores
from wardround.data.catalogue import Catalogue, Task
from wardround.data.datasets import DATASETS
from wardround.data.feeds import CaseFeed, Feed, ImageFeed
from wardround.data.harmonise import GreyTables
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
from wardround.plan.schema import AggregationPlan, AttackPlan, CohortPlan, DataPlan, ExchangePlan, Plan, PrivacyPlan, StrategyPlan
from wardround.privacy.conflicts import check_conflicts, is_example_level, is_site_level
from wardround.privacy.site_level import SiteNoise
from wardround.privacy.terms import SERVER, Terms, terms_by_site
from wardround.sites.classify import classify
from wardround.sites.examine import Examine
from wardround.sites.segment import examine
from wardround.sites.site import Bench, SiteRows
from wardround.strategies import STRATEGIES
from wardround.strategies.base import Strategy
from wardround.training.arithmetic import Arithmetic
from wardround.training.dpsgd import validated
from wardround.training.losses import Loss, make_loss
from wardround.training.probe import Trial, candidates, fastest
from wardround.training.schedule import learning_rate

Arm = Literal["federated", "pooled", "local"]
ARMS: tuple[Arm, ...] = ("federated", "pooled", "local")
WORKER_BYTES = 4 * 1024**3  # of a CUDA device: context and kernels, network, activations
POOLED = "pooled"  # name of the one site that holds all rows
METRICS: dict[Task, tuple[str, ...]] = {  # that may choose the round, the task's headline first
    "binary": ("balanced_accuracy", "auroc", "accuracy", "loss"), "multiclass": ("balanced_accuracy", "auroc", "accuracy", "loss"),
    "multilabel": ("auroc", "loss"), "segmentation": ("dice", "loss")}


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """What is trained and how: all that a server without images needs. classes: what the model answers. regions: unions of classes
    that a segmentation is scored by."""

    plan: Plan
    strategy: Strategy
    task: Task
    classes: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def model(self, *, is_tried: bool = True) -> FlatModel:
        """The model with its initial weights: the same for all arms of a seed. is_tried: `initial_params` has tried it before."""
        plan = self.plan
        module = build_model(plan.model, in_channels=plan.data.channels, num_outputs=len(self.classes),
                             shape=network_shape(plan.data, self.task), dense=self.task == "segmentation", seed=plan.seed,
                             is_tried=is_tried)
        return FlatModel(module, device_here(self.device), share=plan.model.share)

    @property
    def device(self) -> str:
        return device_of(self.plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmBlueprint(Design):
    """All that a worker process needs to be any site of this arm. class_weights: (C,), of the loss. terms: what each site promises of its
    units, or of whole sites the "server"; empty without privacy. patients: (n,) text, whose image a row is."""

    rows: Mapping[str, SiteRows]
    feed: Feed
    class_weights: np.ndarray | None = None
    terms: Mapping[str, Terms] = field(default_factory=dict)
    patients: np.ndarray | None = None

    @property
    def filter(self) -> Filter | None:
        return make_filter(self.plan.exchange)

    def bench(self) -> Bench:
        device = device_here(self.device)
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, dtype=torch.float32, device=device)
        loss = make_loss(self.plan.recipe, weights, self.task)
        feed = self.feed.on(device, room=room_for_images(self.plan, device))
        return Bench(model=self.model(), feed=feed, loss=loss, examine=self._examine(feed, loss, device), seed=self.plan.seed,
                     arithmetic=arithmetic_of(self.plan), num_classes=len(self.classes),
                     labels=feed.labels if isinstance(feed, ImageFeed) and feed.labels.ndim == 1 else None,
                     poison=make_poison(self.plan.attack, list(self.rows), self.classes, self.plan.seed),
                     terms=self.terms if is_example_level(self.plan) else {}, patients=self.patients)

    def _examine(self, feed: Feed, loss: Loss, device: torch.device) -> Examine:
        num_classes = len(self.classes)
        if isinstance(feed, ImageFeed):
            return partial(classify, feed=feed, loss=loss, num_classes=num_classes, device=device)
        return partial(examine, feed=cast(CaseFeed, feed), patch=patch_of(self.plan.data), loss=loss, num_classes=num_classes,
                       device=device, scored=scored_regions(self.classes, self.regions),
                       headline=headline_regions(self.classes, self.regions))


def _rebuilt(fields: dict[str, Any]) -> ArmBlueprint:
    return ArmBlueprint(**{"strategy": build_strategy(fields["plan"]), **fields})


def _described(blueprint: ArmBlueprint) -> tuple[Any, ...]:
    """For a spawned process: a strategy of the user's own file cannot be imported there by its class, but by the plan's name for it."""
    is_own = ".py:" in blueprint.plan.strategy.name
    return _rebuilt, ({name: value for name, value in vars(blueprint).items() if not (is_own and name == "strategy")},)


ForkingPickler.register(ArmBlueprint, _described)


def build(plan: Plan, prepared: Prepared, arm: Arm, site: str | None = None) -> ArmBlueprint:
    """The blueprint of one arm. site: which hospital trains alone, for arm "local"."""
    arm_plan = plan_of_arm(plan, arm, len(prepared.site_names))
    rows, catalogue = rows_of_arm(prepared, arm, site), prepared.catalogue
    check_sites(arm_plan.aggregation, rows)
    primary_metric(plan, catalogue.task)
    make_loss(plan.recipe, None, catalogue.task)  # a loss that does not fit is refused here, not by a worker that dies of it
    make_poison(arm_plan.attack, list(rows), catalogue.classes, arm_plan.seed)  # the same of classes that there are not
    terms = terms_by_site(arm_plan, {name: held.train for name, held in rows.items()}, catalogue.patients)
    blueprint = ArmBlueprint(plan=arm_plan, strategy=with_noise(build_strategy(arm_plan), arm_plan, terms, len(rows)), rows=rows,
                             feed=feed_of(plan, prepared), task=catalogue.task, classes=catalogue.classes, regions=catalogue.regions,
                             class_weights=class_weights(catalogue, rows) if plan.recipe.class_weights == "balanced" else None,
                             terms=terms, patients=catalogue.patients)
    if is_example_level(arm_plan):
        validated(blueprint.model(), (plan.data.channels, *network_shape(plan.data, catalogue.task)))
    return blueprint


def with_noise(strategy: Strategy, plan: Plan, terms: Mapping[str, Terms], num_sites: int) -> Strategy:
    """The strategy, whose mean gets noise where whole sites are hidden."""
    if not is_site_level(plan):
        return strategy
    noise = SiteNoise(multiplier=terms[SERVER].noise_multiplier, bound=plan.privacy.clip_norm, cohort_size=plan.cohort.asked(num_sites))
    return dataclasses.replace(cast(Any, strategy), combine=noise)  # type: ignore[no-any-return]


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
                     augment=augment, greys=None if prepared.greys is None else GreyTables.of(prepared.greys, prepared.homes))


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
    """The plan as one arm runs it: equal gradient steps per image, plain training where there is nobody to federate with, to fear
    or to hide from.

    A one-site arm keeps its optimiser over the rounds, as ordinary training does. Pooled takes num_sites times local_steps, for it
    holds all sites' images; local_epochs need no such change. With recipe.single_step a strategy that optimises at the server stays:
    a round is then a step, and it is the optimiser of ordinary training.
    """
    if arm == "federated":
        return plan
    changes: dict[str, Any] = {"keep_optimizer": True, "label_skew": "none"}
    if arm == "pooled" and plan.recipe.local_steps is not None:
        changes["local_steps"] = plan.recipe.local_steps * num_sites
    is_kept = plan.recipe.single_step and getattr(STRATEGIES.find(plan.strategy.name), "optimises", False)
    return plan.model_copy(update={"recipe": plan.recipe.model_copy(update=changes), "cohort": CohortPlan(), "exchange": ExchangePlan(),
                                   "aggregation": AggregationPlan(), "privacy": PrivacyPlan(), "attack": AttackPlan(),
                                   "strategy": plan.strategy if is_kept else StrategyPlan()})


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


def check_names(plan: Plan) -> None:
    """Refuse, before any image is read, names that are not known and what this machine cannot compute."""
    MODELS.find(plan.model.name)
    check_conflicts(plan)
    check_attack(plan)
    build_strategy(plan)
    if plan.data.harmonise != "none" and (plan.data.dims == 3 or DATASETS.find(plan.data.dataset).task == "segmentation"):
        raise PlanError(f"data.harmonise = '{plan.data.harmonise}' maps the 256 grey values of pictures with labels. Leave it out: volumes "
                        "are normalised one by one, and so are pictures with masks by data.normalise = 'image'.")
    if device_of(plan) == "cpu" and plan.engine.precision == "tf32":
        raise PlanError("engine.precision = 'tf32' is arithmetic of NVIDIA's GPUs, and this plan computes on a CPU. Use 'auto', 'fp32' or "
                        "'bf16'.")


def resolved(plan: Plan, prepared: Prepared, watch: Watch = silent) -> Plan:
    """The plan with "auto" replaced by what this machine has and trains fastest with, so that a resumed run computes as it began."""
    check_names(plan)
    device = device_of(plan)
    if is_example_level(plan):
        plan = plan.model_copy(update={"engine": plan.engine.model_copy(update={"precision": "fp32"})})
    allowed = candidates(plan.engine, device)
    chosen = allowed[0] if len(allowed) == 1 else fastest(trial_of(build(plan, prepared, "federated")), allowed, watch)
    engine = plan.engine.model_copy(update={"device": device, "precision": chosen.precision, "layout": chosen.layout})
    return plan.model_copy(update={"engine": engine})


def as_begun(plan: Plan, begun: Plan) -> Plan:
    """The plan with "auto" replaced by how a run of it has begun, here or on another machine."""
    auto = {key for key in ("precision", "layout", "device") if getattr(plan.engine, key) == "auto"}
    engine = plan.engine.model_copy(update={key: getattr(begun.engine, key) for key in auto})
    return plan.model_copy(update={"engine": engine})


def trial_of(blueprint: ArmBlueprint) -> Trial:
    """A training step of this arm, to be timed."""
    plan = blueprint.plan
    shape = (plan.recipe.batch_size, plan.data.channels, *network_shape(plan.data, blueprint.task))
    return Trial(model=partial(blueprint.model, is_tried=False), network=plan.model.model_dump(mode="json"), recipe=plan.recipe,
                 task=blueprint.task, num_classes=len(blueprint.classes), shape=shape, device=blueprint.device)


def device_of(plan: Plan) -> Literal["cpu", "cuda"]:
    """Where the plan trains on this machine; PlanError if it asks for CUDA and there is none."""
    wanted = plan.engine.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise PlanError("engine.device = 'cuda', but torch sees no CUDA device. Use 'auto' or 'cpu', or install a CUDA build of torch.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def device_here(kind: str) -> torch.device:
    """The device of this process: worker processes take the CUDA devices in turn."""
    if kind == "cpu":
        return torch.device("cpu")
    number = current_process().name.rpartition("-")[2].rpartition(":")[2]  # "SpawnProcess-2", "SpawnProcess-1:2", "MainProcess"
    return torch.device("cuda", (int(number) - 1) % torch.cuda.device_count() if number.isdecimal() else 0)


def room_for_images(plan: Plan, device: torch.device) -> int:
    """Bytes of images that a process may keep on its device: a quarter of the free memory, shared with the other workers."""
    return 0 if device.type == "cpu" else torch.cuda.mem_get_info(device)[0] // (4 * num_workers(plan))


def arithmetic_of(plan: Plan) -> Arithmetic:
    """How a resolved plan computes; what is still "auto" is the plainest way."""
    engine = plan.engine
    return Arithmetic(precision="fp32" if engine.precision == "auto" else engine.precision,
                      layout="contiguous" if engine.layout == "auto" else engine.layout)


def build_strategy(plan: Plan) -> Strategy:
    """The strategy with its settings; PlanError names a setting it does not have, or one it needs and was not given."""
    kind = STRATEGIES.find(plan.strategy.name)
    settings = plan.strategy.arguments()
    if dataclasses.is_dataclass(kind):
        own = {field.name: field for field in dataclasses.fields(kind) if field.name not in ("recipe", "lr_factor", "combine")}
        for name in settings:
            if name not in own:
                raise PlanError(f"strategy '{plan.strategy.name}' has no setting '{name}'.{suggestion(name, list(own))} "
                                f"It has: {', '.join(own) or 'none'}.")
        for name, field in own.items():
            if name not in settings and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise PlanError(f"strategy '{plan.strategy.name}' needs strategy.{name}, which has no default. Set it in the plan.")
    factor = partial(lr_factor, plan)
    return kind(recipe=plan.recipe, lr_factor=factor, **settings, **_combine_of(plan, kind))  # type: ignore[no-any-return]


def _combine_of(plan: Plan, kind: Any) -> dict[str, Aggregator]:
    """The strategy's `combine`, where the plan has a rule other than the mean; PlanError if that does not go with plan or strategy."""
    check_plan(plan)
    name, rule = plan.strategy.name, plan.aggregation.rule
    if rule == "mean":
        return {}
    if not dataclasses.is_dataclass(kind) or "combine" not in {field.name for field in dataclasses.fields(kind)}:
        raise PlanError(f"aggregation.rule = '{rule}' does not go with strategy '{name}', which has no field `combine` to take it: it "
                        "combines updates in a way of its own. Derive it from FedAvg, or leave the rule at 'mean'.")
    if reason := getattr(kind, "needs_mean", ""):
        raise PlanError(f"aggregation.rule = '{rule}' does not go with strategy '{name}': {reason}. Use another strategy, e.g. 'fedavg', "
                        "or leave the rule at 'mean'.")
    return {"combine": make_combine(plan.aggregation)}


def lr_factor(plan: Plan, round: int) -> float:
    """The schedule's factor of recipe.lr in a round."""
    return learning_rate(plan.recipe, round, plan.rounds.num) / plan.recipe.lr


def initial_params(design: Design) -> Params:
    """Parameters before round 1, on the CPU. PlanError if the model does not fit the data."""
    params = design.model(is_tried=False).params
    return Params(params.flat.cpu().clone(), params.layout)


def num_workers(plan: Plan) -> int:
    """Worker processes: the plan's number, or one a core; on CUDA at most 4 a device, each with 4 GiB of its memory, for small networks
    do not fill one alone."""
    if plan.engine.workers:
        return plan.engine.workers
    if device_of(plan) == "cpu":
        return cores()
    memories = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    return max(1, min(cores(), sum(min(4, memory // WORKER_BYTES) for memory in memories)))
