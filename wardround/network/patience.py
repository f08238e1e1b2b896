"""How soon a study's next job is due after one that ended, and when jobs end in vain too often to be tried for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wardround.network.control import Phase, Progress

SOON_S, LATE_S = 1.0, 30.0  # after a job that brought the run on; after many that did not
MOST_VAIN = 6  # in a row; with the pauses between them, about two minutes
STAGES: Sequence[Phase] = ("none", "waiting", "training", "local", "testing", "delivering")  # in the order of a run


@dataclass
class Patience:
    """progress: of the run before the first job. num_idle: jobs in a row that brought the run no further. num_vain: those of them that
    failed, and did not just wait for sites."""

    progress: Progress = field(default_factory=Progress)
    num_idle: int = 0
    num_vain: int = 0

    def judge(self, progress: Progress, *, waits: bool) -> float:
        """A job has ended and left the run so. waits: it ended for want of sites. Returns the seconds until the next one is due."""
        is_further = progress.run != self.progress.run or _stage(progress) > _stage(self.progress)
        if is_further:
            self.progress = progress
        if is_further or progress.phase in ("handover", "paused"):
            self.renew()
        else:
            self.num_idle += 1
            self.num_vain += not waits
        return SOON_S if self.num_idle == 0 else min(LATE_S, SOON_S * 2 ** min(self.num_idle, 10))

    @property
    def is_over(self) -> bool:
        """Whether another job would be in vain too."""
        return self.num_vain >= MOST_VAIN

    def renew(self) -> None:
        """Begin to count anew."""
        self.num_idle = self.num_vain = 0


def _stage(progress: Progress) -> tuple[int, int]:
    return progress.round, STAGES.index(progress.phase) if progress.phase in STAGES else 0
