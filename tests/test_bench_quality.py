"""The quality studies: what they unfold into, and a tiny one that runs, stops, goes on and is judged from its cells alone."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wardround.build import check_names
from wardround.core.predictions import Measured, Predictions
from wardround.evaluation.scores import measure
from wardround.strategies import STRATEGIES

QUALITY = Path(__file__).resolve().parents[1] / "benchmarks" / "quality"


def module(name: str):
    """A file of benchmarks/quality, with its neighbours importable."""
    if str(QUALITY) not in sys.path:
        sys.path.insert(0, str(QUALITY))
    return importlib.import_module(name)


def called(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(QUALITY / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def all_cells() -> list:
    studies = module("studies")
    return [cell for study in (*studies.STUDIES, studies.TOY) for cell in module("design").cells_of(study)]


def study(*methods, overrides: tuple[str, ...] = ()):
    """A study of two partitions with these methods on both."""
    design = module("design")
    partitions = tuple(design.Partition(name=name, title=name, overrides=(f"sites.partition={name}",), methods=methods)
                       for name in ("iid", "feature-shift"))
    return design.Study(name="s", title="", plan="pneumoniamnist.toml", folder="", metric="auroc", partitions=partitions,
                        overrides=overrides)


def predictions(probabilities: np.ndarray, truth: np.ndarray) -> Predictions:
    n = len(truth)
    return Predictions(cases=np.array([f"c{i}" for i in range(n)], object), groups=np.array([f"g{i}" for i in range(n)], object),
                       sites=np.full(n, "", object), splits=np.full(n, "test", object),
                       classes=tuple("abcd"[: probabilities.shape[1]]), truth=truth, probabilities=probabilities)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cells of the toy study: stopped after some were done, then given again."""
    folder = tmp_path_factory.mktemp("quality")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARDROUND_CACHE", str(folder / "cache"))
        command = ["run.py", "--only", "toy", "--out", folder / "cells", "--work", folder / "work"]
        assert called(*command, "--hours", 0).stdout.endswith("10 cells left, 0 failed or stopped\n")
        assert called(*command, "--only", "toy/any", "toy/iid/local").returncode == 0
        done = called(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("7 cells to run, 3 done\n")
    return folder / "cells"


def record(folder: Path, name: str) -> dict:
    return json.loads((folder / "toy" / f"{name}.json").read_text())


def test_the_expansion_is_the_same_each_time_and_ids_are_unique() -> None:
    cells = all_cells()
    assert [cell.id for cell in cells] == [cell.id for cell in all_cells()]
    paths = [f"{cell.study.name}/{cell.id}.json" for cell in cells]
    assert len({path.lower() for path in paths}) == len(paths)
    assert all(set(path) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-/") for path in paths)


def test_every_plan_is_accepted_with_the_settings_of_its_strategy() -> None:
    for cell in all_cells():
        plan = cell.plan()
        check_names(plan)
        assert "auto" not in (plan.engine.precision, plan.engine.layout)  # a study may go on on another machine


def test_every_strategy_is_tried_on_every_partition_of_the_long_tail() -> None:
    for one in module("studies").LONG_TAIL:
        for partition in one.partitions:
            tried = {cell.plan().strategy.name for cell in module("design").cells_of(one) if cell.partition == partition.name}
            assert tried == {*STRATEGIES.table}, f"{one.name}/{partition.name}"


def test_methods_of_a_partition_pass_equally_often_over_a_sites_images() -> None:
    for one in module("studies").STUDIES:
        passes = set()
        for cell in module("design").cells_of(one):
            plan = cell.plan()
            asked = 1 / plan.sites.num if cell.method == "cyclic" else 1
            passes.add(round(plan.rounds.num * plan.recipe.local_epochs * asked, 6))
        assert len(passes) == 1, one.name


def test_one_pooled_cell_stands_for_all_partitions_but_those_that_change_images() -> None:
    method = module("design").Method(name="pooled", arm="pooled")
    assert [cell.id for cell in module("design").cells_of(study(method))] == ["any.pooled.seed0", "feature-shift.pooled.seed0"]


def test_two_different_cells_of_one_name_are_refused() -> None:
    design = module("design")
    methods = [design.Method(name="fedavg", overrides=(f"rounds.num={num}",)) for num in (1, 2)]
    with pytest.raises(ValueError, match=r"s: two different cells are called iid\.fedavg\.seed0"):
        design.cells_of(study(*methods))


def test_a_cell_of_other_settings_is_outdated_but_not_one_of_other_workers(tmp_path) -> None:
    design, place = module("design"), module("cells").Place(out=tmp_path, work=tmp_path)
    [cell, *_] = design.cells_of(study(design.Method(name="fedavg")))
    assert place.state(cell) == "due"
    place.write(cell, {"error": "SiteError: gone"})
    assert place.state(cell) == "failed"
    for change, state in (("engine.workers=2", "failed"), ("recipe.lr=0.01", "outdated")):
        [other, *_] = design.cells_of(study(design.Method(name="fedavg"), overrides=(change,)))
        assert place.state(other) == state


def test_only_names_studies_partitions_and_methods() -> None:
    chosen, studies = module("design").chosen, [module("studies").TOY]
    assert len(chosen(studies, ["toy"])) == 10
    assert [cell.id for cell in chosen(studies, ["toy/iid/fedavg"], seeds=3)] == [f"iid.fedavg.seed{seed}" for seed in range(3)]
    with pytest.raises(ValueError, match="no cell fits --only toy/iid/fedavgm"):
        chosen(studies, ["toy/iid/fedavgm"])


def test_kept_predictions_rank_and_decide_as_before(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for num_classes in (2, 4):
        truth = rng.integers(num_classes, size=500)
        logits = rng.normal(size=(500, num_classes)) + 3 * np.eye(num_classes)[truth]
        held = predictions(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), truth)
        cells = module("cells")
        record = {"predictions": {"rows": cells.keep_rows(held, tmp_path), "models": [{"values": cells.packed(held)}]}}
        [back] = cells.results_of(record, tmp_path)
        assert np.abs(back.probabilities - held.probabilities).max() < 1e-6
        before, after = ({name: float(value) for name, value in measure(one, 0.5 if num_classes == 2 else None).items()}
                         for one in (held, back))
        assert after == pytest.approx(before, abs=1e-5)


def test_kept_predictions_of_several_findings_come_back(tmp_path) -> None:
    cells, truth = module("cells"), np.array([[0, 1], [1, 1]])
    held = predictions(np.array([[0.25, 0.5], [0.75, 0.125]]), truth)
    record = {"predictions": {"rows": cells.keep_rows(held, tmp_path), "models": [{"values": cells.packed(held)}]}}
    [back] = cells.results_of(record, tmp_path)
    np.testing.assert_array_equal(back.probabilities, held.probabilities)
    np.testing.assert_array_equal(back.truth, truth)


def test_kept_segmentations_come_back(tmp_path) -> None:
    cells, columns = module("cells"), {name: np.array(["a", "b"], object) for name in ("cases", "groups", "sites")}
    held = Measured(names=("dice", "hd95"), values=np.array([[0.5, np.nan], [0.25, 12.0]]), splits=np.full(2, "test", object), **columns)
    record = {"predictions": {"rows": cells.keep_rows(held, tmp_path), "models": [{"values": cells.packed(held)}]}}
    [back] = cells.results_of(record, tmp_path)
    assert back.names == held.names
    np.testing.assert_array_equal(back.values, held.values)


def test_a_cell_tells_what_it_scored_and_what_it_cost(finished) -> None:
    cell = record(finished, "iid.fedavg-short.seed0")
    steps, batches = 2, 6  # a site's 41 or 43 images are 6 batches of at most 8; a quarter of them, 1.5, is taken as 2
    assert (cell["rounds"], cell["arm"], cell["method"]) == (8, "federated", "fedavg-short")
    assert cell["passes"] == pytest.approx(8 * steps / batches, abs=1e-3)
    rounds, passes, sent, values = zip(*cell["curve"], strict=True)
    assert rounds == (4, 8)
    assert passes == (1.333, 2.667)
    assert sent == (cell["bytes_up"] // 2, cell["bytes_up"])
    assert all(0 <= value <= 1 for value in values)
    assert set(cell["recalls"]) == {"normal", "pneumonia"}
    assert set(cell["per_site"]) == {"site-1", "site-2"}
    assert cell["metrics"]["auroc"].keys() == {"value", "low", "high"}
    assert cell["machine"].keys() >= {"processor", "cores"}
    assert cell["versions"]["torch"]


def test_a_local_cell_holds_a_model_of_each_site(finished) -> None:
    cell = record(finished, "iid.local.seed0")
    assert [model["site"] for model in cell["predictions"]["models"]] == ["site-1", "site-2"]
    assert sum(model["num_train"] for model in cell["predictions"]["models"]) == record(finished, "any.pooled.seed0")["num_train"]
    assert (cell["curve"], cell["bytes_up"], cell["passes"]) == ([], 0, 2.0)


def test_a_cell_holds_no_path_and_all_cells_share_one_list_of_test_rows(finished) -> None:
    texts = [path.read_text() for path in finished.glob("toy/*.json")]
    assert all(str(finished.parent) not in text and ".png" not in text for text in texts)
    assert len(list(finished.glob("toy/test-rows-*.json"))) == 1


def test_the_ensemble_is_the_mean_of_local_models_weighted_by_images() -> None:
    judge, truth = module("judge"), np.array([0, 1])
    models = [predictions(np.array(values), truth) for values in ([[0.9, 0.1], [0.6, 0.4]], [[0.5, 0.5], [0.0, 1.0]])]
    kept = {"predictions": {"models": [{"num_train": 30}, {"num_train": 10}]}}
    local = judge.Group(method="local", arm="local", records={0: kept}, results={0: models}, thresholds={0: [0.2, 0.6]})
    mixed = judge.ensemble(local)
    np.testing.assert_allclose(mixed.results[0][0].probabilities, [[0.8, 0.2], [0.45, 0.55]])
    assert mixed.thresholds[0] == [pytest.approx(0.3)]
    assert mixed.records[0]["recalls"] == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(("relation", "low", "high", "expected"), [
    (">", 0.01, 0.05, "agrees"), (">", -0.01, 0.05, "not shown"), (">", -0.05, -0.01, "disagrees"),
    ("~", -0.01, 0.015, "agrees"), ("~", -0.03, 0.01, "not shown"), ("~", 0.03, 0.05, "disagrees"),
    ("not >", -0.05, 0.015, "agrees"), ("not >", -0.05, 0.05, "not shown"), ("not >", 0.005, 0.015, "disagrees"),
    (">", None, None, "not shown")])
def test_a_ranking_is_judged_by_the_whole_interval(relation, low, high, expected) -> None:
    ranking = module("design").Ranking(study="s", partition="p", first="a", relation=relation, second="b", source="", margin=0.02)
    assert module("judge").verdict(ranking, {"difference_low": low, "difference_high": high}) == expected


def test_the_page_and_its_figures_come_from_the_cells_alone(finished, tmp_path) -> None:
    tables, design = module("tables"), module("design")
    rankings = [design.Ranking(study="toy", partition="iid", first="fedprox", relation="~", second="fedavg", source="here", margin=0.5)]
    text = tables.page([module("studies").TOY], finished, rankings, tmp_path / "figures")
    [table] = [part for part in text.split("### ") if part.startswith("2 sites, IID")]
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in table.splitlines() if line.startswith("| ")}
    assert {"pooled", "local", "ensemble", "fedavg", "fedprox", "fedavg-short"} <= {*rows}
    assert (rows["fedavg"][1], rows["fedprox"][1]) == ("2", "**1 seed**")
    values = [record(finished, f"iid.fedavg.seed{seed}")["metrics"]["auroc"]["value"] for seed in (0, 1)]
    assert rows["fedavg"][2] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    pooled = [record(finished, f"any.pooled.seed{seed}")["metrics"]["auroc"]["value"] for seed in (0, 1)]
    assert float(rows["fedavg"][3].split()[0]) == pytest.approx(sum(values) / sum(pooled), abs=1e-3)
    assert "(2)" in rows["fedavg-short"][8]  # twice the rounds, twice the bytes
    assert "Synthetic images" in text
    assert "| fedprox ~ fedavg (margin 0.5) | here | 1 |" in text
    figures = {path.name: path.stat().st_size for path in (tmp_path / "figures").iterdir()}
    assert {*figures} == {f"toy-{name}.png" for name in ("rounds", "bytes", "budget-rounds", "budget-bytes")}
    assert all(0 < size < 150_000 for size in figures.values())


LONG = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cells import Place
from design import Method, Partition, Study, cells_of
from pool import Pool
from studies import TOY
long = Method(name="long", overrides=("recipe.local_steps=1", "rounds.num=200", "rounds.evaluate_every=100"))
part = Partition(name="iid", title="", overrides=("sites.partition=iid",), methods=(long,))
study = Study(name="toy", title="", plan=TOY.plan, folder="", metric="auroc", overrides=TOY.overrides, partitions=(part,))
folder = Path(sys.argv[2])
Pool(Place(out=folder / "cells", work=folder / "work"), folder, 1).run(cells_of(study))
"""


def test_a_study_that_is_stopped_goes_on_inside_its_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path / "cache"))
    command, work = [sys.executable, "-c", LONG, str(QUALITY), str(tmp_path)], tmp_path / "work" / "toy"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not any(b"RoundFinished" in path.read_bytes() for path in work.glob("*/*/journal.jsonl")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert not list((tmp_path / "cells").rglob("*.json"))
    [checkpoint] = work.glob("*/federated-seed0/checkpoints/round-*")
    reached = int(checkpoint.name.rpartition("-")[2])
    assert 0 < reached < 200
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    assert (work / "logs" / "iid.long.seed0.txt").read_text() == f"federated-seed0: 200 rounds, begins after round {reached}\n"
    assert record(tmp_path / "cells", "iid.long.seed0")["rounds"] == 200
    assert not list(work.glob("iid.long*"))  # a finished cell leaves no run behind


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path / "cache"))
    design, cells, pool, toy = module("design"), module("cells"), module("pool"), module("studies").TOY
    bad = (design.Method(name="many", overrides=("sites.num=5000",)), design.Method(name="wild", overrides=("recipe.lr=1e30",)),
           design.Method(name="fedavg"))
    part = design.Partition(name="iid", title="", overrides=("sites.partition=iid",), methods=bad)
    one = design.Study(name="toy", title="", plan=toy.plan, folder="", metric="auroc", overrides=toy.overrides, partitions=(part,))
    place = cells.Place(out=tmp_path / "cells", work=tmp_path / "work")
    assert pool.Pool(place, tmp_path, 2).run(design.cells_of(one)) == 2
    assert record(tmp_path / "cells", "iid.many.seed0")["error"].startswith("PartitionError: 5000 sites cannot share")
    assert "NaN" in record(tmp_path / "cells", "iid.wild.seed0")["error"]
    assert [place.state(cell) for cell in design.cells_of(one)] == ["failed", "failed", "done"]
    text = module("tables").page([one], place.out, [], tmp_path / "figures")
    assert "Without result: many seed 0 (PartitionError" in text
