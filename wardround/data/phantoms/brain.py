"""Phantoms of the brain tumour set: MRI slices with a glioma, a meningioma, a pituitary tumour or none.

Lengths are in half heads: the scalp is about 1 from the centre of the slice. Front, or the top of the head, is up (y < 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Progress, Watch
from wardround.data.phantoms import drawing
from wardround.data.phantoms.drawing import Array, ellipse, line, paint, step
from wardround.rng import stream

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
TEST_SHARE = 0.2
REPORT_EVERY = 50  # images
CORONAL_HORNS = ((0.12, -0.16, 0.14, -0.6),)  # of the lateral ventricles: distance from the midline, height, half length, angle
AXIAL_HORNS = ((0.11, -0.2, 0.17, 0.35), (0.2, 0.3, 0.17, -0.4))
BRAIN = 0.84  # radius of the brain's surface; skull and scalp lie between it and 1


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How bright a sequence shows each tissue, 0 to 1."""

    grey: float
    white: float
    fluid: float
    fat: float
    muscle: float
    tumour: float
    oedema: float


SEQUENCES = {
    "t1": Contrast(grey=0.30, white=0.40, fluid=0.08, fat=0.80, muscle=0.34, tumour=0.82, oedema=0.2),
    "t2": Contrast(grey=0.46, white=0.34, fluid=0.80, fat=0.58, muscle=0.22, tumour=0.78, oedema=0.7),
    "flair": Contrast(grey=0.46, white=0.38, fluid=0.10, fat=0.62, muscle=0.28, tumour=0.84, oedema=0.68),
}
SHARES = (0.8, 0.08, 0.12)  # of the sequences; T1 with contrast agent is the commonest in the real set


@dataclass(frozen=True, kw_only=True)
class Head:
    """One slice before anything is drawn: its coordinates and what all its parts share."""

    x: Array
    y: Array
    rho: Array  # 1 on the scalp
    coronal: bool
    low: bool  # an axial slice through the skull base, with eyes and no lateral ventricles
    tissue: Contrast


def write(folder: Path, num: int, seed: int, watch: Watch) -> None:
    """Write num slices as {Training,Testing}/CLASS/*.jpg of 224 x 224, all classes equally often, a fifth of each for testing.

    What was drawn there before is removed. CatalogueError if num is below 30 or the class folders hold other images.
    """
    drawing.check_num(num)
    drawing.empty_folders(folder, [f"{part}/{name}" for part in ("Training", "Testing") for name in CLASSES])
    for done, (name, path) in enumerate(_files(num), start=1):
        pixels = draw(name, stream(seed, "phantom", "brain", path))
        drawing.save_jpeg(pixels, folder / path)
        if done % REPORT_EVERY == 0 or done == num:
            watch(Progress(stage="phantom", done=done, total=num))


def draw(name: str, rng: np.random.Generator) -> Array:
    """A slice of this class: (224, 224) uint8."""
    head = _head(rng, low=name == "pituitary")
    picture = _brain(rng, head)
    if name == "glioma":
        picture = _glioma(rng, head, picture)
    elif name == "meningioma":
        picture = _meningioma(rng, head, picture)
    picture = _shell(rng, head, picture)
    picture = _sella(rng, head, picture, enlarged=name == "pituitary")
    return _scanned(rng, picture)


def _files(num: int) -> list[tuple[str, str]]:
    """Class and path of every image, in the order in which they are drawn."""
    files = []
    for k, name in enumerate(CLASSES):
        count = num // len(CLASSES) + (k < num % len(CLASSES))
        num_test = round(count * TEST_SHARE)
        for part, first, size in (("Training", "Tr", count - num_test), ("Testing", "Te", num_test)):
            files += [(name, f"{part}/{name}/{first}-{name[:2]}_{i:04d}.jpg") for i in range(10, 10 + size)]
    return files


