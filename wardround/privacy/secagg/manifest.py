"""What all sites approve once, before any secure sum: who takes part, with which keys, and how numbers travel."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wardround.privacy.secagg.faults import SecureError

WORD_BITS = 32  # sums are taken modulo 2^32
MOST_BITS = 24  # float32 holds no more
LEAST_BITS = 8
WEIGHT_BITS = 10
LEAST_SITES = 3  # of two, each knows the other's update from the sum
MOST_SITES = 256
MOST_NUMBERS = 2**30
MOST_TEXT = 2**18
NAME_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One study's terms of secure aggregation; SecureError where they are impossible.

    keys: site -> its Ed25519 public key, 32 raw bytes, checked by telephone or the like. threshold: sites without which nothing is
    opened, at least floor(2n/3)+1 of the manifest's n (not of those asked: the server cannot lower it by asking fewer), so that no
    two sets of survivors can both find enough signatures while fewer than n/3 sites lie. bits: of one quantised number. bound:
    largest change of one number. weight_bits: 0 for equal weights, else weights are 1..2^weight_bits - 1. size: numbers in an update.
    """

    study: str
    keys: Mapping[str, bytes]
    threshold: int
    bits: int
    bound: float
    weight_bits: int
    size: int

    @classmethod
    def of(cls, study: str, keys: Mapping[str, bytes], *, size: int, bound: float, weighted: bool) -> Manifest:
        """The manifest with the lowest threshold and the most bits that these sites allow."""
        weight_bits = WEIGHT_BITS if weighted else 0
        spare = WORD_BITS - weight_bits - sum_bits(len(keys))
        return cls(study=study, keys=dict(keys), threshold=least_threshold(len(keys)), bits=min(MOST_BITS, spare), bound=float(bound),
                   weight_bits=weight_bits, size=size)

    @classmethod
    def read(cls, text: bytes) -> Manifest:
        """The manifest of `to_bytes`; SecureError for anything else."""
        if len(text) > MOST_TEXT:
            raise SecureError(f"the manifest has {len(text)} bytes, more than {MOST_TEXT}", fault="size")
        try:
            fields = json.loads(text)
            fields["keys"] = {name: bytes.fromhex(key) for name, key in fields["keys"].items()}
            manifest = cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SecureError(f"the manifest cannot be read: {type(error).__name__}", fault="format") from None
        if manifest.to_bytes() != bytes(text):
            raise SecureError("the manifest is not in its one canonical form", fault="format")
        return manifest

    def __post_init__(self) -> None:
        _check_types(self)
        num = len(self.keys)
        if not LEAST_SITES <= num <= MOST_SITES:
            raise SecureError(f"{num} sites, but it needs {LEAST_SITES} to {MOST_SITES}: of two sites each would know the other's update. "
                              "Add sites, or set secure = false in [aggregation].", fault="few-sites")
        if len(set(self.keys.values())) < num:
            raise SecureError("two sites have the same key. Each site makes its own.", fault="same-key")
        least = least_threshold(num)
        if not least <= self.threshold <= num:
            raise SecureError(f"a threshold of {self.threshold} is not between {least} and {num}, for {num} sites", fault="manifest")
        if not 0 <= self.weight_bits <= WEIGHT_BITS or not LEAST_BITS <= self.bits <= MOST_BITS:
            raise SecureError(f"{self.bits} bits a number and {self.weight_bits} a weight are not {LEAST_BITS} to {MOST_BITS} and 0 to "
                              f"{WEIGHT_BITS}", fault="manifest")
        if self.bits + self.weight_bits + sum_bits(num) > WORD_BITS:
            raise SecureError(f"{self.bits} bits a number, {self.weight_bits} a weight and {num} sites do not fit {WORD_BITS} bits",
                              fault="manifest")
        if not (math.isfinite(self.bound) and self.bound > 0) or not 1 <= self.size <= MOST_NUMBERS:
            raise SecureError(f"a bound of {self.bound} or a size of {self.size} cannot be: a bound is finite and above 0, a size is 1 to "
                              f"{MOST_NUMBERS}", fault="manifest")

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same bytes at every site."""
        fields = vars(self) | {"keys": {name: key.hex() for name, key in self.keys.items()}}
        fields = {name: fields[name] for name in self.__dataclass_fields__}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `to_bytes`: what every signature and key of the protocol is bound to."""
        return hashlib.sha256(self.to_bytes()).digest()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The sites, sorted: messages speak of them by their place in this."""
        return tuple(sorted(self.keys))

    @property
    def most_weight(self) -> int:
        """The largest weight of a site; 1 where all weigh the same."""
        return (1 << self.weight_bits) - 1 if self.weight_bits else 1

    @property
    def levels(self) -> int:
        """The largest quantised number; bound is this, -bound is 0."""
        return (1 << self.bits) - 1

    @property
    def step(self) -> float:
        """The distance of two quantised numbers."""
        return 2 * self.bound / self.levels


def least_threshold(num_sites: int) -> int:
    """floor(2n/3) + 1: 3 of 3, 3 of 4, 4 of 5, 7 of 10, 14 of 20, 34 of 50."""
    return 2 * num_sites // 3 + 1


def sum_bits(num_sites: int) -> int:
    """Bits by which a sum of so many is wider than its parts: ceil(log2 n)."""
    return max(num_sites - 1, 0).bit_length()


def _check_types(manifest: Manifest) -> None:
    """SecureError unless every field is of its type: a manifest may come from a file."""
    whole: tuple[Any, ...] = (manifest.threshold, manifest.bits, manifest.weight_bits, manifest.size)
    if not isinstance(manifest.study, str) or any(type(value) is not int for value in whole) or type(manifest.bound) is not float:
        raise SecureError("the manifest has a field of the wrong type", fault="format")
    for name, key in manifest.keys.items():
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH or not isinstance(key, bytes) or len(key) != 32:
            raise SecureError("a site of the manifest has no name, or a key of other than 32 bytes", fault="format")
