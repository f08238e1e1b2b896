"""Was this image in the training set? LiRA (Carlini et al. 2022, arXiv:2112.03570, Algorithm 1) and the loss threshold of Yeom et al.
2018 (arXiv:1709.01604), and what their scores come to. Audits only.

LiRA compares how sure a model is of an image with how sure other models are ("shadows") that were trained with it, and without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FPR = 0.01  # share of non-members that an attacker may take for members
FEWEST = 100  # non-members: with fewer, 1 % of them is none
BOUND_FPRS = (0.001, 0.01, 0.1)  # at which the bound of epsilon is looked for


def confidences(logits: Tensor, truth: Tensor) -> Tensor:
    """phi = log(p / (1 - p)) of the true answer's probability p: section IV.C. (B,) float64, from the logits, so that p = 1 is no case.

    logits: (B, C). truth: (B,) int64, p of the softmax; or (B, C) of 0 and 1, mean over findings, p of the sigmoid."""
    logits = logits.double()
    if truth.ndim == 2:
        return (logits * (2 * truth - 1)).mean(1)
    own = logits.gather(1, truth[:, None])[:, 0]
    others = logits.scatter(1, truth[:, None], -torch.inf)
    return own - others.logsumexp(1)


def log_likelihoods(logits: Tensor, truth: Tensor) -> Tensor:
    """Minus the cross-entropy without weights or smoothing, which the loss threshold goes by: (B,) float64; arguments as above."""
    logits = logits.double()
    if truth.ndim == 2:
        return functional.logsigmoid(logits * (2 * truth - 1)).mean(1)
    return -functional.cross_entropy(logits, truth, reduction="none")


def likelihood_ratios(seen: np.ndarray, shadows: np.ndarray, is_in: np.ndarray) -> np.ndarray:
    """LiRA's score, (n,): log N(phi; mean_in, s) - log N(phi; mean_out, s), with means of each example and one variance for all.

    seen: (n,) phi of the attacked model. shadows: (K, n) phi of the shadows. is_in: (K, n) bool, which was trained with which.
    NaN for examples that all shadows had, or none; whether the attacked model had them does not matter for that."""
    num_in = is_in.sum(0)
    num_out = len(is_in) - num_in
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_in = np.where(is_in, shadows, 0.0).sum(0) / num_in
        mean_out = np.where(is_in, 0.0, shadows).sum(0) / num_out
    known = (num_in > 0) & (num_out > 0)
    rest = (shadows - np.where(is_in, mean_in, mean_out))[:, known]
    variance = max(float((rest**2).sum()) / max(rest.size - 2 * int(known.sum()), 1), 1e-12)
    ratios: np.ndarray = ((seen - mean_out) ** 2 - (seen - mean_in) ** 2) / (2 * variance)
    return ratios


def leave_one_out(phi: np.ndarray, is_in: np.ndarray) -> np.ndarray:
    """Every shadow as the attacked model, the others as its shadows: scores (K, n). phi, is_in: (K, n)."""
    others = ~np.eye(len(phi), dtype=bool)
    return np.stack([likelihood_ratios(phi[k], phi[others[k]], is_in[others[k]]) for k in range(len(phi))])


def surprises(seen: np.ndarray, shadows: np.ndarray, is_out: np.ndarray) -> np.ndarray:
    """LiRA without shadows that had the example (section VI.D): (phi - mean_out) / s, (n,), higher for members; NaN without a shadow.

    is_out: (K, n) bool, which shadows count. It must be drawn alike for members and others: means of fewer shadows scatter more."""
    num_out = is_out.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_out = np.where(is_out, shadows, 0.0).sum(0) / num_out
    rest = (shadows - mean_out)[is_out]
    variance = float((rest**2).sum()) / max(len(rest) - int((num_out > 0).sum()), 1)
    distances: np.ndarray = (seen - mean_out) / np.sqrt(max(variance, 1e-12))
    return distances


def clopper_pearson(hits: float, count: float, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404). 0 of 0: (0, 1)."""
    from scipy.special import betaincinv  # imported late: only audits need it

    tail = (1 - level) / 2
    low = float(betaincinv(hits, count - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - tail)) if hits < count else 1.0
    return low, high


def auc(members: np.ndarray, others: np.ndarray) -> float:
    """Chance that a member scores higher than a non-member, ties by half."""
    ranked = np.sort(others)
    places = np.searchsorted(ranked, members, "left") + np.searchsorted(ranked, members, "right")
    return float(places.mean() / (2 * len(ranked)))


def tpr_at(fpr: float, members: np.ndarray, others: np.ndarray) -> float:
    """Share of the members above a threshold that at most `fpr` of the non-members are above."""
    threshold = np.sort(others)[::-1][int(fpr * len(others))]
    return float((members > threshold).mean())


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What an attack's scores come to. tpr: share of the members found at 1 % false alarms, with its 95 % interval.

    num_members, num_others: different examples behind it. epsilon_bound: no mechanism that is (epsilon, delta)-private with a lower
    epsilon makes such scores, at 95 % confidence."""

    tpr: float
    low: float
    high: float
    auc: float
    num_members: int
    num_others: int
    epsilon_bound: float

    @property
    def is_estimable(self) -> bool:
        return self.num_others >= FEWEST and self.num_members > 0

    def is_broken(self, threshold: float) -> bool:
        """Whether so large a share is found, and chance, which finds 1 %, is out of the question."""
        return self.is_estimable and self.tpr >= threshold and self.low > FPR


NOTHING = Exposure(tpr=0.0, low=0.0, high=1.0, auc=0.5, num_members=0, num_others=0, epsilon_bound=0.0)


def exposure(scores: np.ndarray, is_member: np.ndarray, delta: float = 1e-5) -> Exposure:
    """Judge scores (higher: more likely a member) of one or more attacked models, (n,) or (K, n) each; NaN is left out.

    Intervals count an example once, however many models were attacked with it: its chances with them are not independent, and the
    variance of a mean over examples is at most that of so many single trials."""
    scores, is_member = np.atleast_2d(scores), np.atleast_2d(is_member)
    known = ~np.isnan(scores)
    members, others = scores[known & is_member], scores[known & ~is_member]
    num_members, num_others = int((known & is_member).any(0).sum()), int((known & ~is_member).any(0).sum())
    if not num_members or not num_others:
        return NOTHING
    tpr = tpr_at(FPR, members, others)
    low, high = clopper_pearson(tpr * num_members, num_members)
    bounds = [epsilon_bound(tpr_at(fpr, members, others), fpr, (num_members, num_others), delta=delta, level=1 - 0.05 / len(BOUND_FPRS))
              for fpr in BOUND_FPRS]
    return Exposure(tpr=tpr, low=low, high=high, auc=auc(members, others), num_members=num_members, num_others=num_others,
                    epsilon_bound=max(bounds))


def epsilon_bound(tpr: float, fpr: float, counts: Sequence[int], *, delta: float, level: float = 0.95) -> float:
    """ln((TPR - delta) / FPR), from the low end of TPR and the high end of FPR; at least 0. counts: members, others behind them.

    Kairouz et al. 2015 (arXiv:1311.0776), Theorem 2.1, solved for epsilon; ends as Jagielski et al. 2020 (arXiv:2006.07709)."""
    low, _ = clopper_pearson(tpr * counts[0], counts[0], level)
    _, high = clopper_pearson(fpr * counts[1], counts[1], level)
    return float(np.log((low - delta) / high)) if low - delta > high else 0.0
