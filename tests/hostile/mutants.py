"""Mutants of files: honest ones, changed at random but always in the same way from the same numbers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from wardround.rng import stream

LENGTHS = (0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1,
           2**63, 2**64 - 1)
MOST_CHANGES = 3
Mutator = Callable[[bytearray, np.random.Generator, Sequence[bytes], Sequence[bytes]], None]


def mutant(seeds: Sequence[bytes], words: Sequence[bytes], format: str, number: int) -> bytes:
    """Mutant `number` of a format: one of the seeds after one to three changes."""
    rng = stream(0, "fuzz", format, number)
    data = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
        MUTATORS[int(rng.integers(len(MUTATORS)))](data, rng, seeds, words)
    return bytes(data)


def flip(data: bytearray, rng: np.random.Generator, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A few bits, near each other."""
    start = place(data, rng)
    for _ in range(int(rng.integers(1, 9))):
        at = min(len(data) - 1, start + int(rng.integers(16)))
        if at >= 0:
            data[at] ^= 1 << int(rng.integers(8))


def truncate(data: bytearray, rng: np.random.Generator, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """Cut off the end, or a piece of the middle."""
    start = place(data, rng)
    del data[start:start + int(rng.integers(1, 64)) if rng.random() < 0.7 else None]


def length(data: bytearray, rng: np.random.Generator, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """Another number where a length may stand, in either order of bytes."""
    width = int(rng.choice((1, 2, 4, 8)))
    value = (LENGTHS[int(rng.integers(len(LENGTHS)))] + int(rng.integers(-1, 2))) % 2 ** (8 * width)
    start = place(data, rng)
    data[start:start + width] = value.to_bytes(width, "little" if rng.random() < 0.5 else "big")


def splice(data: bytearray, rng: np.random.Generator, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A piece of this or another seed, put in or written over; now and then many times."""
    source = seeds[int(rng.integers(len(seeds)))]
    start = int(rng.integers(len(source) + 1))
    piece = source[start:start + int(rng.integers(1, 128))] * (1 if rng.random() < 0.9 else int(rng.integers(2, 2000)))
    at = place(data, rng)
    data[at:at + (len(piece) if rng.random() < 0.5 else 0)] = piece


def word(data: bytearray, rng: np.random.Generator, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A word that means something in this format."""
    if words:
        piece, at = words[int(rng.integers(len(words)))], place(data, rng)
        data[at:at + (len(piece) if rng.random() < 0.5 else 0)] = piece


def place(data: bytearray, rng: np.random.Generator) -> int:
    """Any place, but the beginning, where headers are, in half of the cases."""
    return int(rng.integers(min(len(data), 512) + 1 if rng.random() < 0.5 else len(data) + 1))


MUTATORS: tuple[Mutator, ...] = (flip, truncate, length, splice, word)


def with_checksums(data: bytes) -> bytes:
    """A PNG with right checksums, so that what was changed is looked at."""
    found, at = [data[:8]], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at:at + 4])
        body = data[at + 4:at + 8 + size]
        found.append(data[at:at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + size
    return b"".join([*found, data[at:]])
