"""The report of a study's run over a network: no single prediction is there, and small counts are hidden."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_results import CLINICS, Study

from wardround.core.events import RoundFinished, RunStarted
from wardround.network import results
from wardround.network.summary import local_summary
from wardround.plan.load import dump_plan
from wardround.report.html import write_run_report
from wardround.report.material import read_run
from wardround.report.summed import confusion_figure
from wardround.runs.folder import RunFolder, write_text
from wardround.runs.journal import Journal

REASON = "no answer within 30 s"
WriteStudy = Callable[..., Path]


@pytest.fixture
def write_study(tmp_path: Path) -> WriteStudy:
    """write_study(study, local=...): the folder that a study's run leaves, with a journal of five rounds."""
    def write(study: Study, *, local: tuple[str, ...] = ()) -> Path:
        folder = RunFolder(tmp_path / "clinics-seed0")
        folder.path.mkdir()
        write_text(folder.path / "plan.toml", dump_plan(study.blueprint.plan))
        journal = Journal(folder.path / "journal.jsonl")
        num = len(study.tests)
        journal.write(RunStarted(arm="federated", num_rounds=5, num_sites=num, num_train=900, num_parameters=100, phantom=True))
        for t in range(1, 6):
            scores = {site: {"loss": 1 - t / 10, study.headline: 0.5 + t / 12 - i / 50} for i, site in enumerate(study.tests)}
            mean = {name: float(np.mean([part[name] for part in scores.values()])) for name in ("loss", study.headline)}
            failed = {site: REASON for site in study.course.get("dropped", ()) if t in (2, 3, 5)}
            journal.write(RoundFinished(round=t, lr=0.1, train_loss=1 - t / 9, train_loss_by_site=dict.fromkeys(study.tests, 1 - t / 9),
                                        val=mean, val_by_site=scores, failed=failed))
        journal.close()
        own = {site: local_summary({"per_site": {site: {"num_test": study.tests[site], "metrics": worse(study.pooled_metrics)}}},
                                   study.prepared, site) for site in local}
        results.write(folder, study.blueprint, study.state, study.scores(locals=own), study.ready, plan_hash="ab" * 32)
        return folder.path

    return write


def worse(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: None if value is None else 0.8 * value for key, value in entry.items()} for name, entry in metrics.items()}


def page_of(folder: Path) -> str:
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", (folder / "report.html").read_text())


def section(page: str, anchor: str) -> str:
    return page.split(f'<section id="{anchor}"')[1].split("</section>")[0]


TASKS = {"multiclass": (0.3, 0.3, 0.2, 0.2), "binary": (0.6, 0.4), "multilabel": (0.3, 0.2, 0.03), "segmentation": (0.3, 0.3, 0.4)}
MIXED = {**CLINICS, "west": 7, "coast": 60}


def mixed(task: str = "multiclass", **changes: Any) -> Study:
    """A study with a tiny hospital, one that was dropped in some rounds and one that missed the test."""
    settings: dict[str, Any] = {"tests": MIXED, "task": task, "shares": TASKS[task], "resamples": 100, "missing": {"coast": REASON},
                                "course": {"dropped": ("east",)}}
    return Study(**settings | changes)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_makes_a_whole_page(write_study: WriteStudy, task: str) -> None:
    folder = write_study(mixed(task, counts_told=task != "segmentation"), local=("north", "west"))
    page = re.sub(r"<pre>.*?</pre>", "", page_of(folder), flags=re.DOTALL)
    assert "<script" not in page
    assert not re.search(r"\bnan\b|\bNone\b", page)
    assert "is absent" not in page
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert drawn >= {"learning-curves", "partition", "per-site"}
    if task != "segmentation":
        assert drawn >= {"roc", "reliability"}


@pytest.mark.usefixtures("undrawn")
def test_it_says_that_single_predictions_stayed_at_the_hospitals(write_study: WriteStudy) -> None:
    page = page_of(write_study(mixed()))
    assert "Images and single predictions stayed at the hospitals" in page
    assert "Each hospital has its own list" in section(page, "left-out")


