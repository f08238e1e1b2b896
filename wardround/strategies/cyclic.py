"""Cyclical weight transfer: Chang et al. 2018 (doi:10.1093/jamia/ocy017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wardround.core.state import State
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class Cyclic(FedAvg):
    """One site a round trains, the sites taking turns in their order, and the global parameters become that site's.

    A pass through all sites takes as many rounds as there are sites: give a plan so many times the rounds. A site that fails stops
    the run, which can be resumed, for nobody else was asked.
    """

    needs_mean = "one site trains in a round, so there is no other update to hold its own against"

    def asked(self, state: State, cohort: Sequence[str]) -> Sequence[str]:
        return [cohort[state.round % len(cohort)]]
