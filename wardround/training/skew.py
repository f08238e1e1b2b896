"""Logits changed by what a site holds, in training only, so that a site does not unlearn the classes it never sees."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wardround.errors import PlanError
from wardround.plan.schema import Recipe

Adjustment = Callable[[Tensor], Tensor]  # logits (B, C) -> logits (B, C)
DEFAULT_STRENGTH = {"restricted": 0.5, "calibrated": 1.0, "balanced": 1.0}


def adjustment(recipe: Recipe, counts: Tensor) -> Adjustment:
    """What recipe.label_skew, one of the three below, does to a site's logits. counts: (C,) int64 training images of each class."""
    strength = DEFAULT_STRENGTH[recipe.label_skew] if recipe.skew_strength is None else recipe.skew_strength
    return {"restricted": restricted, "calibrated": calibrated, "balanced": balanced}[recipe.label_skew](counts, strength)


def restricted(counts: Tensor, strength: float) -> Adjustment:
    """Restricted softmax: logits of classes that the site has not are multiplied by `strength` (0 ... 1; 1 changes nothing).

    Li & Zhan 2021 (FedRS, KDD, doi:10.1145/3447548.3467254), with one alpha for all absent classes: their last layer has no bias, ours
    is multiplied with the rest. PlanError for another strength.
    """
    if not 0 <= strength <= 1:
        raise PlanError(f"recipe.skew_strength = {strength}, but label_skew = 'restricted' multiplies absent classes' logits by it: set it "
                        "to 0 ... 1 (0.5 and 0.9 are the paper's)")
    factor = torch.where(counts > 0, 1.0, strength)
    return lambda logits: logits * factor.to(logits.device)


def calibrated(counts: Tensor, strength: float) -> Adjustment:
    """Logit calibration: z_c - strength * n_c^(-1/4), the fine-grained calibrated cross-entropy of Zhang et al. 2022 (FedLC,
    arXiv:2209.00189).

    Its strength is tau. It sums over the wrong classes only; in our softmax the true one is there too, so no loss is below 0. An absent
    class has no n_c^(-1/4): it counts as a quarter of an image, so that its margin is finite, 1.41 strength.
    """
    margin = strength * counts.clamp_min(0.25).double().pow(-0.25).float()
    return lambda logits: logits - margin.to(logits.device)


def balanced(counts: Tensor, strength: float) -> Adjustment:
    """Balanced softmax: z_c + strength * ln(n_c / n), Ren et al. 2020 (arXiv:2007.10740), Theorem 1, with the site's own counts.

    An absent class has a prior of 0: its logit drops out of the site's softmax, and nothing pushes it down. strength: the tau of
    logit-adjusted softmax, Menon et al. 2021 (arXiv:2007.07314).
    """
    shift = strength * (counts.double() / counts.sum()).clamp_min(1e-30).log().float()
    return lambda logits: logits + shift.to(logits.device)
