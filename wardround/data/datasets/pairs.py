"""Images and their masks, joined by file name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from wardround.errors import CatalogueError

_MASK_ENDING = re.compile(r"[_-](mask|seg|label)s?$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """File names. images and masks: as many, in the images' order; alone: images without mask, then masks without image."""

    images: list[str]
    masks: list[str]
    alone: list[str]


def stem(name: str) -> str:
    """A file's name without its suffix; .nii.gz is one suffix."""
    return PurePath(name[:-3] if name.lower().endswith(".nii.gz") else name).stem


def pair(place: Path, images: Sequence[str], masks: Sequence[str]) -> Pairs:
    """Join each image to the mask of the same stem, or of its stem with _mask, _seg or _label.

    CatalogueError if two images, or two masks of one image, share a stem: which is meant cannot be known."""
    image_of: dict[str, str] = {}
    mask_of: dict[str, str] = {}
    for image in images:
        _put(place, image_of, stem(image), image)
    for mask in masks:
        exact = stem(mask)
        _put(place, mask_of, exact if exact in image_of else _MASK_ENDING.sub("", exact), mask)
    both = [key for key in image_of if key in mask_of]
    return Pairs(images=[image_of[key] for key in both], masks=[mask_of[key] for key in both],
                 alone=[image for key, image in image_of.items() if key not in mask_of]
                 + [mask for key, mask in mask_of.items() if key not in image_of])


def left_out(names: Sequence[str]) -> str:
    """What is said of the files that stay out of a catalogue: their number. Names tell patients and are not logged."""
    return f"{len(names)} left out, an image without mask or a mask without image"


def _put(place: Path, held: dict[str, str], key: str, name: str) -> None:
    if key in held:
        raise CatalogueError(f"{place}: {held[key]} and {name} belong to one image or mask, '{key}'. Keep one of them.")
    held[key] = name
