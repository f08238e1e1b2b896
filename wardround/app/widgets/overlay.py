"""What lies over a slice: grey values in a window, translucent classes, and outlines along the edges of pixels. No widget in here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QLineF
from PySide6.QtGui import QColor, QImage

LOWEST_SPAN = 1e-6  # of a window: an image of one value is black, not divided by zero


def windowed(plane: np.ndarray, level: float, width: float) -> np.ndarray:
    """Grey values (H, W), or colours (3, H, W), as 8 bits: level - width / 2 is black, level + width / 2 white."""
    low, span = level - width / 2, max(width, LOWEST_SPAN)
    scaled = np.clip((np.asarray(plane, np.float32) - low) * (255.0 / span), 0, 255)
    pixels: np.ndarray = np.nan_to_num(scaled, nan=0.0).astype(np.uint8)
    return pixels


def picture(pixels: np.ndarray) -> QImage:
    """A picture of (H, W) or (3, H, W) uint8."""
    if pixels.ndim == 3:
        held = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        return QImage(held.data, held.shape[1], held.shape[0], 3 * held.shape[1], QImage.Format.Format_RGB888).copy()
    held = np.ascontiguousarray(pixels)
    return QImage(held.data, held.shape[1], held.shape[0], held.shape[1], QImage.Format.Format_Grayscale8).copy()


def filled(mask: np.ndarray, colours: Sequence[QColor], opacity: float) -> QImage:
    """The classes of a mask (H, W) as translucent colours; 0 is the background and stays clear. colours: of the classes from 1 on."""
    alpha = round(255 * min(max(opacity, 0.0), 1.0))
    table = np.zeros((256, 4), np.uint8)
    for index, colour in enumerate(colours, start=1):
        table[index] = (colour.red(), colour.green(), colour.blue(), alpha)
    held = np.ascontiguousarray(table[mask])
    return QImage(held.data, mask.shape[1], mask.shape[0], 4 * mask.shape[1], QImage.Format.Format_RGBA8888).copy()


def outlines(mask: np.ndarray, index: int) -> list[QLineF]:
    """The edges of a class in a mask (H, W), as lines along the borders of its pixels; neighbouring pieces are one line."""
    inside = np.pad(mask == index, 1)
    across = _runs(inside[1:] != inside[:-1])
    down = _runs((inside[:, 1:] != inside[:, :-1]).T)
    lines = [QLineF(begin - 1, place, end - 1, place) for place, begin, end in across]
    return lines + [QLineF(place, begin - 1, place, end - 1) for place, begin, end in down]


def _runs(edges: np.ndarray) -> list[tuple[int, int, int]]:
    """(row, first, one past the last) of each run of true in a table (R, C)."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begins = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    return list(zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True))
