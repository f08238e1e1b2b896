"""Torch tensors from both formats of torch.save and from plain pickles, without torch.load."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from wardround.data.legacy import inert, names
from wardround.data.legacy.tensors import Storage, Stored, is_torch_file, read_torch
from wardround.errors import DataError

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
          torch.bool]


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_tensor_is_read_as_it_was_saved(dtype: torch.dtype, is_zip: bool, tmp_path: Path) -> None:
    whole = torch.arange(12).reshape(3, 4).to(dtype)
    torch.save({"whole": whole, "part": whole.T[1:], "empty": whole[:0]}, tmp_path / "t.pt", _use_new_zipfile_serialization=is_zip)
    assert is_torch_file(tmp_path / "t.pt")
    found = read_torch(tmp_path / "t.pt", names.for_data)
    assert isinstance(found, dict)
    assert torch.equal(found["whole"].tensor(), whole)
    assert torch.equal(found["part"].tensor(), whole.T[1:])
    assert found["empty"].tensor().shape == (0, 4)
    assert found["whole"].storage is found["part"].storage


def test_a_tensor_in_a_plain_pickle_is_read() -> None:
    tensor = torch.linspace(-1, 1, 6).reshape(2, 3)
    found = inert.content(inert.load(io.BytesIO(pickle.dumps([tensor])), "old.p", names.for_data)[0])
    assert np.array_equal(found, tensor.numpy())


@pytest.mark.parametrize("stored", [
    Stored(Storage("uint8", b"1234"), 1, (2, 2), (2, 1), "uint8"), Stored(Storage("uint8", b"1234"), 0, (2**30,), (0,), "uint8"),
    Stored(Storage("uint8", b"123"), 0, (1,), (1,), "float32"),
], ids=["outside", "repeated", "type"])
def test_a_tensor_that_is_not_in_its_storage_is_refused(stored: Stored) -> None:
    with pytest.raises(ValueError, match=r"a tensor of shape|not made of"):
        stored.tensor()


def test_a_file_cut_short_is_a_data_error(tmp_path: Path) -> None:
    for is_zip in (True, False):
        torch.save(torch.zeros(1000), tmp_path / "t.pt", _use_new_zipfile_serialization=is_zip)
        (tmp_path / "t.pt").write_bytes((tmp_path / "t.pt").read_bytes()[:-200])
        with pytest.raises(DataError, match=r"t.pt: not a pickle that can be read, or cut short"):
            read_torch(tmp_path / "t.pt", names.for_data)


def test_compressed_entries_and_other_zips_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/data.pkl", b"]" * 10_000_000)
    with pytest.raises(DataError, match="compressed entry"):
        read_torch(tmp_path / "t.pt", names.for_data)
    with zipfile.ZipFile(tmp_path / "s.pt", "w") as archive:
        archive.writestr("s/data.pkl", b"N.")
        archive.writestr("s/constants.pkl", b").")
    with pytest.raises(DataError, match="TorchScript"):
        read_torch(tmp_path / "s.pt", names.for_data)
