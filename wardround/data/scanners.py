"""Simulated scanners: what makes one hospital's images look unlike another's, for partition "feature-shift"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wardround.rng import stream

CHUNK = 256  # images changed at once


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """One scanner. Intensities are in 0..1.

    gamma: exponent of the intensity. bias: coefficients of x, y, x^2, y^2, xy (coordinates in -1..1) of the logarithm of a smooth
    gain (the coil's bias field). blur_px: standard deviation of a Gaussian blur. noise: standard deviation of added noise.
    """

    name: str
    seed: int
    gamma: float
    bias: tuple[float, ...]
    blur_px: float
    noise: float


def scanner_for(seed: int, site: str, strength: float) -> Scanner:
    """The scanner of a site: gamma in 2^(+-strength), bias coefficients in +-0.4 strength, blur and noise up to 1 px and 0.06 times it."""
    rng = stream(seed, "scanner", site)
    gamma = float(2 ** (strength * rng.uniform(-1, 1)))
    bias = tuple(float(c) for c in strength * rng.uniform(-0.4, 0.4, 5))
    return Scanner(name=site, seed=seed, gamma=gamma, bias=bias, blur_px=float(strength * rng.uniform(0, 1)),
                   noise=float(strength * rng.uniform(0, 0.06)))


def apply(pixels: np.ndarray, rows: np.ndarray, scanner: Scanner) -> np.ndarray:
    """The images as this scanner shows them. pixels: (n, C, H, W) uint8. rows: (n,) their row numbers, which seed the noise."""
    shown = np.empty_like(pixels)
    gain = _gain(pixels.shape[-2:], scanner.bias)
    for start in range(0, len(pixels), CHUNK):
        chunk = slice(start, start + CHUNK)
        values = (pixels[chunk].astype(np.float32) / 255) ** np.float32(scanner.gamma) * gain
        values = _blurred(values, scanner.blur_px)
        if scanner.noise:
            values += np.stack([stream(scanner.seed, "scanner", scanner.name, int(row)).normal(0, scanner.noise, values.shape[1:])
                                for row in rows[chunk]]).astype(np.float32)
        shown[chunk] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return shown


def _gain(shape: tuple[int, ...], bias: tuple[float, ...]) -> np.ndarray:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    terms = (x, y, x * x, y * y, x * y)
    exponent = sum((c * term for c, term in zip(bias, terms, strict=True)), start=np.zeros(shape))
    return np.asarray(np.exp(exponent), dtype=np.float32)


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """A separable Gaussian blur over the last two axes; edges repeat."""
    radius = int(np.ceil(3 * sigma))
    if radius == 0:
        return values
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (-2, -1):
        width = [(0, 0)] * values.ndim
        width[axis] = (radius, radius)
        padded = np.pad(values, width, mode="edge")
        places = np.arange(values.shape[axis])
        values = np.zeros_like(values)
        for k, tap in enumerate(taps):
            values += np.float32(tap) * padded.take(places + k, axis)
    return values
