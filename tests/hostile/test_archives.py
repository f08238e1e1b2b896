"""Archives that lead out of their folder, fill the disk or take the machine's time. (More cases: tests/data/fetch/test_unpack.py.)"""

import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import corpus
import pytest
from corpus import tarred, zipped

from wardround.data.fetch.unpack import unpack
from wardround.errors import DataError


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def long_header() -> bytes:
    """A name of 200 MB, in 200 KB."""
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    info.size = 200 * 2**20
    return corpus.gzipped(info.tobuf(tarfile.GNU_FORMAT), info.size + 2048)


def zip_of_links() -> bytes:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped({info: b"/etc"})  # type: ignore[dict-item]


def encrypted() -> bytes:
    whole = bytearray(zipped({"a.png": b"a"}))
    whole[6] |= 1
    whole[whole.index(b"PK\1\2") + 8] |= 1
    return bytes(whole)


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a name of the parent": ("a.zip", lambda: zipped({"a.png": b"a", "../../out.png": b"x"}), "leads out"),
    "a full name": ("a.zip", lambda: zipped({"/tmp/out.png": b"x"}), "leads out"),
    "a drive": ("a.zip", lambda: zipped({"C:\\out.png": b"x"}), "leads out"),
    "a share": ("a.zip", lambda: zipped({"\\\\server\\share\\out.png": b"x"}), "leads out"),
    "a parent in a tar": ("a.tar", lambda: tarred([(member("../out.png"), b"x")]), "leads out"),
    "a link to a folder, and a file in it": (
        "a.tar", lambda: tarred([(member("link", tarfile.SYMTYPE, "/tmp"), b""), (member("link/out.png"), b"x")]), "link or device"),
    "a hard link": ("a.tar", lambda: tarred([(member("link", tarfile.LNKTYPE, "/etc/passwd"), b"")]), "link or device"),
    "a device": ("a.tar", lambda: tarred([(member("null", tarfile.CHRTYPE), b"")]), "link or device"),
    "a pipe": ("a.tar", lambda: tarred([(member("pipe", tarfile.FIFOTYPE), b"")]), "link or device"),
    "a link in a zip": ("a.zip", zip_of_links, "link or device"),
    "100 KB that unpack to 100 MB": (
        "a.zip", lambda: zipped({"a.png": bytes(10**8)}, compression=zipfile.ZIP_DEFLATED), "unpacks to more than"),
    "a header of 200 MB": ("a.tgz", long_header, "a header of 209,715,200 bytes"),
    "40,000 empty files in 400 KB": (
        "a.tgz", lambda: corpus.gzip_of(b"".join(member(f"f{i}").tobuf() for i in range(40_000)) + bytes(1024)), "too many for its size"),
    "a zip of 50,000 entries that are not there": ("a.zip", lambda: corpus.zip_of_entries(50_000), "damaged|too many"),
    "a name of 300 letters": ("a.zip", lambda: zipped({"a" * 300: b"x"}), "does not take"),
    "a path of 5,000 folders": ("a.zip", lambda: zipped({"a/" * 5000 + "x": b"x"}), "does not take"),
    "a file that is a folder too": ("a.zip", lambda: zipped({"a": b"x", "a/b": b"x"}), "is in it twice"),
    "a secret": ("a.zip", encrypted, "damaged"),
    "cut short": ("a.zip", lambda: zipped({"a.png": bytes(1000)})[:-30], "damaged"),
    "no archive": ("a.tar", lambda: b"name,age\n" * 1000, "damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_nothing_is_kept(case: str, tmp_path: Path) -> None:
    name, make, text = REFUSED[case]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DataError, match=f"(?s)({text})"):
        unpack(tmp_path / name, tmp_path / "folder", limit_bytes=10**7)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([name, "folder"])
