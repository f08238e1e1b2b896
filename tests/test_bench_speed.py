"""The speed benchmarks on their smallest workload: the hand-written loops and the engine do the same work."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SPEED = Path(__file__).resolve().parents[1] / "benchmarks" / "speed"
SCRIPTS = {"bare1": ["bare.py", "--processes", "1"], "bare2p": ["bare.py"], "wardround_fp32": ["ours.py"]}
FIGURES = {"wall_s", "loop_s", "pss_mb", "startup_s", "ratio_to_bare2p"}


def called(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SPEED / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def module(name: str):
    """A file of benchmarks/speed, with its neighbours importable."""
    if str(SPEED) not in sys.path:
        sys.path.insert(0, str(SPEED))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[np.ndarray, dict]]:
    """The last global model of each script on the toy workload, and what it says of its run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARDROUND_CACHE", str(folder / "cache"))
        work = module("workloads")
        work.prepare(work.WORKLOADS["toy"], folder)
        found = {}
        for name, (script, *arguments) in SCRIPTS.items():
            result, params = folder / f"{name}.json", folder / f"{name}.npy"
            done = called(script, "toy", *arguments, "--data", folder, "--result", result, "--params", params)
            assert done.returncode == 0, done.stderr
            found[name] = np.load(params), json.loads(result.read_text())
    return found


def test_the_loops_by_hand_and_the_engine_reach_the_same_parameters(trained) -> None:
    yardstick, _ = trained["bare2p"]
    for name in ("bare1", "wardround_fp32"):
        assert np.abs(trained[name][0] - yardstick).max() < 1e-6, name


def test_they_take_the_same_steps_and_report_the_same_losses(trained) -> None:
    facts = [facts for _, facts in trained.values()]
    assert {one["steps"] for one in facts} == {2 * 5 * 2}  # rounds, sites, batches of 20
    for key in ("train_loss", "val_loss", "val_accuracy"):
        assert [one[key] for one in facts] == pytest.approx([facts[0][key]] * 3, abs=1e-6)


def test_training_moved_the_parameters(trained) -> None:
    assert all(facts["val_loss"] < 0.65 for _, facts in trained.values())  # log 2 = 0.69 is chance


def test_the_harness_writes_every_figure_of_every_variant(tmp_path) -> None:
    names = ["bare2p", "bare2p_channels_last", "wardround_auto"]
    done = called("run.py", "--quick", "--only", "toy", "--variants", *names, "--data", tmp_path, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    latest = json.loads((tmp_path / "latest.json").read_text())
    assert set(latest) == {"toy"}
    assert set(latest["toy"]) == {"bare2p", "bare2p_best", "wardround_auto"}
    for figures in latest["toy"].values():
        assert figures.keys() >= FIGURES
        assert all(figures[key] > 0 for key in FIGURES)
        assert figures["startup_s"] + figures["loop_s"] < figures["wall_s"]
    assert latest["toy"]["bare2p"]["ratio_to_bare2p"] == 1
    assert "wardround_auto" in (tmp_path / "latest.md").read_text()


def test_a_ratio_is_that_of_two_runs_of_the_same_repeat() -> None:
    runs = {"bare2p": {0: {"wall_s": 9.0}, 1: {"wall_s": 1.0}, 2: {"wall_s": 10.0}, 3: {"wall_s": 4.0}},
            "wardround_fp32": {0: {"wall_s": 9.0}, 1: {"wall_s": 2.0}, 2: {"wall_s": 10.0}, 3: {"wall_s": 12.0},
                               4: {"wall_s": 99.0}}}
    assert module("results")._ratios(runs, "wardround_fp32", "bare2p", "wall_s") == (2.0, 1.0, 3.0)


def test_unequal_work_is_refused() -> None:
    runs = {"bare2p": {0: {"steps": 20, "train_loss": 0.5}}, "wardround_fp32": {0: {"steps": 19, "train_loss": 0.5}}}
    with pytest.raises(ValueError, match="not the same work, steps were"):
        module("results").check_same_work("toy", runs)
    runs["wardround_fp32"][0] = {"steps": 20, "train_loss": 0.7}
    with pytest.raises(ValueError, match="not the same work, the training losses"):
        module("results").check_same_work("toy", runs)


def test_a_goal_is_reached_missed_or_not_measured() -> None:
    of = {"ratio_to_bare2p": 1.1, "memory_ratio_to_bare2p": 1.2, "startup_s": 1.0, "data_s": 0.1}
    found = {goal.what: goal.verdict for goal in module("goals").goals({"w3": {"wardround_fp32": of}}, {}, {})}
    assert found["w3, fp32: wall time / bare2p"] == "reached"
    assert found["w3, fp32: peak memory / bare2p"] == "missed"
    assert found["w1, fp32: wall time / bare2p"] == "not measured"


def test_a_command_that_fails_is_reported_with_its_output() -> None:
    with pytest.raises(RuntimeError, match=r"exit code 3 of: .*\nout of film"):
        module("watched").timed([sys.executable, "-c", "print('out of film'); raise SystemExit(3)"])


def test_memory_of_children_counts() -> None:
    child = "import time; held = bytearray(60_000_000); time.sleep(1)"
    alone = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert module("watched").timed([sys.executable, "-c", alone], samples_memory=True)["pss_mb"] > 60
