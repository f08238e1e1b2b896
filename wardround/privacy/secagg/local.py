"""Secure aggregation inside one process: the sites' halves are called directly. For simulations, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.site import SecureSite


class LocalCarrier:
    """sites: name -> its half. vector: name -> its (size,) float32 vector and weight, asked once the masked stage reaches the site."""

    def __init__(self, sites: Mapping[str, SecureSite], vector: Callable[[str], tuple[np.ndarray, int]]) -> None:
        self.sites, self.vector = sites, vector

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | str]]:
        for name, request in requests.items():
            yield name, self.reply(stage, name, request)

    def reply(self, stage: str, name: str, request: bytes) -> bytes | str:
        """The site's reply, or why it refuses."""
        try:
            if stage == "masked":
                return self.sites[name].masked(request, *self.vector(name))
            return self.sites[name].answer(stage, request)
        except SecureError as error:
            return str(error)
