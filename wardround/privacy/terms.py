"""What one site promises in a run: how images are drawn, how far they are clipped, how much noise is added and what it may cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wardround.data.catalogue import UNKNOWN
from wardround.errors import PlanError, PrivacyError
from wardround.plan.schema import Plan, Recipe
from wardround.privacy.accountant import noise_for

log = logging.getLogger(__name__)

SERVER = "server"  # whose terms and ledger are those of whole sites
UNITS = {"image": "images", "patient": "patients", "site": "sites"}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A site's terms, or of unit "site" the server's. noise_multiplier: standard deviation of a step's noise by clip_norm. sample_rate:
    each unit's probability to be in a step. epsilon: budget of the whole run. physical_batch: images in memory at once, without effect."""

    unit: str
    noise_multiplier: float
    sample_rate: float
    clip_norm: float
    delta: float
    epsilon: float
    steps_per_round: int
    physical_batch: int
    images_per_patient: int


def terms_of(plan: Plan, num_units: int, num_images: int) -> Terms:
    """Return the terms of a site that trains on num_images images of num_units patients (or images; of unit "site": the number of sites).

    PlanError if the plan asks for no privacy, or for a delta of one unit's share or more; PrivacyError for a site without units. Both
    numbers are taken as public: sample rate and delta tell them."""
    asked = plan.privacy
    if asked.unit == "none":
        raise PlanError("privacy.unit is 'none': there are no terms. Set it to 'image', 'patient' or 'site'.")
    if num_units < 1 or (asked.unit != "site" and num_images < num_units):
        raise PrivacyError(f"{num_units} {UNITS[asked.unit]} with {num_images} training images: there is nothing to train on, or to "
                           "protect. Leave the site out of the plan.")
    delta = min(1e-5, 1 / (10 * num_units)) if asked.delta is None else asked.delta
    if delta >= 1 / num_units:
        raise PlanError(f"privacy.delta = {delta:g} is not below one unit's share, 1/{num_units}: to tell everything of one of the "
                        f"{UNITS[asked.unit]} would be allowed. Leave it out, for {min(1e-5, 1 / (10 * num_units)):g}.")
    rate, steps = (1.0, 1) if asked.unit == "site" else _sampling(plan.recipe, num_images)
    noise = asked.noise_multiplier
    if noise is None:
        noise = noise_for(epsilon=asked.epsilon, delta=delta, sample_rate=rate, steps=steps * plan.rounds.num)
    return Terms(unit=asked.unit, noise_multiplier=noise, sample_rate=rate, clip_norm=asked.clip_norm, delta=delta, epsilon=asked.epsilon,
                 steps_per_round=steps, physical_batch=asked.physical_batch, images_per_patient=asked.images_per_patient)


def terms_by_site(plan: Plan, train: Mapping[str, np.ndarray], patients: np.ndarray) -> dict[str, Terms]:
    """By site, or of whole sites by "server"; {} without privacy. train: training rows by site. patients: (n,) text, of all rows.

    PlanError if patients are to be hidden and some are not named."""
    if plan.privacy.unit == "none":
        return {}
    if plan.privacy.unit == "site":
        return {SERVER: terms_of(plan, len(train), 0)}
    if plan.privacy.unit == "image":
        return {site: terms_of(plan, len(rows), len(rows)) for site, rows in train.items()}
    if nameless := [site for site, rows in train.items() if (patients[rows] == UNKNOWN).any()]:
        raise PlanError(f"privacy.unit = 'patient', but images of {', '.join(nameless)} name no patient. Give them one (column `patient` "
                        "of a table), or set privacy.unit = 'image', which hides a patient with several images less.")
    return {site: terms_of(plan, len(np.unique(patients[rows])), len(rows)) for site, rows in train.items()}


def _sampling(recipe: Recipe, num_images: int) -> tuple[float, int]:
    """Sample rate, and steps a round. batch_size is of images, so batch_size / num_images of the patients are expected in a step too."""
    rate = min(1.0, recipe.batch_size / num_images)
    if rate == 1:
        log.warning("recipe.batch_size = %d takes every step from all %d training images: nothing is gained by sampling, and epsilon is "
                    "that of the noise alone", recipe.batch_size, num_images)
    return rate, recipe.local_steps or max(1, round(recipe.local_epochs / rate))


def promises(terms: Terms) -> list[str]:
    """Return what the terms promise, in sentences for reports and data-protection officers. What they do not is in runs/spending.py."""
    whole = " (with all training images)" if terms.unit == "patient" else ""
    return [
        f"What is hidden is whether one {terms.unit}{whole} took part: collections are neighbours if one of them holds one {terms.unit} "
        "more (add or remove one).",
        f"Of all that training tells in the whole run, nothing becomes more than e^{terms.epsilon:g} times as likely by it, but for a "
        f"probability of {terms.delta:g} (epsilon {terms.epsilon:g}, delta {terms.delta:g}); training stops before more is spent.",
        _drawn(terms),
        f"{_clipped(terms)} at L2 norm {terms.clip_norm:g}, and the sum gets normal noise of standard deviation "
        f"{terms.noise_multiplier:.4g} times that, from the operating system's random source.",
        f"The numbers of {'sites' if terms.unit == 'site' else 'training images and patients of the site'} are taken as public.",
    ]


def _drawn(terms: Terms) -> str:
    steps = f"{terms.steps_per_round} {'step' if terms.steps_per_round == 1 else 'steps'} a round"
    if terms.unit == "site":
        return f"All sites count in every round ({steps}): nothing is claimed for sites that happen not to be asked."
    if terms.sample_rate == 1:
        return f"Each step takes every {terms.unit} of the site (sample rate 1, {steps}): nothing is gained by sampling."
    return (f"Each step draws every {terms.unit} independently with probability {terms.sample_rate:.4g} (Poisson sampling, {steps}); steps "
            "that draw none add their noise too, and count.")


def _clipped(terms: Terms) -> str:
    if terms.unit == "patient":
        images = "one image" if terms.images_per_patient == 1 else f"up to {terms.images_per_patient} images"
        return f"A patient's gradient of a step, the mean over {images} drawn anew, is clipped"
    return "An image's gradient of a step is clipped" if terms.unit == "image" else "A site's change of a round is clipped"
