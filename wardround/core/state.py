"""All that the server remembers between rounds."""

from __future__ import annotations

from dataclasses import dataclass

from wardround.core.params import Params


@dataclass(frozen=True, kw_only=True)
class State:
    """The server's state after `round` rounds. Strategies that remember more add fields of type Params, float or int."""

    round: int
    params: Params
    num_sites: int