@pytest.mark.usefixtures("undrawn")
def test_hospitals_stand_worst_first_and_small_counts_as_a_range(write_study: WriteStudy) -> None:
    page = section(page_of(write_study(mixed(), local=("north", "west"))), "hospitals")
    rows = [re.findall(r">([^<>]*)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, flags=re.DOTALL)][1:]
    known = [float(row[3].split()[0]) for row in rows if row[3][0].isdigit()]
    assert known == sorted(known)
    assert rows[3:] == [["west", "14", "1–10", "too few images", "too few images"], ["coast", "120", "60", "not tested", "–"]]
    assert {row[0]: row[4] != "–" for row in rows[:3]} == {"north": True, "south": False, "east": False}
    assert all(re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", row[3]) for row in rows[:3])


@pytest.mark.usefixtures("undrawn")
def test_who_was_left_out_of_which_rounds_is_told(write_study: WriteStudy) -> None:
    page = page_of(write_study(mixed()))
    assert "The run finished without coast and east after 5 rounds" in page
    assert "The final test is without coast." in page
    assert f"Not tested: coast ({REASON})." in page
    training = section(page, "training")
    assert "2–3, 5" in training
    assert REASON in training


@pytest.mark.usefixtures("undrawn")
def test_the_number_of_all_test_images_is_a_range_if_it_would_tell_a_hidden_one(write_study: WriteStudy) -> None:
    page = page_of(write_study(mixed()))
    assert "on 571–580 test images" in page
    assert "Rounded: more decimals would give a hidden number of images away." in page


@pytest.mark.usefixtures("undrawn")
def test_a_study_without_tiny_hospitals_gives_exact_numbers(write_study: WriteStudy) -> None:
    study = Study(tests=CLINICS, resamples=100)
    page = page_of(write_study(study))
    assert f"reached {study.pooled_metrics['balanced_accuracy']['value']:.3f} [" in page
    assert "on 570 test images" in page
    assert "Rounded" not in page


@pytest.mark.usefixtures("undrawn")
def test_the_learning_curve_of_a_hospital_with_few_validation_images_is_not_drawn(write_study: WriteStudy,
                                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[set[str]] = []
    from wardround.report import plots

    whole = plots.learning_curves
    monkeypatch.setattr(plots, "learning_curves", lambda rounds, *args, **options: (drawn.append(set(rounds[0].val_by_site)),
                                                                                    whole(rounds, *args, **options))[1])
    write_study(mixed())
    assert drawn == [{"north", "south", "east", "coast"}]


@pytest.mark.usefixtures("undrawn")
def test_programs_and_plan_of_the_hospitals_are_told(write_study: WriteStudy) -> None:
    page = section(page_of(write_study(mixed())), "repeat")
    assert "ab" * 32 in page
    assert "wardround study new NAME" in page
    assert page.count(">cpu<") == 5


@pytest.mark.usefixtures("undrawn")
def test_training_images_of_rare_classes_are_hidden(write_study: WriteStudy) -> None:
    page = section(page_of(write_study(mixed(counts_told=True))), "images")
    assert re.search(r'<th scope="row">west</th>\s*(<td class="number">hidden</td>\s*){2}', page)
    assert re.search(r'<td class="number">14</td>\s*</tr>', page)


@pytest.mark.usefixtures("undrawn")
def test_findings_tell_their_support_over_all_hospitals(write_study: WriteStudy) -> None:
    page = section(page_of(write_study(mixed("multilabel", shares=(0.3, 0.2, 0.008)))), "good")
    assert re.search(r'<th scope="row">no tumour</th>\s*<td[^>]*>1\d\d</td>', page)
    assert re.search(r'<th scope="row">meningioma</th>\s*<td[^>]*>hidden</td>', page)
    assert "Hidden, or not estimable, because no test image, or only 1–10, have the finding or lack it: meningioma." in page


def test_the_report_can_be_written_anew(write_study: WriteStudy) -> None:
    folder = write_study(mixed())
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert write_run_report(folder).read_bytes() == before
    assert read_run(folder).missing == ()


def test_a_confusion_with_gaps_shows_the_recalls_and_no_shares() -> None:
    drawing = confusion_figure(np.array([[np.nan, np.nan], [20.0, 60.0]]), ["a", "b"], [0.9, 0.75])
    assert [text.get_text() for text in drawing.axes[0].texts] == ["90%", "hidden", "25%\n20", "75%\n60"]
