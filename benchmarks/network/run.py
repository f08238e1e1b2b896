"""What a study over a network costs on this machine: python benchmarks/network/run.py [start overhead-1 overhead-85 soak-1 soak-85
large slow clinics capture]. Each part writes benchmarks/network/PART.json; without a name all parts that have none yet are run."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from capture import Capture
from line import Line

from wardround import run
from wardround.data.deal import deal
from wardround.network.auditlog import lines
from wardround.network.folders import SiteFolder
from wardround.network.rehearsal import Part, Rehearsal
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan

HERE = Path(__file__).parent
DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[1] / ".." / "shared" / "data"))
SITES = ("north", "south", "east", "west")
SIZES = {"1": ("model.width=32",), "45": ("model.name=resnet18", "model.width=1", "model.stem=3x3"),
         "85": ("model.name=resnet34", "model.width=1", "model.stem=3x3"), "400": ("model.width=600",)}
STEP = ("recipe.single_step=false", "recipe.local_epochs=none", "recipe.local_steps=1", "recipe.batch_size=2", "strategy.name=fedavg",
        "recipe.warmup=0", "rounds.evaluate_every=1000", "engine.precision=fp32", "data.size=32", "data.phantoms=160",
        "evaluation.resamples=100", "cohort.deadline_s=3000")


def plan_of(size: str, *settings: str, sites: tuple[str, ...] = SITES) -> Plan:
    """The demonstration's plan with a model of about so many MB and next to no training."""
    names = ", ".join(f'"{site}"' for site in sites)
    return load_plan("demo", ["model.width=none", "model.norm=group", *SIZES[size], *STEP, "sites.partition=iid", f"sites.num={len(sites)}",
                              f"sites.names=[{names}]", f"cohort.min_sites={len(sites)}", *settings])


class Bench:
    """A rehearsal in a folder of its own."""

    def __init__(self, plan: Plan, sites: tuple[str, ...] = SITES, data: Path | None = None) -> None:
        self.out = Path(tempfile.mkdtemp(prefix="wardround-network-"))
        folders = {site: data / site for site in sites} if data else deal(plan, self.out / "data", lambda event: None)
        self.field = Rehearsal(self.out / "study", plan, folders)

    def __enter__(self) -> Rehearsal:
        return self.field

    def __exit__(self, *error: object) -> None:
        self.field.__exit__()
        shutil.rmtree(self.out, ignore_errors=True)


def start() -> dict[str, Any]:
    """From nothing to the first order that a site receives."""
    with Bench(plan_of("1", "rounds.num=2")) as field:
        began = datetime.now().timestamp()
        field.start()
        field.finish()
        firsts = {kind: min(at for site in field.sites.values() for at, _ in orders(site, kind)) - began for kind in ("Hello", "Order")}
        return {"to_hello_s": firsts["Hello"], "to_first_order_s": firsts["Order"], "sites": len(field.sites)}


def overhead(size: str, rounds: int) -> dict[str, Any]:
    """Seconds of a round beyond those of the site that trained longest."""
    with Bench(plan_of(size, f"rounds.num={rounds}")) as field:
        field.start()
        field.finish(1800)
        found = field.rounds()
        busy = {event.round: max(seconds for site in field.sites.values() for at, seconds in orders(site, "Order", event.round))
                for event in found}
        extra = [event.seconds - busy[event.round] for event in found[1:-1]]
        return {"rounds": rounds, "bytes": found[0].bytes_up // len(field.sites), "median_s": statistics.median(extra), "max_s": max(extra),
                "first_s": found[0].seconds - busy[1], "training_s": statistics.median(busy.values()), "sites": len(field.sites)}


def soak(size: str, rounds: int, warm: int) -> dict[str, Any]:
    """Resident memory of each program by round, and its slope after the warm-up."""
    seen: dict[str, list[tuple[int, float]]] = {}
    parts: Mapping[str, tuple[Part, str | None]] = {
        "server": ("server", None), "server job": ("server-job", None), "hub": ("hub", None), "site client": ("client", "north"),
        "site job": ("client-job", "north"), "site worker": ("worker", "north")}
    with Bench(plan_of(size, f"rounds.num={rounds}")) as field:
        field.start()
        last = 0
        while field.progress.phase not in ("testing", "delivering", "finished"):
            if field.progress.round > last:
                last = field.progress.round
                for name, (part, site) in parts.items():
                    if found := field.processes(part, site):
                        seen.setdefault(name, []).append((last, memory_mb(found[0])))
            time.sleep(0.2)
        field.finish(600)
    slopes = {name: float(np.polyfit(*np.array([point for point in points if point[0] > warm]).T, 1)[0]) for name, points in seen.items()}
    return {"rounds": rounds, "warm": warm, "slope_mb_a_round": slopes, "last_mb": {name: points[-1][1] for name, points in seen.items()},
            "points": seen}


def large() -> dict[str, Any]:
    """400 MB a round, two sites."""
    sites = SITES[:2]
    with Bench(plan_of("400", "rounds.num=3", sites=sites), sites) as field:
        field.start()
        peaks: dict[str, float] = {}
        while field.progress.phase not in ("finished", "failed"):
            for part, site in (("server", None), ("server-job", None), ("client", "north"), ("client-job", "north"), ("worker", "north")):
                for process in field.processes(part, site):
                    peaks[part] = max(peaks.get(part, 0.0), memory_mb(process))
            time.sleep(0.3)
        found = field.rounds()
        return {"bytes": found[0].bytes_up // 2, "seconds": [event.seconds for event in found], "peak_mb": peaks,
                "failed": [dict(event.failed) for event in found]}


