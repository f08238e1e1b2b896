"""The only serialiser. A message is one safetensors file in memory: its arrays by name, and all else as JSON in the file's header.

Nothing that arrives is believed before it was checked: sizes before anything is parsed, the header before an array is looked at, and
every field against the dataclass that the reader knows under the message's kind. No name that arrives is imported or called.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from wardround.compression.codec import Codec
from wardround.compression.filter import PackedParams, unpack
from wardround.core.exchange import EvaluateOrder, SiteFailed, SiteReport
from wardround.core.params import Entry, Layout, Params
from wardround.core.tally import ClassTally, Counts, DiceTally, FindingTally
from wardround.errors import WireError
from wardround.fleet.arena import in_place
from wardround.fleet.header import DTYPES, MAX_BYTES, MAX_INTEGER, NAMES, Head, Header, framed, header_of, refuse, short
from wardround.fleet.header import peek as peek
from wardround.plan.schema import Recipe
from wardround.strategies.base import Strategy

KINDS: Mapping[str, type] = {kind.__name__: kind for kind in (EvaluateOrder, SiteReport, SiteFailed)}
PARTS: Mapping[str, type] = {kind.__name__: kind for kind in (ClassTally, FindingTally, DiceTally, Counts)}  # what a field may hold

MAX_CLASSES = 1000  # their counts, with a table of each class against each, take 24 MB
FEW = 64  # numbers of a tensor of which one is seldom 0
SMALL = 2**20  # an array of at most so many bytes is copied, so that it does not keep the whole message

WHOLE, PACKED, ARRAY = "whole", "packed", "array"  # how a field says in JSON that its numbers are in an array


def kinds_of(strategy: Strategy, *more: type) -> dict[str, type]:
    """The table of what may travel in a run of this strategy: a line a kind. more: classes of the caller."""
    return {**KINDS, **{kind.__name__: kind for kind in (strategy.order_type, strategy.update_type, *more)}}


def encode(envelope: Mapping[str, Any], message: Any, *, unread: Tensor | None = None) -> bytes:
    """The bytes of a message (a dataclass). An update's PackedParams travel as they were packed.

    Where `sent_bytes` says that less travels, tensors of zeros only are left out. unread: (layout.size,) bool, numbers that the reader
    will not look at; tensors that are all of them are left out, and read as zeros. WireError for a field that cannot travel.
    """
    arrays: dict[str, np.ndarray] = {}
    writer = _Writer(arrays, leaves_zeros=getattr(message, "sent_bytes", None) is not None, unread=unread)
    fields = {field.name: writer.told(getattr(message, field.name), field.name) for field in dataclasses.fields(message)}
    head = {"kind": type(message).__name__, "envelope": writer.told(envelope, "envelope"), "fields": fields}
    return framed(json.dumps(head, separators=(",", ":")), arrays)


def decode(data: bytes | bytearray | memoryview, kinds: Mapping[str, type], layout: Layout | None, *, max_bytes: int = MAX_BYTES,
           codec: Codec | None = None) -> tuple[dict[str, Any], Any]:
    """The envelope and the message, of one of these kinds; WireError says what in it cannot be trusted.

    layout: of the Params in it; None: it must not have any. codec: of the plan's [exchange]; None: nothing may come packed. Params are
    views of `data` where they came whole, not to be written to.
    """
    view = memoryview(data).cast("B")
    header = header_of(view, max_bytes)
    kind = kinds.get(header.head.kind)
    if kind is None:
        refuse(f"its kind is '{header.head.kind[:60]}', expected {' or '.join(sorted(kinds))}")
    reader = _Reader(view, header, layout, codec)
    message = reader.made(kind, header.fields, "")
    if reader.rest:
        refuse(f"it brings arrays that no field asks for: {', '.join(sorted(reader.rest))[:200]}")
    return dict(header.head.envelope), message


def typed(kind: type, fields: Mapping[str, Any]) -> Any:
    """A dataclass of plain fields, e.g. an envelope's, made of what was read as JSON; WireError if it does not fit."""
    head = Head(kind=kind.__name__, envelope={}, arrays={}, num_bytes=0)
    return _Reader(memoryview(b""), Header(head=head, fields={}, places={}), None, None).made(kind, fields, "")


