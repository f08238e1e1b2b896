"""A run's model, ready to answer for new images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from wardround.build import network_shape
from wardround.core.params import FlatModel
from wardround.data.catalogue import Task
from wardround.data.harmonise import Greys
from wardround.data.readers.image import LIMIT_PIXELS
from wardround.errors import AggregationError, PlanError, WardroundError
from wardround.evaluation.temperature import scaled
from wardround.models.build import build_model
from wardround.plan.schema import DataPlan, ModelPlan, Recipe
from wardround.runs.folder import MOST_CLASSES, RunFolder, read_json
from wardround.training.arithmetic import Arithmetic
from wardround.training.losses import Loss, make_loss

TOY = "wardround.testing:toy_net"  # a network of ours that no table names


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """The best round's model. record: model.json."""

    record: Mapping[str, Any]
    model: FlatModel
    loss: Loss
    data: DataPlan
    arithmetic: Arithmetic

    @staticmethod
    def of(folder: RunFolder, *, own_code: bool = False) -> Trained:
        """Read model.json and model.safetensors; WardroundError if the run has not finished, or they hold something else.

        own_code: a network from outside of wardround may be imported, which runs its author's program; PlanError if it is needed."""
        record = read_json(folder.path / "model.json")
        try:
            name = str(record["model"]["name"])
            if ":" in name and name != TOY and not own_code:
                raise PlanError(f"the model in {folder.path} is a program of its author's ({name}), which would be run. If you trust it: "
                                "--own-code")
            return Trained._of(folder, record)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, AggregationError) as error:
            raise WardroundError(f"{folder.path / 'model.json'} or model.safetensors does not hold what a run writes "
                                 f"({type(error).__name__}: {str(error)[:200]}). Was it changed? Copy it again, or repeat the "
                                 "run.") from error

    @staticmethod
    def _of(folder: RunFolder, record: Mapping[str, Any]) -> Trained:
        if not all(isinstance(name, str) for name in (*record["classes"], *record["suffixes"])) or len(record["classes"]) > MOST_CLASSES:
            raise ValueError("classes or suffixes that are no texts, or too many")
        data, task = DataPlan.model_validate(record["data"]), record["task"]
        if data.dims == 3 and math.prod(data.patch) * data.channels > LIMIT_PIXELS:
            raise ValueError(f"patches of {data.patch} voxels")
        norm = {"frozen": "batch"}.get(record["model"]["norm"], record["model"]["norm"])  # the same where nothing is trained
        plan = ModelPlan.model_validate({**record["model"], "weights": "", "norm": norm})  # all tensors come from the run
        model = FlatModel(build_model(plan, in_channels=data.channels, num_outputs=len(record["classes"]),
                                      shape=network_shape(data, task), dense=task == "segmentation", seed=0))
        path = folder.path / "model.safetensors"
        if not path.exists():
            raise WardroundError(f"{path} does not exist: the run has not finished. Continue it: wardround run --resume {folder.path}")
        try:
            model.load_tensors(load_file(path))
        except SafetensorError as error:
            raise WardroundError(f"{path} is damaged ({error}). Copy it again, or repeat the run with --out DIR.") from error
        model.module.eval()
        arithmetic = Arithmetic(precision=record["precision"], layout=record.get("layout", "contiguous"))  # runs of old have none
        return Trained(record=record, model=model, loss=make_loss(Recipe(loss=record["loss"]), None, task), data=data,
                       arithmetic=arithmetic)

    @property
    def task(self) -> Task:
        task: Task = self.record["task"]
        return task

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.record["classes"])

    @property
    def greys(self) -> Greys | None:
        """The common scale of grey values, if the run had one."""
        record = self.record.get("greys")  # runs of old have none
        return None if record is None else Greys.from_record(record)

    def probabilities(self, images: Tensor) -> np.ndarray:
        """(B, C) float64 of labelled images in network units, at the run's temperature."""
        raw = self.loss.probabilities(self.network(images)).double().cpu().numpy()
        return scaled(raw, self.record.get("temperature", 1.0), is_multilabel=self.task == "multilabel")  # runs of old have none

    def network(self, images: Tensor) -> Tensor:
        """Logits float32 of images in network units, (B, C, ...)."""
        with torch.inference_mode():
            return self.arithmetic.logits(self.model, images)
