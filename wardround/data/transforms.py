"""What happens to a batch between the cache and the network: grey values -> network units, and random changes in training."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from wardround.plan.schema import AugmentPlan

Normalisation = Literal["fixed", "image", "imagenet"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue in 0..1
MIN_VARIANCE = 0.01  # of grey values 0..255: a tenth of a step, so that the noise of an empty image is not blown up


def normalise(batch: Tensor, how: Normalisation) -> Tensor:
    """Return float32 in network units. batch: (B, C, H, W) uint8; floats, (B, C, D, H, W), are in network units already.

    fixed: (x / 255 - 0.5) / 0.25, so -2 is black and 2 is white. image: zero mean and unit variance of each image over all its
    channels and pixels; an image of a single grey value becomes 0. imagenet: by the mean and deviation of ImageNet's colours, of
    their means where C is not 3.
    """
    if batch.is_floating_point():
        return batch.float()
    grey = batch.float()
    if how == "fixed":
        return grey.mul_(4 / 255).sub_(2)
    if how == "imagenet":
        mean, std = torch.tensor(IMAGENET_MEAN, device=batch.device), torch.tensor(IMAGENET_STD, device=batch.device)
        if batch.shape[1] != 3:
            mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
        return grey.div_(255).sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
    variance, mean = torch.var_mean(grey, dim=(1, 2, 3), correction=0, keepdim=True)
    return grey.sub_(mean).mul_((variance + MIN_VARIANCE).rsqrt())


@dataclass(frozen=True)
class Augment:
    """Random changes of a normalised batch, drawn for each image apart: one bilinear resampling, then brightness and contrast.

    Outside the image the nearest edge pixel is repeated: right for any normalisation, and black where the edge is black.
    """

    plan: AugmentPlan

    @property
    def moves(self) -> bool:
        """Whether pixels change their place."""
        return self.plan.flip or max(self.plan.rotate_deg, self.plan.scale, self.plan.shift) > 0

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return the changed batch (B, C, H, W) or (B, C, D, H, W) float32; with all settings 0, the batch itself and nothing drawn.

        generator is on the CPU. Each image takes seven numbers whatever is switched on, so that a setting does not change
        what the others draw. Volumes are turned and moved in the plane of H and W, all slices alike.
        """
        return self.pair(batch, None, generator)[0]

    def pair(self, batch: Tensor, masks: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Change images and their masks, (B, H, W) or (B, D, H, W) int64, in the same way; masks keep their values."""
        if not (self.plan.intensity or self.moves):
            return batch, masks
        draws = torch.rand((len(batch), 7), generator=generator).mul_(2).sub_(1).to(batch.device)  # each in -1 ... 1
        if self.moves:
            planes = batch.flatten(1, -3)  # (B, C * D, H, W)
            grid = functional.affine_grid(self._matrices(draws, planes), list(planes.shape), align_corners=False)
            batch = _sampled(planes, grid, "bilinear").view(batch.shape)
            if masks is not None:
                layers = masks.reshape(len(masks), -1, *masks.shape[-2:]).float()
                masks = _sampled(layers, grid, "nearest").view(masks.shape).to(masks.dtype)
        if self.plan.intensity:
            contrast, brightness = (self.plan.intensity * draws[:, 5:]).view(-1, 2, *(1,) * (batch.ndim - 1)).unbind(1)
            batch = torch.addcmul(brightness, batch, 1 + contrast)
        return batch, masks

    def _matrices(self, draws: Tensor, batch: Tensor) -> Tensor:
        """(B, 2, 3): where in the image (-1 ... 1 across and down) each point of the result is read."""
        flip, turn, grow, *shift = draws[:, :5].unbind(1)
        angle = turn * (self.plan.rotate_deg * pi / 180)
        cos, sin = (torch.stack((angle.cos(), angle.sin())) / (1 + self.plan.scale * grow)).unbind()
        mirror = torch.where(flip < 0, -1.0, 1.0) if self.plan.flip else torch.ones_like(flip)
        aspect = batch.shape[2] / batch.shape[3]  # turns in pixels, not in parts of height and width
        across, down = (2 * self.plan.shift * part for part in shift)  # the whole image is 2 wide
        rows = [mirror * cos, -mirror * sin * aspect, across, sin / aspect, cos, down]
        return torch.stack(rows, dim=1).view(-1, 2, 3)


def _sampled(planes: Tensor, grid: Tensor, mode: str) -> Tensor:
    return functional.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)
