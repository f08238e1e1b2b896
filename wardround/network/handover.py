"""What comes back to a site at a study's end: SITE/models/RUN with the final model, what is needed to use it, and its card."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wardround.build import ArmBlueprint
from wardround.core.params import Params
from wardround.core.state import State
from wardround.data.catalogue import suffixes_of
from wardround.data.prepare import Prepared
from wardround.network.reasons import Refusal
from wardround.rounds.course import Course
from wardround.runs.folder import write_text
from wardround.session.outcome import save_model

FROM_SERVER: Mapping[str, Callable[[Any], bool]] = {  # keys of model.json that a site cannot know, and what they may be
    "temperature": lambda value: value is None or (_is_number(value) and value > 0),
    "threshold": lambda value: value is None or (_is_number(value) and 0 <= value <= 1),
    "best_round": lambda value: type(value) is int and value >= 0,
    "phantom": lambda value: type(value) is bool,
}


def check_record(told: Mapping[str, Any]) -> None:
    """Refusal of a record that lacks one of FROM_SERVER, or has it wrong. Its other keys are not read: the approved plan and the site's
    images say the same, and names in a model.json are imported when the model is used."""
    for name, is_right in FROM_SERVER.items():
        if name not in told or not is_right(told[name]):
            raise Refusal(f"the record of the model that is delivered has {name} = {str(told.get(name))[:60]}, which cannot be.")


def write_delivered(folder: Path, blueprint: ArmBlueprint, prepared: Prepared, params: Params, told: Mapping[str, Any], card: str) -> None:
    """Write the folder whole or not at all: model.safetensors, model.json, card.md. One that is there is replaced.

    params: on the CPU. told: a record that passed check_record."""
    part, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    catalogue = prepared.catalogue
    images = {"mask_values": {str(value): label for value, label in catalogue.mask_values.items()},
              "suffixes": list(suffixes_of(catalogue.images[0])), "greys": None, "phantom": told["phantom"] or catalogue.phantom,
              "dataset": catalogue.name, "licence": catalogue.licence, "fingerprint": prepared.fingerprint}
    state = State(round=told["best_round"], params=params, num_sites=1)
    save_model(part, blueprint, Course(state=state, best=params, best_round=told["best_round"]), temperature=told["temperature"],
               threshold=told["threshold"], images=images)
    write_text(part / "card.md", card)
    if folder.exists():
        os.rename(folder, old)  # noqa: PTH104 - of a folder
    os.rename(part, folder)  # noqa: PTH104
    shutil.rmtree(old, ignore_errors=True)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
