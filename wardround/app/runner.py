"""Training outside of the window: each job is the very command that the page shows, in a process group of its own.

A job leaves its folder (JOBS below the runs): job.json, events.jsonl (what `--events` writes), output.txt. The process and its workers
hold a lock on job.json's neighbour for as long as they live, so that a window opened later knows whether the job still runs, whatever
its process number is worth by then. Where there are no such locks (Windows) only jobs of this window are known to run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from wardround.app.views.live import Live
from wardround.core.events import Event, from_record
from wardround.errors import WardroundError

State = Literal["running", "paused", "stopping", "stopped", "failed", "finished"]

JOBS = ".jobs"
TICK_MS = 250  # between looks at what jobs have written
TAIL = 4000  # characters of output that are kept as last words
TOLD = ("run", "compare", "demo")  # commands with --events
RESUMABLE = 6  # exit code of a stop that can be resumed (errors.py)


class Job(QObject):
    """A command at work, or the record of one. results: the folder of the run or comparison that it makes."""

    changed = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self._record: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        self._process: subprocess.Popen[bytes] | None = None
        self._place = 0  # in events.jsonl
        self._live: Live | None = None
        self.state: State = "stopped"

    @staticmethod
    def make(folder: Path, argv: Sequence[str], title: str, results: Path, parent: QObject | None = None) -> Job:
        """A new job's folder; nothing runs yet."""
        folder.mkdir(parents=True)
        record = {"argv": list(argv), "title": title, "results": str(results), "started": time.time(), "is_paused": False,
                  "asked_to_stop": False}
        (folder / "job.json").write_text(json.dumps(record), encoding="utf-8")
        return Job(folder, parent)

    @property
    def title(self) -> str:
        return str(self._record["title"])

    @property
    def results(self) -> Path:
        return Path(self._record["results"])

    @property
    def started(self) -> float:
        return float(self._record["started"])

    @property
    def command(self) -> str:
        return shlex.join(["wardround", *self.argv])

    @property
    def argv(self) -> list[str]:
        """The command without the program's name."""
        return list(self._record["argv"])

    @property
    def kind(self) -> str:
        """The command's name, e.g. "compare"."""
        return self.argv[0]

    @property
    def live(self) -> Live:
        """What the events add up to. Those of a job that had ended before are read when somebody asks: there may be many such jobs."""
        if self._live is None:
            self._live = Live()
            self._live.feed(self._new_events())
        return self._live

    @property
    def pid(self) -> int:
        """Of the command's process, which leads its group; 0 before it was started."""
        return int(self._record.get("pid", 0))

    @property
    def is_alive(self) -> bool:
        return self.state in ("running", "paused", "stopping")

    @property
    def last_words(self) -> str:
        """The end of what the command has written."""
        try:
            with (self.folder / "output.txt").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def launch(self) -> None:
        """Start the command, or start it again: it goes on from its last checkpoint."""
        argv = self.argv
        if self.kind in TOLD:
            argv += ["--events", str(self.folder / "events.jsonl")]
        self._note(is_paused=False, asked_to_stop=False)
        with (self.folder / "lock").open("w") as lock, (self.folder / "output.txt").open("ab") as output:
            held = _lock(lock)
            self._process = subprocess.Popen([sys.executable, "-m", "wardround", *argv], stdin=subprocess.DEVNULL, stdout=output,
                                             stderr=subprocess.STDOUT, start_new_session=True, pass_fds=(lock.fileno(),) if held else (),
                                             env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "160"})
            self._note(pid=self._process.pid)
        self._become("running")

    resume = launch

    @property
    def can_pause(self) -> bool:
        return hasattr(signal, "SIGSTOP")

    def pause(self) -> None:
        """Hold all its processes where they are: cores are free at once, memory stays in use."""
        self._signal_group("SIGSTOP")
        self._note(is_paused=True)
        self._become("paused")

    def go_on(self) -> None:
        """Go on after a pause."""
        self._signal_group("SIGCONT")
        self._note(is_paused=False)
        self._become("running")

    def stop(self) -> None:
        """End it after its last whole round is saved; `resume` goes on from there."""
        self._note(asked_to_stop=True, is_paused=False)
        self._signal_group("SIGCONT")
        if self.pid:  # 0 would mean this process's own group
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)  # its command ends its workers, with a checkpoint
        self._become("stopping")

    def look(self) -> None:
        """See whether it still runs, and read what was written since the last look."""
        is_running = self._is_running()
        if (is_running or self._live is not None) and (events := self._new_events()):
            self.live.feed(events)
            self.changed.emit()
        if is_running:
            paused, stopping = self._record["is_paused"], self._record["asked_to_stop"]
            self._become("paused" if paused else "stopping" if stopping else "running")
        else:
            self._become(self._end())

    def _end(self) -> State:
        code = None if self._process is None else self._process.returncode
        if code == 0 or (code is None and self._has_results()):
            return "finished"
        return "stopped" if self._record["asked_to_stop"] or code == RESUMABLE else "failed"

    def _has_results(self) -> bool:
        written = {"run": "scores.json", "audit": "audit.json"}.get(self.kind, "compare.json")
        path = self.results / written
        return path.exists() and path.stat().st_mtime >= self.started - 1

    def _is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return _is_held(self.folder / "lock")

    def _new_events(self) -> list[Event]:
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                file.seek(self._place)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        return [event for line in whole.splitlines() if (event := _event(line)) is not None]

    def _signal_group(self, name: str) -> None:
        if self.pid:
            with suppress(ProcessLookupError, AttributeError):  # it has ended, or this system has no process groups
                os.killpg(self.pid, getattr(signal, name))

    def _note(self, **facts: Any) -> None:
        self._record |= facts
        part = self.folder / "job.json.part"
        part.write_text(json.dumps(self._record), encoding="utf-8")
        part.replace(self.folder / "job.json")

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.changed.emit()


