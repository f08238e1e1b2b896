"""What the hub stands between, for its tests: a server and a session that do as the test says, and runs that stand somewhere."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from field import plan_of
from nvflare.fuel.flare_api.api_spec import JobNotFound, NoConnection

from wardround.network import hub as hubs
from wardround.network.auditlog import lines
from wardround.network.control import Phase, Progress
from wardround.network.folders import StudyFolder
from wardround.network.hub import StudyHub
from wardround.network.patience import Patience
from wardround.network.rehearsal import free_ports
from wardround.network.study import new_study

MOMENTS = itertools.count(10**18, 10**9)  # no two are the same


@dataclass
class Server:
    """In the place of a Servant, and of the session with it. sites: whose hearts beat. error: raised by whatever is asked."""

    sites: tuple[str, ...] = ()
    status: dict[str, str] = field(default_factory=dict)  # of jobs
    tokens: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    error: Exception | None = None
    is_answer_lost: bool = False  # of the next job that is submitted
    is_dead: bool = False
    num_starts: int = 0
    num_ends: int = 0
    num_closed: int = 0
    pid: int | None = None

    # Servant

    @property
    def is_due(self) -> bool:
        return self.pid is None

    def has_died(self) -> bool:
        found, self.is_dead = self.is_dead, False
        if found:
            self.pid = None
        return found

    def start(self) -> None:
        self.pid, self.num_starts = 1, self.num_starts + 1

    def end(self) -> None:
        self.pid, self.num_ends = None, self.num_ends + 1

    # Session

    def get_connected_client_list(self) -> list[Any]:
        self._answer()
        return [SimpleNamespace(name=name, last_connect_time=next(MOMENTS)) for name in self.sites]

    def submit_job(self, folder: str, submit_token: str) -> str:
        self._answer()
        self.folders.append(Path(folder))
        if submit_token not in self.tokens:
            self.tokens.append(submit_token)
            self.status[f"job-{len(self.tokens)}"] = "RUNNING"
        if self.is_answer_lost:
            self.is_answer_lost = False
            raise NoConnection
        return f"job-{self.tokens.index(submit_token) + 1}"

    def get_job_meta(self, job: str) -> dict[str, str]:
        self._answer()
        if job not in self.status:
            raise JobNotFound
        return {"status": self.status[job]}

    def abort_job(self, job: str) -> None:
        self._answer()
        self.aborted.append(job)

    def close(self) -> None:
        self.num_closed += 1

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error

    def is_connected(self, *sites: str) -> None:
        self.sites = sites

    def ended(self, how: str = "FINISHED:EXECUTION_EXCEPTION") -> None:
        self.status[f"job-{len(self.tokens)}"] = how


def made_in(folder: Path) -> StudyFolder:
    """A study, with keys: to make one takes a while."""
    return new_study("clinics", plan_of("north", "south", settings=("cohort.min_sites=1",)), ["north", "south"],
                     f"localhost:{free_ports()}", folder / "study")


class Bench:
    """A hub between a server and a study of the sites north and south, with a clock of its own in one number."""

    def __init__(self, made: StudyFolder, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """made: the study, of which this one is a copy."""
        shutil.copytree(made.path, folder / "a study")
        self.study, self.clock, self.server = StudyFolder(folder / "a study"), [1000.0], Server()
        monkeypatch.setattr(hubs, "time", SimpleNamespace(monotonic=lambda: self.clock[0], time=time.time, sleep=self._sleep))
        monkeypatch.setattr(os, "fsync", lambda file: None)
        self.hub = StudyHub(self.study)
        self.hub._server = self.server  # type: ignore[assignment]
        monkeypatch.setattr(self.hub, "_opened", lambda: self.server)
        self.hub.state.want(want="run", wait_for=1)

    def turn(self, seconds: float = 0.5) -> str:
        """Turns of the hub over some seconds; returns what it says of itself."""
        until = self.clock[0] + seconds
        while self.clock[0] < until:
            self.hub._turn()
            self.clock[0] += 0.5
        told = self.hub.state.hub
        return told.text if told else ""

    def tell(self, phase: Phase, round: int = 0) -> None:
        """The run stands so now."""
        self.hub.state.tell(Progress(phase=phase, round=round, run="federated", num_rounds=9))

    def stands(self, phase: Phase, round: int) -> None:
        """The run stood so when the hub was started."""
        self.tell(phase, round)
        self.hub._patience = Patience(self.hub.state.progress)

    def kinds(self) -> list[str]:
        """Of the lines in the study's audit log."""
        return [line.kind for line in lines(self.study.audit_file)]

    def register(self, site: str) -> None:
        """As the gate does when the site's program comes in, at another moment than before."""
        self.hub.state.came_in(site)
        os.utime(self.hub.state.folder / "registered" / site, ns=(next(MOMENTS), next(MOMENTS)))

    def _sleep(self, seconds: float) -> None:
        self.clock[0] += seconds
