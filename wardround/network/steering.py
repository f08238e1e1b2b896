"""How the coordinator's commands steer a study: they write down what is wanted, see that a hub runs, and wait until it is so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wardround.errors import NetworkError
from wardround.extras import need
from wardround.network.approval import login_name, plan_hash
from wardround.network.auditlog import AuditLog
from wardround.network.control import OVER, Progress, State, Want
from wardround.network.folders import StudyFolder
from wardround.network.status import PHASES, Status, is_alive, look
from wardround.runs.folder import RunFolder

HUB = "wardround.network.hub"
HUB_S = 90.0  # until a hub that was started has looked for the first time
LOOK_S = 0.5
LOG_LINES = 6  # of the hub's log, in an error

Show = Callable[[Status], None]


def number_of(study: StudyFolder, wait_for: str) -> int:
    """"all" or a number -> how many sites must be ready before round 1; NetworkError for what cannot be."""
    num_sites = len(study.record()["sites"])
    if wait_for == "all":
        return num_sites
    if not wait_for.isdecimal() or not 1 <= int(wait_for) <= num_sites:
        raise NetworkError(f"--wait-for {wait_for}: give 'all', or a number from 1 to {num_sites}, for the study has so many sites")
    return int(wait_for)


def begin(study: StudyFolder, *, wait_for: int, with_local: bool) -> None:
    """The run shall go on, or begin. NetworkError if it is over: test images are read once."""
    state = State(study)
    _clear(study, state)
    state.want(want="run", wait_for=wait_for, with_local=with_local)
    _log(study, "run", wait_for=wait_for, with_local=with_local)


def go_on(study: StudyFolder) -> None:
    """As `begin`, with what was wanted of it before."""
    state = State(study)
    begin(study, wait_for=state.control.wait_for, with_local=state.control.with_local)


def serve(study: StudyFolder, *, wait_for: int, with_local: bool) -> None:
    """Become the study's hub, for a service that is started with the machine. Does not return.

    A study that was paused or is over is served and left so: a machine that starts again wakes nothing."""
    need("nvflare", extra="network", purpose="a study over a network")
    state = State(study)
    if state.control.want == "run" and state.progress.phase not in OVER:
        begin(study, wait_for=wait_for, with_local=with_local)
    command = [*_command(study), "--stays"]
    os.execv(command[0], command)


def see_to_hub(study: StudyFolder, *, timeout_s: float = HUB_S) -> None:
    """Start the study's hub unless it runs, and return when it has looked around. NetworkError with what it said if it ends."""
    need("nvflare", extra="network", purpose="a study over a network")
    state, asked_at = State(study), time.time()
    log_file = _log_file(study)
    start = log_file.stat().st_size if log_file.exists() else 0
    process: subprocess.Popen[bytes] | None = None
    while time.time() < asked_at + timeout_s:
        hub = state.hub
        is_there = _has_hub(state)
        if hub is not None and is_there and hub.at > asked_at:
            return
        if process is not None and process.poll() is not None:
            raise NetworkError(f"the study's hub ended at once. {_last_words(study, start)}")
        if not is_there and process is None:
            process = _started(study)
        time.sleep(LOOK_S / 5)
    raise NetworkError(f"the study's hub has not answered for {timeout_s:g} s. {_last_words(study)}")


def follow(study: StudyFolder, show: Show) -> Status:
    """Look again and again until the run is over. NetworkError if the hub dies meanwhile."""
    while True:
        found = look(study)
        show(found)
        if found.is_over:
            return found
        if not found.is_served:
            raise NetworkError(f"the study's hub does not run any more. {_last_words(study)} The study goes on where it was: "
                               f"wardround study resume {study.path}")
        time.sleep(LOOK_S)


def rest(study: StudyFolder, want: Want, *, timeout_s: float) -> Status:
    """Want "pause" or "stop", and wait until it is so; NetworkError says what it still waits for, and the wish stands."""
    state, asked_at = State(study), time.time()
    if state.progress.phase in OVER:
        raise NetworkError(f"the study's run is over already ({state.progress.phase}). Its results: wardround study results {study.path}")
    state.want(want=want)
    _log(study, want)
    has_model = want == "stop" and state.progress.round > 0
    if has_model and not _has_hub(state):
        see_to_hub(study)  # which has the best round tested
    while True:
        found = look(study)
        if found.is_over or (found.phase == "paused" and want == "pause") or (not has_model and _is_idle(state, asked_at)):
            break
        if time.time() > asked_at + timeout_s:
            at = f", round {found.round} of {found.num_rounds}" if found.num_rounds else ""
            raise NetworkError(f"not so yet, after {timeout_s:g} s: the study is {PHASES[found.phase]}{at}, and rests when the round ends "
                               f"that has begun. The wish stands; look again: wardround study status {study.path}")
        time.sleep(LOOK_S)
    if want == "stop" and not found.is_over:  # no job will do it
        state.tell(replace(state.progress, phase="stopped", text="before the first round"))
    return look(study)


def _is_idle(state: State, asked_at: float) -> bool:
    """Whether no job runs, and none will: the hub knows the wish, or there is no hub."""
    hub = state.hub
    return hub is None or not _has_hub(state) or (hub.at > asked_at + LOOK_S and not hub.job)


def _has_hub(state: State) -> bool:
    hub = state.hub
    return hub is not None and is_alive(hub.pid, hub.at)


def _clear(study: StudyFolder, state: State) -> None:
    """Make way for a run: of another plan, or one that was stopped or failed before it was tested."""
    progress = state.progress
    if not progress.run.endswith(plan_hash(study.plan_file.read_text(encoding="utf-8"))[:8]):  # another plan's, or none yet
        state.tell(Progress())
        return
    is_tested = RunFolder(study.runs / progress.run).is_finished
    if progress.phase in ("finished", "stopped") and is_tested:
        raise NetworkError(f"the study's run is over and was tested, and test images are read once. Its results: wardround study results "
                           f"{study.path}. Another run needs another plan, which sites approve: wardround study plan PLAN {study.path}")
    if progress.phase in OVER:
        state.tell(replace(progress, phase="handover", text="goes on"))


def _command(study: StudyFolder) -> list[str]:
    return [sys.executable, "-P", "-m", HUB, str(study.path.absolute())]  # -P: modules are not looked for in the working folder


def _started(study: StudyFolder) -> subprocess.Popen[bytes]:
    """A hub that lives on when this command ends."""
    with _log_file(study).open("ab") as output:
        return subprocess.Popen(_command(study), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def _log_file(study: StudyFolder) -> Path:
    return study.state / "hub.log"


def _last_words(study: StudyFolder, start: int = 0) -> str:
    """The end of the hub's log, of what was written after its first so many bytes."""
    path = _log_file(study)
    said = path.read_bytes()[start:].decode(errors="replace").splitlines()[-LOG_LINES:] if path.exists() else []
    return "\n  ".join([f"The end of {path}:", *said]) + "\n" if said else f"{path} says nothing."


def _log(study: StudyFolder, want: Want, **facts: object) -> None:
    AuditLog(study.audit_file).write("wanted", want=want, by=login_name(), **facts)
