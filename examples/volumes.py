"""Whole 3-D volumes with a label each, shared by three hospitals. Under a minute: python examples/volumes.py

The model "slice-sequence" looks at each slice with a small 2-D network and reads what it saw from end to end with a recurrent one.
"""

import tempfile
from pathlib import Path

import nibabel
import numpy as np

import wardround as wr


def folder_of_volumes(folder: Path, num: int = 180) -> Path:
    """Draw noisy balls of tissue in CLASS/volume.nii.gz: a bright lesion in the upper half, in the lower half, or none."""
    rng = np.random.default_rng(0)
    x, y, z = np.mgrid[:24, :24, :16]
    tissue = (x - 11.5) ** 2 + (y - 11.5) ** 2 + (1.4 * (z - 7.5)) ** 2 < 120
    for number in range(num):
        label = ("upper", "lower", "none")[number % 3]
        height = rng.uniform(10, 12) if label == "upper" else rng.uniform(3, 5)
        left, front = rng.uniform(8, 15, 2)
        lesion = (x - left) ** 2 + (y - front) ** 2 + (z - height) ** 2 < rng.uniform(5, 9)
        volume = tissue * (rng.normal(100, 20, tissue.shape) + 90 * (lesion if label != "none" else 0))
        (folder / label).mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(volume.clip(0).astype(np.float32), np.eye(4)), folder / label / f"{number:03}.nii.gz")
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        plan = wr.Plan.model_validate({"name": "volumes", "sites": {"num": 3}, "rounds": {"num": 12}, "model": {"name": "slice-sequence"},
                                       "data": {"folder": folder_of_volumes(Path(folder) / "images"), "dims": 3, "patch": (16, 24, 24)},
                                       "recipe": {"optimizer": "adam", "lr": 0.003, "local_epochs": 2, "batch_size": 8}})
        run = wr.run(plan, out=Path(folder) / "runs")
        print({name: round(found["value"], 3) for name, found in run.scores()["metrics"].items()})