def _head(rng: np.random.Generator, *, low: bool) -> Head:
    """A head at random; low: an axial slice must be one through the skull base."""
    coronal = bool(rng.random() < 0.35)
    scale = rng.uniform(0.82, 0.97)
    x, y = drawing.placed(*drawing.grid(), centre=(rng.normal(0, 0.04), rng.normal(0, 0.04)), angle=rng.normal(0, 0.09))
    x, y = x / np.float32(scale), y / np.float32(scale)
    if coronal:
        y = y + np.float32(0.12)
    rx, ry = (rng.uniform(0.78, 0.86), rng.uniform(0.82, 0.9)) if coronal else (rng.uniform(0.74, 0.84), rng.uniform(0.94, 1.02))
    rho = drawing.radius(x, y, rx=rx, ry=ry) / drawing.outline(rng, x, y, strength=0.015, waves=(2, 3, 4))
    sequence = SEQUENCES[str(rng.choice(list(SEQUENCES), p=SHARES))]
    varied = {name: value * rng.uniform(0.9, 1.1) for name, value in vars(sequence).items()}
    return Head(x=x, y=y, rho=rho, coronal=coronal, low=not coronal and bool(rng.random() < 0.4 or low), tissue=Contrast(**varied))


def _brain(rng: np.random.Generator, head: Head) -> Array:
    """Folded grey matter over white, deep nuclei, ventricles, the cleft between the halves, small vessels."""
    tissue, depth = head.tissue, BRAIN - head.rho
    folds = drawing.clouds(rng, rng.uniform(13, 18), octaves=2)
    reach = step(rng.uniform(0.3, 0.44) - depth + 0.06 * drawing.clouds(rng, 6), 0.12)
    picture = np.full_like(head.x, tissue.white) * (1 + np.float32(0.04) * drawing.clouds(rng, 14, octaves=2))
    picture = paint(picture, np.maximum(line(folds, 0.55) * reach, step(0.06 - depth, 0.03)), tissue.grey)
    for side in (-1, 1):
        where = (side * rng.uniform(0.17, 0.22), rng.uniform(0.0, 0.1))
        nucleus = ellipse(head.x, head.y, centre=where, size=(0.1, 0.17), angle=0.3 * side, softness=0.04)
        picture = paint(picture, 0.7 * nucleus, tissue.grey)
    sulci = line(folds, rng.uniform(0.12, 0.24)) * reach * np.float32(rng.uniform(0.3, 0.6))
    picture = paint(picture, np.maximum(sulci, step(0.012 - depth, 0.015)), tissue.fluid)
    picture = paint(picture, _ventricles(rng, head), tissue.fluid)
    cleft = line(head.x + 0.012 * drawing.clouds(rng, 4), 0.02) * step(np.abs(head.y + 0.05) - 0.36, 0.05)
    if head.coronal:
        cleft = cleft * (head.y < 0)
    picture = paint(picture, cleft * 0.8, tissue.fluid)
    for _ in range(rng.integers(0, 5)):
        where = (rng.normal(0, 0.3), rng.normal(0, 0.35))
        spot = ellipse(head.x, head.y, centre=where, size=(rng.uniform(0.012, 0.04), rng.uniform(0.012, 0.05)), angle=rng.uniform(0, 3))
        picture = paint(picture, spot * np.float32(rng.uniform(0.15, 0.5)), tissue.tumour)
    return picture


def _ventricles(rng: np.random.Generator, head: Head) -> Array:
    width = rng.uniform(0.035, 0.085)
    mask: Array = ellipse(head.x, head.y, centre=(0, 0.08), size=(0.02, 0.09), softness=0.02)  # the third ventricle
    horns = () if head.low else CORONAL_HORNS if head.coronal else AXIAL_HORNS
    for aside, down, length, angle in horns:
        for side in (-1, 1):
            horn = ellipse(head.x, head.y, centre=(side * aside, down), size=(width, length), angle=side * angle)
            mask = np.maximum(mask, horn)
    return mask


