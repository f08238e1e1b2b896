"""A head without disease in three dimensions: where each tissue lies, as a radiologist would sketch it.

Lengths are mm from the centre of the head: x to the right, y to the front, z to the top. Fields are float32 arrays (D, H, W) along
z, y, x. A field named for a surface is the distance to it: positive inside, exact only near it. A mask is 0 outside to 1 inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wardround.data.phantoms.drawing import Array, line, step

HALF_MM = (80.0, 122.0, 122.0)  # half the space that smooth noise fills along z, y, x
SPLINE_STD = 0.332  # of white noise after cubic B-spline interpolation along three axes: (151 / 315) ** 1.5
Point = tuple[float, float, float]  # x, y, z


@dataclass(frozen=True, kw_only=True)
class Space:
    """The centres of the voxels to draw, along each axis, ascending."""

    z: Array
    y: Array
    x: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.z), len(self.y), len(self.x)

    @property
    def edge_mm(self) -> float:
        """Half the width that an edge between two tissues has: what a voxel mixes."""
        return 0.6 * float(self.x[1] - self.x[0])


@dataclass(frozen=True, kw_only=True)
class Brain:
    """One brain; x, y, z: its voxels in the coordinates of an average head."""

    x: Array
    y: Array
    z: Array
    midline: Array  # distance to the plane between the halves, which a mass can push aside; positive on the right
    surface: Array  # of the brain
    ventricles: Array
    grey: Array  # mask: cortex, deep nuclei
    fluid: Array  # mask: ventricles, sulci, the cleft between the halves
    folds: Array  # smooth noise that is zero along the sulci


def axis(num: int, width_mm: float) -> Array:
    """num voxel centres that fill width_mm around 0."""
    centres: Array = ((np.arange(num) + 0.5) * (width_mm / num) - width_mm / 2).astype(np.float32)
    return centres


def clouds(rng: np.random.Generator, space: Space, cell_mm: float, *, octaves: int = 1) -> Array:
    """Smooth noise of mean 0 and standard deviation about 1, one hump in cell_mm; each octave adds humps of half size and height.

    It is drawn on a lattice through the whole head, so what voxels show of it does not depend on the others drawn with them.
    """
    total = np.zeros(space.shape, dtype=np.float32)
    for octave in range(octaves):
        cell = cell_mm * 0.5**octave
        field = rng.standard_normal([int(2 * half / cell) + 5 for half in HALF_MM], dtype=np.float32)
        for dim, at in ((2, space.x), (1, space.y), (0, space.z)):  # the first axis last: its planes are copied whole
            field = _spline(field, (at + HALF_MM[dim]) / cell, dim)
        total += field * np.float32(0.5**octave / SPLINE_STD)
    return total * np.float32((sum(0.25**octave for octave in range(octaves))) ** -0.5)


def blob(x: Array, y: Array, z: Array, centre: Point, size: Point) -> Array:
    """The surface of an ellipsoid with these half axes."""
    parts = [np.square((at - np.float32(c)) * np.float32(1 / s)) for at, c, s in zip((x, y, z), centre, size, strict=True)]
    surface: Array = (1 - np.sqrt(parts[0] + parts[1] + parts[2])) * np.float32(min(size))
    return surface


def brain(rng: np.random.Generator, space: Space, *, pushed: tuple[Point, float, float] | None = None) -> Brain:
    """A brain at random. pushed: centre, radius and length in mm of the shift that a mass presses on what lies around it."""
    flat = np.meshgrid(space.z, space.y, space.x, indexing="ij")
    size = rng.uniform(0.93, 1.06, size=3) * rng.uniform(0.96, 1.03)
    z, y, x = (at / np.float32(s) + np.float32(rng.uniform(1.5, 3)) * clouds(rng, space, 45) for at, s in zip(flat, size, strict=True))
    surface, place = _surface(x, y, z), (x, y, z)
    if pushed is not None:
        x, y, z = _pushed(x, y, z, *pushed)
    folds = clouds(rng, space, rng.uniform(13, 16), octaves=2)
    small = clouds(rng, space, 6)
    bend = np.where((y < -12) & (z < -14), small, folds)  # the cerebellum is folded more finely
    ventricles = _ventricles(rng, x, y, z)
    soft = space.edge_mm
    reach = step(rng.uniform(17, 22) - surface + 3 * small, 5) * step(-3 - ventricles, 2)
    nuclei = _nuclei(x, y, z)
    ribbon = step(rng.uniform(0.5, 0.62) - np.abs(bend), 0.06 * soft + 0.1)
    grey = np.maximum(np.maximum(ribbon * reach, step(rng.uniform(2.6, 3.6) - surface, soft)), 0.8 * step(nuclei, soft + 1))
    sulci = line(bend, rng.uniform(0.16, 0.26)) * step(rng.uniform(12, 17) - surface, 6) * np.float32(rng.uniform(0.6, 0.95))
    cleft = step(1.4 - np.abs(x + np.float32(0.8) * small), soft) * step(np.maximum(np.abs(y + 4) - 44, z - 26), 3) * (z > -22)
    fluid = np.maximum(np.maximum(step(ventricles, soft), sulci), 0.85 * cleft)
    surface = surface + np.float32(0.7) * small - 2.5 * line(bend, 0.25) - 3 * cleft * (surface < 6)
    return Brain(x=place[0], y=place[1], z=place[2], midline=x, surface=surface, ventricles=ventricles, grey=grey, fluid=fluid, folds=bend)


def head(brain: Brain) -> Array:
    """The surface of the scalp around a brain; below the eyes it goes on downwards."""
    return blob(brain.x, brain.y, np.maximum(brain.z, -10), (0, 2, -10), (80, 101, 86))


def _spline(field: Array, at: Array, dim: int) -> Array:
    """A lattice read at these places along one axis, by cubic B-splines: elementwise, so the bits do not hang on a BLAS."""
    first = np.floor(at).astype(np.intp)
    t = (at - first).astype(np.float32)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    shape = [1, 1, 1]
    shape[dim] = -1
    parts = [field.take(first + k, axis=dim) * (weight / np.float32(6)).reshape(shape) for k, weight in enumerate(weights)]
    total: Array = parts[0] + parts[1] + parts[2] + parts[3]
    return total


def _surface(x: Array, y: Array, z: Array) -> Array:
    """Cerebrum, narrow in front and flat below; temporal lobes; cerebellum; brain stem."""
    wide = x / (1 - np.float32(0.0014) * y)
    tall = np.where(z < 4, (z - 4) * np.float32(1.65) + 4, z)
    return _union([blob(wide, y, tall, (0, -4, 4), (66, 84, 60)), blob(np.abs(x), y + np.float32(0.3) * z, z, (40, 2, -28), (23, 40, 22)),
                   blob(x, y, z, (0, -50, -36), (50, 33, 25)), blob(x, y, z, (0, -18, -42), (13, 14, 38))])


def _ventricles(rng: np.random.Generator, x: Array, y: Array, z: Array) -> Array:
    """Lateral ventricles that part in front and behind, their trigones, the third and the fourth."""
    parts = []
    for side in (-1, 1):
        wide = rng.uniform(4.0, 8.5)
        aside = side * x - np.float32(0.007) * np.square(y + 4)
        parts.append(blob(aside, y, z + np.float32(0.006) * np.square(y), (wide + 3.5, 2, 15), (wide, 33, wide + 3)))
        parts.append(blob(side * x + np.float32(0.35) * (y + 36), y, z, (24, -38, 6), (wide * 0.9, 18, wide + 2)))
    parts.append(blob(x, y, z, (0, -4, -3), (rng.uniform(2, 3.5), 13, 10)))
    parts.append(blob(x, y, z, (0, -36, -36), (7, 5, 8)))
    return _union(parts)


def _nuclei(x: Array, y: Array, z: Array) -> Array:
    """Caudate, putamen with pallidum, thalamus: equal on both sides."""
    aside = np.abs(x)
    return _union([blob(aside, y, z, (16, 18, 9), (5, 14, 9)), blob(aside - np.float32(0.2) * y, y, z, (26, 4, 1), (6, 17, 11)),
                   blob(aside, y, z, (11, -15, 4), (9, 13, 9))])


def _union(parts: Sequence[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = np.maximum(total, part)
    return total


def _pushed(x: Array, y: Array, z: Array, centre: Point, radius: float, shift: float) -> tuple[Array, Array, Array]:
    """Where the tissue of each voxel lay before a mass grew: nearer to its centre, by `shift` mm at its radius, less beyond."""
    dx, dy, dz = (at - np.float32(c) for at, c in zip((x, y, z), centre, strict=True))
    far = np.sqrt(dx * dx + dy * dy + dz * dz) / np.float32(radius)
    pull = np.float32(shift / radius) * np.exp(-np.square(far * np.float32(0.6)))
    return x - dx * pull, y - dy * pull, z - dz * pull
