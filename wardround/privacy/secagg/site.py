"""A site's half of secure aggregation: it answers five requests of an attempt, in order and once, and refuses all else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wardround.privacy.secagg.manifest import Manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class SecureSite:
    """One site, for all rounds of a study. Keys of an attempt live in memory only: after a restart the site refuses its later stages.

    entropy: num -> that many random bytes (tests only may replace it). opened: round -> digest of the sites whose sum this site helped
    to open; hand the old one to the next process if it shall be remembered. Requests are hostile; each method raises SecureError.
    """

    def __init__(self, name: str, identity: Ed25519PrivateKey, manifest: Manifest, entropy: Callable[[int], bytes] = os.urandom,
                 opened: dict[int, bytes] | None = None) -> None: ...

    def answer(self, stage: str, request: bytes) -> bytes:
        """The reply to a request of any stage but "masked"."""
        raise NotImplementedError

    def advertise(self, request: bytes) -> bytes:
        """Stage 0: begin the attempt that the request names; fresh public keys, signed. An earlier attempt's keys are forgotten."""
        raise NotImplementedError

    def share(self, request: bytes) -> bytes:
        """Stage 1: for each other site, shares of this site's two secrets, which only that site can read."""
        raise NotImplementedError

    def masked(self, request: bytes, vector: np.ndarray, weight: int = 1) -> bytes:
        """Stage 2: the vector quantised, times its weight, under masks. vector: (size,) float32. weight: 1..manifest.most_weight."""
        raise NotImplementedError

    def consent(self, request: bytes) -> bytes:
        """Stage 3: a signature over the survivors that the server names."""
        raise NotImplementedError

    def unmask(self, request: bytes) -> bytes:
        """Stage 4: of each survivor the share of its own mask, of each site lost since stage 1 the share of its pair masks."""
        raise NotImplementedError

    @property
    def attempt(self) -> tuple[int, int] | None:
        """(round, attempt) in progress."""
        raise NotImplementedError