def _glioma(rng: np.random.Generator, head: Head, picture: Array) -> Array:
    """An irregular mass within the brain: dark core, bright broken rim, a halo of oedema; a tenth show hardly any rim."""
    tissue, size = head.tissue, rng.uniform(0.15, 0.3)
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.5)
    centre = (far * np.cos(angle) * 0.85, far * np.sin(angle) - (0.1 if head.coronal else 0))
    x, y = drawing.placed(head.x, head.y, centre=centre, angle=rng.uniform(0, np.pi))
    rough = drawing.clouds(rng, 8, octaves=2)
    r = drawing.radius(x, y, rx=size, ry=size * rng.uniform(0.7, 1.0)) / drawing.outline(rng, x, y, strength=0.2, waves=(2, 3, 5))
    r = r + np.float32(0.12) * rough
    inside = step(BRAIN - 0.02 - head.rho, 0.02)
    halo = step(rng.uniform(1.35, 2.0) - r + 0.25 * drawing.clouds(rng, 6), 0.25) * inside
    picture = paint(picture, halo * np.float32(rng.uniform(0.6, 0.95)), tissue.oedema)
    core = tissue.fluid * 0.6 + tissue.grey * 0.4
    picture = paint(picture, step(1 - r, 0.15) * inside * 0.9, core * (1 + 0.15 * rough))
    strength = rng.uniform(0.1, 0.35) if rng.random() < 0.1 else rng.uniform(0.6, 1.0)
    rim = line(r - 0.95, rng.uniform(0.22, 0.38)) * np.clip(0.8 + 0.4 * drawing.clouds(rng, 5), 0, 1) * inside
    return paint(picture, rim * np.float32(strength), tissue.tumour)


def _meningioma(rng: np.random.Generator, head: Head, picture: Array) -> Array:
    """A round even mass with a sharp edge that sits on the inner skull, or on the falx."""
    size = rng.uniform(0.15, 0.29)
    if rng.random() < 0.2:
        centre = (rng.choice([-1, 1]) * size * 0.8, rng.uniform(0.4, 0.6) * (1 if head.low else -1))
    else:
        first, last = (0.9, 2.1) if head.coronal else (-0.15, 1.15) if head.low else (0.0, 2.0)  # above the face, or behind the eyes
        angle = np.pi * rng.uniform(first, last)
        rx, ry = (0.82, 0.86) if head.coronal else (0.79, 0.98)
        far = BRAIN - size * rng.uniform(0.55, 0.95)
        centre = (far * rx * np.cos(angle), far * ry * np.sin(angle))
    x, y = drawing.placed(head.x, head.y, centre=centre, angle=rng.uniform(0, np.pi))
    r = drawing.radius(x, y, rx=size, ry=size * rng.uniform(0.8, 1.0)) / drawing.outline(rng, x, y, strength=0.05, waves=(2, 3))
    inside = step(BRAIN - head.rho, 0.015)
    picture = paint(picture, 0.5 * line(r - 1.1, 0.15) * inside, head.tissue.fluid)
    value = head.tissue.grey + (head.tissue.tumour - head.tissue.grey) * rng.uniform(0.65, 0.95)
    return paint(picture, step(1 - r, 0.1) * inside, value * (1 + np.float32(0.04) * drawing.clouds(rng, 16)))


def _shell(rng: np.random.Generator, head: Head, picture: Array) -> Array:
    """Dark skull and bright scalp around the brain; black outside; eyes, or the neck, where the plane shows them."""
    tissue, rho = head.tissue, head.rho
    inner = BRAIN + rng.uniform(0.0, 0.03)
    scalp_from = rng.uniform(0.9, 0.95)
    picture = paint(picture, step(rho - inner, 0.012), 0.05)
    fat = tissue.fat * (1 + 0.1 * drawing.clouds(rng, 10))
    picture = paint(picture, step(rho - scalp_from, 0.012), fat)
    body: Array = step(1 - rho, 0.012)
    if head.coronal:
        picture, body = _neck(rng, head, picture, body)
    if head.low:
        for side in (-1, 1):
            picture = paint(picture, ellipse(head.x, head.y, centre=(side * 0.3, -0.72), size=(0.2, 0.2), softness=0.03), tissue.fat * 0.8)
            picture = paint(picture, ellipse(head.x, head.y, centre=(side * 0.3, -0.78), size=(0.12, 0.12)), tissue.fluid * 0.5 + 0.1)
        nose = ellipse(head.x, head.y, centre=(0, -0.7), size=(0.14, 0.26), softness=0.04)
        picture = paint(picture, nose, tissue.muscle * np.clip(0.6 + 0.6 * drawing.clouds(rng, 16), 0, 2))
    shown: Array = picture * body
    return shown