@dataclass(frozen=True)
class _Writer:
    arrays: dict[str, np.ndarray]
    leaves_zeros: bool
    unread: Tensor | None

    def told(self, value: Any, place: str) -> Any:
        """The value in JSON; its arrays are put aside under the name of their place."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Params):
            return self._params(value, place)
        if isinstance(value, np.ndarray) and value.dtype.name in NAMES:
            return self._put(place, value, ARRAY)
        if isinstance(value, Recipe):
            return value.model_dump(mode="json")
        if type(value) in PARTS.values():
            return {"kind": type(value).__name__, **{field.name: self.told(getattr(value, field.name), f"{place}/{field.name}")
                                                     for field in dataclasses.fields(value)}}
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self.told(entry, f"{place}/{key}") for key, entry in value.items()}
        if isinstance(value, tuple | list):
            return [self.told(entry, f"{place}/{number}") for number, entry in enumerate(value)]
        raise WireError(f"'{place}' is of type {type(value).__name__}, which cannot travel. A message's fields are numbers, texts, "
                        f"tuples and mappings of them, Recipe, Params, tallies, or arrays of {', '.join(NAMES)}.")

    def _params(self, params: Params, place: str) -> Any:
        if isinstance(params, PackedParams):
            return self._put(place, np.frombuffer(params.data, np.uint8), PACKED)
        flat = params.flat.detach().cpu()
        there = [self._is_told(flat, entry) for entry in params.layout.entries]
        if all(there):
            return self._put(place, flat.numpy(), WHOLE)
        parts = [flat[entry.offset : entry.offset + entry.size] for entry, told in zip(params.layout.entries, there, strict=True) if told]
        return self._put(place, torch.cat([torch.zeros(0), *parts]).numpy(), {"there": np.packbits(there).tobytes().hex()})

    def _is_told(self, flat: Tensor, entry: Entry) -> bool:
        place = slice(entry.offset, entry.offset + entry.size)
        if self.unread is not None and bool(self.unread[place].all()):
            return False
        bits = flat[place].view(torch.int32).numpy()  # -0.0 is told: the same bits must arrive
        return not self.leaves_zeros or bool(bits[:FEW].any() or bits.any())

    def _put(self, place: str, array: np.ndarray, told: Any) -> Any:
        self.arrays[place] = array
        return told


class _Reader:
    """Makes dataclasses of a header's fields and the arrays behind it. rest: arrays that no field has asked for yet."""

    def __init__(self, view: memoryview, header: Header, layout: Layout | None, codec: Codec | None) -> None:
        self._view, self._header, self._layout, self._codec = view, header, layout, codec
        self.rest = set(header.places)

    def made(self, kind: type, fields: Any, place: str) -> Any:
        """An instance of the dataclass; place: name of the field it is in, "" for the message itself."""
        hints = _hints(kind)
        what = f"'{place}'" if place else f"a {kind.__name__}"
        if not isinstance(fields, Mapping):
            refuse(f"{what} is {short(fields)}, expected the fields of {kind.__name__}")
        missing, unknown = sorted(hints.keys() - fields.keys()), sorted(fields.keys() - hints.keys())
        if missing or unknown:
            refuse(f"{what} has not the fields of {kind.__name__}: missing {missing[:5]}, unknown {unknown[:5]}")
        prefix = f"{place}/" if place else ""
        made = kind(**{name: self.value(hint, fields[name], prefix + name) for name, hint in hints.items()})
        if fault := fault_of(made):
            refuse(f"{what}: {fault}")
        return made

    def value(self, hint: Any, told: Any, place: str) -> Any:
        """What was told in JSON as a value of the annotated type."""
        origin = get_origin(hint)
        if origin is Union or origin is types.UnionType:
            return self._one_of(get_args(hint), told, place)
        if origin is Literal:
            return told if any(told == known and type(told) is type(known) for known in get_args(hint)) else _unfit(place, told, hint)
        if origin is tuple or origin in (list, Sequence):
            return self._sequence(origin, get_args(hint), told, place)
        if origin in (Mapping, dict):
            if not isinstance(told, dict):
                _unfit(place, told, hint)
            return {key: self.value(get_args(hint)[1], entry, f"{place}/{key}") for key, entry in told.items()}
        return self._single(hint, told, place)

    def _single(self, hint: Any, told: Any, place: str) -> Any:
        if hint is Any or (hint in (bool, str, type(None), None) and type(told) is (type(None) if hint is None else hint)):
            return told
        if hint is int and type(told) is int and abs(told) <= MAX_INTEGER:
            return told
        if hint is float and type(told) in (int, float):
            return float(told)
        if hint is Params:
            return self._params(told, place)
        if hint is np.ndarray and told == ARRAY:
            return self._array(place)
        if hint is Recipe:
            return _recipe(told, place)
        if hint in PARTS.values() and isinstance(told, dict) and told.get("kind") == hint.__name__:
            return self.made(hint, {name: entry for name, entry in told.items() if name != "kind"}, place)
        return _unfit(place, told, hint)

    def _one_of(self, hints: tuple[Any, ...], told: Any, place: str) -> Any:
        """The first of the types that fits. Tallies say what they are, so that each is read as itself."""
        if isinstance(told, dict) and (named := [hint for hint in hints if hint in PARTS.values() and told.get("kind") == hint.__name__]):
            return self.value(named[0], told, place)
        if told is None and type(None) in hints:
            return None
        others = [hint for hint in hints if hint is not type(None)]
        for hint in others[:-1]:
            try:
                return self.value(hint, told, place)
            except WireError:
                continue
        return self.value(others[-1], told, place)

    def _sequence(self, origin: Any, hints: tuple[Any, ...], told: Any, place: str) -> Any:
        if not isinstance(told, list):
            _unfit(place, told, origin)
        each = [hints[0]] * len(told) if origin is not tuple or hints[1:] == (...,) else list(hints)
        if len(each) != len(told):
            refuse(f"'{place}' has {len(told)} entries, expected {len(each)}")
        found = [self.value(hint, entry, f"{place}/{number}") for number, (hint, entry) in enumerate(zip(each, told, strict=True))]
        return tuple(found) if origin is tuple else found

    def _array(self, place: str, dtype: str | None = None, dimensions: int | None = None) -> np.ndarray:
        """The array of that name; a small one is a copy."""
        if place not in self.rest:
            refuse(f"the array of '{place}' is missing")
        self.rest.discard(place)
        name, shape = self._header.head.arrays[place]
        if (dtype or name) != name or (dimensions or len(shape)) != len(shape):
            refuse(f"'{place}' is an array {shape} of {name}, expected {dimensions} dimension of {dtype}")
        first, end = self._header.places[place]
        found = np.frombuffer(self._view[first:end], DTYPES[name]).reshape(shape)
        if name == "BOOL" and found.view(np.uint8).max(initial=0) > 1:
            refuse(f"'{place}' holds other bytes than 0 and 1")
        return found.copy() if end - first <= SMALL or not found.flags.aligned else found

    def _params(self, told: Any, place: str) -> Params:
        layout = self._layout
        if layout is None:
            refuse(f"'{place}' holds a model's numbers, which this message may not bring")
        if told == PACKED:
            return self._unpacked(self._array(place, "U8", 1), layout, place)
        there = np.ones(len(layout.entries), bool) if told == WHOLE else _bits(told, len(layout.entries), place)
        entries = [entry for entry, is_there in zip(layout.entries, there, strict=True) if is_there]
        numbers = self._array(place, "F32", 1)
        expected = sum(entry.size for entry in entries)
        if len(numbers) != expected:
            refuse(f"'{place}' has {len(numbers)} numbers, the model has {expected}: the plans or versions of the two sides differ")
        if told == WHOLE:
            return Params(in_place(numbers), layout)
        flat, start = torch.zeros(layout.size), 0
        for entry in entries:
            flat[entry.offset : entry.offset + entry.size] = in_place(numbers[start : start + entry.size])
            start += entry.size
        return Params(flat, layout)

    def _unpacked(self, packed: np.ndarray, layout: Layout, place: str) -> Params:
        if self._codec is None:
            refuse(f"'{place}' comes compressed, which the plan's exchange.updates does not ask for")
        try:
            return unpack(packed.tobytes(), layout, self._codec)
        except (ValueError, IndexError, RuntimeError, OverflowError) as error:  # of numpy and torch, reading beyond what is there
            refuse(f"'{place}' is not what exchange.updates packs for this model ({str(error)[:100]})")


