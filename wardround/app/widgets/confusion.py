"""What was called what: truth by row, the model's answer by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wardround.app.theme import theme
from wardround.app.widgets.plot import Heat

MOST_TEXTS = 14  # classes up to which each cell has its share and count written in it
LEAST, CELL, AROUND = 320, 62, 110  # pixels: a matrix, a row, title and axis


class ConfusionMatrix(Heat):
    """Shares of each row as shades, with share and count in the cells. Outlined: the diagonal, where right answers lie."""

    def show_confusion(self, shares: np.ndarray, classes: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
        """shares: (C, C) in 0..1, NaN where hidden or empty; texts: of each cell."""
        self.show_values(shares, classes, classes, texts if len(classes) <= MOST_TEXTS else [()] * len(classes))
        for place in range(len(classes)):
            left, right, top, bottom = place - 0.47, place + 0.47, place - 0.47, place + 0.47
            self.plot([left, right, right, left, left], [top, top, bottom, bottom, top], pen={"color": theme().colour("good"), "width": 2})
        self.labels("", self.tr("called by the model"), self.tr("truth"))
        self.setAccessibleName(self.tr("Confusion: what the model calls each class"))
        told = [f"{truth}: " + ", ".join(f"{name} {text}".replace("\n", " ") for name, text in zip(classes, line, strict=True))
                for truth, line in zip(classes, texts, strict=True)]
        self.setAccessibleDescription("; ".join(told))
        self.setFixedHeight(theme().px(max(LEAST, AROUND + CELL * len(classes))))
