"""A run's folder that somebody else has written, or written into: its report, its terminal, its model, its checkpoints."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import corpus
import pytest
import torch
from corpus import npy, zipped
from safetensors.torch import load_file, save_file

from wardround.cli import show
from wardround.data.datasets.brain_tumour_mri import READER
from wardround.errors import CheckpointError, PlanError, WardroundError
from wardround.plan.schema import Plan
from wardround.report.html import write_run_report
from wardround.runs.checkpoint import load_last
from wardround.runs.folder import RunFolder
from wardround.session import predict, resume, run
from wardround.session.result import RunResult

XSS = ["<script>alert(1)</script>", "</title><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg/onload=alert(1)>",
       "</style><script>alert(1)</script>", "<!--", "-->", "]]>", "javascript:alert(1)", "<a href=javascript:alert(1)>x</a>",
       "<iframe src=//evil.example>", "<meta http-equiv=refresh content=0;url=//evil.example>", "<base href=//evil.example>",
       "<link rel=stylesheet href=//evil.example>", "<form action=//evil.example><input>", "&lt;script&gt;alert(1)&lt;/script&gt;",
       "{{ 7 * 7 }}{% raw %}", "${7*7}$\\frac{1}{0}$", "\u2028<script>\u2029", "<math><mglyph><style><!--</style><img onerror=x>"]


class Tags(HTMLParser):
    """What a browser would see: names of elements, and attributes that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.active += [f"{name}={value}" for name, value in attrs if name.startswith("on") or (
            name in ("href", "src", "action", "content") and re.match(r"(?!data:image/png|#)\s*(\w+:|//)", value or ""))]


