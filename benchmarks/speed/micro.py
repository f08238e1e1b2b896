"""The engine's own costs, each apart from training: sums, overhead, memory by sites, start-up, probe."""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from ours import blueprint_of, plan_of
from watched import timed, watched
from workloads import HERE, WORKLOADS, Arrays, Workload

from wardround.aggregation.mean import mean
from wardround.build import ArmBlueprint, initial_params, trial_of
from wardround.core.events import Event, RoundFinished
from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.fleet.local import LocalFleet
from wardround.plan.schema import EnginePlan, Recipe, RoundsPlan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.strategies.fedavg import FedAvg
from wardround.training.local import Fit
from wardround.training.probe import candidates, typical
from wardround.training.probe import timed as probed

NUM_UPDATES = 10
TURNS = 7
SITES_OF = {"cnn": 50, "resnet18": 10}  # in the measurement of overhead
ROUNDS = 8


def sums() -> dict[str, Any]:
    """The weighted mean of ten ResNet-18 updates: ours against sums by key, in seconds of one core, and memory in models."""
    torch.set_num_threads(1)
    params = initial_params(_blueprint(WORKLOADS["w2"]))
    updates = [Update(site=str(index), num_examples=200 + index, delta=params * (index + 1.0), num_steps=1, train_loss=0.0)
               for index in range(NUM_UPDATES)]
    tensors = [(update.delta.named(), update.num_examples) for update in updates]
    arrays = [([tensor.numpy() for tensor in named.values()], num) for named, num in tensors]
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: mean(updates), "per_key_torch": lambda: by_key(tensors),
                                          "per_key_numpy": lambda: by_layer(arrays)}
    _check_equal(ways, params)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            times[name].append(time.process_time() - began)
    ratios = {name: median(a / b for a, b in zip(times["ours"], times[name], strict=True)) for name in ways if name != "ours"}
    extra = {name: _extra_bytes(way) / params.layout.num_bytes for name, way in ways.items()}
    return {"seconds": {name: median(found) for name, found in times.items()}, "ratio_to": ratios, "extra_models": extra}


def by_key(results: list[tuple[dict[str, torch.Tensor], int]]) -> dict[str, torch.Tensor]:
    """The usual sum over state dicts: key by key, update by update."""
    total = sum(num for _, num in results)
    return {key: sum(named[key] * (num / total) for named, num in results) for key in results[0][0]}  # type: ignore[misc]


def by_layer(results: list[tuple[list[np.ndarray], int]]) -> list[np.ndarray]:
    """As Flower's server does: every layer of every update times its examples, then summed by layer, then divided."""
    total = sum(num for _, num in results)
    weighted = [[layer * num for layer in layers] for layers, num in results]
    return [functools.reduce(np.add, layers) / total for layers in zip(*weighted, strict=True)]


def _check_equal(ways: dict[str, Callable[[], Any]], params: Params) -> None:
    ours = ways["ours"]().named()
    for entry, layer in zip(params.layout.entries, ways["per_key_numpy"](), strict=True):
        assert np.allclose(ours[entry.name].numpy(), layer, rtol=1e-4, atol=1e-5), entry.name
    assert all(torch.allclose(ours[name], tensor, rtol=1e-4, atol=1e-5) for name, tensor in ways["per_key_torch"]().items())


def _extra_bytes(way: Callable[[], Any]) -> int:
    """Peak resident memory while it runs, beyond what was there before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else what was freed before would serve unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    kept = way()
    peak = _status("VmHWM")
    del kept
    return peak - before


def _status(key: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


class _Resting:
    """A site that trains nothing."""

    def __init__(self, site: Any) -> None:
        self._site = site

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site, name)

    def fit(self, *_: Any, **__: Any) -> Fit:
        return Fit(num_steps=0, num_images=0, train_loss=0.0)


class Resting(FedAvg):
    """FedAvg whose sites do everything but train: what is left is the engine's own cost."""

    def train(self, site: Any, order: Order) -> Update:
        return super().train(_Resting(site), order)  # type: ignore[arg-type]


def overhead() -> dict[str, dict[str, float]]:
    """Milliseconds a site and round: a round's wall time without training and evaluation, over its sites."""
    found: dict[str, dict[str, float]] = {}
    for model, num_sites in SITES_OF.items():
        work = _small(next(work for work in WORKLOADS.values() if work.model == model and work.name != "toy"), num_sites)
        blueprint = _blueprint(work, strategy=Resting(recipe=Recipe()))
        found[model] = {f"{workers}_workers": min(_rest(blueprint, workers) for _ in range(2)) for workers in (1, 2)}
    return found


