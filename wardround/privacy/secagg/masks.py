"""Masks that cancel: the key streams of ChaCha20 as numbers of 32 bits, added and subtracted modulo 2^32, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from wardround.privacy.secagg.keys import primitive

PIECE = 2**16  # numbers: 256 KiB stay in a core's own cache
WHOLE = bytes(4 * PIECE)
NONCE = bytes(16)  # RFC 8439 counter and nonce; each key makes one stream only


class KeyStream:
    """ChaCha20 (RFC 8439) over zeros, from its start. key: 32 bytes. size: numbers wanted in all."""

    def __init__(self, key: bytes, size: int) -> None:
        ciphers = primitive("ciphers")
        self._cipher = ciphers.Cipher(ciphers.algorithms.ChaCha20(key, NONCE), mode=None).encryptor()
        self._room = bytearray(4 * min(PIECE, size))

    def next(self, num: int) -> np.ndarray:
        """The next num <= PIECE numbers, (num,) uint32: valid until asked again."""
        self._cipher.update_into(memoryview(WHOLE)[:4 * num], self._room)
        return np.frombuffer(self._room, dtype="<u4", count=num)


def pieces(size: int) -> Iterator[slice]:
    """A vector of `size` numbers, PIECE at a time."""
    for start in range(0, size, PIECE):
        yield slice(start, min(start + PIECE, size))


def add_masks(numbers: np.ndarray, plus: Iterable[bytes], minus: Iterable[bytes]) -> None:
    """Add the streams of some keys and subtract those of others, in place. numbers: (n,) uint32."""
    added, taken = [KeyStream(key, len(numbers)) for key in plus], [KeyStream(key, len(numbers)) for key in minus]
    for piece in pieces(len(numbers)):
        part = numbers[piece]
        for stream in added:
            np.add(part, stream.next(len(part)), out=part)
        for stream in taken:
            np.subtract(part, stream.next(len(part)), out=part)
