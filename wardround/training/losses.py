"""Losses of classification, of several findings an image and of segmentation, each with its probabilities. All in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wardround.data.catalogue import Task
from wardround.errors import PlanError
from wardround.plan.schema import Recipe

DICE_SMOOTH = 1.0  # voxels


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """Cross-entropy on softmax; the other losses below show only what differs.

    class_weights: (C,), on the device of the logits. An image's weight w is that of its true class. label_smoothing e: the truth
    is 1 - e + e/C for the true class and e/C for each other (whose terms cross-entropy weights by their own classes, as torch).
    """

    class_weights: Tensor | None = None
    label_smoothing: float = 0.0

    def __call__(self, logits: Tensor, truth: Tensor) -> Tensor:
        """The batch's loss: sum(w l) / B. logits: (B, C). truth: (B,) int64 in 0 ... C-1.

        torch divides by sum(w) instead. Then a site with one class would train as if it had no weights, and sites' losses, weighted
        by their images, would not add up to the pooled one.
        """
        return self.per_image(logits, truth).mean()

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        """w l of each image, (B,): sums over batches and sites add up exactly."""
        return functional.cross_entropy(logits.float(), truth, self.class_weights, reduction="none",
                                        label_smoothing=self.label_smoothing)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, C), rows sum to 1."""
        return logits.float().softmax(1)

    def _weighted(self, losses: Tensor, truth: Tensor) -> Tensor:
        return losses if self.class_weights is None else losses * self.class_weights[truth]


class BinaryCrossEntropy(Loss):
    """Two classes: on the margin z1 - z0, which is cross-entropy on softmax. More: one against the rest, summed over classes.

    Then the probabilities are the sigmoids, divided by their sum.
    """

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        num_classes = logits.shape[1]
        if num_classes == 2:
            return super().per_image(logits, truth)
        target = functional.one_hot(truth, num_classes) * (1 - self.label_smoothing) + self.label_smoothing / num_classes
        losses = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none").sum(1)
        return self._weighted(losses, truth)

    def probabilities(self, logits: Tensor) -> Tensor:
        if logits.shape[1] == 2:
            return super().probabilities(logits)
        return functional.logsigmoid(logits.float()).softmax(1)  # exp(log s) / sum: no 0 / 0 where every sigmoid is tiny


@dataclass(frozen=True, kw_only=True, eq=False)
class Focal(Loss):
    """Focal loss (1 - p)^gamma times cross-entropy, p the softmax of the true class: Lin et al. 2017, equation 4."""

    gamma: float = 2.0

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        entropy = functional.cross_entropy(logits.float(), truth, reduction="none")  # -log p
        doubt = (-torch.expm1(-entropy)).clamp_min(1e-7)  # 1 - p; the power's slope at 0 is infinite for gamma < 1
        return self._weighted(doubt**self.gamma * entropy, truth)


class SmoothL1(Loss):
    """Smooth L1 (Girshick 2015, equation 3) between softmax and the one-hot truth, mean over classes."""

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        probabilities = self.probabilities(logits)
        target = functional.one_hot(truth, logits.shape[1]).float()
        return self._weighted(functional.smooth_l1_loss(probabilities, target, reduction="none").mean(1), truth)


class MultiLabel(Loss):
    """Binary cross-entropy of each finding apart, mean over the C findings; truth: (B, C) of 0 and 1.

    class_weights: (C,), of a finding's positive term. They raise its sigmoid: weighted probabilities rank images, but are too high.
    label_smoothing e: the truth is 1 - e/2 or e/2.
    """

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        target = truth * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none",
                                                           pos_weight=self.class_weights).mean(1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, C), each for itself."""
        return logits.float().sigmoid()


class VoxelCrossEntropy(Loss):
    """Cross-entropy, mean over an image's voxels. logits: (B, K, ...). truth: (B, ...) int64. probabilities: (B, K, ...)."""

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        return super().per_image(logits, truth).flatten(1).mean(1)


class DiceCrossEntropy(VoxelCrossEntropy):
    """Cross-entropy plus soft Dice loss 1 - (2 I + 1) / (P + V + 1), mean over the foreground classes 1 ... K-1 of each image.

    P sums a class's softmax over the image's voxels, V its true voxels, I the softmax on these (Milletari et al. 2016,
    arXiv:1606.04797, without squares). The 1 is a voxel (DICE_SMOOTH): of a class that the image has not, the loss is P / (P + 1),
    which falls to 0 with the voxels called so. The usual 1e-5 would leave it near 1, without a slope, until none is left.
    """

    def per_image(self, logits: Tensor, truth: Tensor) -> Tensor:
        softmax = self.probabilities(logits)[:, 1:].flatten(2)  # (B, K-1, voxels)
        is_class = torch.stack([truth == label for label in range(1, logits.shape[1])], 1).flatten(2)
        overlap, size = (softmax * is_class).sum(2), softmax.sum(2) + is_class.sum(2)
        dice = (2 * overlap + DICE_SMOOTH) / (size + DICE_SMOOTH)
        return super().per_image(logits, truth) + 1 - dice.mean(1)


LOSSES: dict[str, dict[str, type[Loss]]] = {
    "images of one class each": {"cross_entropy": Loss, "binary_cross_entropy": BinaryCrossEntropy, "focal": Focal, "smooth_l1": SmoothL1},
    "several findings an image": {"binary_cross_entropy": MultiLabel},
    "masks": {"dice_cross_entropy": DiceCrossEntropy, "cross_entropy": VoxelCrossEntropy},
}
TRUTH: dict[Task, str] = {"binary": "images of one class each", "multiclass": "images of one class each",
                          "multilabel": "several findings an image", "segmentation": "masks"}


def make_loss(recipe: Recipe, class_weights: Tensor | None, task: Task = "multiclass") -> Loss:
    """The recipe's loss. class_weights: (C,), or None for equal ones. PlanError if loss, task and settings do not go together."""
    losses = LOSSES[TRUTH[task]]
    if recipe.loss not in losses:
        known = " or ".join(f"'{name}'" for name in losses)
        raise PlanError(f"recipe.loss = '{recipe.loss}' does not fit {TRUTH[task]}. Set it to {known}.")
    if task == "segmentation" and (class_weights is not None or recipe.class_weights == "balanced"):
        raise PlanError("recipe.class_weights = 'balanced' counts images, and every image of a segmentation has all classes. Set it to "
                        "'none'; loss = 'dice_cross_entropy' already gives small classes the weight of large ones.")
    if recipe.label_skew != "none" and task not in ("binary", "multiclass"):
        raise PlanError(f"recipe.label_skew = '{recipe.label_skew}' goes by a site's counts of each class, and {TRUTH[task]} have none. "
                        "Set it to 'none'.")
    if recipe.label_smoothing and recipe.loss in ("focal", "smooth_l1"):
        raise PlanError(f"recipe.label_smoothing = {recipe.label_smoothing} has no meaning for loss = '{recipe.loss}'. "
                        "Set it to 0, or choose 'cross_entropy'.")
    if recipe.loss == "focal":
        return Focal(class_weights=class_weights, gamma=recipe.focal_gamma)
    return losses[recipe.loss](class_weights=class_weights, label_smoothing=recipe.label_smoothing)
