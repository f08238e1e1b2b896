"""What a trained model answers for images it has never seen: the Predict page's questions, each of which is a command too."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.core.events import Watch, silent
from wardround.errors import DataError

if TYPE_CHECKING:
    from wardround.session.prediction import Prediction

LONGEST = 1024  # pixels of a picture under its heat, on its longer side
FEW = 2000  # images of which each is looked for by name
HALF_FITS = 60_000.0  # values up to this are told apart in 16 bits well enough to look at


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model says of one image: shares (class, probability), the highest first; or its mask's file; or an error.

    called: the class that the model decides for, "" where it decides for none (masks, several findings)."""

    path: Path
    shares: tuple[tuple[str, float], ...] = ()
    called: str = ""
    mask: Path | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """All images of one request in their order, the paths that were asked for, and notes that the reader should know."""

    run: Path
    asked: tuple[Path, ...]
    answers: tuple[Answer, ...]
    notes: tuple[str, ...] = ()

    @property
    def num_failed(self) -> int:
        return sum(bool(answer.error) for answer in self.answers)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """An image as the viewer shows it. volume: (C, D, H, W) uint8 or float, D = 1 of a picture; mask: (D, H, W) uint8 class of each
    place or None; classes: of the mask, background first; marked: how much the mask covers, in words."""

    path: Path
    volume: np.ndarray
    channels: tuple[str, ...] = ()
    mask: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    marked: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """Where the model looked. picture: (H, W, 3) uint8, the image under its heat; fields: rows and columns of the layer; is_empty:
    nothing there speaks for the class; colours: (n, 3) uint8 from no heat to the most."""

    path: Path
    label: str
    probability: float
    picture: np.ndarray
    fields: tuple[int, int]
    is_empty: bool
    caution: str
    colours: np.ndarray


def answered(run: Path, paths: Sequence[Path], masks: Path, site: str | None = None, own_code: bool = False, *,
             watch: Watch = silent) -> Answered:
    """Answers for images and all images below folders, as `wardround predict`; unreadable ones get an error, the others go on.

    masks: the folder in which masks are written, of a model that draws them."""
    from wardround.core.events import Note
    from wardround.runs.folder import read_json
    from wardround.session.prediction import predict

    notes: list[str] = []

    def hear(event: Any) -> None:
        notes.extend([event.text] if isinstance(event, Note) else [])
        watch(event)

    record = read_json(run / "model.json")
    found = predict(run, paths, masks if record.get("task") == "segmentation" else None, site=site, own_code=own_code, watch=hear)
    return Answered(run=run, asked=tuple(paths), notes=tuple(notes), answers=tuple(_answer(one, record) for one in found))


def _answer(found: Prediction, record: Mapping[str, Any]) -> Answer:
    shares = tuple(sorted(found.probabilities.items(), key=lambda share: -share[1]))
    return Answer(path=found.path, shares=shares, called=_called(shares, record), mask=found.mask, error=found.error)


def _called(shares: Sequence[tuple[str, float]], record: Mapping[str, Any]) -> str:
    """The class from the run's threshold, of two classes; else the most probable; "" of findings, which exclude nothing."""
    if not shares or record["task"] == "multilabel":
        return ""
    threshold, classes = record.get("threshold"), record["classes"]
    if threshold is None or len(classes) != 2:
        return shares[0][0]
    return str(classes[int(dict(shares)[classes[1]] >= threshold)])


def seen(run: Path, path: Path, mask: Path | None = None) -> Seen:
    """The image of an answer, and its mask. ImageError if it cannot be read, DataError if it is gone."""
    from wardround.report.material import understood
    from wardround.runs.folder import read_json

    with understood(run):
        return _seen(read_json(run / "model.json"), path, mask)


def _seen(record: Mapping[str, Any], path: Path, mask: Path | None) -> Seen:
    from wardround.plan.schema import DataPlan
    from wardround.session.prediction import images_of

    data, suffixes = DataPlan.model_validate(record["data"]), tuple(record["suffixes"])
    [(_, root, image)] = images_of([path], suffixes)
    if data.dims == 2:
        from wardround.data.readers.image import load, to_uint8

        pixels = to_uint8(load(root, image))
        return _with_mask(Seen(path=path, volume=pixels[:, None]), mask, record, turn=1, voxel_ml=0.0)
    from wardround.data.volumes import read_volume

    volume = read_volume(root, image, channels=data.channels)
    turn = -1 if volume.orientation == "RAS" else 1  # as radiologists look at them: anterior up, the patient's right on the left
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000 if volume.spacing_mm else 0.0
    shown = Seen(path=path, volume=_smaller(volume.pixels)[..., ::turn, ::turn], channels=tuple(map(_channel, suffixes)))
    return _with_mask(shown, mask, record, turn=turn, voxel_ml=voxel_ml)


def _smaller(volume: np.ndarray) -> np.ndarray:
    """As float16 where that holds the values: a volume of four sequences is 140 MB in float32, and goes through a pipe."""
    if volume.dtype == np.uint8:
        return volume
    finite = np.nan_to_num(volume.astype(np.float32), nan=0, posinf=0, neginf=0)
    return finite.astype(np.float16) if max(-float(finite.min()), float(finite.max())) < HALF_FITS else finite


def _channel(suffix: str) -> str:
    """ "flair" of "_flair.nii.gz"."""
    return suffix.split(".")[0].strip("_-") or suffix


