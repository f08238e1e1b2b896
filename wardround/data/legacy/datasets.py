"""Pickled data sets (.p, .pkl): images with labels, found in the forms that people pickled them in, as a labelled folder."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from wardround.core.untrusted import cell
from wardround.data.legacy import inert, names, tensors
from wardround.data.legacy.grey import Scale, picture, scale_of
from wardround.errors import DataError, WardroundError
from wardround.lookup import suggestion

IMAGES = ("images", "image", "imgs", "data", "x", "features")  # keys of a dict, in small letters
LABELS = ("labels", "label", "y", "targets", "target", "classes")
PATIENTS = ("patients", "patient", "patient_ids", "patient_id")
SITES = ("sites", "site", "hospitals", "hospital")
FORMS = ("Known forms: [labels, images], (images, labels), a list of (image, label), a dict with the keys 'images' and 'labels'; images "
         "of two dimensions, grey or colour.")
_LONGEST_NAME = 100
_NO_NAMES = frozenset('/\\:*?"<>|')  # signs that would lead elsewhere, or that Windows refuses


@dataclass(frozen=True, kw_only=True)
class OldSet:
    """Images and labels as pickled, one each; patients and sites are empty where the file has none."""

    images: Sequence[object]
    labels: Sequence[object]
    patients: Sequence[object] = ()
    sites: Sequence[object] = ()


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What `convert` wrote. counts: images by class; refused: rows left out, by reason; rule: how grey values became 8 bits."""

    folder: Path
    counts: dict[str, int]
    refused: dict[str, int]
    rule: str
    has_manifest: bool

    def facts(self) -> dict[str, str]:
        """The report, by name."""
        return {"images": f"{sum(self.counts.values())} in {self.folder}",
                "classes": ", ".join(f"{name} {number}" for name, number in self.counts.items()),
                "grey values": self.rule,
                "left out": ", ".join(f"{number} ({reason})" for reason, number in self.refused.items()) or "none",
                "patients or sites": "in manifest.csv" if self.has_manifest else "not in the file",
                "executed": "nothing"}