def _rest(blueprint: ArmBlueprint, workers: int) -> float:
    seconds: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, RoundFinished) and not event.val and event.round > 1:
            seconds.append(event.seconds)

    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    with tempfile.TemporaryDirectory() as folder:
        fleet = LocalFleet(blueprint, start.params.layout, workers=workers, work=Path(folder) / "work")
        try:
            run_rounds(blueprint.plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=watch,
                       save=lambda course: None)
        finally:
            fleet.close()
    return 1000 * median(seconds) / len(blueprint.rows)


def memory_by_sites(data: Path, turns: int = 3) -> dict[str, Any]:
    """Peak memory of w3 with 1000 sites against 50, both with 50 in a round."""
    peaks: dict[int, list[float]] = {1000: [], 50: []}
    for _ in range(turns):
        for num_sites, found in peaks.items():
            call = [sys.executable, str(HERE / "ours.py"), "w3", "--data", str(data), "--sites", str(num_sites)]
            found.append(watched(call, samples_memory=True)["pss_mb"])
    pairs = [many / few for many, few in zip(peaks[1000], peaks[50], strict=True)]
    return {"pss_mb": {str(num): median(found) for num, found in peaks.items()}, "ratio": median(pairs)}


def startup(turns: int = TURNS) -> dict[str, float]:
    """Seconds from start to end of small commands."""
    calls = {"python": ["-c", ""], "import_torch": ["-c", "import torch"], "wardround_help": ["-m", "wardround", "--help"],
             "import_torch_exit_at_once": ["-c", "import torch, os; os._exit(0)"]}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            times[name].append(timed([sys.executable, *call])["wall_s"])
    return {name: median(found) for name, found in times.items()}


def probe() -> dict[str, Any]:
    """The cold cost of `precision = "auto"` on each workload's network, and the milliseconds of a step that it found."""
    found = {}
    for name in ("w1", "w2", "unet"):
        blueprint = _blueprint(WORKLOADS[name])
        began = time.perf_counter()
        steps = probed(trial_of(blueprint), candidates(EnginePlan(precision="auto", layout="auto"), "cpu"))
        found[name] = {"seconds": time.perf_counter() - began,
                       "step_ms": {f"{one.precision} {one.layout}": typical(times) for one, times in steps.items()}}
    return found


def _small(work: Workload, num_sites: int) -> Workload:
    return replace(work, num_sites=num_sites, fraction=1.0, images_per_site=2, num_val=2, rounds=ROUNDS)


def _blueprint(work: Workload, strategy: Any = None) -> ArmBlueprint:
    """The workload on blank images: only its network matters."""
    n = work.num_sites * 2 + work.num_val
    shape = (n, work.size, work.size)
    rows = {f"site-{index}": np.arange(2 * index, 2 * index + 2) for index in range(work.num_sites)}
    val = {name: np.arange(0) if index else np.arange(n - work.num_val, n) for index, name in enumerate(rows)}
    arrays = Arrays(images=np.zeros((n, work.channels, *shape[1:]), np.uint8), train=rows, val=val,
                    truth=np.zeros(shape, np.uint8) if work.mask_slices else np.zeros(n, np.int64))
    plan = plan_of(work, precision="fp32", layout="contiguous")
    rounds = RoundsPlan(num=work.rounds, evaluate_every=work.rounds, metric="loss")
    return blueprint_of(work, arrays, plan.model_copy(update={"rounds": rounds}), strategy)


PARTS: dict[str, Callable[[Path], Any]] = {
    "sum_of_ten_resnet18": lambda data: sums(), "overhead_ms": lambda data: overhead(), "memory_by_sites": memory_by_sites,
    "startup_s": lambda data: startup(), "probe": lambda data: probe()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WARDROUND_DATA", HERE.parents[2] / "shared" / "data")))
    parser.add_argument("--out", type=Path, default=HERE / "micro.json")
    given = parser.parse_args()
    for name in given.only:
        found = PARTS[name](given.data)  # a part that fails leaves the others' last figures
        kept = json.loads(given.out.read_text()) if given.out.exists() else {}
        given.out.write_text(json.dumps({**kept, name: found}, indent=1) + "\n")
        print(name, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