def _neck(rng: np.random.Generator, head: Head, picture: Array, body: Array) -> tuple[Array, Array]:
    """Skull base, pharynx and muscles below the brain, and the outline with them."""
    width = rng.uniform(0.56, 0.7) - 0.12 * step(head.y - 0.75, 0.3) + 0.02 * drawing.clouds(rng, 5)
    aside = np.abs(head.x)
    neck = step(width - aside, 0.02) * step(head.y - 0.4, 0.05)
    below = step(head.y - 0.46 - 0.12 * np.cos(7 * head.x) + 0.03 * drawing.clouds(rng, 6), 0.03)
    streaks = drawing.clouds(rng, 7, octaves=3)
    flesh = head.tissue.muscle * (1 + 0.3 * streaks) + head.tissue.fat * 0.4 * np.clip(drawing.clouds(rng, 10, octaves=3), 0, 1)
    picture = paint(picture, below * np.maximum(step(0.93 - head.rho, 0.02), neck), np.clip(flesh, 0.03, 1))
    picture = paint(picture, line(aside - width + 0.04, 0.03) * step(head.y - 0.6, 0.1), head.tissue.fat)
    for side, height in ((0.0, 0.68), (-0.3, 0.62), (0.3, 0.62)):
        size = (rng.uniform(0.06, 0.14), rng.uniform(0.05, 0.13))
        picture = paint(picture, 0.9 * ellipse(head.x, head.y, centre=(side, height), size=size, softness=0.03), 0.03)
    return picture, np.maximum(body * step(0.72 - head.y, 0.06), neck)


def _sella(rng: np.random.Generator, head: Head, picture: Array, *, enlarged: bool) -> Array:
    """The pituitary gland at the midline of the skull base, seen in most low slices; enlarged: a tumour of it."""
    centre = (rng.normal(0, 0.015), (0.42 if head.coronal else -0.22) + rng.normal(0, 0.03))
    cistern = ellipse(head.x, head.y, centre=centre, size=(0.2, 0.12), softness=0.06)
    if enlarged:
        size = rng.uniform(0.1, 0.18)
        value = head.tissue.grey + (head.tissue.tumour - head.tissue.grey) * rng.uniform(0.65, 0.95)
    elif head.coronal or head.low:
        size, value = rng.uniform(0.03, 0.055), head.tissue.tumour * 0.9
    else:
        return picture
    picture = paint(picture, 0.8 * cistern, head.tissue.fluid)
    x, y = drawing.placed(head.x, head.y, centre=centre, angle=0.0)
    r = drawing.radius(x, y, rx=size * rng.uniform(0.8, 1.1), ry=size) / drawing.outline(rng, x, y, strength=0.08, waves=(2, 3, 4))
    return paint(picture, step(1 - r, 0.15), value * (1 + np.float32(0.06) * drawing.clouds(rng, 14)))


def _scanned(rng: np.random.Generator, picture: Array) -> Array:
    """What the scanner makes of it: uneven coil, contrast curve, and noise of Rician distribution; (224, 224) uint8."""
    uneven = 1 + np.float32(rng.uniform(0.05, 0.18)) * drawing.clouds(rng, 1.5)
    signal = drawing.enlarged(np.clip(picture * uneven, 0, 1.2) ** np.float32(rng.uniform(0.85, 1.25))) * np.float32(rng.uniform(0.8, 1.1))
    real, imaginary = rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(rng.uniform(0.008, 0.035))
    return drawing.to_bytes(np.hypot(signal + real, imaginary))
