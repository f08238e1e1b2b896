"""One secure mean from end to end, over anything that carries bytes to sites and back.

    advertise -> share -> masked -> consent -> unmask          (stages 0 to 4 of Bonawitz et al. 2017, figure 4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import STAGES
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.quantise import restore
from wardround.privacy.secagg.server import SecureServer

Replies = Iterator[tuple[str, bytes | str]]


class Carrier(Protocol):
    """What brings requests to sites. A site that cannot answer is yielded with a text: why it is lost. Order does not matter."""

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies: ...


Record = Callable[[str, str, bytes], None]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Whose sum was opened. total_weight: of all members together, by what only the sites know. members: whose vectors are in it, sorted.
    lost: site -> why its vector is not in it. silent: members that left after their vector was in. num_bytes: received by the server."""

    total_weight: int
    members: tuple[str, ...]
    lost: Mapping[str, str]
    silent: Mapping[str, str]
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class SecureSum(Opened):
    """total: (size,) uint32, the members' weight * q(x) added up."""

    total: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SecureMean(Opened):
    """mean: (size,) float32, the members' mean by their weights."""

    mean: np.ndarray


def secure_mean(manifest: Manifest, round: int, attempt: int, carrier: Carrier, *, asked: Sequence[str] | None = None,
                masked: Callable[[Mapping[str, bytes]], Replies] | None = None, record: Record | None = None) -> SecureMean:
    """Run one attempt; SecureError if fewer than the threshold answer a stage, or anything was tampered with.

    asked: sites of this round, None for all of the manifest's. masked: asks for the masked vectors in the carrier's place (training
    happens there; site -> request, yields as Carrier.ask). attempt: 1.. or random, never the same twice in a round (a site refuses it).
    record: sees (stage, site, reply) of all that the server receives, for tests.
    """
    server = SecureServer(manifest, round, attempt, asked)
    found = _sum(server, carrier, masked or (lambda requests: carrier.ask("masked", requests)), record)
    mean = restore(found.total, found.total_weight, manifest)
    return SecureMean(mean=mean, total_weight=found.total_weight, members=found.members, lost=found.lost, silent=found.silent,
                      num_bytes=found.num_bytes)


def secure_sum(manifest: Manifest, round: int, attempt: int, carrier: Carrier, *, asked: Sequence[str] | None = None,
               record: Record | None = None) -> SecureSum:
    """As `secure_mean`, but the sum of whole numbers as it was opened."""
    return _sum(SecureServer(manifest, round, attempt, asked), carrier, lambda requests: carrier.ask("masked", requests), record)


def _sum(server: SecureServer, carrier: Carrier, masked: Callable[[Mapping[str, bytes]], Replies], record: Record | None) -> SecureSum:
    num_bytes = 0
    for stage in STAGES:
        requests = server.requests()
        for site, reply in masked(requests) if stage == "masked" else carrier.ask(stage, requests):
            if isinstance(reply, str):
                server.lose(site, reply)
                continue
            num_bytes += len(reply)
            if record is not None:
                record(stage, site, reply)
            try:
                server.take(site, reply)
            except SecureError as error:
                server.lose(site, str(error))
        server.close()
    total, weight = server.total()
    return SecureSum(total=total, total_weight=weight, members=server.members, lost=server.lost, silent=server.silent, num_bytes=num_bytes)
