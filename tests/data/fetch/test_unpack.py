"""Archives are unpacked below their folder or not at all."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from wardround.core.events import Event, Progress
from wardround.data.fetch.unpack import is_archive, unpack
from wardround.errors import DataError

FILES = {"a/1.png": b"one", "a/b/2.png": b"two", "readme.txt": b""}


def archive(path: Path, files: dict[str, bytes], link: tuple[str, str] | None = None) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in files.items():
                made.writestr(name, data)
            if link:
                info = zipfile.ZipInfo(link[0])
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                made.writestr(info, link[1])
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
        tar.addfile(_folder("a"))
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            tar.addfile(item, io.BytesIO(data))
        if link:
            item = tarfile.TarInfo(link[0])
            item.type, item.linkname = tarfile.SYMTYPE, link[1]
            tar.addfile(item)
    return path


def _folder(name: str) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type = tarfile.DIRTYPE
    return item


@pytest.fixture(params=["x.zip", "x.tar", "x.tgz"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_files_land_below_the_folder(place: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    assert unpack(archive(place, FILES), tmp_path / "out", limit_bytes=6, watch=seen.append) == 3
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in written} == FILES
    assert seen[-1] == Progress(stage="unpack", done=3, total=3)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "c:/evil"])
def test_a_name_that_leads_out_refuses_the_whole_archive(name: str, place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leads out of the folder: refused, and nothing was kept"):
        unpack(archive(place, {**FILES, name: b"evil"}), tmp_path / "out", limit_bytes=100)
    assert list((tmp_path / "out").iterdir()) == []
    assert not list(tmp_path.rglob("*evil*"))


def test_links_and_devices_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'link' is a link or device"):
        unpack(archive(place, FILES, ("link", "/etc/passwd")), tmp_path / "out", limit_bytes=100)
    assert list((tmp_path / "out").iterdir()) == []


def test_more_bytes_than_allowed_are_refused_as_they_come(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="far more than this data set"):
        unpack(archive(place, {"bomb": bytes(5_000_000)}), tmp_path / "out", limit_bytes=4_000_000)
    assert list((tmp_path / "out").iterdir()) == []


def test_damage_is_a_data_error(place: Path, tmp_path: Path) -> None:
    noise = bytes(range(256)) * 400
    archive(place, {"a": noise, "b": noise[::-1]})
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged or not an archive"):
        unpack(place, tmp_path / "out", limit_bytes=10**9)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_not_written_over(place: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "1.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="there already"):
        unpack(archive(place, FILES), tmp_path / "out", limit_bytes=100)
    assert (tmp_path / "out" / "a" / "1.png").read_bytes() == b"mine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("a", b"1")
        made.writestr("a", b"2")
    with pytest.raises(DataError, match="'a' is in it twice"):
        unpack(tmp_path / "x.zip", tmp_path / "out", limit_bytes=100)


def test_a_file_that_is_also_a_folder_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is in it twice"):
        unpack(archive(place, {"x": b"1", "x/y": b"2"}), tmp_path / "out", limit_bytes=100)


def test_an_npz_stays_as_it_is() -> None:
    assert not is_archive(Path("a.npz"))
    assert is_archive(Path("a.zip"))
    assert is_archive(Path("a.tar"))
