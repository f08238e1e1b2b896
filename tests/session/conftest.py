"""A folder of tiny images and a plan that trains on it in a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import RunFolder
from wardround.session import run


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


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes."""
    return write_images(tmp_path_factory.mktemp("sides"), 60, ("left", "right"))


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


def tiny(**sections: dict[str, object]) -> Plan:
    """A plan of two rounds at two sites on one process."""
    return Plan.model_validate({"name": "tiny", "rounds": {"num": 2, "checkpoint_every_s": 0} | sections.pop("rounds", {}),
                                "engine": {"workers": 1, "precision": "fp32"} | sections.pop("engine", {}),
                                "sites": {"num": 2} | sections.pop("sites", {}), "evaluation": {"resamples": 100}, **sections})


@pytest.fixture(scope="session")
def slices_plan(slices: Path) -> Callable[..., Plan]:
    """Segmentation of pictures; keyword arguments are keys of the engine section."""
    def make(**engine: object) -> Plan:
        return tiny(data={"dataset": "image-mask", "folder": slices, "size": 32}, split={"val": 0.2, "test": 0.3}, engine=engine,
                    sites={"partition": "column", "column": "site"}, model={"name": "unet", "width": 8, "depth": 2},
                    augment={"flip": True, "rotate_deg": 10}, rounds={"metric": "dice"},
                    recipe={"loss": "dice_cross_entropy", "optimizer": "adam", "lr": 0.01, "batch_size": 4, "keep_optimizer": True})

    return make


@pytest.fixture(scope="session")
def brains_plan(brains: Path) -> Callable[..., Plan]:
    """Segmentation of volumes; keyword arguments are keys of the data section."""
    def make(**data: object) -> Plan:
        found = {"dataset": "brats2020", "folder": brains, "dims": 3, "channels": 4, "patch": (8, 8, 8)} | data
        return tiny(data=found, split={"val": 0.25, "test": 0.25}, model={"name": "unet", "width": 4, "depth": 2}, augment={"flip": True},
                    recipe={"loss": "dice_cross_entropy", "optimizer": "adam", "lr": 0.01, "batch_size": 2}, rounds={"metric": "dice"})

    return make


@pytest.fixture(scope="session")
def xrays_plan(xrays: Path) -> Callable[..., Plan]:
    """Several findings an image; keyword arguments are keys of the model section."""
    def make(**model: object) -> Plan:
        return tiny(data={"dataset": "nih-chestxray14", "folder": xrays, "size": 16}, split={"val": 0.2, "test": 0.3},
                    model={"name": "wardround.testing:toy_net"} | model, rounds={"metric": "auroc"},
                    recipe={"loss": "binary_cross_entropy", "class_weights": "balanced", "batch_size": 8, "lr": 0.1})

    return make


def finished(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A federated run that tests read and leave as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARDROUND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return run(plan, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def slices_run(slices_plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return finished(slices_plan(), tmp_path_factory)


@pytest.fixture(scope="session")
def brains_run(brains_plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return finished(brains_plan(), tmp_path_factory)


@pytest.fixture(scope="session")
def xrays_run(xrays_plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return finished(xrays_plan(), tmp_path_factory)


@pytest.fixture
def broken_strategy(tmp_path: Path) -> str:
    """The name, for a plan, of a user's strategy that fails at every site."""
    own = tmp_path / "broken.py"
    own.write_text("from wardround.strategies.fedavg import FedAvg\n"
                   "class Broken(FedAvg):\n"
                   "    def train(self, site, order):\n"
                   "        raise RuntimeError('no film')\n")
    return f"{own}:Broken"
