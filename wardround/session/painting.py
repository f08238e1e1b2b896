"""Heat over images as coloured pixels, without any plotting library. No text is drawn."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Picture

# matplotlib's "inferno" (Smith and van der Walt 2015, CC0) at ten equal steps: equal differences look equal, for colour-blind eyes too
INFERNO = np.array([[0, 0, 4], [27, 12, 65], [74, 12, 107], [120, 28, 109], [165, 44, 96], [207, 68, 70], [237, 105, 37], [251, 155, 6],
                    [247, 209, 61], [252, 255, 164]], dtype=np.float64)
OPACITY = 0.7  # of the hottest place: the image stays readable below
SHORTEST, LONGEST = 256, 1024  # pixels of a written picture's shorter and longer side
GAP = 8  # pixels between image and overlay


def coloured(heat: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 of heat in 0..1: dark violet, red, orange, light yellow."""
    places = np.clip(heat, 0, 1) * (len(INFERNO) - 1)
    return np.stack([np.interp(places, np.arange(len(INFERNO)), channel) for channel in INFERNO.T], axis=-1).round().astype(np.uint8)


def painted(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the image where heat is 0, more and more of the colour with the heat. image: (H, W) or (H, W, 3) uint8; heat of
    any size (h, w) in 0..1, stretched to the image's."""
    below = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image
    stretched = Picture.fromarray(heat.astype(np.float32)).resize((below.shape[1], below.shape[0]), Picture.Resampling.BILINEAR)
    warm = np.clip(np.asarray(stretched), 0, 1)
    share = (OPACITY * warm)[..., None]
    return np.asarray((1 - share) * below + share * coloured(warm)).round().astype(np.uint8)


def beside(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(h, 2 w + 8, 3) uint8: the image, and the same under its heat, white between. pixels: (C, H, W) uint8."""
    image = _sized(pixels, LONGEST)
    return np.concatenate([image, np.full((len(image), GAP, 3), 255, np.uint8), painted(image, heat)], axis=1)


def overlay(pixels: np.ndarray, heat: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """(h, w, 3) uint8: the image under its heat. pixels: (C, H, W) uint8; heat of any size, in 0..1."""
    return painted(_sized(pixels, longest), heat)


def _sized(pixels: np.ndarray, longest: int) -> np.ndarray:
    """(h, w, 3) with a shorter side of at least 256 and a longer one of at most `longest` pixels."""
    shown = Picture.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]).convert("RGB")
    factor = min(max(SHORTEST / min(shown.size), 1.0), longest / max(shown.size))
    size = max(round(shown.width * factor), 1), max(round(shown.height * factor), 1)
    return np.asarray(shown.resize(size, Picture.Resampling.BICUBIC))


def as_png(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as the bytes of a PNG file."""
    file = io.BytesIO()
    Picture.fromarray(picture).save(file, "PNG")
    return file.getvalue()
