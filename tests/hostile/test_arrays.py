"""Array files (.npz) with lying headers, objects and bombs."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus
import pytest
from corpus import npy, zipped

from wardround.data.datasets.medmnist import PNEUMONIA
from wardround.data.readers.image import load
from wardround.errors import CatalogueError, ImageError


class Call:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile-was-here",)


def stack(content: bytes, **options: Any) -> bytes:
    return zipped({"images.npy": content}, **options)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "3 terabytes": (lambda: stack(npy("(1000000, 1000, 1000, 3)", "|u1")), "truncated"),
    "2^200 images": (lambda: stack(npy(f"({2**200}, 1, 1)", "|u1")), "truncated"),
    "fewer numbers than it says": (lambda: stack(npy("(10, 4, 4)", "|u1", bytes(16))), "truncated"),
    "300 KB that unpack to 280 MB": (
        lambda: stack(npy("(280, 1000, 1000)", "|u1") + bytes(280_000_000), compression=zipfile.ZIP_DEFLATED), "too_large"),
    "a call of os.system": (lambda: stack(npy("(1,)", "|O", pickle.dumps(Call()))), "unsupported"),
    "texts of 400 MB each": (lambda: stack(npy("(4, 4, 4)", "<U100000000", bytes(16))), "truncated"),
    "a negative length": (lambda: stack(npy("(-1, 4, 4)", "|u1", bytes(16))), "truncated"),
    "a hundred axes": (lambda: stack(npy("(" + "1," * 100 + ")", "|u1", bytes(1))), "truncated"),
    "a header that never closes": (lambda: stack(npy("(" * 3000, "|u1")), "truncated"),
    "a header that is an expression": (lambda: stack(npy("(__import__('os').system('touch hostile-was-here'),)", "|u1")), "truncated"),
    "a header of an unknown version": (lambda: stack(b"\x93NUMPY\x09\x00" + bytes(100)), "truncated"),
    "records": (lambda: stack(npy("(1, 4, 4)", [("a", "|u1")], bytes(16))), "unsupported"),
    "no zip": (lambda: b"PK\3\4" + bytes(100), "truncated"),
    "50,000 entries": (lambda: corpus.zip_of_entries(50_000), "unreadable"),
    "no images": (lambda: stack(npy("(0, 4, 4)", "|u1")), "unreadable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, reason = REFUSED[case]
    (tmp_path / "hostile.npz").write_bytes(make())
    with pytest.raises(ImageError, match=r"hostile\.npz: ") as caught:
        load(tmp_path, "hostile.npz#images/0")
    assert caught.value.reason == reason
    assert not (tmp_path / "hostile-was-here").exists()


def test_labels_without_end_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    arrays = {f"{split}_{kind}.npy": npy(f"(1000000000000, {shape})", "|u1") for split in ("train", "val", "test")
              for kind, shape in (("images", "28, 28"), ("labels", "1"))}
    (tmp_path / "pneumoniamnist.npz").write_bytes(zipped(arrays))
    with pytest.raises(CatalogueError, match=r"pneumoniamnist\.npz: damaged"):
        PNEUMONIA.read(tmp_path)
