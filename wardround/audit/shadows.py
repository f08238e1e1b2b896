"""Shadows of a run: its own plan, federation and seed once more, each time on a random half of what its sites train on.

An attacker who has the plan knows all of the training but the images, so nothing else differs from shadow to shadow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from wardround.attacks.membership import confidences, log_likelihoods
from wardround.audit.federation import short_lived
from wardround.audit.subject import Subject
from wardround.build import initial_params
from wardround.core.events import Progress, silent
from wardround.core.params import Params
from wardround.data.catalogue import UNKNOWN
from wardround.data.feeds import ImageFeed
from wardround.errors import WardroundError
from wardround.rng import stream
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.sites.site import Bench

FEWEST, MOST, QUICK_MOST = 8, 32, 16  # shadows
BUDGET_S, QUICK_BUDGET_S = 600.0, 120.0
BATCH = 128


class NoShadows(WardroundError):
    """Why there are no shadows, or too few."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shadows:
    """What the attacker has of n units of the run's training rows and m of its validation rows, see `units_of`.

    phi, fit: confidence and log-likelihood of every unit, mean over its images: (K, n) of the shadows, and own_phi, own_fit of the
    run's kept model, (n + m,). outside_phi: (K, m) of the shadows on units that none was trained on. is_in: (K, n) bool.
    """

    phi: np.ndarray
    fit: np.ndarray
    is_in: np.ndarray
    outside_phi: np.ndarray
    own_phi: np.ndarray
    own_fit: np.ndarray

    def __len__(self) -> int:
        return len(self.phi)


def units_of(subject: Subject, rows: np.ndarray) -> np.ndarray:
    """What is a member or none, a number for each row: an image or a patient if the plan hides these; else whatever never stands in two
    splits: a patient, or an image with its near-duplicates."""
    prepared, unit = subject.prepared, subject.plan.privacy.unit
    if unit == "image":
        return np.arange(len(rows))
    names = prepared.groups[rows].astype(str)
    if unit == "patient":
        patients = prepared.catalogue.patients[rows]
        names = np.array([patient if patient != UNKNOWN else f"row {row}" for patient, row in zip(patients, rows, strict=True)], dtype=str)
    return np.unique(names, return_inverse=True)[1]


def shadows_of(subject: Subject, *, budget_s: float | None = None) -> Shadows:
    """Train shadows until there are enough or the time is up, and ask them. NoShadows if that would leave fewer than 8,
    which shows after one round, and for tasks without a confidence."""
    if subject.blueprint.task == "segmentation":
        raise NoShadows("a mask has no single confidence by which shadows could be compared")
    most = QUICK_MOST if subject.is_quick else MOST
    budget = budget_s if budget_s is not None else QUICK_BUDGET_S if subject.is_quick else BUDGET_S
    train, val = subject.rows("train"), subject.rows("val")
    units = units_of(subject, train), units_of(subject, val)
    bench, is_in = subject.blueprint.bench(), list[np.ndarray]()
    inside, outside = list[np.ndarray](), list[np.ndarray]()
    for params, half in _trained(subject, train, units[0], most, budget):
        is_in.append(half)
        inside.append(_answers(bench, params, train, units[0]))
        outside.append(_answers(bench, params, val, units[1]))
    own = np.concatenate([_answers(bench, subject.params, rows, unit) for rows, unit in zip((train, val), units, strict=True)], axis=1)
    return Shadows(phi=np.stack(inside)[:, 0], fit=np.stack(inside)[:, 1], is_in=np.stack(is_in), outside_phi=np.stack(outside)[:, 0],
                   own_phi=own[0], own_fit=own[1])


def _trained(subject: Subject, rows: np.ndarray, units: np.ndarray, most: int, budget: float) -> Iterator[tuple[Params, np.ndarray]]:
    """Kept params of each shadow, and which units it had."""
    started = time.perf_counter()

    def check(done: float) -> None:
        spent = time.perf_counter() - started
        if done < FEWEST and spent / done * FEWEST > budget:
            raise NoShadows(f"{FEWEST} shadows would take about {spent / done * FEWEST:,.0f} s, and {budget:,.0f} s are given")

    for number in range(most):
        spent = time.perf_counter() - started
        if number >= FEWEST and spent / number * (number + 1) > budget:
            return
        half = stream(subject.seed, "audit", "half", number).random(int(units.max()) + 1) < 0.5
        chosen = rows[half[units]]
        yield _shadow(subject, chosen, lambda share, before=number: check(before + share)), half  # type: ignore[misc]
        subject.watch(Progress(stage="audit", done=number + 1, total=most))


def _shadow(subject: Subject, chosen: np.ndarray, check: Callable[[float], None]) -> Params:
    """What a run on these training rows alone keeps. A site without any of them takes no part."""
    held = {name: replace(site, train=np.intersect1d(site.train, chosen)) for name, site in subject.blueprint.rows.items()}
    blueprint = replace(subject.blueprint, rows={name: site for name, site in held.items() if len(site.train)})
    plan, start = blueprint.plan, blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    with short_lived(blueprint, start.params.layout) as fleet:
        return run_rounds(plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=silent,
                          save=lambda course: check(course.state.round / plan.rounds.num)).best


def _answers(bench: Bench, params: Params, rows: np.ndarray, units: np.ndarray) -> np.ndarray:
    """phi and log-likelihood of the true answer, unchanged images, mean over each unit's: (2, units) float64."""
    found, feed = np.zeros((2, len(rows))), bench.feed
    if not isinstance(feed, ImageFeed):
        raise TypeError("confidences need images with labels")
    bench.model.load(params)
    bench.model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            images, truth = feed.plain(rows[start : start + BATCH])
            logits, truth = bench.arithmetic.logits(bench.model, images).cpu(), truth.cpu()
            found[:, start : start + BATCH] = confidences(logits, truth), log_likelihoods(logits, truth)
    counts = np.bincount(units)
    return np.nan_to_num(np.stack([np.bincount(units, values) / counts for values in found]))
