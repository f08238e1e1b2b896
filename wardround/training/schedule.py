"""The learning rate as a function of the round."""

from __future__ import annotations

from math import cos, pi

from wardround.plan.schema import Recipe


def learning_rate(recipe: Recipe, round: int, num_rounds: int) -> float:
    """The rate of round t = 1 ... R: recipe.lr, times the schedule's factor, times the warm-up's.

    cosine: (1 + cos(pi (t - 1) / R)) / 2 (Loshchilov & Hutter 2017, equation 5), which would be 0 in round R + 1. step: step_factor
    at each drop. Warm-up: t / (W + 1) in its W rounds, the nearest number to that share of R (Goyal et al. 2017, section 2.2).
    """
    factor = 1.0
    if recipe.schedule == "cosine":
        factor = (1 + cos(pi * (round - 1) / num_rounds)) / 2
    elif recipe.schedule == "step":
        factor = recipe.step_factor ** ((round - 1) // recipe.step_every)
    num_warmup = int(recipe.warmup * num_rounds + 0.5)
    return recipe.lr * factor * min(1.0, round / (num_warmup + 1))