def slow() -> dict[str, Any]:
    """200 ms, 1 % loss, 10 Mbit/s on the line of one site of two, with a model of 11 M parameters."""
    sites = SITES[:2]
    with Bench(plan_of("45", "rounds.num=2", sites=sites), sites) as field:
        site, port = field.sites["north"], int(field.study.record()["port"])
        line = Line(port=port + 1000, target=port, rtt_s=0.2, rate=10e6, loss=0.01)
        line.start()
        site.change(port=port + 1000)
        began = time.monotonic()
        field.start()
        field.finish(3000)
        found = field.rounds()
        return {"seconds": [event.seconds for event in found], "whole_s": time.monotonic() - began, "line_bytes": line.num_bytes,
                "lost_segments": line.num_lost, "failed": [dict(event.failed) for event in found], "bytes": found[0].bytes_up // 2}


def back() -> dict[str, Any]:
    """A site that is away for one minute and for five: how long after its start a round has it again."""
    sites = SITES[:2]
    found: dict[str, Any] = {}
    with Bench(plan_of("1", "rounds.num=100000", "rounds.evaluate_every=10", "cohort.min_sites=1", "recipe.local_steps=40", sites=sites),
               sites) as field:
        field.start(wait_for=2)
        field.until(lambda: field.progress.round >= 3, 120, "round 3")
        for minutes in (1, 5):
            field.kill_site("south")
            gone = time.monotonic()
            field.until(lambda: "south" in field.rounds()[-1].failed, 120, "a round without south")
            noticed = time.monotonic() - gone
            time.sleep(60 * minutes - noticed)
            left_at = field.rounds()[-1].round
            field.start_site("south")
            seconds = field.until(lambda: "south" in field.rounds()[-1].train_loss_by_site, 180, "south's return")
            found[f"{minutes} min"] = {"noticed_s": noticed, "back_after_s": seconds, "last_round_before": left_at,
                                       "first_round_with": field.rounds()[-1].round}
        field.state.want(want="stop")
        run_folder = field.finish(120)
        return {**found, "without": run_folder.scores()["without"]}


def clinics() -> dict[str, Any]:
    """Four clinics with the real images, each its own folder: over the network, by the local engine, pooled."""
    plan = load_plan("brain-tumour-clinics", [f"data.folder={DATA / 'brain_tumor_mri'}", "engine.precision=fp32"])
    names = plan.sites.names or ()
    base = Path(tempfile.mkdtemp(prefix="wardround-clinics-"))
    folders = deal(plan, base / "data", lambda event: None)
    with Bench(plan, tuple(names), base / "data") as field:
        began = time.monotonic()
        field.start()
        result = field.finish(7200)
        seconds = time.monotonic() - began
        local = load_plan(field.study.plan_file, [f"data.folder={base / 'data'}"])
        arms = {arm: run(local, arm=arm, out=base / "runs") for arm in ("federated", "pooled")}
        models = [path.read_bytes() for path in (result.path / "model.safetensors", arms["federated"].path / "model.safetensors")]
        scores = {"network": result.scores(), **{arm: json.loads((held.path / "scores.json").read_text()) for arm, held in arms.items()}}
        values = {name: held["metrics"]["balanced_accuracy"] for name, held in scores.items()}
        shutil.copytree(result.path, HERE / "clinics-run", dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("checkpoints", "*.safetensors"))
    shutil.rmtree(base, ignore_errors=True)
    return {"sites": list(folders), "seconds": seconds, "balanced_accuracy": values, "same_bits_as_local_engine": models[0] == models[1],
            "ratio": values["network"]["value"] / values["pooled"]["value"]}


def capture() -> dict[str, Any]:
    """Whether a capture of the study's own ports holds a tensor or a name that a site sent."""
    with Bench(plan_of("1", "rounds.num=3")) as field, Capture(ports=(int(field.study.record()["port"]),)) as seen:
        field.start()
        run_folder = field.finish()
        weights = (run_folder.path / "model.safetensors").read_bytes()
        tensors = [weights[start : start + 64] for start in range(len(weights) // 4, len(weights), len(weights) // 40)]
        names = [b"features", b"safetensors", b"wardround", b"EvaluateOrder", b"nonce", b"glioma"]
        return {"packets": seen.num_packets, "bytes": len(seen.data), "tensors_found": sum(piece in seen.data for piece in tensors),
                "names_found": [name.decode() for name in names if name in seen.data], "tensors_looked_for": len(tensors)}


def orders(site: SiteFolder, kind: str, round: int | None = None) -> list[tuple[float, float]]:
    """When the site received orders of a kind, and how long each was in work there, from its audit log."""
    found, open_at = [], None
    for line in lines(site.audit_file):
        at = datetime.fromisoformat(line.time).timestamp()
        if line.kind == "order" and line.facts["kind"] == kind and round in (None, line.facts["round"]):
            open_at = at
        elif line.kind == "sent" and open_at is not None:
            found.append((open_at, at - open_at))
            open_at = None
    return found


def memory_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss / 1e6)
    except psutil.NoSuchProcess:
        return float("nan")


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "start": start, "back": back, "overhead-1": lambda: overhead("1", 30), "overhead-85": lambda: overhead("85", 8), "capture": capture,
    "clinics": clinics, "soak-1": lambda: soak("1", 200, 60), "soak-85": lambda: soak("85", 20, 6), "large": large, "slow": slow}


def main() -> None:
    """Run the parts that were named, or those without a result."""
    for name in sys.argv[1:] or [name for name in PARTS if not (HERE / f"{name}.json").exists()]:
        began = time.monotonic()
        result = PARTS[name]()
        record = {"part": name, "took_s": round(time.monotonic() - began, 1), "cores": os.cpu_count(), **result}
        (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        print(json.dumps({key: value for key, value in record.items() if key != "points"}), flush=True)


if __name__ == "__main__":
    main()
