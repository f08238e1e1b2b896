"""What a study is, and how it unfolds into cells: one cell is one method, on one partition, with one seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from wardround.build import Arm
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan

HERE = Path(__file__).resolve().parent
ANY = "any"  # partition of a pooled cell that stands for all partitions of the same rows
SHOWN_OTHERWISE = ("sites.partition=feature-shift", "sites.partition=column")  # other pixels, or rows without a site: pooled differs too
EXPLICIT = ("engine.device=cpu", "engine.workers=1", "engine.precision=fp32", "engine.layout=contiguous")  # the same on any machine

Relation = Literal[">", "~", "not >"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to train, as changes of the study's plan.

    seeds: how many, 0 for the study's number. family: methods of a family, such as FedAvg in 10, 160 and 2000 rounds, are one line in
    the figure of quality against rounds. Equal overrides of "pooled" are one cell for all partitions of the same rows, so its
    rounds must not hang on the partition.
    """

    name: str
    overrides: tuple[str, ...] = ()
    arm: Arm = "federated"
    seeds: int = 0
    family: str = ""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Who holds which images, and what is tried there. The first pooled method is what the others are measured by."""

    name: str
    title: str
    overrides: tuple[str, ...]
    methods: tuple[Method, ...]

    @property
    def reference(self) -> str | None:
        return next((method.name for method in self.methods if method.arm == "pooled"), None)


@dataclass(frozen=True, kw_only=True)
class Study:
    """plan: a shipped plan, or a TOML file beside this one. folder: of the images, below WARDROUND_DATA; "": phantoms.
    metric: of the test images, the one that is compared."""

    name: str
    title: str
    plan: str
    folder: str
    metric: str
    partitions: tuple[Partition, ...]
    overrides: tuple[str, ...] = ()
    seeds: int = 1

    def partition(self, name: str) -> Partition:
        return next(partition for partition in self.partitions if partition.name == name)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What the literature says of two methods. ">": the first is better; "~": alike; "not >": the first is not better.

    margin: differences within it count as alike."""

    study: str
    partition: str
    first: str
    relation: Relation
    second: str
    source: str
    margin: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method on one partition with one seed: one run, or of arm "local" one a site."""

    study: Study
    partition: str
    method: str
    arm: Arm
    seed: int
    overrides: tuple[str, ...]

    @property
    def id(self) -> str:
        """Names the cell's file."""
        return f"{self.partition}.{self.method}.seed{self.seed}"

    @property
    def label(self) -> str:
        return f"{self.study.name}/{self.partition}/{self.method} seed {self.seed}"

    def plan(self, data: Path | None = None) -> Plan:
        """The cell's plan. data: the folder of all data sets; None: without images."""
        beside = HERE / self.study.plan
        folder = [f"data.folder={data / self.study.folder}"] if data and self.study.folder else []
        return load_plan(beside if beside.is_file() else self.study.plan, [*self.overrides, f"seed={self.seed}", *folder])

    @cached_property
    def digest(self) -> str:
        """Changes with the plan, so that results of other settings are seen to be outdated."""
        record = self.plan().model_dump(mode="json", exclude_defaults=True, exclude={"title": True, "engine": {"workers"}})
        return hashlib.sha256(json.dumps([record, self.arm], sort_keys=True).encode()).hexdigest()[:12]


def cells_of(study: Study, seeds: int | None = None) -> list[Cell]:
    """All cells of a study, in the order in which they are run: seed by seed, partition by partition.

    seeds: instead of the numbers that the study gives. ValueError if two different cells have one id."""
    found: dict[str, Cell] = {}
    for seed in range(seeds or max(method.seeds or study.seeds for partition in study.partitions for method in partition.methods)):
        for cell in _of_seed(study, seed, everywhere=seeds is not None):
            if found.setdefault(cell.id, cell) != cell:
                raise ValueError(f"{study.name}: two different cells are called {cell.id}. Give the methods names of their own")
    return list(found.values())


def chosen(studies: Sequence[Study], only: Sequence[str], seeds: int | None = None) -> list[Cell]:
    """The cells of STUDY, STUDY/PARTITION or STUDY/PARTITION/METHOD; ValueError for a name that fits none."""
    cells = [cell for study in studies for cell in cells_of(study, seeds)]
    for wanted in only:
        if not any(_fits(cell, wanted) for cell in cells):
            raise ValueError(f"no cell fits --only {wanted}. Studies: {', '.join(study.name for study in studies)}; --list shows all cells")
    return [cell for cell in cells if not only or any(_fits(cell, wanted) for wanted in only)]


def home_of(partition: Partition, method: Method) -> str:
    """The partition that the method's cell goes by."""
    is_own = any(override in SHOWN_OTHERWISE for override in partition.overrides)
    return ANY if method.arm == "pooled" and not is_own else partition.name


def _of_seed(study: Study, seed: int, *, everywhere: bool) -> Iterator[Cell]:
    for partition in study.partitions:
        for method in partition.methods:
            if everywhere or seed < (method.seeds or study.seeds):
                home = home_of(partition, method)
                sites = () if home == ANY else partition.overrides
                yield Cell(study=study, partition=home, method=method.name, arm=method.arm, seed=seed,
                           overrides=(*EXPLICIT, *study.overrides, *sites, *method.overrides))


def _fits(cell: Cell, wanted: str) -> bool:
    return [cell.study.name, cell.partition, cell.method][: wanted.count("/") + 1] == wanted.split("/")
