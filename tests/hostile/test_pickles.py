"""Old pickled sets and models: nothing in them is called, and nothing grows beyond the file. (More cases: tests/data/legacy.)"""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import pytest
import torch

from wardround.data.legacy.convert import convert
from wardround.errors import DataError


class Call:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile-was-here",)


def repeated() -> bytes:
    """A picture of 16 million pixels, 300 times over in 16 MB."""
    return pickle.dumps([[0] * 300, [np.zeros((4000, 4000), np.uint8)] * 300])


def laughing() -> bytes:
    """Ten lists of the one before, ten deep: ten billion numbers in a hundred bytes."""
    value: list[Any] = [0] * 10
    for _ in range(9):
        value = [value] * 10
    return pickle.dumps([[0], [value]])


def expanded() -> bytes:
    memory = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(10**9)}, memory)
    return memory.getvalue()


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a call of os.system": ("folder", lambda: pickle.dumps(Call()), r"asks for .*system: refused; nothing was executed"),
    "the same picture 300 times": ("folder", repeated, "the same ones over and over"),
    "lists of lists of lists": ("folder", laughing, "not a picture|too many pixels|not made of numbers|were not found"),
    "a key of 20,000 bits": ("folder", lambda: pickle.dumps({2**20_000: [1]}), "were not found"),
    "a number of 20,000 digits": ("folder", lambda: b"I" + b"9" * 20_000 + b"\n.", "not a pickle that can be read"),
    "a bytearray of a petabyte": ("folder", lambda: b"\x80\x04cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.", "bytearray of a int"),
    "a text of 4 GB that does not follow": ("folder", lambda: b"\x80\x04X\xff\xff\xff\xff.", "ends too early"),
    "marks without end": ("folder", lambda: b"(" * 200_000 + b".", "not a pickle that can be read"),
    "a number repeated a billion times": ("model.safetensors", expanded, "outside its 1 stored numbers"),
    "a zip of 50,000 entries": ("model.safetensors", lambda: b"PK\3\4" + corpus.zip_of_entries(50_000), "no file of torch.save"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_nothing_is_left(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target, make, text = REFUSED[case]
    (tmp_path / "old.p").write_bytes(make())
    with pytest.raises(DataError, match=f"(?s)old.p.*({text})"):
        convert(tmp_path / "old.p", tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.p"]


def test_a_label_that_is_a_formula_is_a_text_in_the_table(tmp_path: Path) -> None:
    images = [np.full((4, 4), grey, np.uint8) for grey in (1, 200)]
    (tmp_path / "old.p").write_bytes(pickle.dumps({"images": images, "labels": ["=cmd()", "b"], "patients": ["+1", "p2"]}))
    convert(tmp_path / "old.p", tmp_path / "folder")
    assert (tmp_path / "folder" / "manifest.csv").read_text().splitlines() == [
        "image,label,patient", "'=cmd()/00001.png,'=cmd(),'+1", "b/00001.png,b,p2"]
