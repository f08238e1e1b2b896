"""What comes back to a site at a study's end: SITE/models/RUN with the final model, what is needed to use it, and its card."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from wardround.build import ArmBlueprint
from wardround.core.params import FlatModel
from wardround.data.catalogue import suffixes_of
from wardround.data.prepare import Prepared
from wardround.network.reasons import Refusal
from wardround.runs.folder import write_json, write_text
from wardround.strategies.base import Personal

FROM_SERVER: Mapping[str, Callable[[Any], bool]] = {  # keys of model.json that a site cannot know, and what they may be
    "temperature": lambda value: value is None or (_is_number(value) and value > 0),
    "threshold": lambda value: value is None or (_is_number(value) and 0 <= value <= 1),
    "best_round": lambda value: type(value) is int and value >= 0,
    "phantom": lambda value: type(value) is bool,
}


def model_record(told: Mapping[str, Any], blueprint: ArmBlueprint, prepared: Prepared) -> dict[str, Any]:
    """model.json: of what the server tells only FROM_SERVER is taken; the rest is the approved plan's and the site's own, for names in it
    are imported when the model is used."""
    for name, is_right in FROM_SERVER.items():
        if name not in told or not is_right(told[name]):
            raise Refusal(f"the record of the model that is delivered has {name} = {str(told.get(name))[:60]}, which cannot be.")
    plan, catalogue = blueprint.plan, prepared.catalogue
    return {
        "model": plan.model.model_dump(mode="json"), "task": blueprint.task, "classes": list(blueprint.classes),
        "data": plan.data.model_dump(mode="json", exclude={"folder", "phantoms", "max_failed"}), "precision": plan.engine.precision,
        "layout": plan.engine.layout, "personal": plan.strategy.name if isinstance(blueprint.strategy, Personal) else None,
        "loss": plan.recipe.loss, "temperature": told["temperature"], "threshold": told["threshold"],
        "mask_values": {str(value): label for value, label in catalogue.mask_values.items()},
        "suffixes": list(suffixes_of(catalogue.images[0])), "greys": None, "best_round": told["best_round"],
        "phantom": told["phantom"] or catalogue.phantom, "dataset": catalogue.name, "licence": catalogue.licence,
        "fingerprint": prepared.fingerprint, "notice": "A research model. Not for clinical use."}


def write_delivered(folder: Path, model: FlatModel, record: Mapping[str, Any], card: str) -> None:
    """Write the folder whole or not at all: model.safetensors, model.json, card.md. One that is there is replaced."""
    part, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    save_file({name: tensor.cpu().contiguous() for name, tensor in model.tensors().items()}, part / "model.safetensors")
    write_json(part / "model.json", record)
    write_text(part / "card.md", card)
    if folder.exists():
        os.rename(folder, old)  # noqa: PTH104 - of a folder
    os.rename(part, folder)  # noqa: PTH104
    shutil.rmtree(old, ignore_errors=True)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