class Jobs(QObject):
    """All jobs of a folder of runs, those of earlier windows too."""

    changed = Signal()

    def __init__(self, runs: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = runs / JOBS
        self._jobs = [job for path in sorted(self._folder.glob("*/job.json")) if (job := self._known(path.parent)) is not None]
        for job in self._jobs:
            job.look()
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def all(self) -> list[Job]:
        """Newest first."""
        return sorted(self._jobs, key=lambda job: -job.started)

    def start(self, argv: Sequence[str], title: str, results: Path) -> Job:
        """Start a command of wardround; argv without the program's name. It takes the place of an ended job that said the same.

        WardroundError if something is at work on these results already."""
        if any(job.is_alive and job.results == results for job in self._jobs):
            raise WardroundError(f"{results} is being worked on already. Wait for it on the page Run, or stop it there.")
        for job in [job for job in self._jobs if job.argv == list(argv)]:
            self.forget(job)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        job = Job.make(self._folder / name, argv, title, results, self)
        self._jobs.append(job)
        job.changed.connect(self.changed)
        job.launch()
        self.changed.emit()
        return job

    def forget(self, job: Job) -> None:
        """Take an ended job out of the list; its results stay."""
        if not job.is_alive:
            self._jobs.remove(job)
            for path in job.folder.iterdir():
                path.unlink()
            job.folder.rmdir()
            self.changed.emit()

    def look(self) -> None:
        """See what the jobs have done since the last look."""
        for job in self._jobs:
            if job.is_alive:
                job.look()

    def _known(self, folder: Path) -> Job | None:
        """The job of an earlier window; None if its record is damaged."""
        try:
            job = Job(folder, self)
            if not job.command or not job.title or job.started > time.time():
                return None
        except (OSError, ValueError, LookupError, TypeError):
            return None
        job.changed.connect(self.changed)
        return job


def _event(line: bytes) -> Event | None:
    """An event of the stream; None for a line of another version."""
    try:
        return from_record(json.loads(line))
    except (ValueError, WardroundError):
        return None


def _lock(file: IO[str]) -> bool:
    """Hold the file for this process and those that inherit it; False if somebody does already, or there are no such locks here."""
    try:
        fcntl = importlib.import_module("fcntl")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ModuleNotFoundError, OSError):
        return False
    return True


def _is_held(path: Path) -> bool:
    """Whether some process holds the file; False where there are no such locks."""
    if importlib.util.find_spec("fcntl") is None or not path.exists():
        return False
    with path.open("a") as file:
        return not _lock(file)
