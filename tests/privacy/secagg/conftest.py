"""A study of n sites in one process, whose messages a test may drop, change, repeat or keep."""

import hashlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wardround.privacy.secagg.drive import SecureSum, secure_sum
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import STAGES
from wardround.privacy.secagg.local import LocalCarrier
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.server import SecureServer
from wardround.privacy.secagg.site import SecureSite
from wardround.rng import stream


def fixed_entropy(seed: str) -> Callable[[int], bytes]:
    """Reproducible bytes in place of the operating system's: for tests only."""
    count = 0

    def draw(num: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(num)

    return draw


class Study(LocalCarrier):
    """Step 1 and vectors on the grid: rounding changes nothing, so that the sum is known to the last bit.

    drops: site -> first stage (0 to 4) that it does not answer. change_request, change_reply: (stage, site, bytes) -> bytes.
    """

    def __init__(self, num: int, size: int = 16, weighted: bool = True, seed: int = 0) -> None:
        self.names = [f"site-{index:02}" for index in range(num)]
        self.identities = {name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()) for name in self.names}
        keys = {name: identity.public_key().public_bytes_raw() for name, identity in self.identities.items()}
        bits = Manifest.of("study", keys, size=size, bound=1.0, weighted=weighted).bits
        self.manifest = Manifest.of("study", keys, size=size, bound=(2**bits - 1) / 2, weighted=weighted)
        rng = stream(seed, "secagg", num)
        self.levels = {name: rng.integers(0, 2**bits, size) for name in self.names}
        self.weights = {name: int(rng.integers(1, 1024)) if weighted else 1 for name in self.names}
        super().__init__({name: self.start(name) for name in self.names}, self.vector_of)
        self.faults: dict[str, SecureError] = {}
        self.transcript: list[tuple[str, str, bytes]] = []
        self.round = self.attempt = 1
        self.drops: Mapping[str, int] = {}
        self.change_request = self.change_reply = lambda stage, name, message: message

    def start(self, name: str) -> SecureSite:
        """The site's process, started (anew)."""
        return SecureSite(name, self.identities[name], self.manifest, fixed_entropy(name))

    def vector_of(self, name: str) -> tuple[np.ndarray, int]:
        return (self.levels[name] - self.manifest.bound).astype(np.float32), self.weights[name]

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | str]]:
        for name, request in requests.items():
            if self.drops.get(name, 5) <= STAGES.index(stage):
                yield name, "gone"
                continue
            reply = self.reply(stage, name, self.change_request(stage, name, request))
            yield name, reply if isinstance(reply, str) else self.change_reply(stage, name, reply)

    def reply(self, stage: str, name: str, request: bytes) -> bytes | str:
        try:
            if stage == "masked":
                return self.sites[name].masked(request, *self.vector(name))
            return self.sites[name].answer(stage, request)
        except SecureError as error:
            self.faults[name] = error
            return str(error)

    def run(self) -> SecureSum:
        return secure_sum(self.manifest, self.round, self.attempt, self,
                          record=lambda stage, site, reply: self.transcript.append((stage, site, reply)))

    def after(self, last: str, asked: list[str] | None = None) -> SecureServer:
        """A server whose stage `last` is closed."""
        server = SecureServer(self.manifest, self.round, self.attempt, asked)
        for stage in STAGES[:STAGES.index(last) + 1]:
            for name, reply in self.ask(stage, server.requests()):
                assert server.take(name, reply)
            server.close()
        return server

    def expected(self, members: list[str]) -> tuple[list[int], int]:
        """The sum of weight * level and of the weights, in Python's own whole numbers."""
        total = [sum(self.weights[name] * int(self.levels[name][k]) for name in members) for k in range(self.manifest.size)]
        return total, sum(self.weights[name] for name in members)

    def check(self, found: SecureSum, members: list[str]) -> None:
        assert list(found.members) == members
        assert (found.total.tolist(), found.total_weight) == self.expected(members)


@pytest.fixture
def make_study() -> type[Study]:
    return Study


@pytest.fixture
def fixed(request: pytest.FixtureRequest) -> Callable[[int], bytes]:
    """Entropy that is the same each time a test runs."""
    return fixed_entropy(request.node.name)
