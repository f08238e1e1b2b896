"""Tensors of pickled models, without their classes."""

import os
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from wardround.data.legacy.modules import convert, state_of
from wardround.errors import DataError


def net() -> nn.Module:
    """Parameters, lasting and passing buffers, shared and absent parts."""
    made = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Sequential(nn.Linear(4, 3, bias=False)))
    made.register_buffer("passing", torch.ones(1), persistent=False)
    made.register_buffer("scale", torch.tensor(2.0))
    made.again = made[3][0]
    return made


def same(found: dict[str, torch.Tensor], model: nn.Module) -> bool:
    expected = model.state_dict()
    return list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_whole_model_gives_the_tensors_of_its_state_dict(is_zip: bool, tmp_path: Path) -> None:
    model = net()
    torch.save(model, tmp_path / "model.pth", _use_new_zipfile_serialization=is_zip)
    assert same(state_of(tmp_path / "model.pth"), model)


@pytest.mark.parametrize("wrap", [lambda m: m.state_dict(), lambda m: {"epoch": 3, "state_dict": m.state_dict(), "loss": 0.5},
                                  lambda m: {"model": m, "optimizer": torch.optim.Adam(m.parameters()).state_dict()},
                                  nn.DataParallel, lambda m: nn.DataParallel(m).state_dict()],
                         ids=["state_dict", "checkpoint", "checkpoint of a model", "parallel", "parallel state_dict"])
def test_checkpoints_and_wrapped_models_give_the_same(wrap: Any, tmp_path: Path) -> None:
    model = net()
    torch.save(wrap(model), tmp_path / "model.pth")
    assert same(state_of(tmp_path / "model.pth"), model)


def test_classes_that_exist_nowhere_need_not_be_imported(tmp_path: Path) -> None:
    lab = ModuleType("vanished_lab")
    sys.modules["vanished_lab"] = lab
    exec("import torch\nclass double_conv(torch.nn.Linear):\n    pass", lab.__dict__)
    model = nn.Sequential(lab.__dict__["double_conv"](2, 2))
    torch.save(model, tmp_path / "model.pth")
    del sys.modules["vanished_lab"]
    assert same(state_of(tmp_path / "model.pth"), model)
    assert "vanished_lab" not in sys.modules


def test_the_file_for_model_weights_holds_the_same_and_is_never_written_over(tmp_path: Path) -> None:
    model = net()
    torch.save(model, tmp_path / "model.pth")
    done = convert(tmp_path / "model.pth", tmp_path / "out.safetensors")
    assert same({name: load_file(done.file)[name] for name in model.state_dict()}, model)
    assert done.num_numbers == sum(tensor.numel() for tensor in model.state_dict().values())
    assert done.facts()["model"].startswith(f"{done.num_tensors} tensors")
    with pytest.raises(DataError, match="there already"):
        convert(tmp_path / "model.pth", tmp_path / "out.safetensors")


class Attack(nn.Module):
    def __init__(self, function: Any, *arguments: object) -> None:
        super().__init__()
        self.parts = function, arguments

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(("function", "name"), [(os.system, "system"), (eval, "__builtin__.eval"),
                                               (torch.load, "torch.serialization.load")])
def test_an_attack_inside_a_model_is_refused_and_not_run(function: Any, name: str, is_zip: bool, tmp_path: Path) -> None:
    command = f"touch {tmp_path / 'sentinel'}"
    torch.save(nn.Sequential(nn.Linear(1, 1), Attack(function, command)), tmp_path / "model.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(DataError, match=rf"{name}: refused; nothing was executed"):
        state_of(tmp_path / "model.pth")
    assert not (tmp_path / "sentinel").exists()


def test_parts_that_hold_each_other_end(tmp_path: Path) -> None:
    model = nn.Sequential(nn.ReLU())
    model._modules["0"]._modules["up"] = model
    torch.save(model, tmp_path / "model.pth")
    with pytest.raises(DataError, match="parts without end"):
        state_of(tmp_path / "model.pth")


@pytest.mark.parametrize(("value", "message"), [({"epoch": 1}, "no model in it"), ([1, 2], "no model in it")])
def test_a_file_without_a_model_says_so(value: Any, message: str, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "model.pth")
    with pytest.raises(DataError, match=message):
        state_of(tmp_path / "model.pth")


def test_other_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "old.p").write_bytes(pickle.dumps([1]))
    (tmp_path / "keras.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DataError, match="pickled data set is converted to a folder"):
        state_of(tmp_path / "old.p")
    with pytest.raises(DataError, match="HDF5"):
        state_of(tmp_path / "keras.h5")
    with pytest.raises(DataError, match="no such file"):
        state_of(tmp_path / "none.pth")
