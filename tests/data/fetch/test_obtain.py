"""A public data set from its name to a folder that its reader knows. Everything comes from a server in this process."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Event, Note
from wardround.data.fetch import obtain as module
from wardround.data.fetch.obtain import obtain
from wardround.data.fetch.sources import SOURCES
from wardround.errors import DataError, PlanError, Resumable

CHEST = "/api/v1/datasets/download/paultimothymooney/chest-xray-pneumonia"
MNIST = "/records/10519652/files/pneumoniamnist.npz"
BY_HAND = r"By hand: download it in a browser from https://.*, then: wardround data inspect"


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(file, "PNG")
    return file.getvalue()


def zipped(names: list[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, png())
    return file.getvalue()


CHEST_ZIP = zipped([f"chest_xray/{split}/{name}" for split in ("train", "test")
                    for name in ("NORMAL/IM-0001-0001.png", "PNEUMONIA/person1_virus_1.png")])


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{f"{split}_{kind}": np.zeros((2, 28, 28) if kind == "images" else (2, 1), np.uint8)
                      for split in ("train", "val", "test") for kind in ("images", "labels")})
    return file.getvalue()


@pytest.fixture
def fetch(shelf: Any, tmp_path: Path) -> Any:
    shelf.files[CHEST] = CHEST_ZIP

    def run(name: str = "chest-xray", **options: Any) -> Any:
        return obtain(name, tmp_path / "out", **{"accepted": True, "base": shelf.url, "pause_s": 0, **options})

    return run


def test_an_archive_is_loaded_unpacked_and_read(fetch: Any, tmp_path: Path) -> None:
    found = fetch()
    assert (found.name, len(found)) == ("chest-xray", 4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["SOURCE.json", "chest_xray"]
    record = json.loads((tmp_path / "out" / "SOURCE.json").read_text())
    assert record["sha256"] == hashlib.sha256(CHEST_ZIP).hexdigest()
    assert record["licence"] == "CC BY 4.0"
    assert record["url"].startswith("https://www.kaggle.com/")
    assert record["checksum"] == "none is published"


def test_a_published_checksum_is_compared(fetch: Any, shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.files[MNIST] = npz()
    with pytest.raises(DataError, match=f"(?s)published is 28209eda62fecd6e6a2d98b1501bb15f.*deleted.*{BY_HAND}"):
        fetch("pneumoniamnist")
    assert list((tmp_path / "out").iterdir()) == []
    known = replace(SOURCES["pneumoniamnist"], md5=hashlib.md5(npz()).hexdigest())
    monkeypatch.setitem(SOURCES, "pneumoniamnist", known)
    assert len(fetch("pneumoniamnist")) == 6
    assert (tmp_path / "out" / "pneumoniamnist.npz").is_file()


def test_the_licence_comes_first(fetch: Any, shelf: Any, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"licence of 'chest-xray' was not accepted: CC BY 4.0. .*--accept-licence"):
        fetch(accepted=False)
    assert shelf.asked == []
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_the_set_is_only_read(fetch: Any, shelf: Any) -> None:
    fetch()
    shelf.asked.clear()
    seen: list[Event] = []
    assert len(fetch(accepted=False, watch=seen.append)) == 4
    assert shelf.asked == []
    assert any(isinstance(event, Note) and "nothing was loaded" in event.text for event in seen)


def test_another_file_than_the_last_time_is_said(fetch: Any, shelf: Any, tmp_path: Path) -> None:
    fetch()
    (tmp_path / "out" / "chest_xray").rename(tmp_path / "moved")
    shelf.files[CHEST] = zipped(["chest_xray/train/NORMAL/a.png", "chest_xray/train/PNEUMONIA/b.png"])
    seen: list[Event] = []
    assert len(fetch(watch=seen.append)) == 2
    assert any(isinstance(event, Note) and "its publisher changed it" in event.text for event in seen)


def test_the_address_of_a_mirror_can_come_from_the_environment(fetch: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_FETCH_URL", shelf.url + "/")
    assert len(fetch(base="")) == 4


@pytest.mark.parametrize(("token", "status", "message"), [
    ("", 401, "wants a token and none was found"), ("wrong", 401, "does not accept the token"), ("right", 403, "accept the rules there")])
def test_kaggles_answers_are_explained_without_the_token(token: str, status: int, message: str, fetch: Any, shelf: Any,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    shelf.token = "Bearer right"
    shelf.statuses = [403] if status == 403 else []
    with pytest.raises(DataError, match=f"(?s){status}.*{message}.*{BY_HAND}") as caught:
        fetch()
    assert not token or token not in str(caught.value)


def test_the_token_opens_the_set_and_is_written_nowhere(fetch: Any, shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "s3cret")
    shelf.token = "Bearer s3cret"
    seen: list[Event] = []
    assert len(fetch(watch=seen.append)) == 4
    assert "s3cret" not in repr(seen) + caplog.text + (tmp_path / "out" / "SOURCE.json").read_text()


def test_the_token_is_not_sent_to_others(fetch: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "s3cret")
    with pytest.raises(DataError, match="404"):
        fetch("decathlon-brain")
    assert "Authorization" not in shelf.asked[0]


@pytest.mark.parametrize(("files", "message"), [
    ({}, "not there any more"), ({CHEST: b"no zip"}, "damaged or not an archive"),
    ({CHEST: zipped(["../evil.png"])}, "leads out of the folder"),
    ({CHEST: zipped(["cats/1.png", "dogs/1.png"])}, "looks like 'folder', not like 'chest-xray'"),
    ({CHEST: zipped(["a.txt"])}, "looks like no known data set"),
])
def test_every_error_ends_with_the_manual_way(files: dict[str, bytes], message: str, fetch: Any, shelf: Any) -> None:
    shelf.files = files
    with pytest.raises(DataError, match=f"(?s){message}.*{BY_HAND}"):
        fetch()


def test_an_archive_that_cannot_be_used_is_loaded_anew(fetch: Any, shelf: Any) -> None:
    shelf.files[CHEST] = b"no zip"
    with pytest.raises(DataError, match="damaged"):
        fetch()
    shelf.files[CHEST] = CHEST_ZIP
    assert len(fetch()) == 4


def test_without_space_the_command_can_be_repeated(fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "chest-xray", replace(SOURCES["chest-xray"], packed_times=1e15))
    with pytest.raises(Resumable, match=f"(?s)GB free; about .*{BY_HAND}"):
        fetch()


def test_a_folder_with_other_files_is_left_alone(fetch: Any, shelf: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(mine.txt\)"):
        fetch()
    assert shelf.asked == []


def test_a_stop_while_unpacking_does_not_load_again(fetch: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "unpack", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    shelf.asked.clear()
    assert len(fetch()) == 4
    assert shelf.asked == []
