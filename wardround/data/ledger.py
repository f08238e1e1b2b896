"""The case ledger: what became of every image. Nothing is left out in silence."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.untrusted import cell
from wardround.data.catalogue import text_column
from wardround.errors import DataError

COLUMNS = ("image", "status", "reason")
NAMED = 10  # failed files that an error message names


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """One row an image, in the catalogue's order; text columns of n rows.

    images: paths relative to the catalogue's root. status: "used", "skipped" (readable, left out on purpose) or "failed"
    (unreadable). reason: a code such as "truncated" or "no_site", "" for used images. detail: a sentence, "" if there is none.
    """

    images: np.ndarray
    status: np.ndarray
    reason: np.ndarray
    detail: np.ndarray

    @staticmethod
    def of(images: np.ndarray, *, failed: np.ndarray, detail: np.ndarray, skipped: np.ndarray) -> Ledger:
        """The ledger of reason codes. failed, skipped: (n,) text, "" where an image did not fail or was not skipped."""
        status = text_column(["failed" if f else "skipped" if s else "used" for f, s in zip(failed, skipped, strict=True)])
        reason = text_column([f or s for f, s in zip(failed, skipped, strict=True)])
        return Ledger(images=images, status=status, reason=reason, detail=detail)

    def __len__(self) -> int:
        return len(self.images)

    def counts(self) -> dict[str, int]:
        """Number of images by status, all three always present."""
        return {status: int((self.status == status).sum()) for status in ("used", "skipped", "failed")}

    def reasons(self) -> dict[str, int]:
        """Number of images by reason code, the most frequent first; used images are not in it."""
        return dict(Counter(self.reason[self.status != "used"].tolist()).most_common())

    def check(self, max_failed: float) -> None:
        """Raise DataError naming up to ten files, and what is wrong with the first, if more than the share max_failed of the images
        could not be read."""
        failed = np.flatnonzero(self.status == "failed")
        if len(failed) <= max_failed * len(self):
            return
        named = ", ".join(f"{self.images[row]} ({self.reason[row]})" for row in failed[:NAMED])
        rest = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        first = f" The first: {self.detail[failed[0]]}" if self.detail[failed[0]] else ""
        raise DataError(f"{len(failed)} of {len(self)} images cannot be read ({len(failed) / len(self):.1%}, allowed: "
                        f"{max_failed:.1%}): {named}{rest}. Repair or remove them, or allow more with data.max_failed.{first}")

    def write(self, path: Path) -> None:
        """Write ledger.csv (image, status, reason), whole or not at all."""
        part = path.with_name(path.name + ".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(zip(map(cell, self.images), self.status, self.reason, strict=True))
        part.replace(path)
