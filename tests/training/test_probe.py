"""What a network trains fastest in: how the choice is made, kept and told."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from wardround.core.events import Note
from wardround.core.params import FlatModel
from wardround.data.catalogue import Task
from wardround.errors import PlanError, WardroundError
from wardround.plan.schema import EnginePlan, Recipe
from wardround.training import probe
from wardround.training.arithmetic import Arithmetic
from wardround.training.probe import Trial, candidates, choose, fastest, ratio, timed, words

FP32, FP32_LAST = Arithmetic(), Arithmetic(layout="channels_last")
BF16, BF16_LAST = Arithmetic(precision="bf16"), Arithmetic(precision="bf16", layout="channels_last")
ALL = [FP32, FP32_LAST, BF16, BF16_LAST]


class Slow(nn.Module):
    """A convolution that takes `pause_s` a step in float32, a quarter of it in bfloat16."""

    def __init__(self, num_outputs: int = 2, pause_s: float = 0.0, dense: bool = False) -> None:
        super().__init__()
        self.layer, self.pause_s, self.dense = nn.Conv2d(1, num_outputs, 3, padding=1), pause_s, dense

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        until = time.thread_time() + self.pause_s / (4 if torch.is_autocast_enabled("cpu") else 1)
        while time.thread_time() < until:
            pass
        drawn = self.layer(images)
        return drawn if self.dense else drawn.mean((2, 3))


class Broken(Slow):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no film")


class Killed(Slow):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        os._exit(9)


def trial(module: Callable[[], nn.Module] = Slow, *, task: Task = "binary", num_classes: int = 2, shape: tuple[int, ...] = (4, 1, 8, 8),
          loss: str = "cross_entropy", **network: object) -> Trial:
    return Trial(model=lambda: FlatModel(module()), network={"name": module.__name__, **network}, recipe=Recipe(loss=loss), task=task,
                 num_classes=num_classes, shape=shape, device="cpu")


def slow() -> nn.Module:
    return Slow(pause_s=0.04)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "probes"


# --- candidates


@pytest.mark.parametrize(("precision", "layout", "expected"), [
    ("auto", "auto", ALL), ("fp32", "auto", [FP32, FP32_LAST]), ("auto", "channels_last", [FP32_LAST, BF16_LAST]),
    ("bf16", "contiguous", [BF16])])
def test_the_plan_s_own_choice_is_left_as_it_is(precision: str, layout: str, expected: list[Arithmetic],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "precisions", lambda device: ("fp32", "bf16"))
    assert candidates(EnginePlan.model_validate({"precision": precision, "layout": layout}), "cpu") == expected


@pytest.mark.parametrize(("avx", "amx", "expected"), [(False, False, ("fp32",)), (True, False, ("fp32", "bf16")),
                                                      (False, True, ("fp32", "bf16"))])
def test_bf16_is_tried_only_where_the_processor_computes_it(avx: bool, amx: bool, expected: tuple[str, ...],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert probe.precisions("cpu") == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), ("fp32",)), ((8, 0), ("fp32", "tf32", "bf16")),
                                                      ((12, 0), ("fp32", "tf32", "bf16"))])
def test_tf32_and_bf16_are_tried_from_ampere_on(capability: tuple[int, int], expected: tuple[str, ...],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert probe.precisions("cuda") == expected


# --- choice


def times(*milliseconds: float) -> dict[Arithmetic, list[float]]:
    """First steps that say nothing, and three steps each."""
    return {candidate: [1000.0, ms, ms, ms] for candidate, ms in zip(ALL, milliseconds, strict=False)}


@pytest.mark.parametrize(("milliseconds", "chosen"), [
    ((100, 100, 100, 100), FP32), ((100, 96, 97, 96), FP32), ((100, 94, 93, 92), FP32_LAST), ((100, 94, 89, 88), BF16),
    ((100, 300, 50, 40), BF16_LAST), ((100, 90), FP32_LAST), ((100,), FP32)])
def test_what_is_less_plain_must_be_five_percent_faster(milliseconds: Sequence[float], chosen: Arithmetic) -> None:
    assert choose(times(*milliseconds)) == chosen


def test_the_median_of_the_steps_after_the_first_counts() -> None:
    assert choose({FP32: [10, 50, 60, 900], BF16: [900, 55, 55, 55]}) == BF16
    assert choose({FP32: [100], BF16: [90]}) == BF16


def test_a_gain_is_told_by_steps_of_the_same_kind() -> None:
    assert ratio({FP32: [90, 60, 60], BF16: [40, 20, 20]}, FP32, BF16) == 3
    assert ratio({FP32: [120], BF16: [40, 20, 20]}, FP32, BF16) == 3


def test_choices_have_names_in_plain_words() -> None:
    assert [words(candidate) for candidate in ALL] == ["fp32", "fp32, channels last", "bf16", "bf16, channels last"]


# --- timing


def test_a_network_that_is_slow_in_float32_is_trained_in_bf16(cache: Path) -> None:
    assert fastest(trial(slow), [FP32, BF16]) == BF16


def test_what_is_far_off_is_timed_once_and_its_other_layout_not_at_all() -> None:
    steps = timed(trial(slow), ALL)
    assert list(steps) == [FP32, BF16, BF16_LAST]
    assert len(steps[FP32]) == 1 < len(steps[BF16])
    whole = timed(trial(slow), ALL, is_thorough=True)
    assert {candidate: len(own) for candidate, own in whole.items()} == dict.fromkeys(ALL, 1 + probe.ROUNDS)


@pytest.mark.parametrize(("task", "num_classes", "shape", "loss"), [
    ("binary", 2, (64, 1, 8, 8), "cross_entropy"), ("multiclass", 3, (1, 1, 8, 8), "focal"),
    ("multilabel", 5, (4, 1, 8, 8), "binary_cross_entropy"), ("segmentation", 3, (4, 1, 8, 8), "dice_cross_entropy")])
def test_a_step_of_every_task_is_timed(task: Task, num_classes: int, shape: tuple[int, ...], loss: str) -> None:
    def module() -> nn.Module:
        return Slow(num_classes, dense=task == "segmentation")

    steps = timed(trial(module, task=task, num_classes=num_classes, shape=shape, loss=loss), [FP32, BF16])
    assert all(ms > 0 for own in steps.values() for ms in own)


@pytest.mark.parametrize(("shape", "num"), [((64, 1, 28, 28), 32), ((64, 1, 64, 64), 8), ((3, 1, 28, 28), 3),
                                            ((64, 3, 224, 224), 2), ((4, 1, 64, 64, 64), 1)])
def test_batches_are_as_large_as_the_plan_s_or_as_time_allows(shape: tuple[int, ...], num: int) -> None:
    assert probe._batch(trial(shape=shape))[0].shape == (num, *shape[1:])


def test_timing_leaves_threads_memory_and_random_numbers_as_they_were() -> None:
    tasks, threads, state = Path("/proc/self/task"), torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    before = len(list(tasks.iterdir()))
    try:
        timed(trial(), ALL)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert len(list(tasks.iterdir())) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_without_fork_the_steps_are_timed_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    monkeypatch.setattr(probe, "apart", None)
    state = torch.get_rng_state()
    assert list(timed(trial(slow), [FP32, BF16])) == [FP32, BF16]
    assert torch.equal(torch.get_rng_state(), state)


# --- what is kept


def test_the_next_run_computes_in_the_same_way_without_timing_anything(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fastest(trial(), ALL)
    monkeypatch.setattr(probe, "timed", None)
    assert fastest(trial(), ALL) == first


def test_what_times_depend_on_makes_another_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [trial(), trial(width=2), trial(num_classes=3, task="multiclass"), trial(shape=(4, 1, 9, 9)), trial(loss="focal")]
    keys = {one.key(ALL) for one in trials} | {trials[0].key([FP32, BF16])}
    monkeypatch.setattr(probe, "machine", lambda device: "another processor")
    keys.add(trials[0].key(ALL))
    monkeypatch.setattr(torch, "__version__", "1.0")
    keys.add(trials[0].key(ALL))
    assert len(keys) == 8


@pytest.mark.parametrize("content", ["", "{", "[]", '{"steps_ms": {}}', '{"steps_ms": {"fp32 contiguous": []}}',
                                     '{"steps_ms": {"fp32 contiguous": [-1]}}', '{"steps_ms": {"fp32 contiguous": ["x"]}}',
                                     '{"steps_ms": {"bf16 contiguous": [3]}}', '{"steps_ms": {"fp32 contiguous": [NaN]}}', "\0\xff"])
def test_a_damaged_file_is_made_again(content: str, cache: Path) -> None:
    path = cache / f"{trial(slow).key([FP32, BF16])}.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="latin-1")
    assert fastest(trial(slow), [FP32, BF16]) == BF16
    assert set(json.loads(path.read_text())["steps_ms"]) == {"fp32 contiguous", "bf16 contiguous"}


def test_of_two_runs_that_time_at_once_the_first_decides_for_both(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache / f"{trial(slow).key([FP32, BF16])}.json"

    def overtaken(*arguments: object) -> probe.Steps:
        path.parent.mkdir(parents=True)
        path.write_text('{"steps_ms": {"fp32 contiguous": [5, 5], "bf16 contiguous": [6, 6]}}')
        return {FP32: [9.0, 9.0], BF16: [1.0, 1.0]}

    monkeypatch.setattr(probe, "timed", overtaken)
    assert fastest(trial(slow), [FP32, BF16]) == FP32


def test_a_cache_that_cannot_be_written_is_told_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path / "file"))
    assert fastest(trial(slow), [FP32, BF16]) == BF16
    assert "cannot be written" in caplog.text
    assert "Set WARDROUND_CACHE" in caplog.text


# --- what is told


def told(work: Trial, allowed: Sequence[Arithmetic]) -> tuple[Arithmetic, list[str]]:
    notes: list[Note] = []
    chosen = fastest(work, allowed, notes.append)  # type: ignore[arg-type]
    return chosen, [note.text for note in notes]


def keep(cache: Path, work: Trial, allowed: Sequence[Arithmetic], steps: dict[str, list[float]]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"{work.key(allowed)}.json").write_text(json.dumps({"steps_ms": steps}))


def test_a_note_tells_the_choice_its_gain_and_how_to_undo_it(cache: Path) -> None:
    keep(cache, trial(), ALL, {"fp32 contiguous": [50, 46], "bf16 contiguous": [40, 40], "bf16 channels_last": [30, 20]})
    assert told(trial(), ALL) == (BF16_LAST, ["computes in bf16, channels last: 2.3 times as fast as fp32 here (timed before; fix it with "
                                              "--set engine.precision=fp32)"])
    keep(cache, trial(), [BF16, BF16_LAST], {"bf16 contiguous": [40, 40], "bf16 channels_last": [30, 20]})
    assert told(trial(), [BF16, BF16_LAST])[1] == ["computes in bf16, channels last: 2.0 times as fast as bf16 here (timed before; fix it "
                                                   "with --set engine.layout=contiguous)"]
    keep(cache, trial(), [FP32, BF16], {"fp32 contiguous": [50, 46], "bf16 contiguous": [46, 46]})
    assert told(trial(), [FP32, BF16]) == (FP32, ["computes in fp32: nothing else is 5 % faster here (timed before)"])


def test_a_new_probe_tells_how_long_it_took(cache: Path) -> None:
    _, (note,) = told(trial(slow), [FP32, BF16])
    assert "(probe of 0." in note


def test_nothing_is_timed_or_told_where_nothing_is_open(cache: Path) -> None:
    assert told(trial(Broken), [BF16]) == (BF16, [])


@pytest.mark.parametrize(("module", "cause"), [(Broken, "RuntimeError: no film"), (Killed, "the probing process ended with exit code 9")])
def test_a_network_that_fails_is_told_and_trained_in_the_plainest_way(module: type[Slow], cause: str, cache: Path) -> None:
    chosen, (note,) = told(trial(module), ALL)
    assert chosen == FP32
    assert note.startswith(f"computes in fp32: what is fastest here could not be timed ({cause}")
    assert not cache.exists()
    with pytest.raises(WardroundError, match=cause):
        timed(trial(module), ALL)


def test_a_network_that_the_plan_cannot_have_is_the_plan_s_error(cache: Path) -> None:
    def impossible() -> nn.Module:
        raise PlanError("model.width must be a multiple of 8")

    with pytest.raises(PlanError, match="multiple of 8"):
        fastest(trial(impossible), ALL)
