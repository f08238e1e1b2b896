"""The two real NIfTI cases as wardround loads them: three planes of every channel, with the sides of the patient written beside.

    python benchmarks/nifti_samples.py OUT.png

To look for: the splenium and the occipital horns lie towards P, the cerebellum at P and I, and the mask on the bright lesion. Left and
right cannot be told by anatomy: they are the files' affine. The lower brain of preprocessed_case is missing in its files.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

from wardround.data.catalogue import Catalogue, text_column
from wardround.data.volumes import open_volumes

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

DATA = Path(os.environ.get("WARDROUND_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "nifti_samples"
FETS = "AAAC0_flair_pp_shrunk"
PLANES = {"axial": (0, "R", "L", "A", "P"), "coronal": (1, "R", "L", "S", "I"), "sagittal": (2, "A", "P", "S", "I")}
# name -> axis cut through, then the sides of the patient at left, right, top, bottom


def catalogue(folder: str, image: str, mask: str | None) -> Catalogue:
    return Catalogue(name=folder, root=DATA / folder, classes=("background", "tumour"), images=text_column([image]),
                     labels=np.zeros(1, np.int64), patients=text_column([folder]), splits=text_column([""]),
                     masks=None if mask is None else text_column([mask]), mask_values={0: 0, 1: 1})


def draw(axis: Axes, volume: np.ndarray, mask: np.ndarray | None, spacing: np.ndarray, plane: str) -> None:
    """A cut through the mask's centre, or the middle. volume, mask: (D, H, W), growing to superior, anterior and right."""
    cut, left, right, top, bottom = PLANES[plane]
    at = volume.shape[cut] // 2 if mask is None else round(float(np.argwhere(mask)[:, cut].mean()))
    picture = volume.take(at, cut)[::-1, ::-1]  # rows from the top: S or A first; columns from R or A
    height, width = np.delete(spacing, cut) * picture.shape
    body = volume[volume != 0]
    axis.imshow(np.where(picture == 0, np.nan, picture), cmap="gray", vmin=np.percentile(body, 0.5), vmax=np.percentile(body, 99.5),
                extent=(0, width, height, 0))
    if mask is not None:
        outline = mask.take(at, cut)[::-1, ::-1]
        axis.contour(outline, levels=[0.5], colors="tab:orange", linewidths=1, extent=(0, width, 0, height), origin="lower")
    axis.set_facecolor("black")
    for text, x, y in ((left, 0.04, 0.5), (right, 0.96, 0.5), (top, 0.5, 0.95), (bottom, 0.5, 0.05)):
        axis.text(x, y, text, color="yellow", ha="center", va="center", transform=axis.transAxes, weight="bold")
    axis.tick_params(labelsize=6)


def main(out: Path) -> None:
    cases = [("preprocessed_case", "{t1c,t1n,t2f,t2w}.nii.gz", None, ("T1c", "T1", "FLAIR", "T2")),
             ("fets_flair", f"{FETS}.nii.gz", f"{FETS}_testTumor.nii.gz", ("FLAIR",))]
    figure, axes = plt.subplots(3, 5, figsize=(17, 12), layout="constrained")
    column = 0
    for folder, image, mask_name, channels in cases:
        with tempfile.TemporaryDirectory() as temporary:
            found = open_volumes(catalogue(folder, image, mask_name), spacing_mm=0, channels=len(channels), folder=Path(temporary))
            assert not found.reasons[0], found.details[0]
            volume, mask = np.array(found.image(0), np.float32), None if mask_name is None else np.array(found.mask(0))
            spacing, shape = found.spacings[0], found.geometry(0).shape
        for channel, name in enumerate(channels):
            for axis, plane in zip(axes[:, column], PLANES, strict=True):
                draw(axis, volume[channel], mask, spacing, plane)
                axis.set_ylabel(f"{plane} (mm)" if column == 0 else "")
            size = " x ".join(f"{step:.2f}" for step in spacing)
            axes[0, column].set_title(f"{folder}: {name}\n{' x '.join(map(str, shape))} voxels of {size} mm", fontsize=9)
            column += 1
        print(f"{folder}: {len(channels)} channels, {shape} voxels of {spacing.round(3)} mm (D, H, W)"
              + ("" if mask is None else f", {int((mask > 0).sum())} labelled voxels"))
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