def fault_of(part: Any) -> str | None:
    """What is wrong with a tally's or counts' numbers, which are indices and sizes for whoever reads them; None of other classes."""
    if isinstance(part, Counts):
        if not (_is_vector(part.cells, np.int64) and _is_vector(part.numbers, np.int64) and len(part.cells) == len(part.numbers)):
            return "cells and numbers must be int64 vectors of one length"
        if len(part.cells) and not (part.cells.min() >= 0 and part.cells.max() < part.size and part.numbers.min() > 0):
            return f"counts must be above 0 and their cells within 0..{part.size - 1}"
    if isinstance(part, ClassTally | FindingTally):
        fits = 0 < part.num_classes <= MAX_CLASSES and part.counts.size == type(part)._size(part.num_classes)
        return None if fits else f"{part.counts.size} counts are not those of {part.num_classes} classes, of at most {MAX_CLASSES}"
    if isinstance(part, DiceTally):
        fits = _is_vector(part.dice_sum, np.float64) and len(part.dice_sum) == len(part.names) and part.num_examples >= 0
        return None if fits else "dice_sum must be a float64 vector with a number for each name, of 0 or more patients"
    return None


def _is_vector(array: np.ndarray, dtype: type) -> bool:
    return array.ndim == 1 and array.dtype == dtype


def _bits(told: Any, num: int, place: str) -> np.ndarray:
    """(num,) bool of the tensors that are there."""
    text = told.get("there") if isinstance(told, dict) and len(told) == 1 else None
    try:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8)) if isinstance(text, str) else None
    except ValueError:
        bits = None
    if bits is None or len(bits) != 8 * -(-num // 8) or bits[num:].any():
        refuse(f"'{place}' does not say which of the model's {num} tensors are there")
    return bits[:num].astype(bool)


def _recipe(told: Any, place: str) -> Recipe:
    try:
        return Recipe.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        refuse(f"'{place}/{'/'.join(map(str, first['loc']))}': {first['msg']}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Annotated type of each field of a dataclass."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _unfit(place: str, told: Any, hint: Any) -> NoReturn:
    refuse(f"'{place}' is {short(told)}, expected {getattr(hint, '__name__', hint)}")
