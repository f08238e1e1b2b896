"""A network and a CSV file of your own, without touching wardround. Under a minute: python examples/own_model_and_csv.py"""

import csv
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

import wardround as wr


def net(*, in_channels: int, num_outputs: int, size: int, width: int = 16) -> nn.Module:
    """The plan calls it "own_model_and_csv.py:net"; wardround gives these keywords, the plan may give further ones."""
    return nn.Sequential(nn.Conv2d(in_channels, width, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
                         nn.Linear(width * 16, num_outputs))


def table_of_images(folder: Path) -> Path:
    """Draw two images each of 120 patients at two hospitals: a bright patch is what there is to find."""
    rng = np.random.default_rng(0)
    rows = [(f"{i}.png", ("clear", "patch")[i // 2 % 2], f"p{i // 2}", ("north", "south")[i // 4 % 2]) for i in range(240)]
    for image, label, _, _ in rows:
        pixels = rng.normal(90, 25, (32, 32))
        pixels[8:20, 8:20] += 40 * (label == "patch")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / image)
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "patient", "site"), *rows])
    return folder / "images.csv"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        plan = wr.Plan.model_validate({"name": "own", "data": {"dataset": "manifest", "folder": table_of_images(Path(folder)), "size": 32},
                                       "sites": {"partition": "column", "column": "site"}, "rounds": {"num": 10},
                                       "model": {"name": f"{__file__}:net", "width": 8}})
        run = wr.run(plan, out=Path(folder) / "runs")
        print({name: round(found["value"], 3) for name, found in run.scores()["metrics"].items()})
