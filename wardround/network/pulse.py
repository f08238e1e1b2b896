"""Which sites live, whatever clocks say."""

from __future__ import annotations

import time
from collections.abc import Mapping

from wardround.network.startup import DEAD_AFTER_S


class Pulse:
    """Which sites live: NVFLARE's server tells the time of their last heartbeat by a clock that may be set meanwhile; here counts, by
    this process's steady clock, when that time last changed."""

    def __init__(self) -> None:
        self._beats: dict[str, tuple[float, float]] = {}  # site -> (what the server told last, since when)

    def living(self, beats: Mapping[str, float]) -> dict[str, float]:
        """Those of these sites whose heart beat within DEAD_AFTER_S; one that is told of for the first time has come just now."""
        now = time.monotonic()
        self._beats = {site: (at, now if site not in self._beats or self._beats[site][0] != at else self._beats[site][1])
                       for site, at in beats.items()}
        return {site: at for site, at in beats.items() if now - self._beats[site][1] < DEAD_AFTER_S}
