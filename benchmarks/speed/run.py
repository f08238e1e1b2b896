"""How fast wardround is against loops written by hand: the speed benchmarks, paired and interleaved.

    make bench-speed                                      # this, micro.py, decode.py, growth.py: about 25 minutes on two free cores
    python benchmarks/speed/run.py --only w1 w3           # some workloads; the others keep their last figures
    python benchmarks/speed/run.py --quick                # a small repeat of everything, nothing is kept

Every run is a process of its own. Within a repeat the variants run in shuffled order, and a ratio is that of two runs of the same
repeat; medians over the repeats. Peak memory comes from runs of its own: to read it costs a process 2 ms for each 100 MB it holds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import command
from results import Results
from watched import timed, watched
from workloads import HERE, MAIN, WORKLOADS, Workload, prepare

VARIANTS = {
    "bare1": ["bare.py", "--processes", "1"],
    "bare2p": ["bare.py"],
    "bare2p_channels_last": ["bare.py", "--layout", "channels_last"],
    "wardround_fp32": ["ours.py", "--precision", "fp32"],
    "wardround_auto": ["ours.py", "--precision", "auto"],
    "wardround_command": [],
}
FEWER = {"bare1": 2, "bare2p_channels_last": 3, "wardround_command": 2}  # timed repeats at most, of what no goal is measured by
MEMORY_RUNS = {"w1": 2, "w2": 1, "w3": 3, "unet": 1, "toy": 1}  # numbered 0, -1, ...; of small networks they differ by a tenth
REPEATS = {"w1": 5, "w2": 3, "w3": 5, "unet": 3, "toy": 1}
DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[2] / "shared" / "data"))


def compare(work: Workload, given: argparse.Namespace, results: Results) -> None:
    """All repeats of one workload."""
    prepare(work, given.data)
    names = [name for name in given.variants if name != "wardround_command" or work.name == "w1"]
    repeats = given.repeats or (1 if given.quick else REPEATS[work.name])
    with tempfile.TemporaryDirectory() as folder:
        calls = {name: commands(name, work, given, Path(folder)) for name in names}
        for repeat in range(1 - (1 if given.quick else MEMORY_RUNS[work.name]), repeats + 1):
            due = [name for name in names if name not in FEWER or 0 <= repeat <= FEWER[name]]
            for name in random.Random(repeat).sample(due, len(due)):
                facts = one(name, calls[name], Path(folder), samples_memory=repeat < 1)
                results.add(work.name, name, repeat, facts)
                print(f"{work.name} {'memory' if repeat < 1 else repeat} {name}: {facts['wall_s']:.2f} s"
                      + (f", {facts['pss_mb']:.0f} MB" if repeat < 1 else ""), flush=True)


def commands(name: str, work: Workload, given: argparse.Namespace, folder: Path) -> list[str]:
    if name == "wardround_command":
        return command.write(work, given.data, folder)
    script, *arguments = VARIANTS[name]
    quick = ["--quick"] if given.quick else []
    return [sys.executable, str(HERE / script), work.name, *arguments, "--data", str(given.data), *quick]


def one(name: str, call: list[str], folder: Path, *, samples_memory: bool) -> dict[str, Any]:
    if name != "wardround_command":
        return watched(call, samples_memory=samples_memory)
    shutil.rmtree(folder / "runs", ignore_errors=True)  # else it would be taken as finished
    return timed(call, samples_memory=samples_memory, env={"WARDROUND_CACHE": str(folder / "cache")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(MAIN), metavar="WORKLOAD")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--repeats", type=int, help="timed runs of each variant")
    parser.add_argument("--quick", action="store_true", help="little work, one repeat; written only with --out")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help=f"folder of the results (default {HERE.name}/, with --quick none)")
    given = parser.parse_args()
    out = given.out or (None if given.quick else HERE)
    results = Results(out)
    for name in given.only:
        work = WORKLOADS[name].quick() if given.quick else WORKLOADS[name]
        compare(work, given, results)
        results.close(work)


if __name__ == "__main__":
    main()
