"""How near a reconstructed image comes to the true one, and how near a guess comes that has seen nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from wardround.data.transforms import Normalisation, normalise

EXACT = 1e-20  # least mean squared error: 200 dB, where float32 has run out of digits
WINDOW = 7  # pixels
C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, K1 and K2
SIGMAS = 3.0  # of images normalised one by one: grey values beyond are cut off
SOME = 64  # true images compared at a time


@dataclass(frozen=True, eq=False)
class Box:
    """Which network units are black and white. low, high: (1, C, 1, 1)."""

    low: Tensor
    high: Tensor

    @staticmethod
    def of(how: Normalisation, channels: int) -> Box:
        """Of images normalised one by one black and white are unknown: three deviations from the mean stand for them."""
        if how == "image":
            return Box(torch.full((1, channels, 1, 1), -SIGMAS), torch.full((1, channels, 1, 1), SIGMAS))
        ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, channels, 1, 1)
        low, high = torch.split(normalise(ends, how), 1)
        return Box(low, high)

    def clip(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in network units, no blacker than black, no whiter than white."""
        return torch.minimum(torch.maximum(images, self.low.to(images.device)), self.high.to(images.device))

    def grey(self, images: Tensor) -> Tensor:
        """Network units -> 0 ... 1, on the CPU."""
        return ((images.detach().cpu() - self.low) / (self.high - self.low)).clamp(0, 1)

    def units(self, grey: Tensor) -> Tensor:
        """0 ... 1 -> network units."""
        return self.low + grey * (self.high - self.low)


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """psnrs: dB. ssims: both of each guess, (K,). partners: (K,) int64, the true image each was compared with."""

    psnrs: Tensor
    ssims: Tensor
    partners: Tensor

    @property
    def psnr(self) -> float:
        """The mean over the guesses."""
        return float(self.psnrs.mean())

    @property
    def ssim(self) -> float:
        """The mean over the guesses."""
        return float(self.ssims.mean())

    @property
    def order(self) -> Tensor:
        """(K,) int64: the guesses, the nearest to the truth first. The mean of a batch hides the one image that was drawn well."""
        return self.psnrs.argsort(descending=True)


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio 10 log10(1 / mean squared error) in dB, (B,); at most 200. Both: (B, C, H, W) in 0 ... 1."""
    return _decibels((images - truth).double().square().flatten(1).mean(1))


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity, (B,), 1 for equal images: Wang et al. 2004, equation 13, mean over windows of 7 x 7 pixels that lie within
    the image (of smaller images, over one), and over channels. Both: (B, C, H, W) in 0 ... 1."""
    x, y = images.double(), truth.double()
    window = [min(WINDOW, side) for side in x.shape[-2:]]

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, window, stride=1)

    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y, both = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2, mean(x * y) - mean_x * mean_y
    index = (2 * mean_x * mean_y + C1) * (2 * both + C2) / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2))
    return index.flatten(1).mean(1)


def compare(guesses: Tensor, truth: Tensor) -> Likeness:
    """Each guess beside a true image of its own, chosen so that the mean PSNR is greatest: an attack does not know the order of a batch.

    guesses: (K, C, H, W), truth: (N, C, H, W), both in 0 ... 1, N >= K. What sees nothing must be compared in the same way: with many
    true images to choose from, any guess comes near to one of them.
    """
    guesses, flat = guesses.float(), guesses.double().flatten(1)
    errors = torch.cat([torch.cdist(flat, some.double().flatten(1), compute_mode="donot_use_mm_for_euclid_dist") ** 2
                        for some in torch.split(truth, SOME)], dim=1) / flat.shape[1]  # (K, N)
    scores = _decibels(errors)
    order, partners = (torch.from_numpy(found) for found in linear_sum_assignment(scores.numpy(), maximize=True))
    return Likeness(psnrs=scores[order, partners], ssims=ssim(guesses[order], truth[partners]), partners=partners)


def _decibels(errors: Tensor) -> Tensor:
    return -10 * errors.clamp_min(EXACT).log10()
