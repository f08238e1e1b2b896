"""A round's updates side by side, for rules that must see all of them before they can say anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.errors import AggregationError


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """The changes of n sites, once each: n * layout.size * 4 bytes, the memory that a robust rule needs.

    sites: in the order of the replies. rows: (layout.size,) float32 each, on the CPU, never written to. Rules are about the trained
    numbers; running statistics (buffers) have other units, and would drown them in a distance.
    """

    sites: tuple[str, ...]
    rows: tuple[Tensor, ...]
    layout: Layout

    @staticmethod
    def of(updates: Iterable[Update]) -> Stack:
        """Copy the updates, each of which is valid only until the next is asked for.

        AggregationError if there is none, or naming the site whose numbers are not finite or belong to another model."""
        sites: list[str] = []
        rows: list[Tensor] = []
        layout: Layout | None = None
        for update in updates:
            layout = layout or update.delta.layout
            if update.delta.layout != layout:
                raise AggregationError(f"site '{update.site}' sent other tensors than '{sites[0]}': names or shapes differ")
            row = update.delta.flat.detach().to("cpu", copy=True)
            if not _is_finite(row):
                raise AggregationError(f"site '{update.site}' sent NaN or infinite numbers: leave its update out before combining them")
            sites.append(update.site)
            rows.append(row)
        if layout is None:
            raise AggregationError("no site sent an update that can be used")
        return Stack(sites=tuple(sites), rows=tuple(rows), layout=layout)

    @property
    def num(self) -> int:
        return len(self.rows)

    @property
    def trained(self) -> list[Tensor]:
        """(num_trainable,) views."""
        return [row[: self.layout.num_trainable] for row in self.rows]

    @property
    def buffers(self) -> list[Tensor]:
        """Views of the rest: running statistics."""
        return [row[self.layout.num_trainable :] for row in self.rows]

    def params(self, trained: Tensor, buffers: Tensor) -> Params:
        """Both parts as one change of the model."""
        return Params(torch.cat([trained, buffers]) if len(buffers) else trained, self.layout)


def _is_finite(row: Tensor) -> bool:
    """The norm is finite only if all numbers are; they are looked at one by one, which takes memory, only where it overflows."""
    return isfinite(float(torch.linalg.vector_norm(row))) or bool(torch.isfinite(row).all())