def tags_of(html: str) -> Tags:
    found = Tags()
    found.feed(html)
    return found


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run on phantoms that has finished."""
    folder = tmp_path_factory.mktemp("honest")
    READER.write_phantom(folder / "images", 60, 0)
    plan = Plan.model_validate({
        "name": "tiny", "data": {"dataset": "brain-tumour-mri", "folder": folder / "images", "size": 16}, "sites": {"num": 2},
        "model": {"name": "wardround.testing:toy_net"}, "rounds": {"num": 1, "checkpoint_every_s": 0}, "engine": {"workers": 1},
        "split": {"policy": "grouped"}, "evaluation": {"resamples": 100}})
    return RunFolder(run(plan, out=folder / "runs").path)


@pytest.fixture(scope="module")
def plain(honest: RunFolder) -> Tags:
    """The page of the run as it is."""
    return tags_of((honest.path / "report.html").read_text())


@pytest.fixture
def copy(honest: RunFolder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest.path, tmp_path / "runs" / honest.name))


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def renamed(folder: Path, old: list[str], new: list[str]) -> None:
    """Other names of classes or sites in all files of text."""
    for name in ("scores.json", "provenance.json", "model.json", "journal.jsonl", "predictions.csv", "plan.toml"):
        text = (folder / name).read_text()
        for before, after in zip(old, new, strict=False):
            quoted = json.dumps(after) if name.endswith(("json", "jsonl")) else '"' + after.replace('"', '""') + '"'
            if name.endswith("csv"):
                text = text.replace(f",{before},", f",{quoted},").replace(f"p_{before}", f'"p_{quoted[1:]}')
            elif name.endswith(("json", "jsonl")):
                text = text.replace(f'"{before}"', quoted)
        (folder / name).write_text(text)


@pytest.mark.parametrize("start", range(0, len(XSS), 6))
def test_no_name_of_a_class_or_site_becomes_html(copy: Path, plain: Tags, start: int) -> None:
    names = (XSS + XSS)[start:start + 6]
    renamed(copy, ["glioma", "meningioma", "notumor", "pituitary", "site-1", "site-2"], names)
    text = write_run_report(copy).read_text()
    found = tags_of(text)
    assert found.names == plain.names
    assert found.active == plain.active == []
    assert "script" not in found.names
    assert tags_of(RunResult(copy)._repr_html_()).active == []
    assert XSS[start] not in text or "<" not in XSS[start]


def test_the_page_may_load_and_run_nothing(copy: Path) -> None:
    text = write_run_report(copy).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<title>")


def test_titles_notes_and_reasons_are_text_too(copy: Path) -> None:
    with (copy / "journal.jsonl").open("a") as file:
        file.write(json.dumps({"event": "WorkerRestarted", "run": XSS[0], "site": XSS[0], "cause": XSS[0]}) + "\n")
        file.write(json.dumps({"event": "RoundFinished", "round": 2, "lr": 0.1, "train_loss": 0.1, "train_loss_by_site": {"site-1": 0.1},
                               "failed": {"site-2": XSS[0]}}) + "\n")
    plan = (copy / "plan.toml").read_text()
    (copy / "plan.toml").write_text(plan.replace('title = ""', f"title = '{XSS[0]}'"))
    (copy / "ledger.csv").write_text(f"image,status,reason\n{XSS[0]},failed,{XSS[0]}\n")
    changed(copy / "provenance.json", lambda record: record.update(cpu=XSS[0], platform=XSS[0], data={**record["data"], "licence": XSS[0]}))
    changed(copy / "scores.json", lambda record: record.update(without=[XSS[0]]))
    assert "script" not in tags_of(write_run_report(copy).read_text()).names


FAULTS: dict[str, tuple[str, bytes | Callable[[dict[str, Any]], None], str]] = {
    "scores of a list": ("scores.json", b"[]", "holds no JSON object"),
    "scores 100,000 deep": ("scores.json", b'{"a":' * 10**5, r"scores\.json is not valid JSON \(nested"),
    "a score of 5,000 digits": ("scores.json", b'{"rounds": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    "a score of NaN": ("scores.json", b'{"task": NaN}', "NaN is no number"),
    "scores of another task": ("scores.json", lambda record: record.update(task="../x"), "task is"),
    "classes that are numbers": ("scores.json", lambda record: record.update(classes=[1, 2]), "too long: classes"),
    "20,000 classes": ("scores.json", lambda record: record.update(classes=["x"] * 20_000), "too long: classes"),
    "a confusion of another size": ("scores.json", lambda record: record.update(confusion=[[1]]), "too long: confusion"),
    "metrics that are texts": ("scores.json", lambda record: record.update(metrics={"auroc": "<b>"}), "too long: metrics"),
    "a metric without a number": (
        "scores.json", lambda record: record["metrics"].update(balanced_accuracy={"value": "<b>"}), "does not hold"),
    "a million rounds that are a text": ("scores.json", lambda record: record.update(rounds="1000000"), "too long: rounds"),
    "results of hospitals that are lists": ("scores.json", lambda record: record.update(per_site={"a": [1]}), "too long: per_site"),
    "no metrics of a hospital": ("scores.json", lambda record: record.update(per_site={"a": {}}), "does not hold"),
    "a plan 5,000 deep": ("plan.toml", b"name = " + b"[" * 5000, "plan.toml: nested"),
    "a plan of another program": ("plan.toml", b"a = 1", "plan.toml has 2 problems"),
    "a journal of a list": ("journal.jsonl", b"[1]\n", "line 1 is not an event"),
    "a journal of no text": ("journal.jsonl", b"\xff\xfe\n", "line 1 is not an event"),
    "a round that is a script": ("journal.jsonl", b'{"event": "RoundFinished", "round": "<script>"}\n', "line 1 is not an event"),
    "an event with a class of its own": ("journal.jsonl", b'{"event": "Note", "text": "x", "__class__": "os.system"}\n', "unknown field"),
    "a text in place of predictions": ("predictions.csv", b"case,group,site,split,truth,p_a\nc,g,s,test,a,x\n", "holds no predictions"),
    "a probability of 7": ("predictions.csv", b"case,group,site,split,truth,p_a\nc,g,s,test,a,7\n", "a probability that is none"),
    "5,000 columns of predictions": ("predictions.csv", b",".join([b"case"] * 5000) + b"\n", "holds no predictions"),
    "predictions of no text": ("predictions.csv", b"\xff\xfe", "is not text in UTF-8"),
    "pictures of 3 terabytes": ("figures/errors.npz", zipped({"images.npy": npy("(1000000, 1000, 1000, 3)", "|u1")}), "damaged"),
    "pictures that are objects": ("figures/errors.npz", zipped({"images.npy": npy("(1,)", "|O", b"cos\nsystem\n")}), "never unpickled"),
    "a million pictures": ("figures/errors.npz", zipped({f"{name}.npy": npy(shape, kind, bytes(10**6)) for name, shape, kind in (
        ("images", "(1000000, 1, 1, 1)", "|u1"), ("truth", "(1,)", "|u1"), ("predicted", "(1,)", "|u1"), ("probability", "(1,)", "<f8"),
        ("site", "(1,)", "<U4"))}), "expected up to 48"),
    "provenance of a list": ("provenance.json", b"[]", "holds no JSON object"),
    "counts that are texts": ("provenance.json", lambda record: record["data"].update(site_counts="x"), "does not hold"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_report_of_what_no_run_writes_is_refused_by_its_file(case: str, copy: Path) -> None:
    name, content, text = FAULTS[case]
    if isinstance(content, bytes):
        (copy / name).write_bytes(content)
    else:
        changed(copy / name, content)
    with pytest.raises(WardroundError, match=f"(?s){copy.name}.*{text}"):
        write_run_report(copy)


LINKS = ["report.html", "report.html.part", "figures/confusion.png", "figures/evil.png", "figures", "card.md", "scores.json.part"]


@pytest.mark.parametrize("name", LINKS)
def test_nothing_is_written_through_a_link(name: str, copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    if (copy / name).is_dir():
        (copy / name).rename(target)
    else:
        (copy / name).unlink(missing_ok=True)
        target.write_text("mine")
    (copy / name).symlink_to(target)
    with pytest.raises(WardroundError, match="is a link: nothing is read or written through it"):
        write_run_report(copy)
    with pytest.raises(WardroundError, match="is a link"):
        resume(copy)
    assert target.is_dir() or target.read_text() == "mine"


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp", "..", "x/y"])
def test_a_comparison_reads_no_run_outside_of_its_folder(name: str, copy: Path) -> None:
    from wardround.report.html import write_compare_report

    (copy.parent / "compare.json").write_text(json.dumps({"primary": "auroc", "runs": {"federated": [[name]]}, "arms": {}}))
    with pytest.raises(WardroundError, match="names a run outside of its folder"):
        write_compare_report(copy.parent)


def test_the_terminal_shows_names_and_no_escapes(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renamed(copy, ["site-1", "glioma"], ["\x1b[2J\x1b]0;x\x07", "\x1b[31m"])
    show.run(RunFolder(copy))
    assert "\x1b" not in capsys.readouterr().out


def evil_module(folder: Path) -> Path:
    path = folder / "evil.py"
    path.write_text("from pathlib import Path\nPath(__file__).with_name('was-run').touch()\ndef net(**x): raise SystemExit\n")
    return path


def test_predicting_runs_no_program_of_the_model_s_author(copy: Path, tmp_path: Path) -> None:
    corpus.picture_of(tmp_path / "a.png")
    module = evil_module(tmp_path)
    changed(copy / "model.json", lambda record: record["model"].update(name=f"{module}:net"))
    with pytest.raises(PlanError, match=r"a program of its author's .*evil\.py:net.* --own-code"):
        predict(copy, [tmp_path / "a.png"])
    changed(copy / "model.json", lambda record: record["model"].update(name="subprocess:run", args=["touch", str(tmp_path / "was-run")]))
    with pytest.raises(PlanError, match="--own-code"):
        predict(copy, [tmp_path / "a.png"])
    assert not (tmp_path / "was-run").exists()


MODELS: dict[str, Callable[[dict[str, Any]], None]] = {
    "no model": lambda record: record.pop("model"), "a model that is a text": lambda record: record.update(model="cnn"),
    "a width that is a text": lambda record: record["model"].update(name="cnn", width="x" * 100),
    "pictures of 10^9 pixels": lambda record: record["data"].update(size=10**9),
    "patches of 10^18 voxels": lambda record: record["data"].update(dims=3, patch=[10**6] * 3),
    "classes that are numbers": lambda record: record.update(classes=[1, 2, 3, 4]),
    "a million classes": lambda record: record.update(classes=["x"] * 10**6),
    "suffixes that are numbers": lambda record: record.update(suffixes=[1]),
    "an unknown loss": lambda record: record.update(loss="<script>"),
    "classes that the tensors have not": lambda record: record.update(classes=["a", "b"]),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_is_none_is_refused_by_its_file(case: str, copy: Path, tmp_path: Path) -> None:
    corpus.picture_of(tmp_path / "a.png")
    changed(copy / "model.json", MODELS[case])
    with pytest.raises(WardroundError, match=r"model\.(json|safetensors)|model 'cnn'|loss"):
        predict(copy, [tmp_path / "a.png"])


def test_a_predicted_image_s_further_files_stay_in_its_folder(copy: Path, tmp_path: Path) -> None:
    corpus.picture_of(tmp_path / "in" / "a.png")
    changed(copy / "model.json", lambda record: record.update(suffixes=[".png", "/../../secret.png"]))
    changed(copy / "model.json", lambda record: record["data"].update(dims=3, patch=[1, 16, 16]))
    try:
        [found] = predict(copy, [tmp_path / "in" / "a.png"])
    except WardroundError:
        return
    assert "leads out" in found.error


CHECKPOINTS: dict[str, tuple[str, bytes]] = {
    "no JSON": ("meta.json", b"{"), "a list": ("meta.json", b"[]"), "100,000 levels": ("meta.json", b"[" * 10**5),
    "a best round that leads elsewhere": ("meta.json", b'{"round": 1, "best_round": "../../x"}'),
    "a negative round": ("meta.json", b'{"round": -1, "best_round": -1}'), "no numbers": ("state.safetensors", b"abc"),
    "numbers that do not follow": ("state.safetensors", corpus.tensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}})),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_is_none_is_refused(case: str, copy: Path) -> None:
    name, content = CHECKPOINTS[case]
    for folder in (copy / "checkpoints").glob("round-*"):
        (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        load_last(copy / "checkpoints")


STATES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a further field": lambda meta: meta["state"].update(evil=1), "no course": lambda meta: meta.pop("course"),
    "dropped sites that are a number": lambda meta: meta.update(dropped=3), "another layout": lambda meta: meta.update(layout="x"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_checkpoint_of_another_form_is_refused_by_its_round(case: str, copy: Path) -> None:
    (copy / "scores.json").unlink()
    for meta in (copy / "checkpoints").glob("round-*/meta.json"):
        changed(meta, STATES[case])
    with pytest.raises(CheckpointError):
        resume(copy)


def test_a_checkpoint_whose_numbers_are_too_few_is_refused(copy: Path) -> None:
    (copy / "scores.json").unlink()
    for path in (copy / "checkpoints").glob("round-*/state.safetensors"):
        save_file({name: torch.zeros(3) for name in load_file(path)}, path)
    with pytest.raises(CheckpointError, match="does not hold what this version writes"):
        resume(copy)


def test_the_journal_of_a_checkpoint_is_not_cut_at_a_place_before_its_beginning(copy: Path) -> None:
    (copy / "scores.json").unlink()
    for meta in (copy / "checkpoints").glob("round-*/meta.json"):
        changed(meta, lambda record: record.update(journal_bytes="-5"))
    with pytest.raises(CheckpointError):
        resume(copy)


def test_the_folder_is_a_run_s_before_it_is_changed(honest: RunFolder) -> None:
    """So that the cases above are refused for their fault and not because this folder is none."""
    assert write_run_report(honest.path).exists()
    assert load_last(honest.checkpoints) is not None

