"""A study with all its programs on this machine, over TLS on loopback: for tests, benchmarks and whoever wants to see what happens when
one of them is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import psutil

from wardround.core.events import Event, RoundFinished
from wardround.errors import NetworkError
from wardround.network import kits
from wardround.network.approval import Approvals
from wardround.network.control import Progress, State
from wardround.network.folders import SiteFolder
from wardround.network.policy import write_template
from wardround.network.study import new_study
from wardround.plan.schema import Plan
from wardround.runs import journal
from wardround.runs.folder import RunFolder

Part = Literal["hub", "server", "server-job", "host", "client", "client-job", "worker"]
WORDS: Mapping[Part, str] = {"hub": "wardround.network.hub", "server": "server_train", "server-job": "runner_process", "host": "start",
                             "client": "client_train", "client-job": "worker_process", "worker": "wardround.network.worker"}
LOCALHOST = "localhost"


@dataclass
class Rehearsal:
    """out: where the study and its sites lie. data: each site's folder of images. environment: more of it, for all programs."""

    out: Path
    plan: Plan
    data: Mapping[str, Path]
    host: str = LOCALHOST
    environment: Mapping[str, str] = field(default_factory=dict)
    _programs: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        """The way of a study up to its start: invited, joined, admitted, approved."""
        self.out = self.out.resolve()  # as the programs' command lines have it
        self.study = new_study("rehearsal", self.plan, list(self.data), f"{self.host}:{free_ports()}", self.out / "study")
        self.sites = {site: self._join(site, folder) for site, folder in self.data.items()}
        self.state = State(self.study)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._programs.close()

    def start(self, *, wait_for: int | None = None, with_local: bool = False) -> None:
        """Start the hub and every site."""
        self.state.want(want="run", wait_for=wait_for or len(self.sites), with_local=with_local)
        self.start_hub()
        for site in self.sites:
            self.start_site(site)

    def start_hub(self) -> None:
        self._run("hub", "-m", "wardround.network.hub", str(self.study.path))

    def start_site(self, site: str) -> None:
        self._run(site, "-m", "wardround", "site", "start", "--folder", str(self.sites[site].path))

    def processes(self, part: Part, site: str | None = None) -> list[psutil.Process]:
        """The living processes of a part; of a site, only its own."""
        place = str(self.study.path if site is None else self.sites[site].path)
        return [process for process in psutil.process_iter() if _is(process, part, place)]

    def kill(self, part: Part, site: str | None = None) -> int:
        """SIGKILL; returns how many processes that were."""
        found = self.processes(part, site)
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return len(found)

    def kill_site(self, site: str) -> None:
        """As if the machine had lost its power: all of the site's programs at once."""
        for part in ("host", "client", "client-job", "worker"):
            self.kill(part, site)

    def kill_server(self) -> None:
        """As if the server's machine had lost its power."""
        for part in ("hub", "server", "server-job"):
            self.kill(part)

    @property
    def progress(self) -> Progress:
        return self.state.progress

    @property
    def run(self) -> RunFolder:
        """The folder of the study's run, once it has one."""
        return RunFolder(self.study.runs / self.progress.run)

    def events(self) -> list[Event]:
        return list(journal.read(self.run.path / "journal.jsonl")) if self.progress.run else []

    def rounds(self) -> list[RoundFinished]:
        return [event for event in self.events() if isinstance(event, RoundFinished)]

    def until(self, holds: Callable[[], bool], timeout_s: float, what: str = "it") -> float:
        """Wait; returns the seconds that it took. NetworkError after the time, or if the run failed."""
        started = time.monotonic()
        while not holds():
            if self.progress.phase == "failed":
                raise NetworkError(f"the run failed: {self.progress.text}")
            if time.monotonic() - started > timeout_s:
                raise NetworkError(f"{what} did not come about in {timeout_s:g} s; {self.progress}; hub: {self.state.hub}")
            time.sleep(0.004)  # short enough to see a checkpoint being written
        return time.monotonic() - started

    def finish(self, timeout_s: float = 300.0) -> RunFolder:
        """Wait until the run is over."""
        self.until(lambda: self.progress.phase in ("finished", "stopped"), timeout_s, "the end of the run")
        return self.run

    def _join(self, site: str, data: Path) -> SiteFolder:
        folder = kits.join(self.study.path / "invitations" / f"{site}.invitation", self.out / site)
        kits.accept(folder, kits.admit(self.study, kits.request_file(folder)))
        folder.change(data=str(data))
        write_template(folder.limits_file)
        Approvals(folder.approvals_file).approve(folder.plan_file.read_text(encoding="utf-8"), by="rehearsal")
        return folder

    def _run(self, name: str, *arguments: str) -> None:
        with (self.out / f"{name}.log").open("ab") as log:
            program = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       env={**os.environ, **self.environment}, start_new_session=True)
        self._programs.callback(_end, program)


def _end(program: subprocess.Popen[bytes]) -> None:
    program.send_signal(signal.SIGTERM)
    try:
        program.wait(30)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _is(process: psutil.Process, part: Part, place: str) -> bool:
    try:
        words: Sequence[str] = process.cmdline()
    except psutil.Error:
        return False
    is_part = "start" in words if part == "host" else any(WORDS[part] in word for word in words)
    return is_part and any(word == place or word.startswith(place + "/") for word in words)


def free_ports() -> int:
    """A port of this machine that is free, and so is the one after it."""
    for port in _ports():
        with suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise NetworkError("no two free ports were found on this machine")


def _ports() -> Iterator[int]:
    """Below those that the system gives to outgoing connections."""
    start = 20000 + os.getpid() % 5000
    yield from range(start, start + 5000, 2)