def _with_mask(shown: Seen, mask: Path | None, record: Mapping[str, Any], *, turn: int, voxel_ml: float) -> Seen:
    if mask is None:
        return shown
    from wardround.data.masks import read_mask

    values = {int(value): int(label) for value, label in record["mask_values"].items()}
    labels = read_mask(mask.parent, mask.name, values)[..., ::turn, ::turn]
    classes = tuple(record["classes"])
    return Seen(path=shown.path, volume=shown.volume, channels=shown.channels, mask=np.ascontiguousarray(labels), classes=classes,
                marked=_marked(labels, classes, voxel_ml))


def _marked(labels: np.ndarray, classes: Sequence[str], voxel_ml: float) -> str:
    """ "tumour 3.2 % of the picture", or in millilitres where the size of a voxel is known."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    parts = [f"{name} {counts[label] * voxel_ml:.1f} ml" if voxel_ml else f"{name} {counts[label] / labels.size:.1%} of the picture"
             for label, name in enumerate(classes) if label and counts[label]]
    return f"Marked: {', '.join(parts)}." if parts else "Nothing is marked."


def looked(run: Path, path: Path, label: str | None = None, site: str | None = None, own_code: bool = False, *,
           watch: Watch = silent) -> Looked:
    """Where the score of a class comes from in a picture, as `wardround explain` draws it. label: None is the most probable.

    PlanError for a model that draws masks or reads volumes, ImageError for a picture that cannot be read."""
    from wardround.data.readers.image import load, to_uint8
    from wardround.session import painting, saliency
    from wardround.session.prediction import images_of

    found = saliency.explain_picture(run, path, label, site=site, own_code=own_code, watch=watch)
    [(_, root, image)] = images_of([path], ())
    return Looked(path=path, label=found.label, probability=found.probability, fields=found.fields, caution=saliency.CAUTION,
                  is_empty=not found.heat.any(), picture=painting.overlay(to_uint8(load(root, image)), found.heat, LONGEST),
                  colours=painting.coloured(np.linspace(0, 1, 64)))


def grid_of(found: Answered) -> tuple[Grid, frozenset[tuple[int, int]]]:
    """A row an image, in a line each; and the cells that need a second look: what could not be read, and why."""
    names = [answer.path.name for answer in found.answers]
    shown = [answer.path.name if names.count(answer.path.name) == 1 else f"{answer.path.parent.name}/{answer.path.name}"
             for answer in found.answers] if len(names) <= FEW else names
    draws = any(answer.mask for answer in found.answers)
    answer = "Answer" if any(answer.called for answer in found.answers) else "Highest finding"
    heads, numeric = (("Image", "Mask", "Problem"), (False, False, False)) if draws else (
        ("Image", answer, "Probability", "Problem"), (False, False, True, False))
    rows = tuple((name, *_said(answer, draws), f"\N{WARNING SIGN} {answer.error}" if answer.error else "")
                 for name, answer in zip(shown, found.answers, strict=True))
    failed = frozenset((row, len(heads) - 1) for row, answer in enumerate(found.answers) if answer.error)
    return Grid(columns=heads, rows=rows, numeric=numeric), failed


def _said(answer: Answer, draws: bool) -> tuple[str, ...]:
    if draws:
        return (answer.mask.name if answer.mask else "",)
    if not answer.shares:
        return "", ""
    name = answer.called or answer.shares[0][0]
    return name, f"{dict(answer.shares)[name]:.3f}"


def exported(found: Answered, file: Path) -> Path:
    """Write the answers as a table, as `wardround predict --csv`; returns the file."""
    from wardround.runs.folder import write_text
    from wardround.session.prediction import Prediction, as_csv

    write_text(file, as_csv([Prediction(path=answer.path, probabilities=_in_order(found, answer), mask=answer.mask, error=answer.error)
                             for answer in found.answers]))
    return file


def _in_order(found: Answered, answer: Answer) -> dict[str, float]:
    """Probabilities in the model's order of classes."""
    from wardround.runs.folder import read_json

    shares = dict(answer.shares)
    return {name: shares[name] for name in read_json(found.run / "model.json")["classes"] if name in shares}


def saved(found: Answered, folder: Path) -> tuple[Path, ...]:
    """Copy the masks into a folder; DataError, and nothing copied, if one of that name lies there."""
    masks = [answer.mask for answer in found.answers if answer.mask is not None]
    if taken := [mask.name for mask in masks if (folder / mask.name).exists()]:
        raise DataError(f"{folder} holds {taken[0]}{f' and {len(taken) - 1} more' if len(taken) > 1 else ''} already, which would be lost. "
                        "Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(Path(shutil.copy2(mask, folder / mask.name)) for mask in masks)


def predict_command(run: Path, paths: Sequence[Path], *, draws: bool = False, site: str = "", own_code: bool = False) -> str:
    """The command that answers the same."""
    return shlex.join(["wardround", "predict", str(run), *(map(str, paths) if paths else ["PATH"]), *(["--out", "masks"] if draws else []),
                       *_further(site, own_code)])


def explain_command(run: Path, path: Path, label: str, *, site: str = "", own_code: bool = False) -> str:
    """The command that draws the same heat."""
    return shlex.join(["wardround", "explain", str(run), str(path), "--out", "heat", "--class", label, *_further(site, own_code)])


def _further(site: str, own_code: bool) -> list[str]:
    return [*(["--site", site] if site else []), *(["--own-code"] if own_code else [])]
