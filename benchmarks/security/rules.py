"""What the robust rules take of time and memory: 50 updates of 25 million numbers, a process each.

    python benchmarks/security/rules.py                                  # all of them: 5 GB for the updates, minutes
    python benchmarks/security/rules.py --millions 2 --rules krum median  # smaller

Goal: at most 60 s on two cores, and at most 512 MiB beside the updates that are held. Updates come one by one in the same memory, as the
engine hands them on. `store` is the time to copy them with the check for NaN, without that to draw them; `suspicion` that for the journal's
numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from wardround.aggregation.choose import LIMITS, make_combine
from wardround.aggregation.robust import Robust
from wardround.aggregation.stack import Stack
from wardround.aggregation.suspicion import suspicion
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.data.cache import cores
from wardround.plan.schema import AggregationPlan

MIB = 2**20
RULES = (*LIMITS, "norm-bound")


class Sender:
    """Honest updates around a common one, and attackers that send minus four times that, all in one vector. seconds: spent on drawing."""

    def __init__(self, num: int, size: int, attackers: int) -> None:
        self.num, self.size, self.attackers, self.seconds = num, size, attackers, 0.0
        self._common, self._noise = (torch.randn(size, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
        self._slot = torch.zeros(size)
        self._layout = Layout.of([("w", torch.empty(size, device="meta"), True)])

    def updates(self) -> Iterator[Update]:
        for index in range(self.num):
            started, shift = perf_counter(), 1 + index * 7919
            torch.add(self._common[shift:], self._noise[:-shift], out=self._slot[shift:])
            torch.add(self._common[:shift], self._noise[-shift:], out=self._slot[:shift])
            if index < self.attackers:
                self._slot.mul_(-4)
            self.seconds += perf_counter() - started
            yield Update(site=f"site-{index + 1}", num_examples=1, delta=Params(self._slot, self._layout), num_steps=1, train_loss=0.0)


def measure(rule: str, num: int, size: int) -> dict[str, float]:
    """Seconds, and MiB of the peak beyond the stored updates and what was there before."""
    attackers = 0 if rule == "norm-bound" else LIMITS[rule].most(num) if rule == "bulyan" else num // 5
    combine = make_combine(AggregationPlan(rule=rule, attackers=attackers, root=f"site-{num}"))
    assert isinstance(combine, Robust)
    sender = Sender(num, size, attackers)
    before, started = resident(), perf_counter()
    stack = Stack.of(sender.updates())
    stored = perf_counter()
    change = combine.rule(stack)
    combined = perf_counter()
    found = suspicion(stack, change)
    ended = perf_counter()
    assert len(found) == num and torch.isfinite(change.flat).all()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"attackers": attackers, "store_s": stored - started - sender.seconds, "rule_s": combined - stored,
            "suspicion_s": ended - combined, "beside_mib": (peak - before - 4 * num * size) / MIB}


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--millions", type=float, default=25.0, help="numbers of an update")
    parser.add_argument("--rules", nargs="*", default=RULES, choices=RULES)
    parser.add_argument("--out", type=Path, help="a JSON file")
    asked = parser.parse_args()
    found: dict[str, Any] = {"sites": asked.sites, "millions": asked.millions, "cores": cores(), "load": os.getloadavg()[0], "rules": {}}
    for rule in asked.rules:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # the peak of a process of its own
            took = pool.submit(measure, rule, asked.sites, int(asked.millions * 1e6)).result()
        found["rules"][rule] = {name: round(value, 2) for name, value in took.items()}
        print(rule, found["rules"][rule], flush=True)
        if asked.out is not None:
            asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
