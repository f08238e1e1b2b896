"""One secure mean from end to end, over anything that carries bytes to sites and back.

    adverts -> share -> masked -> consent -> unmask          (stages 0 to 4 of Bonawitz et al. 2017, figure 4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wardround.privacy.secagg.manifest import Manifest

Replies = Iterator[tuple[str, bytes | str]]


class Carrier(Protocol):
    """What brings requests to sites. A site that cannot answer is yielded with a text: why it is lost. Order does not matter."""

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies: ...


@dataclass(frozen=True, kw_only=True)
class SecureMean:
    """mean: (size,) float32, weighted by what only the sites know. total_weight: of all members together. members: whose vectors are
    in it, sorted. lost: site -> why its vector is not in it. silent: members that left after their vector was in. num_bytes: received."""

    mean: np.ndarray
    total_weight: int
    members: tuple[str, ...]
    lost: Mapping[str, str]
    silent: Mapping[str, str]
    num_bytes: int


def secure_mean(manifest: Manifest, round: int, attempt: int, carrier: Carrier, *, asked: tuple[str, ...] | None = None,
                masked: Callable[[Mapping[str, bytes]], Replies] | None = None,
                record: Callable[[str, str, bytes], None] | None = None) -> SecureMean:
    """Run one attempt; SecureError if fewer than the threshold answer a stage, or anything was tampered with.

    asked: sites of this round, None for all of the manifest's. masked: asks for the masked vectors in the carrier's place (training
    happens there; site -> request, yields as Carrier.ask). attempt: 1.. or random, never the same twice in a round (a site refuses it).
    record: sees (stage, site, reply) of all that the server receives, for tests.
    """
    raise NotImplementedError
