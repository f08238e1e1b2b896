"""The sections of a plan (TOML), their defaults and limits. A plan is read once, validated, and written resolved into the run.

Sections are flat and frozen; unknown keys are refused with the nearest known one (plan/load.py words the message).
"""

from __future__ import annotations

from html import escape
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
PartitionName = Literal["iid", "dirichlet", "shards", "quantity", "missing-classes", "feature-shift", "column", "folders"]
RuleName = Literal["mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median", "centred-clipping", "norm-bound",
                   "nnm-trimmed", "fltrust"]
AttackName = Literal["none", "label-flip", "backdoor", "sign-flip", "gaussian", "inner-product", "alie", "min-max"]
MetricName = Literal["loss", "accuracy", "balanced_accuracy", "auroc", "dice"]


class Section(BaseModel):
    """A part of a plan: cannot be changed, refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OpenSection(Section):
    """A section whose further keys are arguments of the named model or strategy; build.py checks them."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    def arguments(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.__pydantic_extra__ or {})


class DataPlan(Section):
    """Which images, and how they become arrays."""

    dataset: str = "folder"  # a name of `wardround data list`, or your own 'file.py:Reader'
    folder: Path | None = None  # where the real set lies; without it the set's phantoms are used, and every result says so
    classes: tuple[str, ...] = ()  # the labels that may occur, in the model's order; empty: those that are found
    size: int = Field(64, ge=8, le=2048)  # height and width in pixels after resizing
    channels: int = Field(1, ge=1, le=16)  # 1 grey, 3 colour; of volumes: the number of modalities
    normalise: Literal["fixed", "image", "imagenet"] = "fixed"  # (x - 0.5) / 0.25, zero mean and unit variance per image, or ImageNet's
    dims: Literal[2, 3] = 2  # 2: pictures. 3: volumes, cropped to what is not zero, each modality normalised over its non-zero voxels
    spacing_mm: Annotated[float, Field(ge=0)] = 0.0  # dims = 3: volumes are resampled to cubes of this size; 0: left as they are
    patch: tuple[int, int, int] = (64, 64, 64)  # dims = 3: depth, height, width the network sees; a depth of 1 trains it on slices
    foreground: Share = 0.5  # segmentation of volumes: share of training patches drawn around a labelled voxel
    harmonise: Literal["none", "site", "percentiles"] = "none"  # grey values of each site, from its training images: data/harmonise.py
    max_failed: Share = 0.01  # share of unreadable images above which the run stops
    phantoms: int = Field(900, ge=30)  # number of images in the phantom that replaces a missing folder


class SplitPlan(Section):
    """Patients -> train, val, test."""

    policy: Literal["published", "grouped", "folds"] = "grouped"
    val: Share = 0.1
    test: Share = 0.2
    folds: int = Field(5, ge=2)
    fold: int = Field(0, ge=0)  # the fold that is the test split, from 0
    near_duplicate_bits: int = Field(12, ge=0, le=64)  # of 256 perceptual hash bits; at most this many differ in near-duplicates
    seed: int = 0  # apart from the plan's seed: repeated seeds are tested on the same patients


class SitesPlan(Section):
    """Rows -> sites."""

    num: int = Field(3, ge=1)
    names: tuple[str, ...] | None = None  # default: site-1 ...; the values of the column for partition = "column"
    partition: PartitionName = "iid"
    alpha: Positive = 0.5  # dirichlet and quantity: small is skewed, 100 is near equal
    shards: int = Field(2, ge=1)  # shards: label-sorted pieces a site gets
    common: tuple[str, ...] = ()  # missing-classes: classes that every site holds; each other class is held by one site
    strength: Share = 0.5  # feature-shift: 0 is no shift, 1 the strongest simulated scanner
    column: str = "site"  # column: the catalogue's column that names the site

    @property
    def known(self) -> int | None:
        """How many sites there are; None where the data's column tells."""
        if self.names is not None:
            return len(self.names)
        return None if self.partition == "column" else self.num


class ModelPlan(OpenSection):
    """The network. Further keys go to its builder."""

    name: str = "cnn"
    norm: Literal["batch", "group", "instance", "frozen"] = "group"  # frozen: batch norm that keeps the statistics of its first weights
    weights: str = ""  # first weights: "imagenet", or a file of a torchvision model (.pth) or of a run (model.safetensors)
    share: tuple[str, ...] = ()  # names of the tensors that are trained and exchanged, e.g. ["layer4.*", "fc.*"]; empty: all


