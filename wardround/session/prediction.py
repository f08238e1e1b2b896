"""Use a run's model on new images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file

from wardround.core.params import FlatModel, load_named
from wardround.data.cache import resized
from wardround.data.readers.image import load, to_uint8
from wardround.data.transforms import normalise
from wardround.errors import DataError, ImageError
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan, Recipe
from wardround.runs.folder import RunFolder, read_json
from wardround.training.local import autocast
from wardround.training.losses import make_loss

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".gz"}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One image's probabilities by class, or the reason why there are none."""

    path: Path
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


def predict(run: RunFolder | Path | str, paths: Sequence[Path | str]) -> list[Prediction]:
    """Probabilities for images and all images below folders, in order; an unreadable image gets an error, the others go on."""
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    record = read_json(folder.path / "model.json")
    model = FlatModel(build_model(ModelPlan.model_validate(record["model"]), in_channels=record["channels"],
                                  num_outputs=len(record["classes"]), size=record["size"], seed=0))
    model.load(load_named(load_file(folder.path / "model.safetensors"), model.params.layout))
    model.module.eval()
    loss = make_loss(Recipe(loss=record["loss"]), None)
    found = []
    for path in images_of([Path(path) for path in paths]):
        try:
            pixels = resized(to_uint8(load(path.parent, path.name)), size=record["size"], channels=record["channels"])
        except ImageError as error:
            found.append(Prediction(path=path, error=str(error)))
            continue
        with torch.inference_mode(), autocast(model.device, record["precision"]):
            probabilities = loss.probabilities(model.module(normalise(torch.tensor(pixels)[None], record["normalise"])))[0]
        found.append(Prediction(path=path, probabilities=dict(zip(record["classes"], probabilities.tolist(), strict=True))))
    return found


def images_of(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given, and the images below folders, sorted; DataError for what does not exist or holds no image."""
    for path in paths:
        if path.is_dir():
            below = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            if not below:
                raise DataError(f"{path} holds no image ({', '.join(sorted(SUFFIXES))})")
            yield from below
        elif path.exists():
            yield path
        else:
            raise DataError(f"{path} does not exist")
