"""A folder of tiny images and a plan that trains on it in a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.plan.schema import Plan
from wardround.rng import stream


def write_images(folder: Path, num: int = 90, classes: tuple[str, ...] = ("left", "right", "none")) -> Path:
    """Noise with a bright half that tells the class: no two are near-duplicates, and a small network can learn them."""
    for index in range(num):
        pixels = stream("session", index).integers(0, 120, (16, 16), dtype=np.uint8)
        name = classes[index % len(classes)]
        if name != "none":
            pixels[:, slice(0, 8) if name == "left" else slice(8, 16)] += 60
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{index:03}.png")
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def plan_with(images: Path) -> Callable[..., Plan]:
    """A plan on the tiny images; keyword arguments replace keys of its sections."""

    def make(**sections: dict[str, object]) -> Plan:
        settings: dict[str, dict[str, object]] = {
            "data": {"dataset": "folder", "folder": images, "size": 16},
            "sites": {"num": 3, "names": ("north", "south", "east")},
            "model": {"name": "wardround.testing:toy_net"},
            "recipe": {"lr": 0.1, "batch_size": 8, "keep_optimizer": True},
            "rounds": {"num": 4, "metric": "balanced_accuracy", "checkpoint_every_s": 0},
            "engine": {"workers": 2},
            "evaluation": {"resamples": 100},
        }
        for name, keys in sections.items():
            settings[name] = {**settings.get(name, {}), **keys}
        return Plan.model_validate({"name": "tiny", **settings})

    return make


@pytest.fixture
def broken_strategy(tmp_path: Path) -> str:
    """The name, for a plan, of a user's strategy that fails at every site."""
    own = tmp_path / "broken.py"
    own.write_text("from wardround.strategies.fedavg import FedAvg\n"
                   "class Broken(FedAvg):\n"
                   "    def train(self, site, order):\n"
                   "        raise RuntimeError('no film')\n")
    return f"{own}:Broken"
