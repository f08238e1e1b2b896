"""Shared memory for parameters and updates: written once, read in place, never pickled.

One vector for each Params field of an order, and for each of a few slots one for each Params field of an update. The number of
slots depends on the number of workers, not of sites.
"""

from __future__ import annotations

import dataclasses
import mmap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np
import torch
from torch import Tensor

from wardround.core.params import Layout, Params

_FIELDS: dict[type[Any], tuple[str, ...]] = {}  # known answers of params_fields


def params_fields(kind: type[Any]) -> tuple[str, ...]:
    """Names of the dataclass's fields of type Params."""
    if kind not in _FIELDS:
        hints = get_type_hints(kind)
        _FIELDS[kind] = tuple(field.name for field in dataclasses.fields(kind) if hints[field.name] is Params)
    return _FIELDS[kind]


def plain_fields(message: Any) -> dict[str, Any]:
    """The other fields: small values that travel through a pipe."""
    arrays = params_fields(type(message))
    return {field.name: getattr(message, field.name) for field in dataclasses.fields(message) if field.name not in arrays}


@dataclass(frozen=True, eq=False)
class Arena:
    """Vectors seen by the parent and all its workers. order: one a Params field. slots: a list a slot."""

    layout: Layout
    order: list[Tensor]
    slots: list[list[Tensor]]

    @staticmethod
    def allocate(layout: Layout, *, num_order: int, num_update: int, num_slots: int, is_forked: bool) -> Arena:
        vector = _anonymous_vector if is_forked else _named_vector
        return Arena(layout, [vector(layout.size) for _ in range(num_order)],
                     [[vector(layout.size) for _ in range(num_update)] for _ in range(num_slots)])

    def write_order(self, message: Any) -> None:
        """Copy the message's Params fields into the order vectors."""
        _write(self.order, message)

    def vector(self, slot: int, kind: type, name: str) -> Tensor:
        """A slot's vector for this field, for whoever can write there at once."""
        return self.slots[slot][params_fields(kind).index(name)]

    def write_slot(self, slot: int, message: Any) -> None:
        """Copy the message's Params fields into a slot, but for those that lie there already."""
        _write(self.slots[slot], message)

    def read_order(self, kind: type, plain: Mapping[str, Any], device: torch.device) -> Any:
        """Build a message of this kind; on a CPU its arrays are views of the order vectors."""
        return kind(**plain, **{name: Params(vector.to(device), self.layout)
                                for name, vector in zip(params_fields(kind), self.order, strict=False)})

    def read_slot(self, slot: int, kind: type, plain: Mapping[str, Any]) -> Any:
        """Build a message of this kind whose arrays are views of the slot."""
        return kind(**plain, **{name: Params(vector, self.layout)
                                for name, vector in zip(params_fields(kind), self.slots[slot], strict=False)})


def in_place(vector: np.ndarray) -> Tensor:
    """A view. What arrived may be read-only, which torch cannot express and warns of; neither orders nor updates are written to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(vector)


def _write(vectors: list[Tensor], message: Any) -> None:
    for name, vector in zip(params_fields(type(message)), vectors, strict=False):
        flat = getattr(message, name).flat
        if flat.data_ptr() != vector.data_ptr():
            vector.copy_(flat)


def _anonymous_vector(size: int) -> Tensor:
    """Shared with forked children. Not in /dev/shm, which containers often limit to 64 MB."""
    return torch.from_numpy(np.frombuffer(mmap.mmap(-1, max(4 * size, 1)), dtype=np.float32, count=size))


def _named_vector(size: int) -> Tensor:
    vector = torch.zeros(size)
    vector.share_memory_()  # type: ignore[no-untyped-call]
    return vector
