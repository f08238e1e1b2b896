"""A file over HTTP: whole, resumed, begun anew, or an error that says why."""

import hashlib
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from wardround.core.events import Event, Progress
from wardround.data.fetch import download as module
from wardround.data.fetch.download import Denied, Remote, download
from wardround.errors import DataError, Resumable

BODY = bytes(range(256)) * 12_000  # 3 MB
Disk = namedtuple("Disk", "total used free")


def remote(shelf: Any, folder: Path, **options: Any) -> Remote:
    shelf.files.setdefault("/set.zip", BODY)
    return Remote(url=f"{shelf.url}/set.zip", target=folder / "set.zip", pause_s=0, **options)


def test_a_whole_file_comes_with_its_checksums_and_progress(shelf: Any, tmp_path: Path) -> None:
    seen: list[Event] = []
    found = download(remote(shelf, tmp_path), seen.append)
    assert found.path.read_bytes() == BODY
    assert (found.size, found.sha256, found.md5) == (len(BODY), hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest())
    assert seen[-1] == Progress(stage="download", done=3, total=3)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_lost_connection_goes_on_where_it_stopped(shelf: Any, tmp_path: Path) -> None:
    shelf.cuts = [2_000_000, 500_000]
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY
    assert [asked.get("Range") for asked in shelf.asked] == [None, "bytes=2000000-", "bytes=2500000-"]


def stopped(shelf: Any, folder: Path, have: int = 2_000_000) -> None:
    """As a call that was stopped half-way leaves it."""
    shelf.cuts = [have]
    shelf.statuses = [200, *[503] * 10]
    with pytest.raises(DataError, match="goes on where this one stopped"):
        download(remote(shelf, folder))
    assert (folder / "set.zip.part").stat().st_size == have
    shelf.statuses, shelf.asked = [], []


def test_a_later_call_goes_on_too(shelf: Any, tmp_path: Path) -> None:
    stopped(shelf, tmp_path)
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY
    assert shelf.asked[0]["Range"] == "bytes=2000000-"


def test_a_server_without_ranges_starts_over(shelf: Any, tmp_path: Path) -> None:
    stopped(shelf, tmp_path)
    shelf.has_ranges = False
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_starts_over(shelf: Any, tmp_path: Path) -> None:
    stopped(shelf, tmp_path)
    shelf.tag, shelf.files["/set.zip"] = '"v2"', BODY[::-1]
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY[::-1]


def test_a_part_without_its_record_is_not_trusted(shelf: Any, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"something else")
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY
    assert "Range" not in shelf.asked[0]


def test_a_part_that_was_whole_already_is_not_asked_for(shelf: Any, tmp_path: Path) -> None:
    stopped(shelf, tmp_path, have=len(BODY) - 1)
    with (tmp_path / "set.zip.part").open("ab") as file:
        file.write(BODY[-1:])
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY
    assert shelf.asked == []


def test_a_file_of_unknown_length_is_taken_to_its_end(shelf: Any, tmp_path: Path) -> None:
    shelf.has_length = False
    assert download(remote(shelf, tmp_path)).path.read_bytes() == BODY


def test_a_busy_server_is_asked_again(shelf: Any, tmp_path: Path) -> None:
    shelf.statuses = [503, 429]
    assert download(remote(shelf, tmp_path)).size == len(BODY)


@pytest.mark.parametrize("status", [401, 403])
def test_a_denied_request_says_which(status: int, shelf: Any, tmp_path: Path) -> None:
    shelf.statuses = [status]
    with pytest.raises(Denied) as caught:
        download(remote(shelf, tmp_path))
    assert caught.value.status == status


@pytest.mark.parametrize(("status", "message"), [(404, "not there any more"), (410, "answers 410")])
def test_other_answers_are_not_tried_again(status: int, message: str, shelf: Any, tmp_path: Path) -> None:
    shelf.statuses = [status]
    with pytest.raises(DataError, match=message):
        download(remote(shelf, tmp_path))
    assert len(shelf.asked) == 1


def test_without_network_the_server_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/x"
    with pytest.raises(DataError, match=r"127\.0\.0\.1 cannot be reached .*refused.* Is this machine online"):
        download(Remote(url=address, target=tmp_path / "x", pause_s=0))


def test_the_disk_is_checked_before(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Disk(10**9, 0, 2 * len(BODY)))
    download(remote(shelf, tmp_path)).path.unlink()
    with pytest.raises(Resumable, match=r"0\.0 GB free; about"):
        download(remote(shelf, tmp_path, packed_times=1.5))
    assert not (tmp_path / "set.zip.part").exists()


def test_a_disk_that_fills_up_keeps_the_part(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_copy", full)
    with pytest.raises(Resumable, match="is full"):
        download(remote(shelf, tmp_path))
    assert (tmp_path / "set.zip.part.json").exists()


def test_the_token_goes_to_the_first_server_only(shelf: Any, other: Any, tmp_path: Path) -> None:
    shelf.redirect, shelf.token = other.url, "Bearer secret"
    other.files = {"/set.zip": BODY}
    assert download(remote(shelf, tmp_path, header="Bearer secret")).size == len(BODY)
    assert shelf.asked[0]["Authorization"] == "Bearer secret"
    assert "Authorization" not in other.asked[0]


def test_https_is_never_left() -> None:
    from urllib.request import Request

    with pytest.raises(DataError, match="without encryption"):
        module._SafeRedirects().redirect_request(Request("https://a.b/x"), None, 302, "", None, "http://a.b/x")  # type: ignore[arg-type]
