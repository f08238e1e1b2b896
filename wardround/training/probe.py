"""Which number format and order of pixels a network trains fastest in here: timed on the network itself, once, then remembered.

Speed never decides anew: the times lie in cache_root()/probes, so that every run of a plan on one machine computes in the same way,
and two runs with the same plan and seed have the same bits. Without that file the times, and with them the choice, may differ.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from wardround.core.events import Note, Watch, silent
from wardround.core.params import FlatModel
from wardround.data.catalogue import Task
from wardround.data.storage import put_in_place
from wardround.errors import PlanError, WardroundError
from wardround.places import cache_root
from wardround.plan.schema import EnginePlan, Recipe
from wardround.rng import global_torch_stream, torch_stream
from wardround.runs.provenance import cpu_name
from wardround.training.apart import apart, caught, clock
from wardround.training.arithmetic import Arithmetic
from wardround.training.losses import make_loss

VERSION = 1  # of how steps are timed: a change makes every file of times stale
BATCH, PIXELS = 32, 8 * 64 * 64  # of a timed step on a CPU at most (but two pictures): larger ones take longer and choose the same
GAIN = 0.95  # a candidate must take at most this part of a plainer one's time
NEAR = 1.5  # times the best first step: slower candidates are timed no further
FAR = 2.0  # times the best first step: of a number format that is slower than this, the other layout is not tried
QUICK_MS = 20.0  # first steps that are shorter exclude nobody: they are mostly torch's own beginning
ROUNDS, ENOUGH_S = 5, 0.25  # further steps of each, and the seconds after which one is enough

Steps = Mapping[Arithmetic, Sequence[float]]  # milliseconds of each step, the plainest candidate first; the first step chooses kernels

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a training step is timed on. network: what tells the model from others. shape: of a batch, (B, C, ...)."""

    model: Callable[[], FlatModel]
    network: Mapping[str, Any]
    recipe: Recipe
    task: Task
    num_classes: int
    shape: tuple[int, ...]
    device: str

    def key(self, candidates: Sequence[Arithmetic]) -> str:
        """Hash of all that the times depend on."""
        parts = [VERSION, self.network, self.recipe.loss, self.task, self.num_classes, self.shape, self.device, torch.__version__,
                 machine(self.device), list(map(_name, candidates))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def precisions(device: str) -> tuple[str, ...]:
    """What this machine computes by instructions of its own, the plainest first; bf16 by software would be slower, not faster."""
    if device != "cpu":
        return ("fp32", "tf32", "bf16") if torch.cuda.get_device_capability() >= (8, 0) else ("fp32",)
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return ("fp32", "bf16") if has_bf16 else ("fp32",)


def candidates(engine: EnginePlan, device: str) -> list[Arithmetic]:
    """What the plan leaves open, the plainest first."""
    formats = precisions(device) if engine.precision == "auto" else (engine.precision,)
    layouts = ("contiguous", "channels_last") if engine.layout == "auto" else (engine.layout,)
    return [Arithmetic(precision=precision, layout=layout) for precision in formats for layout in layouts]


def fastest(trial: Trial, allowed: Sequence[Arithmetic], watch: Watch = silent) -> Arithmetic:
    """The candidate to train with: the plainest, unless another is at least 5 % faster. A note tells which, and why.

    A probe that fails chooses the plainest, and is made again the next time."""
    if len(allowed) == 1:
        return allowed[0]
    path = cache_root() / "probes" / f"{trial.key(allowed)}.json"
    steps, started, when = _read(path, allowed), time.perf_counter(), "timed before"
    if steps is None:
        try:
            steps = _kept(path, timed(trial, allowed), allowed)
        except PlanError:
            raise
        except WardroundError as error:
            watch(Note(text=f"computes in {words(allowed[0])}: what is fastest here could not be timed ({error})"))
            return allowed[0]
        when = f"probe of {time.perf_counter() - started:.1f} s"
    chosen = choose(steps)
    watch(Note(text=_sentence(steps, chosen, when)))
    return chosen


def choose(steps: Steps) -> Arithmetic:
    """The plainest, or what takes at most 95 % of the time of every plainer choice."""
    chosen, *others = steps
    for other in others:
        if typical(steps[other]) <= GAIN * typical(steps[chosen]):
            chosen = other
    return chosen


def ratio(steps: Steps, slow: Arithmetic, fast: Arithmetic) -> float:
    """How many times as fast; by first steps, where one of them was timed no further."""
    a, b = steps[slow], steps[fast]
    return typical(a) / typical(b) if len(a) > 1 and len(b) > 1 else a[0] / b[0]


def words(arithmetic: Arithmetic) -> str:
    """ "bf16, channels last" """
    return arithmetic.precision + (", channels last" if arithmetic.layout == "channels_last" else "")


def timed(trial: Trial, allowed: Sequence[Arithmetic], *, is_thorough: bool = False) -> Steps:
    """Milliseconds of training steps on one thread, by candidate; is_thorough: all steps of all candidates, however slow.

    On a CPU in a forked process: neither its memory nor threads of torch are left when workers are forked. WardroundError with the
    cause if it fails.
    """
    is_forked = trial.device == "cpu" and "fork" in multiprocessing.get_all_start_methods()
    with one_thread(), global_torch_stream("probe", "layers"):
        work = partial(_race, trial.model(), trial, allowed, is_thorough)
        (found,) = apart(work) if is_forked else [caught(work)]
    if isinstance(found, str):
        raise WardroundError(found)
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread inside the block, as workers do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def machine(device: str) -> str:
    """Name of the processor that computes, with the instructions that torch uses of a CPU."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    return f"{cpu_name()} {torch.backends.cpu.get_cpu_capability()}"


def _race(model: FlatModel, trial: Trial, allowed: Sequence[Arithmetic], is_thorough: bool) -> Steps:
    """A first step each, contiguous ones before the others; then steps in turn of those that are near the best.

    The plainer of two comes later: the very first step takes longest, and gains should not be overstated."""
    images, truth = _batch(trial)
    loss = make_loss(trial.recipe, None, trial.task)
    now = clock(trial.device)
    model.train()

    def step(arithmetic: Arithmetic) -> float:
        started = now()
        model.grads.zero_()
        loss(arithmetic.logits(model, images), truth).backward()  # type: ignore[no-untyped-call]
        return 1000 * (now() - started)

    def is_within(times: Sequence[float], factor: float) -> bool:
        return is_thorough or times[0] <= max(QUICK_MS, factor * min(own[0] for own in steps.values()))

    started, steps = now(), dict[Arithmetic, list[float]]()
    for candidate in sorted(allowed, key=lambda one: (one.layout != "contiguous", -allowed.index(one))):
        other = steps.get(Arithmetic(precision=candidate.precision))
        if other is None or is_within(other, FAR):
            steps[candidate] = [step(candidate)]
    near = [candidate for candidate, times in steps.items() if is_within(times, NEAR)]
    for turn in range(ROUNDS if len(near) > 1 else 0):
        if turn and not is_thorough and now() - started > ENOUGH_S:
            break
        for candidate in near:
            steps[candidate].append(step(candidate))
    return {candidate: steps[candidate] for candidate in allowed if candidate in steps}


def _batch(trial: Trial) -> tuple[Tensor, Tensor]:
    """Noise, and classes by chance: images (B, C, ...) float32 and their truth, on the device."""
    num, *rest = trial.shape
    if trial.device == "cpu":
        least = 2 if len(rest) == 3 else 1  # BatchNorm behind the pooling of pictures needs two
        num = min(num, BATCH, max(least, PIXELS // math.prod(rest[1:])))
    rng = torch_stream("probe", "images")
    images = torch.randn((num, *rest), generator=rng)
    shape = {"multilabel": (num, trial.num_classes), "segmentation": (num, *rest[1:])}.get(trial.task, (num,))
    high = 2 if trial.task == "multilabel" else trial.num_classes
    return images.to(trial.device), torch.randint(high, shape, generator=rng).to(trial.device)


def typical(times: Sequence[float]) -> float:
    """The median, without the first step if there are others."""
    return median(times[1:] or times)


def _name(arithmetic: Arithmetic) -> str:
    return f"{arithmetic.precision} {arithmetic.layout}"


def _read(path: Path, allowed: Sequence[Arithmetic]) -> Steps | None:
    """The times in the file; None if it is absent or damaged."""
    try:
        known = json.loads(path.read_bytes())["steps_ms"]
        steps = {candidate: list(map(float, known[_name(candidate)])) for candidate in allowed if _name(candidate) in known}
    except (OSError, ValueError, LookupError, TypeError):
        return None
    is_whole = allowed[0] in steps and all(times and all(0 < t < math.inf for t in times) for times in steps.values())
    return steps if is_whole else None


def _kept(path: Path, steps: Steps, allowed: Sequence[Arithmetic]) -> Steps:
    """Write the times, unless another process was faster; then its times count."""
    record = {"steps_ms": {_name(candidate): [round(t, 3) for t in times] for candidate, times in steps.items()}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _read(path, allowed) is None:
            put_in_place(path, json.dumps(record).encode())
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run times its steps again, and may choose otherwise. Set WARDROUND_CACHE to a "
                    "folder that this user may write.", path, error.strerror or error)
    return _read(path, allowed) or steps


def _sentence(steps: Steps, chosen: Arithmetic, when: str) -> str:
    """E.g. "computes in bf16: 2.3 times as fast as fp32 here (probe of 0.2 s; fix it with --set engine.precision=fp32)"."""
    plainest = next(iter(steps))
    if chosen == plainest:
        return f"computes in {words(chosen)}: nothing else is 5 % faster here ({when})"
    is_precision = chosen.precision != plainest.precision
    fix = f"engine.precision={plainest.precision}" if is_precision else f"engine.layout={plainest.layout}"
    return (f"computes in {words(chosen)}: {ratio(steps, plainest, chosen):.1f} times as fast as {words(plainest)} here "
            f"({when}; fix it with --set {fix})")
