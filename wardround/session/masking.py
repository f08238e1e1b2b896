"""Segmentations of new images as mask files, in each image's own size, place and label numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from wardround.build import patch_of
from wardround.data.cache import resized
from wardround.data.catalogue import files_of
from wardround.data.geometry import prepared_volume
from wardround.data.readers.image import Image, load, to_uint8
from wardround.data.transforms import normalise
from wardround.data.volumes import read_volume
from wardround.session.trained import Trained
from wardround.sites.segment import segmented


def write_mask(trained: Trained, root: Path, image: str, out: Path, taken: Collection[Path | None] = ()) -> Path:
    """Segment one image and write OUT/NAME_mask.png, or OUT/NAME_mask.nii.gz of a volume, with the data set's own label numbers.

    taken: masks that stay as they are: after them comes NAME-2_mask.png."""
    first = root / files_of(image)[0]
    stem, suffix = Path(first.name.removesuffix(".gz")).stem, "png" if trained.data.dims == 2 else "nii.gz"
    path = next(path for path in _names(out, stem, suffix) if path not in taken)
    if trained.data.dims == 2:
        Picture.fromarray(_numbers(trained)[_picture_labels(trained, load(root, image))]).save(path)
        return path
    from wardround.data.readers.nifti import write_labels

    labels = _volume_labels(trained, read_volume(root, image, channels=trained.data.channels))
    write_labels(_numbers(trained)[labels], like=first, path=path)
    return path


def _names(out: Path, stem: str, suffix: str) -> Iterator[Path]:
    yield out / f"{stem}_mask.{suffix}"
    for number in count(2):
        yield out / f"{stem}-{number}_mask.{suffix}"


def _numbers(trained: Trained) -> np.ndarray:
    """The data set's number of each class: (256,) uint8, uint16 where a number is above 255."""
    values: dict[str, int] = trained.record["mask_values"]
    numbers = np.zeros(256, np.uint8 if max(map(int, values)) <= np.iinfo(np.uint8).max else np.uint16)
    for value, label in reversed(values.items()):
        numbers[label] = int(value)  # where two numbers mean one class, the reader names the usual one first
    return numbers


def _picture_labels(trained: Trained, image: Image) -> np.ndarray:
    """(H, W) uint8 class of each pixel of the picture as it was."""
    pixels = to_uint8(image)
    shown = torch.tensor(resized(pixels, size=trained.data.size, channels=trained.data.channels))[None]
    labels = _labels(trained, normalise(shown, trained.data.normalise)[0][:, None])[0]
    height, width = pixels.shape[1:]
    return np.asarray(Picture.fromarray(labels).resize((width, height), Picture.Resampling.NEAREST))


def _volume_labels(trained: Trained, image: Image) -> np.ndarray:
    """(D, H, W) uint8 class of each voxel of the volume as it was, in RAS."""
    array, geometry = prepared_volume(image, spacing_mm=trained.data.spacing_mm)
    return geometry.put_back(_labels(trained, torch.from_numpy(array).float()))


def _labels(trained: Trained, image: Tensor) -> np.ndarray:
    """(D, H, W) uint8 from (C, D, H, W)."""
    with torch.inference_mode():
        logits = segmented(trained.network, image, patch_of(trained.data), len(trained.classes))
    labels: np.ndarray = logits.argmax(0).to(torch.uint8).cpu().numpy()
    return labels
