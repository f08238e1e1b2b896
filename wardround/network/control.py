"""What the commands want of a study, what its hub sees and how far its run is: small files in STUDY/state, each with one writer.

control.json is written by the commands, hub.json by the hub, progress.json by the run in NVFLARE's job (while none runs, by the commands),
`boundary` by the hub: its being there asks the run to stop at the end of the round, because a site came back. registered/SITE is touched
by the server's gate when the site's program comes in: what it was asked before then it knows nothing of. members.json is the hub's: the
sites of its last job.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from wardround.errors import WardroundError
from wardround.network.folders import StudyFolder
from wardround.runs.folder import read_json, write_json

Want = Literal["run", "pause", "stop"]
Phase = Literal["none", "waiting", "training", "testing", "local", "delivering", "paused", "handover", "finished", "stopped", "failed"]
OVER: tuple[Phase, ...] = ("finished", "stopped", "failed")  # the run asks for no further job
Record = TypeVar("Record", bound="Control | Hub | Progress")


@dataclass(frozen=True, kw_only=True)
class Control:
    """What the coordinator wants. wait_for: sites that must be ready before round 1. with_local: each site also trains alone at the end."""

    want: Want = "run"
    wait_for: int = 1
    with_local: bool = False

    def __post_init__(self) -> None:
        if self.want not in get_args(Want):
            raise ValueError(f"unknown wish '{self.want}'")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """What the hub sees. connected: seconds since 1970 of each site's last heartbeat. jobs: how many were begun. pid: of the hub."""

    pid: int
    text: str = ""
    connected: Mapping[str, float] = field(default_factory=dict)
    jobs: int = 0
    job: str = ""
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the run is. sites: what keeps a site from taking part, "" for those that do. run: name of its folder."""

    phase: Phase = "none"
    run: str = ""
    round: int = 0
    num_rounds: int = 0
    sites: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    at: float = 0.0

    def __post_init__(self) -> None:
        if self.phase not in get_args(Phase):
            raise ValueError(f"unknown phase '{self.phase}'")


class State:
    """The files of STUDY/state."""

    def __init__(self, study: StudyFolder) -> None:
        self.folder = study.state
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def boundary(self) -> Path:
        return self.folder / "boundary"

    def came_in(self, site: str) -> None:
        """The site's program has registered."""
        folder = self.folder / "registered"
        folder.mkdir(exist_ok=True)
        (folder / site).touch()

    def came_in_at(self, site: str) -> int:
        """When it last did, to be compared with another such time for being the same, never the later: clocks jump. 0: never."""
        path = self.folder / "registered" / site
        return path.stat().st_mtime_ns if path.exists() else 0

    @property
    def job(self) -> Path:
        """The last job that was submitted."""
        return self.folder / "job"

    @property
    def members(self) -> Mapping[str, int]:
        """The sites of the last job, and when each had come in by then: one that has come in since knows nothing of the job."""
        path = self.folder / "members.json"
        return read_json(path) if path.exists() else {}

    def take(self, sites: Iterable[str]) -> None:
        """These are the sites of the job that is submitted now."""
        write_json(self.folder / "members.json", {site: self.came_in_at(site) for site in sites})

    @property
    def control(self) -> Control:
        return self._read("control", Control) or Control()

    @property
    def hub(self) -> Hub | None:
        return self._read("hub", Hub)

    @property
    def progress(self) -> Progress:
        return self._read("progress", Progress) or Progress()

    def want(self, **changes: Any) -> None:
        """Change what the coordinator wants."""
        self._write("control", dataclasses.replace(self.control, **changes))

    def see(self, hub: Hub) -> None:
        self._write("hub", dataclasses.replace(hub, at=time.time()))

    def tell(self, progress: Progress) -> None:
        self._write("progress", dataclasses.replace(progress, at=time.time()))

    def _read(self, name: str, kind: type[Record]) -> Record | None:
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        try:
            return kind(**read_json(path))
        except (WardroundError, TypeError, ValueError) as error:
            raise WardroundError(f"{path} is damaged, or was written by another version of wardround ({error}). Remove it: the run itself "
                                 f"lies in {self.folder.parent / 'runs'}.") from error

    def _write(self, name: str, value: Control | Hub | Progress) -> None:
        write_json(self.folder / f"{name}.json", dataclasses.asdict(value))
