"""How far a site's training is, told now and then while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")
Tell = Callable[[int, int], None]  # steps that are done, of how many

EVERY_S = 0.5  # tell no more often: a shorter training tells nothing, and a step costs one look at the clock


def counted(steps: Iterable[Step], total: int, tell: Tell) -> Iterator[Step]:
    """The same steps. A step is done when the next is asked for; a strategy that trains two models in a round counts each anew."""
    told_at = time.monotonic()
    for done, step in enumerate(steps):
        if done and (now := time.monotonic()) - told_at >= EVERY_S:
            tell(done, total)
            told_at = now
        yield step
