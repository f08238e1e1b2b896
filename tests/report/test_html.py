import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from wardround.errors import WardroundError
from wardround.report.html import write_compare_report, write_run_report

LOADING = {"src", "href", "srcset", "poster", "data", "action", "background"}
HOSTILE = '<script>alert("x")</script>&$\\frac{1}$'


class Links(HTMLParser):
    """Collects tags, and what they would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in LOADING]
        if tag == "img":
            self.images.append(dict(attrs))


def read(path: Path) -> str:
    page = path.read_text()
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", page)


@pytest.mark.usefixtures("undrawn")
def test_comparison_is_one_file_that_loads_nothing(sample: Any, write: Any) -> None:
    page = read(write_compare_report(write.comparison(sample())))
    links = Links(page)
    assert "script" not in links.tags
    assert "link" not in links.tags
    assert all(target.startswith(("data:image/png;base64,", "#")) for target in links.loads)
    assert "url(" not in page
    assert "@import" not in page


def test_every_image_has_a_text_and_a_file(sample: Any, write: Any) -> None:
    folder = write.comparison(sample())
    links = Links(read(write_compare_report(folder)))
    names = {path.stem for path in (folder / "figures").glob("*.png")}
    assert len(links.images) == len(names) >= 11
    assert all(len(image["alt"] or "") > 20 for image in links.images)


@pytest.mark.usefixtures("undrawn")
def test_headline_says_how_far_from_pooled_and_local(sample: Any, write: Any) -> None:
    folder = write.comparison(sample())
    page = read(write_compare_report(folder))
    paired = json.loads((folder / "compare.json").read_text())["paired"]
    ratio = paired["federated/pooled"]["balanced_accuracy"]["ratio"]
    gap = paired["federated/local"]["balanced_accuracy"]["difference"]
    headline = re.search(r'<p class="headline">(.*?)</p>', page)
    assert headline is not None
    assert f"{ratio:.3f} [" in headline[1]
    assert f"{gap:+.3f} [" in headline[1]
    assert "Federated training against each hospital alone: better." in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("phantom", [True, False])
def test_phantom_banner_stands_on_phantoms_only(sample: Any, write: Any, phantom: bool) -> None:
    page = read(write_run_report(write.run(sample(phantom=phantom))))
    assert ("PHANTOM" in page) == phantom
    assert ("On phantom images" in page) == phantom
    assert "not for clinical use" in page


def test_names_from_outside_are_escaped(sample: Any, write: Any) -> None:
    page = read(write_run_report(write.run(sample(classes=("normal", HOSTILE), sites=(HOSTILE, "south")))))
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page


@pytest.mark.usefixtures("undrawn")
def test_binary_run_reports_threshold_and_calibration_slope(sample: Any, write: Any) -> None:
    page = read(write_run_report(write.run(sample(classes=("normal", "pneumonia"), patients_known=True))))
    assert "a positive call is right" in page
    assert "calibration slope" in page
    assert "The data set names no patients" not in page


@pytest.mark.usefixtures("undrawn")
def test_small_counts_of_a_hospital_are_hidden(sample: Any, write: Any) -> None:
    page = read(write_run_report(write.run(sample(small={"north": 7}))))
    assert '<td class="number">1–10</td>' in page
    assert '<td class="number">7</td>' not in page
    assert '<td class="number">215–224</td>' in page  # 7 + 214


@pytest.mark.usefixtures("undrawn")
def test_a_dropped_hospital_is_named(sample: Any, write: Any) -> None:
    page = read(write_compare_report(write.comparison(sample(without=("south",)))))
    assert "federated-seed0 finished without south." in page
    assert "success" not in page


@pytest.mark.usefixtures("undrawn")
def test_leaking_and_clean_results_stand_side_by_side(sample: Any, write: Any) -> None:
    assert "Published test split" in read(write_run_report(write.run(sample(leaking=12))))


@pytest.mark.usefixtures("undrawn")
def test_no_table_of_leaks_without_leaks(sample: Any, write: Any) -> None:
    assert "Published test split" not in read(write_run_report(write.run(sample(leaking=0))))


@pytest.mark.usefixtures("undrawn")
def test_several_seeds_give_mean_and_range(sample: Any, write: Any) -> None:
    page = read(write_compare_report(write.comparison(sample(num_test=80, rounds=1), seeds=2)))
    assert "over 2 models" in page
    assert "One random seed" not in page


@pytest.mark.usefixtures("undrawn")
def test_path_of_the_images_is_not_printed(sample: Any, write: Any) -> None:
    page = read(write_run_report(write.run(sample())))
    assert "/secret/place" not in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("name", "sentence"), [
    ("provenance.json", "versions, hardware and counts of images are not known"), ("journal.jsonl", "learning curves cannot be drawn"),
    ("predictions.csv", "curves and calibration cannot be drawn"), ("ledger.csv", "cannot be counted"),
    ("figures/errors.npz", "worst errors cannot be shown")])
def test_a_missing_file_becomes_a_sentence(sample: Any, write: Any, name: str, sentence: str) -> None:
    folder = write.run(sample(num_test=60, rounds=2))
    (folder / name).unlink()
    assert sentence in read(write_run_report(folder))


@pytest.mark.usefixtures("undrawn")
def test_a_comparison_without_some_run_folders_is_reported(sample: Any, write: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=2))
    (folder / "pooled-seed0" / "scores.json").unlink()
    page = read(write_compare_report(folder))
    assert "The run folder pooled-seed0 is absent" in page
    assert "Federated against pooled" in page


@pytest.mark.usefixtures("undrawn")
def test_metrics_that_are_not_estimable_are_said_to_be_so(sample: Any, write: Any, edit_json: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=2))

    def forget(scores: dict[str, Any]) -> None:
        for found in (scores, *scores["per_site"].values()):
            found["metrics"] = {name: dict.fromkeys(("value", "low", "high")) for name in found["metrics"]}

    edit_json(folder / "scores.json", forget)
    page = read(write_run_report(folder))
    assert "reached a balanced accuracy that is not estimable" in page
    assert "nan" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)


@pytest.mark.usefixtures("undrawn")
def test_a_comparison_of_two_arms_says_which(sample: Any, write: Any, edit_json: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=2))

    def drop_pooled(compare: dict[str, Any]) -> None:
        del compare["arms"]["pooled"], compare["runs"]["pooled"], compare["paired"]["federated/pooled"]
        del compare["arms"]["ensemble"], compare["paired"]["federated/ensemble"]

    edit_json(folder / "compare.json", drop_pooled)
    page = read(write_compare_report(folder))
    assert "federated and local only" in page
    assert "of what pooling" not in page


@pytest.mark.usefixtures("undrawn")
def test_the_ensemble_stands_between_federated_and_local(sample: Any, write: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=2))
    page = read(write_compare_report(folder))
    assert re.findall(r'<div class="card (\w+)">', page) == ["pooled", "federated", "ensemble", "local"]
    assert "all three on the same test images, and the ensemble of the hospitals&#39; own models" in page
    assert "One method against 3 yardsticks" in page
    assert "the hospitals&#39; own models asked together" in page.split('id="done"')[1]
    assert {"paired-pooled.png", "paired-ensemble.png", "paired-local.png"} <= {path.name for path in (folder / "figures").iterdir()}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("kind", "temperature", "said"), [
    ("sample", 1.6, "1.60: validation images chose it, to make the network&#39;s answers less sure; before, the calibration error (ECE) "
                    "was 0.200"),
    ("findings", 0.5, "0.50: validation images chose it, to make the network&#39;s answers more sure"),
    ("sample", 1.0, "1: the probabilities are the network&#39;s own")])
def test_the_temperature_and_what_it_changed_are_told(request: Any, write: Any, edit_json: Any, kind: str, temperature: float,
                                                      said: str) -> None:
    folder = write.run(request.getfixturevalue(kind)(num_test=60, rounds=2))
    edit_json(folder / "scores.json", lambda scores: scores.update(temperature=temperature, uncalibrated={"ece": 0.2, "brier": 0.3}))
    assert said in read(write_run_report(folder)).split('id="calibration"')[1]


@pytest.mark.usefixtures("undrawn")
def test_a_run_from_before_temperatures_says_nothing_of_one(sample: Any, write: Any, edit_json: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=2))
    edit_json(folder / "scores.json", lambda scores: [scores.pop(name) for name in ("temperature", "uncalibrated")])
    assert "<dt>temperature</dt>" not in read(write_run_report(folder))


def test_an_unfinished_run_is_refused_with_a_remedy(tmp_path: Path, sample: Any, write: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=2))
    (folder / "scores.json").unlink()
    with pytest.raises(WardroundError, match="--resume"):
        write_run_report(folder)


def test_a_folder_without_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WardroundError, match=r"compare\.json"):
        write_compare_report(tmp_path)


def test_a_comparison_without_any_run_is_refused(sample: Any, write: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=1))
    for path in folder.glob("*/scores.json"):
        path.unlink()
    with pytest.raises(WardroundError, match="none of its run folders"):
        write_compare_report(folder)


def test_the_same_run_gives_the_same_page(sample: Any, write: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=2))
    first = write_run_report(folder).read_bytes()
    assert write_run_report(folder).read_bytes() == first


@pytest.mark.usefixtures("undrawn")
def test_a_pooled_run_says_that_it_is_one(sample: Any, write: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=1)) / "pooled-seed0"
    page = read(write_run_report(folder))
    assert "Training on all images in one place reached" in page
    assert "This is the pooled arm of the plan" in page


@pytest.mark.parametrize("task", ["findings", "masks"])
def test_other_tasks_make_whole_pages_too(request: Any, write: Any, task: str) -> None:
    folder = write.comparison(request.getfixturevalue(task)(num_test=60, rounds=2))
    page = read(write_compare_report(folder))
    links = Links(page)
    assert "script" not in links.tags
    assert all(target.startswith(("data:image/png;base64,", "#")) for target in links.loads)
    assert len(links.images) == len(list((folder / "figures").glob("*.png"))) >= 10
    assert "nan" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert "None" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("task", ["findings", "masks"])
@pytest.mark.parametrize("name", ["provenance.json", "journal.jsonl", "predictions.csv", "ledger.csv"])
def test_other_tasks_bear_missing_files(request: Any, write: Any, task: str, name: str) -> None:
    folder = write.run(request.getfixturevalue(task)(num_test=60, rounds=1))
    (folder / name).unlink()
    assert f"{name} is absent from federated-seed0" in read(write_run_report(folder))


@pytest.mark.usefixtures("undrawn")
def test_hospitals_that_stood_apart_are_shown_with_a_caution(sample: Any, write: Any) -> None:
    page = read(write_run_report(write.run(sample(suspicion={"north": 1.0, "south": 6.5}), name="watched")))
    assert "This is no verdict: a hospital whose patients, scanners or labels differ" in page
    assert page.index(">6.61<") < page.index(">1.11<")  # the greatest, of round 12
    assert "no verdict" not in read(write_run_report(write.run(sample(), name="mean")))
