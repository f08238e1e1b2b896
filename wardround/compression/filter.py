"""The filter of a plan's [exchange]: the update becomes what the server will decode, and its bytes are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wardround.compression.codec import Codec
from wardround.compression.half import Half
from wardround.compression.int8 import Int8
from wardround.compression.topk import TopK
from wardround.core.exchange import Filter, Update
from wardround.core.params import Entry, Layout, Params
from wardround.plan.schema import ExchangePlan


def make_codec(plan: ExchangePlan) -> Codec | None:
    """None where updates travel whole."""
    codecs: dict[str, Codec] = {"float16": Half(), "int8": Int8(), "top-k": TopK(plan.top_share)}
    return codecs.get(plan.updates)


def make_filter(plan: ExchangePlan) -> Filter | None:
    """None where updates travel whole."""
    codec = make_codec(plan)
    return None if codec is None else Compression(codec)


@dataclass(frozen=True, eq=False)
class PackedParams(Params):
    """Params as the server unpacks them, and the bytes that say so. data: what travels; packed anew, the numbers might be others."""

    data: bytes


@dataclass(frozen=True)
class Compression:
    """Every Params field of an update through a codec, each with a residual of its own: Karimireddy et al. 2019, EF-SGD, Algorithm 2
    (arXiv:1901.09847). p = delta + e travels as C(p), and e = p - C(p) stays in the site's memory for its next update.

    An update that is not finite passes as it is, for the server to refuse, and so does one of which nothing is sent (sent_bytes = 0: the
    site trains on its own); both leave the residuals as they were.
    """

    codec: Codec

    def __call__(self, update: Update, memory: dict[str, Tensor], rng: torch.Generator) -> Update:
        if update.sent_bytes == 0:
            return update
        wanted = {name: self._wanted(name, value, memory) for name, value in vars(update).items() if isinstance(value, Params)}
        if not all(torch.isfinite(value.flat).all() for value in wanted.values()):
            return update
        packed = {name: pack(value, self.codec, rng) for name, value in wanted.items()}
        found: dict[str, Any] = {name: PackedParams(unpack(data, value.layout, self.codec).flat, value.layout, data)
                                 for (name, value), data in zip(wanted.items(), packed.values(), strict=True)}
        if self.codec.keeps_residual:
            memory.update({_residual(name): value.trainable - found[name].trainable for name, value in wanted.items()})
        return replace(update, sent_bytes=sum(map(len, packed.values())), **found)

    def _wanted(self, name: str, value: Params, memory: dict[str, Tensor]) -> Params:
        """On the CPU: the field and what earlier updates did not say of it."""
        if not self.codec.keeps_residual or _residual(name) not in memory:
            return Params(value.flat.cpu(), value.layout)
        whole = value.flat.cpu().clone()
        whole[: value.layout.num_trainable] += memory[_residual(name)].cpu()
        return Params(whole, value.layout)


def pack(params: Params, codec: Codec, rng: torch.Generator) -> bytes:
    """A bit a tensor: whether it is there; the trainable ones by the codec; the buffers as float32.

    A tensor of zeros only is left out: it stays at the site, or did not change. Buffers are whole because they are few (0.1 % of a
    ResNet-18) and an error in a small running variance could make it negative.
    """
    is_there = [bool(params.view(entry).any()) for entry in params.layout.entries]
    trained, buffers = _told(params.layout, is_there)
    body = codec.encode(_joined(params, trained), [entry.size for entry in trained], rng) if trained else b""
    return np.packbits(is_there).tobytes() + body + _joined(params, buffers).numpy().astype("<f4").tobytes()


def unpack(data: bytes, layout: Layout, codec: Codec) -> Params:
    """What pack packed, as the server has it; ValueError, IndexError or RuntimeError for bytes that it did not."""
    head = -(-len(layout.entries) // 8)
    is_there = np.unpackbits(np.frombuffer(data, np.uint8, count=head)).astype(bool)
    trained, buffers = _told(layout, is_there.tolist())
    sizes, num_whole = [entry.size for entry in trained], sum(entry.size for entry in buffers)
    tail = len(data) - 4 * num_whole
    if tail < head or (tail > head and not trained) or is_there[len(layout.entries) :].any():
        raise ValueError(f"{len(data)} bytes are not those of the tensors they name")
    whole = torch.from_numpy(np.frombuffer(data[tail:], "<f4").astype(np.float32))
    values = torch.cat([codec.decode(data[head:tail], sizes), whole]) if trained else whole
    if len(values) != sum(sizes) + num_whole:
        raise ValueError(f"{len(values)} numbers, the tensors have {sum(sizes) + num_whole}")
    params = Params(torch.zeros(layout.size), layout)
    start = 0
    for entry in (*trained, *buffers):
        params.view(entry).copy_(values[start : start + entry.size].view(entry.shape))
        start += entry.size
    return params


def _told(layout: Layout, is_there: Sequence[bool]) -> tuple[list[Entry], list[Entry]]:
    """The trainable tensors and the buffers that are there."""
    found = [entry for entry, told in zip(layout.entries, is_there, strict=False) if told]
    return [entry for entry in found if entry.is_trainable], [entry for entry in found if not entry.is_trainable]


def _joined(params: Params, entries: Sequence[Entry]) -> Tensor:
    return torch.cat([torch.zeros(0), *(params.view(entry).flatten() for entry in entries)])


def _residual(name: str) -> str:
    return f"residual.{name}"
