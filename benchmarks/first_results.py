"""The first results on real images: every plan's arms, and the promises about start-up, resume and workers.

    make bench                         # about an hour and a half on 2 cores; stopped and given again, it goes on
    python benchmarks/first_results.py --only pneumoniamnist

Runs and reports go to runs/bench/, one line of results a study to the terminal. What the lines were on which machine stands in
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from wardround.runs.folder import RunFolder, read_json

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("WARDROUND_DATA", ROOT.parent / "shared" / "data"))
OUT = ROOT / "runs" / "bench"
WARDROUND = [sys.executable, "-m", "wardround"]

STUDIES = {  # name -> plan, folder of the data set, overrides
    "pneumoniamnist": ("pneumoniamnist", "pneumoniamnist", []),
    "chest-iid": ("chest-xray-pneumonia", "chest_xray", []),
    "chest-dirichlet": ("chest-xray-pneumonia", "chest_xray", ["sites.partition=dirichlet", "sites.alpha=0.3", "rounds.num=56"]),
    "brain-missing-types": ("brain-tumour-missing-types", "brain_tumor_mri", []),
    "brain-published": ("brain-tumour-missing-types", "brain_tumor_mri", ["split.policy=published", "rounds.num=80"]),
}
ARMS = {"brain-published": "pooled"}  # the leak gate needs one arm only


def study(name: str) -> str:
    """Run a comparison, or use what is there, and put its result in a line."""
    plan, folder, overrides = STUDIES[name]
    out, started = OUT / name, time.perf_counter()
    changes = [part for override in overrides for part in ("--set", override)]
    subprocess.run([*WARDROUND, "compare", plan, "--data", str(DATA / folder), "--out", str(out), "--arms",
                    ARMS.get(name, "federated,pooled,local"), *changes], check=True)
    record = read_json(out / plan / "compare.json")
    return f"{name}: {time.perf_counter() - started:.0f} s this time; {numbers(record)}"


def numbers(record: dict) -> str:
    """Each arm's primary metric, the published figure beside the clean one, and the paired ratio."""
    metric = record["primary"]
    parts = []
    for arm, (scores, *_) in record["arms"].items():
        parts.append(f"{arm} {metric} {interval(scores['metrics'][metric])} (n = {scores['num_test']})")
        if scores.get("published"):
            published = scores["published"]
            parts.append(f"{arm} on the published test split {interval(published['metrics'][metric])} "
                         f"({published['num_leaking']} of {published['num_test']} images leak)")
    for pair, metrics in record["paired"].items():
        found = metrics[metric]
        parts.append(f"{pair} ratio {found['ratio']:.3f} [{found['low']:.3f}, {found['high']:.3f}], "
                     f"difference {found['difference']:+.3f} [{found['difference_low']:+.3f}, {found['difference_high']:+.3f}]")
    return "; ".join(parts)


def interval(entry: dict) -> str:
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


def start_up() -> str:
    """`wardround --help`, best of five: the machine's noise only ever adds."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([*WARDROUND, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return f"wardround --help: {min(seconds):.2f} s (best of 5; all: {', '.join(f'{s:.2f}' for s in sorted(seconds))})"


def same_bits() -> str:
    """A run with 1 worker, one with 2, and one that is killed after its first checkpoint and resumed: one hash."""
    command = [*WARDROUND, "run", "pneumoniamnist", "--data", str(DATA / "pneumoniamnist"), "--set", "rounds.num=4",
               "--set", "rounds.checkpoint_every_s=0"]
    hashes = {}
    for workers in ("1", "2"):
        subprocess.run([*command, "--workers", workers, "--out", str(OUT / f"workers-{workers}")], check=True)
        hashes[f"{workers} workers"] = weights(OUT / f"workers-{workers}")
    killed = OUT / "killed" / "pneumoniamnist" / "federated-seed0"
    process = subprocess.Popen([*command, "--workers", "2", "--out", str(OUT / "killed")])
    while not list((killed / "checkpoints").glob("round-00000[1-3]")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    subprocess.run([*WARDROUND, "run", "--resume", str(killed)], check=True)
    hashes["killed and resumed"] = weights(OUT / "killed")
    return f"model.safetensors, {'all equal' if len(set(hashes.values())) == 1 else 'DIFFERENT'}: {hashes}"


def weights(out: Path) -> str:
    folder = RunFolder(out / "pneumoniamnist" / "federated-seed0")
    return hashlib.sha256((folder.path / "model.safetensors").read_bytes()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[*STUDIES, "start-up", "same-bits"])
    chosen = parser.parse_args().only
    jobs = {**{name: lambda name=name: study(name) for name in STUDIES}, "start-up": start_up, "same-bits": same_bits}
    lines = [job() for name, job in jobs.items() if chosen in (None, name)]
    print("\n".join(["", *lines]))


if __name__ == "__main__":
    main()