class Recipe(Section):
    """Local training settings: what a site does in one round."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Positive = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # beta1 of adam and adamw
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    keep_optimizer: bool = False  # momentum stays at the site from round to round (needed when rounds are a few steps)
    batch_size: int = Field(32, ge=1)
    local_epochs: Positive = 1.0  # passes over the site's images in a round; 0.1 is a tenth of them
    local_steps: int | None = Field(None, ge=1)  # instead of local_epochs: so many batches
    single_step: bool = False  # the round's batches make one step of their mean gradient: no drift, whatever the skew
    schedule: Literal["constant", "cosine", "step"] = "constant"  # of the learning rate over the rounds
    warmup: Share = 0.0  # share of the rounds in which the rate rises linearly
    step_every: int = Field(10, ge=1)  # step: rounds between drops
    step_factor: Share = 0.1  # step: factor of a drop
    clip_norm: Positive | None = None  # L2 bound of a step's gradient
    loss: Literal["cross_entropy", "binary_cross_entropy", "focal", "smooth_l1", "dice_cross_entropy"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] = "none"  # balanced: from the sites' class counts, summed
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label_skew: Literal["none", "restricted", "calibrated", "balanced"] = "none"  # logits by the site's class counts: training/skew.py
    skew_strength: Annotated[float, Field(ge=0)] | None = None  # of label_skew; none: the method's own default
    mixup: Annotated[float, Field(ge=0)] = 0.0  # alpha of Beta(alpha, alpha): images of a site's batch are mixed in pairs; 0: not
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0


class AugmentPlan(Section):
    """Random changes of training batches. All 0 and false: none."""

    flip: bool = False  # left-right; only where anatomy allows (a mirrored chest has its heart on the wrong side)
    rotate_deg: Annotated[float, Field(ge=0, le=180)] = 0.0  # uniform in +- this
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0  # uniform in 1 +- this
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of height and width, uniform in +- this
    intensity: Annotated[float, Field(ge=0, lt=1)] = 0.0  # brightness and contrast, uniform in +- this


class RoundsPlan(Section):
    """How long, and which round is kept."""

    num: int = Field(20, ge=1)
    evaluate_every: int = Field(1, ge=1)  # rounds between evaluations on validation rows; the last round is always evaluated
    patience: int | None = Field(None, ge=1)  # evaluations without a better one before the run stops; none: never early
    metric: MetricName = "balanced_accuracy"  # on validation rows; its best round is kept
    average: Literal["none", "swa", "ema"] = "none"  # what is evaluated and kept: the global model, or its mean over rounds
    average_from: Annotated[float, Field(ge=0, lt=1)] = 0.6  # swa: share of the rounds before the mean begins
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9  # ema: weight of the mean so far
    checkpoint_every_s: Annotated[float, Field(ge=0)] = 10.0  # at a round's end, if so much time has passed; 0: every round


class CohortPlan(Section):
    """Which sites take part in a round."""

    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of sites asked each round
    min_sites: int = Field(1, ge=1)  # fewer replies stop the run, which can be resumed; a study waits until so many are back
    deadline_s: Positive = 3600.0  # over a network: a site that has not answered by then is left out of the round

    def asked(self, num_sites: int) -> int:
        """How many of so many sites are asked in a round."""
        return min(num_sites, max(self.min_sites, ceil(self.fraction * num_sites - 1e-9)))


class ExchangePlan(Section):
    """How updates travel. The bytes counted are those of the serialised form, scales and indices included."""

    updates: Literal["float32", "float16", "int8", "top-k"] = "float32"  # int8: stochastic rounding. top-k: with error feedback
    top_share: Annotated[float, Field(gt=0, le=1)] = 0.01  # top-k: share of the numbers that are sent, the largest


class StrategyPlan(OpenSection):
    """The federated algorithm. Further keys are its fields, e.g. mu of fedprox."""

    name: str = "fedavg"


class AggregationPlan(Section):
    """How the server combines the sites' updates. All rules but the mean guard against some malicious sites, and count sites alike:
    who claims many images would otherwise count for many."""

    rule: RuleName = "mean"  # aggregation/: a file a rule, with its source and limit
    attackers: int = Field(0, ge=0)  # f: so many of the sites that answer may be malicious; without use for mean and norm-bound
    selected: int | None = Field(None, ge=1)  # multi-krum: updates that are averaged; none: all but f
    bound: Positive | None = None  # norm-bound, centred-clipping: L2 norm of a change, or of its way from the median; none: the middle one
    iterations: int = Field(1, ge=1)  # centred-clipping: how often the centre moves
    smoothing: Positive = 1e-6  # geometric-median: smallest distance that counts, as a share of the middle one
    root: str = ""  # fltrust: the site whose images somebody vouches for
    weights: Literal["examples", "equal"] = "examples"  # mean: sites count by their training images, or all alike
    secure: bool = False  # secure aggregation: the server sees the masked sum of at least three sites and no single update
    secure_range: Positive = 1.0  # secure: largest change of one number that is told apart; most training stays far below


class PrivacyPlan(Section):
    """Differential privacy of what training tells. Noise comes from the operating system, never from the seed."""

    unit: Literal["none", "image", "patient", "site"] = "none"  # what is hidden: an image or a patient of a site (DP-SGD there), or a site
    epsilon: Positive = 8.0  # budget of the whole run; a site stops before it is passed
    delta: Annotated[float, Field(gt=0, lt=1)] | None = None  # none: the smaller of 1e-5 and a tenth of one unit's share
    noise_multiplier: Positive | None = None  # noise by the clip norm; none: the least with which all rounds fit into epsilon
    clip_norm: Positive = 1.0  # L2 bound: of a unit's gradient in a step, or of a site's change in a round
    physical_batch: int = Field(64, ge=1)  # images whose gradients are in memory at once
    images_per_patient: int = Field(4, ge=1)  # patient: so many of a patient's images, drawn anew, make its gradient of a step


class AttackPlan(Section):
    """Malicious sites, in simulations only: what harm they do, and whether the aggregation withstands them."""

    kind: AttackName = "none"  # attacks/: a file an attack, with its source
    share: Share = 0.2  # of the sites are malicious, rounded to the nearest number, at least one
    sites: tuple[str, ...] = ()  # which; empty: so many as `share` says, drawn by the plan's seed
    from_round: int = Field(1, ge=1)  # they behave until then
    strength: Positive | None = None  # factor of the malicious change; none: the attack's own (docs/security.md)
    source: str = ""  # label-flip: class whose images are called `target`; empty: every class c becomes C - 1 - c
    target: str = ""  # label-flip, backdoor: class that the images are called; empty: the first
    poisoned: Share = 0.5  # backdoor: share of a malicious site's batch that carries the patch
    patch: Share = 0.1  # backdoor: side of the patch, as a share of the image's


class EnginePlan(Section):
    """What the run uses of this machine. Results do not depend on `workers`."""

    name: Literal["local", "ray"] = "local"  # local: processes of this machine. ray: a Ray cluster (extra `ray`); same results
    workers: int = Field(0, ge=0)  # processes; 0: one a core
    precision: Literal["auto", "fp32", "bf16", "tf32"] = "auto"  # auto: what trains this model faster here, timed once (tf32: CUDA only)
    layout: Literal["auto", "contiguous", "channels_last"] = "auto"  # order of pixels in memory; auto: what trains faster here
    device: Literal["auto", "cpu", "cuda"] = "auto"


class EvaluationPlan(Section):
    """Intervals of test results."""

    resamples: int = Field(2000, ge=100)  # patient-level bootstrap
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    calibrate: bool = True  # a temperature, fitted on validation rows from per-site sums, divides the logits
    elsewhere: bool = False  # personal models are judged on the other sites' test rows too


class Plan(Section):
    """One experiment. The same plan runs federated, pooled and local."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    title: str = ""
    seed: int = Field(0, ge=0)
    data: DataPlan = DataPlan()
    split: SplitPlan = SplitPlan()
    sites: SitesPlan = SitesPlan()
    model: ModelPlan = ModelPlan()
    recipe: Recipe = Recipe()
    augment: AugmentPlan = AugmentPlan()
    rounds: RoundsPlan = RoundsPlan()
    cohort: CohortPlan = CohortPlan()
    strategy: StrategyPlan = StrategyPlan()
    aggregation: AggregationPlan = AggregationPlan()
    privacy: PrivacyPlan = PrivacyPlan()
    attack: AttackPlan = AttackPlan()
    exchange: ExchangePlan = ExchangePlan()
    engine: EnginePlan = EnginePlan()
    evaluation: EvaluationPlan = EvaluationPlan()

    def _repr_html_(self) -> str:
        """In a notebook: the plan as TOML, without what was left at its default."""
        return f"<pre>{escape(tomli_w.dumps(self.model_dump(mode='json', exclude_unset=True, exclude_none=True)), quote=False)}</pre>"

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        if self.split.policy == "folds" and self.split.fold >= self.split.folds:
            raise ValueError(f"split.fold is {self.split.fold}, but split.folds = {self.split.folds} counts from 0")
        if self.split.val + self.split.test >= 1:
            raise ValueError("split.val + split.test leaves no training images; together they must be below 1")
        if self.sites.names is not None and len(set(self.sites.names)) != len(self.sites.names):
            raise ValueError("sites.names holds a name twice")
        if self.sites.names is not None and self.sites.partition != "column" and len(self.sites.names) != self.sites.num:
            raise ValueError(f"sites.names has {len(self.sites.names)} names, but sites.num = {self.sites.num}")
        if self.cohort.min_sites > self.sites.num and self.sites.partition != "column":
            raise ValueError(f"cohort.min_sites = {self.cohort.min_sites}, but there are only sites.num = {self.sites.num} sites")
        return self
