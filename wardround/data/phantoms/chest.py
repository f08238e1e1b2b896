"""Phantoms of the chest X-ray sets: frontal films of lungs that are clear or hold a pneumonia.

x and y are -1 to 1 over the chest; the patient's right is at the left of the picture. Bright is dense, as on film.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.core.events import Progress, Watch
from wardround.data.phantoms import drawing
from wardround.data.phantoms.drawing import Array, ellipse, line, paint, step
from wardround.rng import stream

CLASSES = ("NORMAL", "PNEUMONIA")
SPLITS = {"train": 0.7, "val": 0.1, "test": 0.2}
PNEUMONIA_SHARE = 0.6
REPORT_EVERY = 50  # images
MNIST_PX = 28


@dataclass(frozen=True, kw_only=True)
class Film:
    """One image that is to be drawn. kind: "clear", "bacteria" or "virus"; patient: a name that only this patient has."""

    split: str
    label: int
    kind: str
    patient: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Chest:
    """The coordinates of a chest and where its lungs are."""

    x: Array
    y: Array
    lungs: Array


@dataclass(frozen=True, kw_only=True)
class Build:
    """How a chest differs from a child's of ordinary proportions.

    width: smallest and largest, over the height; field: how much of the film the chest fills. heart, dome, air, girth, slope:
    factors of the heart's size, the height of the diaphragm's domes, the lungs' brightness, the trunk's width and the fall of the
    shoulders. floors: how far the two halves of the diaphragm (left and right in the picture) lie lower.
    """

    width: tuple[float, float] = (1.15, 1.35)
    field: float = 1.0
    heart: float = 1.0
    dome: float = 1.0
    air: float = 1.0
    girth: float = 1.0
    slope: float = 1.0
    floors: tuple[float, float] = (0.0, 0.0)


CHILD = Build()


def write_folders(folder: Path, num: int, seed: int, watch: Watch) -> None:
    """Write num films as {train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg of 224 x 224; some patients have several, all in one split.

    What was drawn there before is removed. CatalogueError if num is below 30 or the class folders hold other images.
    """
    drawing.check_num(num)
    drawing.empty_folders(folder, [f"{split}/{name}" for split in SPLITS for name in CLASSES])
    for film, pixels in _drawn(num, seed, watch):
        drawing.save_jpeg(pixels, folder / film.split / CLASSES[film.label] / film.file)


def write_npz(path: Path, num: int, seed: int, watch: Watch) -> None:
    """Write the same films, 28 x 28 and in random order, as MedMNIST does: {train,val,test}_{images,labels} in one .npz.

    An older file is replaced at the end. CatalogueError if num is below 30.
    """
    drawing.check_num(num)
    images: dict[str, list[Array]] = {split: [] for split in SPLITS}
    labels: dict[str, list[int]] = {split: [] for split in SPLITS}
    for film, pixels in _drawn(num, seed, watch):
        images[film.split].append(np.asarray(Image.fromarray(pixels).resize((MNIST_PX, MNIST_PX), Image.Resampling.BICUBIC)))
        labels[film.split].append(film.label)
    arrays: dict[str, Array] = {}
    for split in SPLITS:
        order = stream(seed, "phantom", "chest", split).permutation(len(labels[split]))
        arrays[f"{split}_images"] = np.stack(images[split])[order]
        arrays[f"{split}_labels"] = np.array(labels[split], dtype=np.uint8)[order, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    part.replace(path)


def draw(film: Film, seed: int) -> Array:
    """The film: (224, 224) uint8. A patient's films share the anatomy, not the position."""
    body, rng = stream(seed, "phantom", "chest", film.patient), stream(seed, "phantom", "chest", film.patient, film.file)
    chest = chest_of(body, rng, CHILD)
    picture = soft_tissue(body, chest, CHILD)
    if film.kind != "clear":
        picture = _pneumonia(rng, chest, picture, diffuse=film.kind == "virus")
    return exposed(rng, bones(body, chest, picture))


def _drawn(num: int, seed: int, watch: Watch) -> Iterator[tuple[Film, Array]]:
    for done, film in enumerate(_films(num, seed), start=1):
        yield film, draw(film, seed)
        if done % REPORT_EVERY == 0 or done == num:
            watch(Progress(stage="phantom", done=done, total=num))


def _films(num: int, seed: int) -> list[Film]:
    """Every image, class by class; within a split, patients get one to three images until the split is full."""
    rng = stream(seed, "phantom", "chest", "patients")
    films: list[Film] = []
    num_sick = round(num * PNEUMONIA_SHARE)
    for label, count in enumerate((num - num_sick, num_sick)):
        counts = {split: round(count * share) for split, share in SPLITS.items() if split != "train"}
        counts = {"train": count - sum(counts.values()), **counts}
        patient = 0
        for split, size in counts.items():
            left = size
            while left:
                patient += 1
                several = min(left, int(rng.choice([1, 2, 3], p=[0.75, 0.18, 0.07])))
                kind = str(rng.choice(["bacteria", "virus"], p=[0.65, 0.35])) if label else "clear"
                films += [_film(split, label, kind, patient, i) for i in range(1, several + 1)]
                left -= several
    return films


def _film(split: str, label: int, kind: str, patient: int, image: int) -> Film:
    name = f"person{patient}" if label else f"IM-{patient + 100:04d}"
    file = f"{name}_{kind}_{image + 3 * patient}.jpeg" if label else f"{name}-{image:04d}.jpeg"
    return Film(split=split, label=label, kind=kind, patient=name, file=file)


def chest_of(body: np.random.Generator, rng: np.random.Generator, build: Build) -> Chest:
    """A patient's chest (body) as it lies on one film (rng)."""
    scale, wide = build.field * rng.uniform(0.95, 1.15), body.uniform(*build.width)
    x, y = drawing.placed(*drawing.grid(), centre=(rng.normal(0, 0.05), rng.normal(0.08, 0.05)), angle=rng.normal(0, 0.04))
    x, y = x / np.float32(scale * wide), y / np.float32(scale)
    x = x + np.float32(0.02) * drawing.clouds(body, 3)
    lungs = np.zeros_like(x)
    for side in (-1, 1):
        floor = body.uniform(0.42, 0.55) + (0.04 if side > 0 else 0.0) + build.floors[side > 0]
        top = body.uniform(-0.82, -0.72)
        height = floor - top
        t = np.clip((y - top) / height, 0, 1)
        outer = 0.3 + 0.44 * np.sqrt(t) * (1 - 0.05 * t)
        inner = 0.11 + 0.06 * t
        dome = floor - 0.16 * build.dome * np.exp(-np.square((np.abs(x) - 0.36) / 0.25)) + 0.1 * step(np.abs(x) - 0.6, 0.12)
        sideways = step(side * x - inner, 0.04) * step(outer - side * x, 0.04)
        lungs = np.maximum(lungs, sideways * step(y - top, 0.05) * step(dome - y, 0.03))
    return Chest(x=x, y=y, lungs=lungs.astype(np.float32))


def soft_tissue(body: np.random.Generator, chest: Chest, build: Build) -> Array:
    """Trunk, neck and arms on black; dark lungs with branching vessels; heart, belly."""
    x, y = chest.x, chest.y
    width = build.girth * (0.82 + 0.06 * np.cos(2 * y))
    trunk = step(width - np.abs(x), 0.05) * step(y + 0.75 - 0.55 * build.slope * np.square(np.abs(x)), 0.08)
    neck = step(0.3 - np.abs(x), 0.06) * step(-y, 0.5)
    shoulder = step(y + 0.86 - 0.35 * build.slope * np.abs(x), 0.06)
    tissue = np.maximum.reduce([trunk, neck, shoulder * step(1.25 - np.abs(x), 0.1)])
    picture = tissue * np.float32(body.uniform(0.5, 0.6)) * (1 + 0.04 * drawing.clouds(body, 4, octaves=2))
    air = build.air * body.uniform(0.14, 0.24)
    vessels = drawing.clouds(body, 14, octaves=3)
    hilum = np.exp(-np.square((np.abs(x) - 0.2) / 0.25) - np.square((y + 0.05) / 0.35))
    picture = paint(picture, chest.lungs, air + (0.03 + 0.1 * hilum) * line(vessels, 0.5) + 0.08 * hilum)
    centre = (build.heart * body.uniform(0.1, 0.16), body.uniform(0.18, 0.26))
    heart = ellipse(x, y, centre=centre, size=(build.heart * body.uniform(0.24, 0.32), 0.44 * (0.6 + 0.4 * build.heart)), angle=-0.45,
                    softness=0.05)
    picture = paint(picture, 0.92 * heart * step(0.62 - y, 0.1), 0.62)
    picture = paint(picture, 0.9 * step(0.13 + 0.05 * np.exp(-np.square((y + 0.35) / 0.15)) - np.abs(x), 0.06), 0.58)
    belly = step(y - 0.5, 0.08) * (1 - chest.lungs) * step(width - np.abs(x), 0.05)
    return paint(picture, 0.7 * belly, 0.72)


def _pneumonia(rng: np.random.Generator, chest: Chest, picture: Array, *, diffuse: bool) -> Array:
    """White shadows in the lungs. diffuse: a haze with streaks from the hila on both sides; else one to three dense patches."""
    x, y = chest.x, chest.y
    strength = rng.uniform(0.2, 0.75)
    cloud = drawing.clouds(rng, 6, octaves=3)
    if diffuse:
        spread = np.exp(-np.square((np.abs(x) - 0.28) / 0.3) - np.square((y + 0.02) / 0.5))
        mask = spread * np.clip(0.55 + 0.35 * cloud, 0, 1)
    else:
        mask = np.zeros_like(x)
        for _ in range(rng.integers(1, 4)):
            where = (rng.choice([-1, 1]) * rng.uniform(0.3, 0.5), rng.uniform(-0.45, 0.4))
            r = drawing.radius(x - where[0], y - where[1], rx=rng.uniform(0.15, 0.38), ry=rng.uniform(0.15, 0.38))
            mask = np.maximum(mask, step(1 - r + 0.2 * cloud, 0.35))
    return paint(picture, np.clip(mask, 0, 1) * chest.lungs * np.float32(strength), 0.7)


def bones(body: np.random.Generator, chest: Chest, picture: Array) -> Array:
    """Ribs behind and in front, spine with its discs, collar bones."""
    x, y, away = chest.x, chest.y, np.abs(chest.x)
    pitch = body.uniform(0.15, 0.18)
    wall = 0.34 + 0.44 * np.sqrt(np.clip((y + 0.8) / 1.3, 0, 1))  # where the ribs turn forward
    cage = step(wall + 0.05 - away, 0.03) * step(away - 0.1, 0.03) * step(y + 0.88, 0.06) * step(0.65 - y, 0.15)
    behind = (y + 0.12 * away - 0.75 * np.square(np.maximum(away - 0.2, 0))) / pitch
    front = (y - 0.75 * away + 0.35 * np.square(away)) / (pitch * 1.2) + 0.3
    ribs = line(behind - np.round(behind), 0.24) * (0.1 + 0.05 * line(away - wall, 0.12))
    ribs += line(front - np.round(front), 0.2) * 0.035 * step(away - 0.35, 0.1)
    picture = picture + cage * ribs
    picture = picture + 0.07 * step(0.09 - away, 0.03) * (1 + 0.35 * np.cos(2 * np.pi * y / (pitch * 0.85)))
    for side in (-1, 1):
        bone = line(y + body.uniform(0.62, 0.72) + 0.25 * np.sin(1.8 * (side * x - 0.1)), 0.035)
        picture = picture + 0.14 * bone * step(side * x - 0.08, 0.03) * step(0.62 - side * x, 0.06)
    return picture


def exposed(rng: np.random.Generator, picture: Array) -> Array:
    """Exposure, film curve, scatter and grain; (224, 224) uint8."""
    haze = rng.uniform(0, 0.1)
    film = (picture + haze + 0.03 * drawing.clouds(rng, 2)) * rng.uniform(0.85, 1.2)
    film = drawing.enlarged(np.clip(film, 0, 1.2) ** rng.uniform(0.8, 1.25))
    grain = rng.standard_normal(film.shape, dtype=np.float32) * np.float32(rng.uniform(0.006, 0.02))
    return drawing.to_bytes(film + grain)
