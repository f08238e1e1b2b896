"""Runs as far as predicting needs them: a network of random weights and what it says of itself."""

from pathlib import Path

from safetensors.torch import save_file

from wardround.core.params import FlatModel
from wardround.models.build import build_model
from wardround.plan.schema import DataPlan, ModelPlan
from wardround.runs.folder import write_json

OWN = """
from torch import nn


def net(in_channels, num_outputs):
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_outputs))
"""


def made_run(folder: Path, model: dict, data: dict, task: str, classes: tuple[str, ...], **record: object) -> Path:
    """Write model.json and model.safetensors; record: further entries of model.json."""
    folder.mkdir(parents=True)
    plan, images = ModelPlan(**model), DataPlan(**data)
    shape = images.patch if images.dims == 3 else (images.size, images.size)
    network = build_model(plan, in_channels=images.channels, num_outputs=len(classes), shape=shape, dense=task == "segmentation", seed=1)
    save_file(FlatModel(network).tensors(), folder / "model.safetensors")
    write_json(folder / "model.json", {
        "model": plan.model_dump(mode="json"), "task": task, "classes": list(classes), "data": images.model_dump(mode="json"),
        "precision": "fp32", "loss": "cross_entropy", "suffixes": [], "mask_values": {}, "dataset": "folder", "licence": "",
        "phantom": False, "parameters": 100, "best_round": 1, **record})
    return folder


def drawing_run(folder: Path) -> Path:
    """Draws masks on pictures of 32 pixels."""
    return made_run(folder, {"name": "unet", "width": 4, "depth": 2, "norm": "group"}, {"size": 32}, "segmentation",
                    ("background", "tumour"), mask_values={"0": 0, "255": 1}, loss="dice_cross_entropy")


def own_run(folder: Path) -> Path:
    """Its network is a program of its author's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    program = folder.parent / "own.py"
    program.write_text(OWN)
    return made_run(folder, {"name": f"{program}:net"}, {"size": 16}, "binary", ("left", "right"), threshold=0.5)
