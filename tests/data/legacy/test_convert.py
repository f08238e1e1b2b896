"""A model if the target is a .safetensors file, else a data set."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from wardround.data.legacy.convert import convert
from wardround.errors import PlanError


def test_the_target_says_what_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "old.p").write_bytes(pickle.dumps([[0, 1], np.zeros((2, 4, 4), np.uint8)]))
    torch.save(torch.nn.Linear(2, 1), tmp_path / "model.pth")
    assert convert(tmp_path / "old.p", tmp_path / "folder", "a, b")["classes"] == "a 1, b 1"
    assert convert(tmp_path / "model.pth", tmp_path / "m.safetensors")["model"].startswith("2 tensors, 3 numbers")


@pytest.mark.parametrize("classes", ["a,,b", "a,a"])
def test_names_of_classes_are_distinct(classes: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="empty or occurs twice"):
        convert(tmp_path / "old.p", tmp_path / "folder", classes)


def test_a_model_has_no_classes(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="a model has none"):
        convert(tmp_path / "model.pth", tmp_path / "m.safetensors", "a,b")
