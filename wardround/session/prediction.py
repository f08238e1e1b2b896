"""Use a run's model on new images: probabilities of classes or findings, or segmentations as mask files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wardround.core.events import Note, Progress, Watch
from wardround.core.untrusted import csv_text
from wardround.data.cache import resized
from wardround.data.geometry import prepared_volume
from wardround.data.readers.image import load, to_uint8
from wardround.data.transforms import normalise
from wardround.data.volumes import read_volume
from wardround.errors import DataError, ImageError, PlanError
from wardround.runs.folder import RunFolder
from wardround.session.masking import write_mask
from wardround.session.notebook import watching
from wardround.session.trained import Trained

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".gz"}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One image's probabilities by class, or its mask file, or the reason why there is none."""

    path: Path
    probabilities: Mapping[str, float] = field(default_factory=dict)
    mask: Path | None = None
    error: str = ""


def predict(run: RunFolder | Path | str, paths: Sequence[Path | str], out: Path | None = None, *, site: str | None = None,
            own_code: bool = False, watch: Watch | None = None) -> list[Prediction]:
    """Answers for images and all images below folders, in order; an unreadable image gets an error, the others go on.

    A volume whose channels lie in several files is named by its folder, or by the file of its first channel. out: where mask files
    are written, needed by a model that segments. site: the hospital that the images come from, where the run has harmonised grey
    values. own_code: the run's network may be a program of its author's, which is run then. watch: hears how many of several images are
    done, and gets a note if something is needed and not given, or if the hospitals have models of their own; without a watcher a
    notebook shows it.
    """
    with watching(watch) as told:
        trained, table = opened(run, site, own_code=own_code, watch=told)
        if trained.task == "segmentation":
            _open(out)
        found: list[Prediction] = []
        chosen = list(images_of([Path(path) for path in paths], tuple(trained.record["suffixes"])))
        for path, root, image in chosen:
            try:
                if out is not None and trained.task == "segmentation":
                    found.append(Prediction(path=path, mask=write_mask(trained, root, image, out, {done.mask for done in found})))
                else:
                    found.append(Prediction(path=path, probabilities=_probabilities(trained, root, image, table)))
            except ImageError as error:
                found.append(Prediction(path=path, error=str(error)))
            if len(chosen) > 1:
                told(Progress(stage="predict", done=len(found), total=len(chosen)))
    return found


def as_csv(predictions: Sequence[Prediction]) -> str:
    """The predictions as CSV text: path, p_CLASS ... or mask, error. Cells that a spreadsheet would compute are made text."""
    classes = list(dict.fromkeys(name for prediction in predictions for name in prediction.probabilities))
    masks = ["mask"] if any(prediction.mask for prediction in predictions) else []
    return csv_text([
        ["path", *(f"p_{name}" for name in classes), *masks, "error"],
        *([str(prediction.path), *(f"{prediction.probabilities[name]:.6f}" if prediction.probabilities else "" for name in classes),
           *(str(prediction.mask or "") for _ in masks), prediction.error] for prediction in predictions)])


def opened(run: RunFolder | Path | str, site: str | None = None, *, own_code: bool = False,
           watch: Watch | None = None) -> tuple[Trained, np.ndarray | None]:
    """The run's model and the table of grey values of the site, for `picture_tensor`; arguments, notes and failures as of `predict`."""
    trained = Trained.of(run if isinstance(run, RunFolder) else RunFolder(Path(run)), own_code=own_code)
    with watching(watch) as told:
        table = _table(trained, site, told)
        if personal := trained.record.get("personal"):  # runs of old have no entry
            told(Note(text=f"Strategy '{personal}' leaves every hospital a model of its own, and those were tested. This answers with the "
                           "global model, which was not."))
    return trained, table


def _table(trained: Trained, site: str | None, watch: Watch) -> np.ndarray | None:
    """(256,) uint8: the common scale's grey value of each of the site's; None where images are taken as they are."""
    greys = trained.greys
    if site is None:
        if greys is not None:
            watch(Note(text="This model was trained on harmonised grey values, and it was not said where the images come from: they are "
                            f"taken as they are, which may cost accuracy. Say it with --site: {', '.join(greys.sites)}."))
        return None
    if greys is None:
        raise PlanError("this model takes the images of all hospitals as they are (data.harmonise = 'none'): leave out --site")
    return greys.table(site)


def _open(out: Path | None) -> None:
    """Make the folder of masks; PlanError if there is none, or it cannot be made."""
    if out is None:
        raise PlanError("this model draws masks: say where they are to be written with --out DIR")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(f"masks cannot be written to {out}: {error.strerror}. Choose another folder with --out DIR.") from error


def images_of(paths: Sequence[Path], suffixes: Sequence[str]) -> Iterator[tuple[Path, Path, str]]:
    """(path, root, image) of files as given, and of the images below folders, sorted; DataError for what does not exist or holds
    no image. suffixes: endings of the files of one image, () if it is one file; path is then the first of them."""
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist")
        below = sorted(file for file in path.rglob("*") if _is_image(file, suffixes)) if path.is_dir() else [path]
        if not below:
            raise DataError(f"{path} holds no image ({', '.join(suffixes or sorted(SUFFIXES))})")
        for file in below:
            yield file, file.parent, _image(file, suffixes)


def _is_image(file: Path, suffixes: Sequence[str]) -> bool:
    is_wanted = file.name.endswith(suffixes[0]) if suffixes else file.suffix.lower() in SUFFIXES
    return is_wanted and file.is_file()


def _image(file: Path, suffixes: Sequence[str]) -> str:
    """The image's name below its folder, in the catalogue's notation."""
    if not suffixes or not file.name.endswith(suffixes[0]):
        return file.name
    return file.name.removesuffix(suffixes[0]) + "{" + ",".join(suffixes) + "}"


def _probabilities(trained: Trained, root: Path, image: str, table: np.ndarray | None) -> dict[str, float]:
    probabilities = trained.probabilities(_tensor(trained, root, image, table)[None])[0]
    return dict(zip(trained.classes, probabilities.tolist(), strict=True))


def _tensor(trained: Trained, root: Path, image: str, table: np.ndarray | None) -> Tensor:
    """The image in network units, as training saw it. table: of its site's grey values."""
    data = trained.data
    if data.dims == 3:
        array, _ = prepared_volume(read_volume(root, image, channels=data.channels), spacing_mm=data.spacing_mm, shape=data.patch)
        return torch.from_numpy(array).float()
    return picture_tensor(trained, to_uint8(load(root, image)), table)


def picture_tensor(trained: Trained, pixels: np.ndarray, table: np.ndarray | None = None) -> Tensor:
    """(C, H, W) float32 of a picture in network units. pixels: (C, H, W) uint8 of any size. table: of its site's grey values."""
    small = resized(pixels, size=trained.data.size, channels=trained.data.channels)
    return normalise(torch.tensor(small if table is None else table[small])[None], trained.data.normalise)[0]