def convert(source: Path, folder: Path, classes: Sequence[str] = ()) -> Converted:
    """Write a pickled data set as FOLDER/CLASS/00001.png, and manifest.csv where patients or sites are known.

    classes: names of the labels 0, 1 ...; without them a number is its own name. Nothing in the file is executed. DataError if it
    asks for that, is damaged, has another form, or if the folder is not empty. Stopped half-way, no folder is left.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not an empty folder; nothing is written over. Name a new one.")
    found = read(source)
    rows, refused = _rows(found, classes)
    if sum(pixels.size for pixels, _, _ in rows) > source.stat().st_size:
        raise DataError(f"{source}: {len(rows)} images of more pixels than the file has bytes: the same ones over and over, which would "
                        "fill the disk. Nothing was written.")
    if not rows:
        reasons = ", ".join(f"{number} {reason}" for reason, number in refused.items()) or "it is empty"
        raise DataError(f"{source}: no image with a label ({reasons}). {FORMS}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scale = scale_of([pixels for pixels, _, _ in rows])
        counts = _write(part, rows, found, scale)
        part.chmod(0o755)  # mkdtemp gives 700
        if folder.exists():
            folder.rmdir()
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Converted(folder=folder, counts=counts, refused=refused, rule=scale.text, has_manifest=(folder / "manifest.csv").is_file())


def read(source: Path) -> OldSet:
    """The images and labels of a pickle or of a file of torch.save."""
    if not source.is_file():
        raise DataError(f"{source}: no such file.")
    if tensors.is_torch_file(source):
        root = tensors.read_torch(source, names.for_data)
    else:
        with source.open("rb") as file:
            root = inert.load(file, str(source), names.for_data)
    with inert.guarded(str(source)):
        found = _from_dict(root) if isinstance(root, dict) else _from_list(root)
    if found is None:
        raise DataError(f"{source}: images and labels were not found in it ({_described(root)}). {FORMS}")
    for column, values in {"labels": found.labels, "patients": found.patients, "sites": found.sites}.items():
        if len(values) != len(found.images) and (values or column == "labels"):
            raise DataError(f"{source}: {len(values)} {column} for {len(found.images)} images. Every image needs one.")
    return found


def _from_dict(root: dict[object, object]) -> OldSet | None:
    by_key = {inert.text_of(key).lower(): value for key, value in root.items()}

    def column(keys: Sequence[str]) -> Sequence[object] | None:
        return next((_items(by_key[key]) for key in keys if key in by_key), None)

    images, labels = column(IMAGES), column(LABELS)
    if images is None or labels is None:
        return None
    return OldSet(images=images, labels=labels, patients=column(PATIENTS) or (), sites=column(SITES) or ())


def _from_list(root: object) -> OldSet | None:
    """Two columns, in either order, or pairs, in either order: told apart by the number of axes."""
    parts = _items(root)
    if len(parts) == 2:
        axes = [_axes(part) for part in parts]
        if min(axes) in (1, 2) and max(axes) > 2:
            labels, images = (parts[axis] for axis in np.argsort(axes))
            return OldSet(images=_items(images), labels=_items(labels))
    pairs = [_items(part) for part in parts]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        return None
    image = int(np.argmax([_axes(part) for part in pairs[0]]))
    if _axes(pairs[0][image]) < 2 or _axes(pairs[0][1 - image]) > 1:
        return None
    return OldSet(images=[pair[image] for pair in pairs], labels=[pair[1 - image] for pair in pairs])


def _items(value: object) -> Sequence[object]:
    """The elements of a list or along the first axis of an array; none for anything else."""
    found = inert.content(value)
    if isinstance(found, list | tuple):
        return found
    if not isinstance(found, np.ndarray) or not found.ndim:
        return ()
    return found.tolist() if found.ndim == 1 else list(found)


def _axes(value: object, deepest: int = 5) -> int:
    """Axes of an array, or levels of lists down to the first number."""
    found = inert.content(value)
    if isinstance(found, np.ndarray):
        return found.ndim
    return 1 + _axes(found[0], deepest - 1) if isinstance(found, list | tuple) and found and deepest else 0


def _described(root: object) -> str:
    if isinstance(root, dict):
        return f"a dict with the keys {', '.join(sorted(inert.text_of(key)[:30] for key in root)[:10]) or 'none'}"
    return f"a {type(inert.content(root)).__name__} of {len(_items(root))}"


Row = tuple[np.ndarray, str, int]  # pixels, class, place in the file


def _rows(found: OldSet, classes: Sequence[str]) -> tuple[list[Row], dict[str, int]]:
    """Rows that can be written, and how many cannot, by reason."""
    rows, refused = [], Counter[str]()
    for place, (image, label) in enumerate(zip(found.images, found.labels, strict=True)):
        try:
            rows.append((picture(image), _class_of(_label(label), classes), place))
        except WardroundError:
            raise
        except (ValueError, TypeError) as error:
            refused[str(error)] += 1
    return rows, dict(refused)


def _label(value: object) -> int | str:
    """A whole number or a name, from a scalar or a one-hot vector; ValueError for anything else."""
    found = inert.content(value)
    if isinstance(found, bytes):
        return found.decode("utf-8", "replace")
    if isinstance(found, str):
        return found.strip()
    vector = np.asarray(found).reshape(-1) if isinstance(found, list | tuple | np.ndarray | int | float) else np.empty(0)
    if vector.size == 1 and vector.dtype.kind in "US":
        return str(vector.astype(str)[0]).strip()
    if vector.size == 1 and vector.dtype.kind in "biuf" and float(vector[0]).is_integer():
        return int(vector[0])
    if vector.size > 1 and vector.dtype.kind in "biuf" and ((vector == 0) | (vector == 1)).all() and vector.sum() == 1:
        return int(vector.argmax())
    raise ValueError("label is neither a number, a name nor one-hot")


def _class_of(label: int | str, classes: Sequence[str]) -> str:
    """The folder of a label. DataError if --classes does not know it, or it cannot be a folder's name."""
    if isinstance(label, int) and classes:
        if not 0 <= label < len(classes):
            raise DataError(f"label {label} has no name: --classes names {len(classes)} ({', '.join(classes)}). Name the labels from 0 on.")
        label = classes[label]
    name = str(label)
    if classes and name not in classes:
        raise DataError(f"the file holds the label '{name[:_LONGEST_NAME]}', which --classes does not name."
                        f"{suggestion(name, list(classes))}")
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME or name.startswith(".") or set(name) & _NO_NAMES:
        raise DataError(f"label {name[:_LONGEST_NAME]!r} cannot be the name of a folder. Name the labels with --classes.")
    return name


def _write(folder: Path, rows: Sequence[Row], found: OldSet, scale: Scale) -> dict[str, int]:
    counts: dict[str, int] = {}
    table = []
    for pixels, name, place in rows:
        counts[name] = counts.get(name, 0) + 1
        image = f"{name}/{counts[name]:05}.png"
        (folder / name).mkdir(exist_ok=True)
        pillow.fromarray(scale(pixels)).save(folder / image)
        further = [inert.text_of(inert.content(column[place])) for column in (found.patients, found.sites) if column]
        table.append([*map(cell, [image, name, *further])])
    if found.patients or found.sites:
        header = ["image", "label", *(["patient"] if found.patients else []), *(["site"] if found.sites else [])]
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *table])
    return dict(sorted(counts.items()))
