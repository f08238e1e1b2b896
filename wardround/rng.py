"""Randomness as named streams: the same numbers on any engine, in any order, with any number of workers.

A stream's seed is a hash of its parts, so `stream(seed, "site", "north", 3)` does not depend on what was drawn elsewhere.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream_seed(*parts: object) -> int:
    """Return a 63-bit seed: the BLAKE2b hash of the parts, joined by a separator that no part's text can imitate."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = f"{type(part).__name__}:{part}".encode()
        digest.update(len(text).to_bytes(4, "little") + text)
    return int.from_bytes(digest.digest(), "little") >> 1


def stream(*parts: object) -> np.random.Generator:
    """Return the NumPy generator of this name: splits, partitions, batch order, cohorts, bootstrap."""
    return np.random.default_rng(stream_seed(*parts))


def torch_stream(*parts: object) -> torch.Generator:
    """Return the torch generator of this name (CPU): augmentation and noise on tensors."""
    import torch

    return torch.Generator().manual_seed(stream_seed(*parts))


@contextmanager
def global_torch_stream(*parts: object) -> Iterator[None]:
    """Seed torch's global generators inside the block and put their state back after it.

    Only for code of others that offers no generator: initialisers of nn.Module and nn.Dropout.
    """
    import torch

    # not torch.manual_seed: where CUDA is not in use, it formats three stack traces a call for later, 3 ms
    generators = [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]  # type: ignore[no-untyped-call]
    before = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(stream_seed(*parts))
    try:
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)


@contextmanager
def global_python_stream(*parts: object) -> Iterator[None]:
    """Seed Python's own generator inside the block and put its state back after it: Keras draws its initialisers' seeds from it."""
    before = random.getstate()
    random.seed(stream_seed(*parts))
    try:
        yield
    finally:
        random.setstate(before)
