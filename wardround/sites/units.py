"""The units that a site's private training hides, and Poisson samples of them: each unit is in a step or not, whatever the others are.

Chance comes from the operating system here, that of augmentation and dropout too: with the plan's seed, which the server knows, one
unit more or less would change what is drawn for all that follow it in a batch, and no noise hides that many changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from wardround.data.catalogue import UNKNOWN
from wardround.data.feeds import Feed
from wardround.data.slices import by_patient
from wardround.errors import SiteError
from wardround.privacy import noise
from wardround.privacy.terms import Terms
from wardround.rng import stream, torch_stream
from wardround.training.per_unit import Chunk

Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # of images and truth, as malicious sites do in simulations


def units_of(site: str, rows: np.ndarray, unit: str, patients: np.ndarray | None) -> list[np.ndarray]:
    """The rows of each unit among these: one row each (unit "image"), or all of a patient's (unit "patient"; patients: (n,) text, of all
    rows). SiteError if a patient is unknown: it could be several units."""
    if unit == "image":
        return [rows[index : index + 1] for index in range(len(rows))]
    if patients is None:
        raise SiteError(f"site '{site}': privacy.unit = '{unit}' needs to know whose images these are, and nobody told the site")
    num_unknown = sum(patients[row] == UNKNOWN for row in rows.tolist())
    if num_unknown:
        raise SiteError(f"site '{site}': {num_unknown} of {len(rows)} training images have no patient, so privacy.unit = 'patient' cannot "
                        "hide whose they are. Fill the patient column, or set privacy.unit = 'image'.")
    return by_patient(patients, rows)


def entropy() -> bytes:
    """128 random bits, a part of the name of a stream that nobody can repeat."""
    return os.urandom(16)


def poisson_steps(feed: Feed, device: torch.device, units: Sequence[np.ndarray], terms: Terms,
                  change: Change | None = None) -> Iterator[Iterator[Chunk]]:
    """A round's steps; a step's chunks are read as they are asked for, all of a step before the next."""
    for _ in range(terms.steps_per_round):
        sample = [units[index] for index in noise.chosen(len(units), terms.sample_rate).tolist()]
        yield _chunks(feed, device, [_some(rows, terms) for rows in sample], terms.physical_batch, change)


def _some(rows: np.ndarray, terms: Terms) -> np.ndarray:
    """At most images_per_patient of a patient's rows, other ones each time."""
    if len(rows) <= terms.images_per_patient:
        return rows
    return stream("images of a patient", entropy()).choice(rows, terms.images_per_patient, replace=False)


def _chunks(feed: Feed, device: torch.device, sample: Sequence[np.ndarray], physical_batch: int, change: Change | None) -> Iterator[Chunk]:
    """Whole units, of at most physical_batch images together, but at least one."""
    held: list[np.ndarray] = []
    for index, rows in enumerate(sample):
        held.append(rows)
        num_next = len(sample[index + 1]) if index + 1 < len(sample) else physical_batch
        if sum(map(len, held)) + num_next > physical_batch:
            images, truth = feed.batch(np.concatenate(held), torch_stream("augment", entropy()))
            if change is not None:
                images, truth = change(images, truth)
            yield Chunk(images=images.to(device), truth=truth.to(device), starts=(0, *accumulate(map(len, held))))
            held = []
