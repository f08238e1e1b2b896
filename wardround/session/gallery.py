"""Test images that the report shows, kept without any id: the surest wrong answers; the best, median and worst segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from wardround.build import ArmBlueprint, arithmetic_of, patch_of
from wardround.core.params import Params
from wardround.core.predictions import Measured, Predictions
from wardround.data.feeds import CaseFeed
from wardround.data.prepare import Prepared
from wardround.sites.segment import segmented

NUM_ERRORS = 12  # worst errors kept for the report
SHOWN = {"best": 1.0, "median": 0.5, "worst": 0.0}  # quantile of Dice


def write_errors(folder: Path, tested: Predictions, rows: np.ndarray, prepared: Prepared) -> None:
    """errors.npz: images (n, C, H, W) uint8 with truth, answer, its probability and site."""
    if prepared.volumes is not None:
        return
    predicted = tested.probabilities.argmax(1)
    certainty = tested.probabilities.max(1)
    wrong = np.flatnonzero((predicted != tested.truth) & (tested.splits == "test"))
    surest = wrong[np.argsort(-certainty[wrong], kind="stable")]
    _, first = np.unique(tested.groups[surest].astype(str), return_index=True)  # one image a patient or group of near-duplicates
    worst = surest[np.sort(first)][:NUM_ERRORS]
    with (folder / "errors.npz").open("wb") as file:
        np.savez_compressed(file, images=prepared.pixels[rows[worst]], truth=tested.truth[worst], predicted=predicted[worst],
                            probability=certainty[worst], site=tested.sites[worst].astype(str))


def write_overlays(folder: Path, tested: Measured, rows: np.ndarray, blueprint: ArmBlueprint, best: Params) -> None:
    """overlays.npz: for the best, median and worst patient "KIND_image" (D, H, W) float16 grey, "KIND_truth" and "KIND_predicted"
    (D, H, W) uint8, "KIND_dice"; and "classes"."""
    feed = cast(CaseFeed, blueprint.feed)
    dice = tested.values[:, tested.names.index("dice")]
    ranked = np.flatnonzero((tested.splits == "test") & ~np.isnan(dice))
    ranked = ranked[np.argsort(dice[ranked], kind="stable")]
    held = np.sort(np.concatenate([site.test for site in blueprint.rows.values()]))
    cases = {int(case[0]): case for case in feed.cases(held)}
    kept: dict[str, np.ndarray] = {"classes": np.array(blueprint.classes)}
    for kind, quantile in SHOWN.items():
        chosen = int(ranked[round(quantile * (len(ranked) - 1))])
        case = feed.case(cases[int(rows[chosen])])
        predicted = _predicted(blueprint, best, case.image)
        grey = case.image[min(1, len(case.image) - 1)] if len(case.image) == 3 else case.image[0]  # FLAIR in both kinds of glioma data
        turn = slice(None, None, -1 if case.is_volume else 1)  # RAS volumes: anterior up, the patient's right on the left
        shown = {"image": grey.half().numpy(), "truth": case.truth, "predicted": predicted}
        kept |= {f"{kind}_{name}": array[:, turn, turn] for name, array in shown.items()} | {f"{kind}_dice": np.array(dice[chosen])}
    with (folder / "overlays.npz").open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **kept)


def _predicted(blueprint: ArmBlueprint, best: Params, image: Tensor) -> np.ndarray:
    """The model's class of each voxel, (D, H, W) uint8."""
    model = blueprint.model()
    model.load(best)
    model.module.eval()
    arithmetic = arithmetic_of(blueprint.plan)

    def network(images: Tensor) -> Tensor:
        return arithmetic.logits(model, images)

    with torch.inference_mode():
        logits = segmented(network, image, patch_of(blueprint.plan.data), len(blueprint.classes))
    labels: np.ndarray = logits.argmax(0).to(torch.uint8).cpu().numpy()
    return labels
