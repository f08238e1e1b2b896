"""First weights of a network from hostile files: safetensors that lie, files of torch.save that call, repeat or unpack."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus
import pytest
import torch
from corpus import tensors

from wardround.errors import DataError, PlanError, WardroundError
from wardround.models.weights import read_tensors


class Call:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile-was-here",)


def saved(value: object) -> bytes:
    memory = io.BytesIO()
    torch.save(value, memory)
    return memory.getvalue()


def repacked(content: bytes, num_bytes: int) -> bytes:
    """A file of torch.save with its storage replaced by so many compressed zeros."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: bytes(num_bytes) if name.endswith("data/0") else archive.read(name) for name in archive.namelist()}
    return corpus.zipped(entries, compression=zipfile.ZIP_DEFLATED)


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


REFUSED: dict[str, tuple[str, Callable[[], bytes], type[WardroundError], str]] = {
    "2^40 numbers": ("a.safetensors", lambda: tensors(one(shape=[2**40]), bytes(4)), DataError, "SafetensorError"),
    "a header of 2^40 bytes": ("a.safetensors", lambda: tensors({}, length=2**40), DataError, "SafetensorError"),
    "two tensors in one place": ("a.safetensors", lambda: tensors(one() | {"b": one()["a"]}, bytes(4)), DataError, "SafetensorError"),
    "numbers that do not follow": ("a.safetensors", lambda: tensors(one(), b""), DataError, "SafetensorError"),
    "a header 100,000 deep": (
        "a.safetensors", lambda: tensors(b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}"), DataError, "SafetensorError"),
    "20,001 tensors": (
        "a.safetensors", lambda: tensors({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_001)}),
        PlanError, "more than 20,000 tensors"),
    "numbers of 8 bits with a point": (
        "a.safetensors", lambda: tensors(one(dtype="F8_E4M3", shape=[4]), bytes(4)), PlanError, "other numbers"),
    "NaN": ("a.safetensors", lambda: tensors(one(), b"\x00\x00\xc0\x7f"), PlanError, "NaN"),
    "a call of os.system": ("a.pt", lambda: pickle.dumps(Call()), PlanError, "nothing of it was executed"),
    "a call of os.system in a zip": ("a.pt", lambda: corpus.zipped({"archive/data.pkl": pickle.dumps(Call(), 2), "archive/version": b"3"}),
                                     PlanError, "nothing of it was executed"),
    "a number repeated a billion times": ("a.pt", lambda: saved({"a": torch.zeros(1).expand(10**9)}), PlanError, "far more than the file"),
    "60 KB that unpack to 64 MB": ("a.pt", lambda: repacked(saved({"a": torch.zeros(10)}), 2**26), DataError, "damaged"),
    "a name of 40 KB, in which torch would search for ten seconds": (
        "a.pt", lambda: b"\x80\x02c" + b"x" * 20_000 + b"\n" + b"y" * 20_000 + b"\n.", PlanError, "holds Python objects"),
    "a storage of a name of 40 KB": (
        "a.pt", lambda: corpus.zipped({"archive/data.pkl": b"\x80\x02X\x40\x9c\0\0" + b"x" * 40_000 + b"\x85Q.", "archive/version": b"3"}),
        PlanError, "holds Python objects"),
    "a sparse tensor": ("a.pt", lambda: saved({"a": torch.eye(3).to_sparse()}), PlanError, "other numbers|Python objects"),
    "no zip": ("a.pt", lambda: b"PK\3\4" + bytes(100), DataError, "damaged"),
    "cut short": ("a.pt", lambda: saved({"a": torch.zeros(100)})[:-100], DataError, "damaged"),
    "a list": ("a.pt", lambda: saved([torch.zeros(1)]), PlanError, "tensors by name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, make, error, text = REFUSED[case]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(error, match=f"(?s){name}.*{text}"):
        read_tensors(tmp_path / name)
    assert not (tmp_path / "hostile-was-here").exists()


def test_tensors_that_share_their_numbers_are_read(tmp_path: Path) -> None:
    shared = torch.arange(2000.0)
    torch.save({"encoder": shared, "decoder": shared}, tmp_path / "a.pt")
    assert read_tensors(tmp_path / "a.pt")["decoder"].tolist() == shared.tolist()
