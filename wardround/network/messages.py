"""What a study's server and sites say to each other beside orders and updates, and the envelope around every message.

All of it travels through fleet/wire.py: plain fields as JSON, arrays by name. No field is a path, a class name or code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from wardround.core.params import Params
from wardround.core.tally import Tally
from wardround.data.catalogue import Task
from wardround.network.envelope import Envelope as Envelope


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Server to site, first of all: this is the plan (TOML). The site answers Ready, or SiteFailed with what keeps it."""

    plan: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The site has approved the plan and its images are there. counts: training images of each class, only where the plan's loss is
    weighted by them. phantom: its images are synthetic. threads: of its training; only 1 has the bits of the local engine. identity: of a
    plan with secure sums the site's public Ed25519 key, 64 hex digits."""

    site: str
    num_train: int
    num_val: int
    num_test: int
    task: Task
    classes: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]]
    phantom: bool
    fingerprint: str
    version: str
    device: str
    threads: int
    counts: Mapping[str, int] | None = None
    identity: str | None = None


Stage = Literal["advertise", "share", "shares", "masked", "consent", "unmask"]


@dataclass(frozen=True, kw_only=True)
class SecureOrder:
    """A step of a round's secure sum (wardround/privacy/secagg) other than training; the order to train follows "shares".

    attempt: of this round, from 1. keys: the sites' public Ed25519 keys in hex. largest: training images of the largest site, by which
    sites weigh; 0 where all count alike. body: what the other sites say, (n,) uint8."""

    round: int
    attempt: int
    stage: Stage
    keys: Mapping[str, str]
    largest: int
    body: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SecureReply:
    """A site's answer to a SecureOrder, or, with stage "masked", to an order to train. body: (n,) uint8."""

    site: str
    stage: Stage
    body: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TestOrder:
    """Test the best round's params on the site's test rows: the one time they are read. temperature, threshold: fixed on validation."""

    round: int
    params: Params
    is_personal: bool
    temperature: float | None
    threshold: float | None


@dataclass(frozen=True, kw_only=True)
class LocalOrder:
    """Train the plan's local arm: this site alone, on its own images. Its model stays at the site; only a SiteSummary travels."""


@dataclass(frozen=True, kw_only=True)
class SiteSummary:
    """A site's test result: sums and rates, small counts hidden (network/summary.py); no row of its own.

    tally: of its test rows at the order's temperature; None of a local arm. replicates: (R, K) float64 sums over resampled patients, for
    the intervals of all sites together; None of a local arm. scores: the site's part of scores.json's per_site.
    """

    site: str
    scores: Mapping[str, Any]
    tally: Tally | None = None
    replicates: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Server to site, last of all: the final model (or, of personal models, what the site makes its own of), model.json, its card."""

    round: int
    params: Params
    is_personal: bool
    record: Mapping[str, Any]
    card: str


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """The site has the model."""

    site: str
