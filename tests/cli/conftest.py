"""The command in this process, and tiny images for it."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.cli import main
from wardround.rng import stream

PLAN = """
name = "tiny"
[data]
dataset = "folder"
folder = "{folder}"
size = 16
[sites]
num = 2
names = ["north", "south"]
[model]
name = "wardround.testing:toy_net"
[recipe]
batch_size = 8
[rounds]
num = 3
[engine]
workers = 1
[evaluation]
resamples = 100
"""


@pytest.fixture
def wardround(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command with these arguments; returns its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["wardround", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main.main()
        return int(caught.value.code or 0)

    return run


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 images of noise; the bright half tells the class."""
    folder = tmp_path_factory.mktemp("images")
    for index in range(90):
        pixels = stream("cli", index).integers(0, 120, (16, 16), dtype=np.uint8)
        name = ("left", "right")[index % 2]
        pixels[:, slice(0, 8) if name == "left" else slice(8, 16)] += 60
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{index:03}.png")
    return folder


@pytest.fixture
def plan(images: Path, tmp_path: Path) -> Path:
    """A plan on the images that trains in a second."""
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(folder=images))
    return path
