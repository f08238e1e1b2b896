"""The pencil of the phantoms: soft shapes and smooth noise on small grids, and the files they end in.

Pictures are float32 arrays (DRAW_PX, DRAW_PX) of about 0 (black) to 1 (white). Masks have the same shape, 0 outside to 1 inside.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.errors import CatalogueError

DRAW_PX = 128  # shapes are drawn this large, then enlarged: a quarter of the work, and MRI and plain film are no sharper
FILE_PX = 224  # the size of the public sets' files
MIN_IMAGES = 30  # fewer leave a class without images in some split
BEGUN = ".drawn-by-wardround"  # says that the images beside it may be drawn anew
Array = np.ndarray


def grid(px: int = DRAW_PX) -> tuple[Array, Array]:
    """x to the right and y downwards, each (px, px), -1 to 1 from edge to edge."""
    line = (np.arange(px, dtype=np.float32) + 0.5) * (2 / px) - 1
    x, y = np.meshgrid(line, line)
    return x, y


def placed(x: Array, y: Array, *, centre: tuple[float, float], angle: float) -> tuple[Array, Array]:
    """Coordinates from a point and along axes turned by angle (radians, clockwise in the picture)."""
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return dx * cos + dy * sin, dy * cos - dx * sin


def step(inside: Array, softness: float) -> Array:
    """1 where inside > softness, 0 where inside < -softness, smooth between."""
    t = np.clip(inside * np.float32(0.5 / softness) + np.float32(0.5), 0, 1)
    smooth: Array = t * t * (3 - 2 * t)
    return smooth


def line(distance: Array, width: float) -> Array:
    """1 on the line, falling as a bell of this half width."""
    bell: Array = np.exp(-np.square(distance * np.float32(1 / width)))
    return bell


def radius(x: Array, y: Array, *, rx: float, ry: float) -> Array:
    """1 on the ellipse around the origin, 0 at its centre, growing in proportion outwards."""
    r: Array = np.sqrt(np.square(x * np.float32(1 / rx)) + np.square(y * np.float32(1 / ry)))
    return r


def ellipse(x: Array, y: Array, *, centre: tuple[float, float], size: tuple[float, float], angle: float = 0.0,
            softness: float = 0.02) -> Array:
    """The mask of a filled ellipse; size: its two half axes; softness: half the width of its edge, in the units of x."""
    across, along = placed(x, y, centre=centre, angle=angle)
    return step((1 - radius(across, along, rx=size[0], ry=size[1])) * np.float32(min(size)), softness)


def outline(rng: np.random.Generator, x: Array, y: Array, *, strength: float, waves: Sequence[int]) -> Array:
    """A factor about 1 on the radius, one wave round the origin for each number of periods: makes a circle irregular."""
    theta = np.arctan2(y, x)
    factor: Array = np.ones_like(theta)
    for periods in waves:
        amplitude, phase = rng.normal(0, strength / np.sqrt(len(waves))), rng.uniform(0, 2 * np.pi)
        factor += np.float32(amplitude) * np.cos(np.float32(periods) * theta + np.float32(phase))
    return factor


def clouds(rng: np.random.Generator, cells: float, *, octaves: int = 1, px: int = DRAW_PX) -> Array:
    """Smooth noise of mean 0 and standard deviation 1; cells: humps across the picture; each octave doubles them at half the height."""
    total = np.zeros((px, px), dtype=np.float32)
    for octave in range(octaves):
        points = max(4, round(cells * 2**octave) + 3)
        rough = Image.fromarray(rng.standard_normal((points, points), dtype=np.float32))
        total += np.asarray(rough.resize((px, px), Image.Resampling.BICUBIC, box=(1, 1, points - 1, points - 1))) * np.float32(0.5**octave)
    normal: Array = (total - total.mean()) / total.std()
    return normal


def paint(picture: Array, mask: Array, value: float | Array) -> Array:
    """The picture with value where mask is 1, itself where it is 0."""
    painted: Array = picture + mask * (value - picture)
    return painted


def enlarged(picture: Array, px: int = FILE_PX) -> Array:
    """The picture at another size."""
    return np.asarray(Image.fromarray(picture.astype(np.float32)).resize((px, px), Image.Resampling.BICUBIC))


def to_bytes(picture: Array) -> Array:
    """uint8: 0 to 1 become 0 to 255, what lies outside is cut."""
    pixels: Array = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return pixels


def save_jpeg(pixels: Array, path: Path) -> None:
    """Write (h, w) uint8 as a grayscale JPEG."""
    Image.fromarray(pixels).save(path, format="JPEG", quality=90)


def check_num(num: int) -> None:
    """CatalogueError if num images cannot fill every class and split."""
    if num < MIN_IMAGES:
        raise CatalogueError(f"a phantom of {num} images leaves classes empty. Ask for {MIN_IMAGES} or more.")


def empty_folders(folder: Path, inner: Iterable[str]) -> None:
    """Make these folders below folder, and empty. CatalogueError, and nothing removed, if they hold images not drawn here."""
    targets = [folder / name for name in inner]
    if not (folder / BEGUN).exists() and any(target.is_dir() and any(target.iterdir()) for target in targets):
        raise CatalogueError(f"{folder}: its class folders hold images that were not drawn by wardround; phantoms would overwrite "
                             "them. Name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BEGUN).touch()
    for target in targets:
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
