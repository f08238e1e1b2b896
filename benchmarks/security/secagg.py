"""What a secure mean takes of time, memory and bytes, and whether its sums are exact under random drop-outs.

    python benchmarks/security/secagg.py                                        # 20 sites, 25 million numbers, 3 drop-outs; minutes
    python benchmarks/security/secagg.py --millions 1 --patterns 20             # smaller

Goals: at most 10 s of processor time a site and 30 s at the server with 3 drop-outs, at most 1.05 times the bytes of plain float32; every
sum exact to the last bit. Sites run one after another in this process, in one thread; the carrier notes the processor time of each. Sites
share one update, turned by another amount for each: no room for 20.
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wardround.privacy.secagg.drive import secure_mean, secure_sum
from wardround.privacy.secagg.layout import STAGES
from wardround.privacy.secagg.local import LocalCarrier
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.site import SecureSite
from wardround.rng import stream

HERE = Path(__file__).parent
PATTERNS = {10: 200, 20: 200, 50: 200}  # sites: random patterns of drop-outs
SIZE = 16  # numbers in those


class Timed(LocalCarrier):
    """drops: site -> first stage that it does not answer. seconds, num_bytes: of each site, processor time and what it sent.
    drawing: seconds in which this program made the vectors."""

    def __init__(self, num: int, size: int, bound: float) -> None:
        identities = {f"site-{index:02}": Ed25519PrivateKey.generate() for index in range(num)}
        keys = {name: identity.public_key().public_bytes_raw() for name, identity in identities.items()}
        self.manifest = Manifest.of("benchmark", keys, size=size, bound=bound, weighted=True)
        super().__init__({name: SecureSite(name, identity, self.manifest) for name, identity in identities.items()}, self.turned)
        self.names = list(identities)
        self.drops: dict[str, int] = {}
        self.base = np.zeros(0, dtype=np.float32)
        self.weights = {name: 1 + 20 * index for index, name in enumerate(identities)}
        self.seconds, self.num_bytes, self.drawing = dict.fromkeys(identities, 0.0), dict.fromkeys(identities, 0), 0.0

    def turned(self, name: str) -> tuple[np.ndarray, int]:
        return np.roll(self.base, 1 + 7919 * self.names.index(name)), self.weights[name]

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | str]]:
        for name, request in requests.items():
            if self.drops.get(name, 5) <= STAGES.index(stage):
                yield name, "gone"
                continue
            began = process_time()
            vector = self.vector(name) if stage == "masked" else None
            started = process_time()
            reply = self.sites[name].masked(request, *vector) if vector else self.sites[name].answer(stage, request)
            self.drawing += started - began
            self.seconds[name] += process_time() - started
            self.num_bytes[name] += len(reply)
            yield name, reply


def large(num: int, size: int) -> dict[str, Any]:
    """One mean of num sites of which 3 share keys and then are gone: processor seconds, bytes, peak memory and error."""
    carrier = Timed(num, size, 1.0)
    carrier.drops = {"site-03": 2, "site-08": 2, "site-13": 2}
    carrier.base = stream("benchmark").standard_normal(size, dtype=np.float32) * np.float32(0.1)
    before, started, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time(), perf_counter()
    found = secure_mean(carrier.manifest, 1, 1, carrier)
    total, wall = process_time() - started, perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    expected = np.zeros(size)
    for name in found.members:
        vector, weight = carrier.turned(name)
        expected += vector.astype(np.float64) * (weight / found.total_weight)
    error = np.abs(found.mean - expected)
    sites = [carrier.seconds[name] for name in found.members]
    return {"sites": num, "numbers": size, "drop_outs": len(carrier.drops), "bits": carrier.manifest.bits, "step": carrier.manifest.step,
            "site_cpu_s": {"mean": float(np.mean(sites)), "max": max(sites)},
            "server_cpu_s": total - carrier.drawing - sum(carrier.seconds.values()), "wall_s": wall,
            "bytes_a_site": max(carrier.num_bytes.values()), "bytes_times_float32": max(carrier.num_bytes.values()) / (4 * size),
            "peak_beside_mib": (peak - before) / 1024, "error_max": float(error.max()), "error_mean": float(error.mean())}


def exact(num: int, patterns: int) -> dict[str, Any]:
    """Sums under random drop-outs at random stages, on vectors that lie on the grid: how many were exact, and seconds of each."""
    bits = Timed(num, SIZE, 1.0).manifest.bits
    bound = (2**bits - 1) / 2  # a step of 1: rounding changes nothing
    rng, right, started = stream("patterns of the benchmark", num), 0, process_time()
    for pattern in range(patterns):
        carrier = Timed(num, SIZE, bound)
        levels = dict(zip(carrier.names, rng.integers(0, 2**bits, (num, SIZE)), strict=True))
        carrier.vector = lambda name, levels=levels, weights=carrier.weights: ((levels[name] - bound).astype(np.float32), weights[name])
        gone = rng.permutation(num)[:rng.integers(0, num - carrier.manifest.threshold + 1)]
        carrier.drops = {carrier.names[place]: int(rng.integers(0, 5)) for place in gone}
        found = secure_sum(carrier.manifest, pattern, 1, carrier)
        members = [name for name in carrier.names if carrier.drops.get(name, 5) > STAGES.index("masked")]
        total = [sum(carrier.weights[name] * int(levels[name][k]) for name in members) for k in range(SIZE)]
        right += list(found.members) == members and found.total.tolist() == total
    return {"sites": num, "patterns": patterns, "exact": right, "cpu_s_each": (process_time() - started) / patterns}


def main() -> None:
    """Measure, print, write secagg.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=25, help="numbers in an update")
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--patterns", type=int, help="random patterns for each number of sites (default: 200)")
    parser.add_argument("--out", type=Path, default=HERE / "secagg.json")
    options = parser.parse_args()
    found = {"large": large(options.sites, int(options.millions * 1e6)),
             "patterns": [exact(num, options.patterns or patterns) for num, patterns in PATTERNS.items()]}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
