"""The hub of a study: it keeps NVFLARE's server running, and gives it one job after another until the run is over.

NVFLARE's job states are not trusted: a job whose server died is RUNNING for ever in its list. What counts is whether the server lives,
whether the job's own record has ended, and what the run's folder says. The hub may be killed at any moment and started again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from wardround.errors import NetworkError, WardroundError
from wardround.extras import need
from wardround.network import authority
from wardround.network.approved import parsed
from wardround.network.auditlog import AuditLog
from wardround.network.control import OVER, Control, Hub, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.jobs import write_job
from wardround.network.servant import Servant, end_all, is_listening, settings
from wardround.network.startup import DEAD_AFTER_S, coordinator_of, write_admin, write_server
from wardround.network.watchman import SERVER_ROUTINE, Watchman
from wardround.runs.alone import alone

log = logging.getLogger(__name__)

TICK_S = 0.3
COME_S = 60.0  # for the server to answer
SOON_S, LATE_S = 1.0, 30.0  # between jobs that fail without a round: first and last
SERVER = "nvflare.private.fed.app.server.server_train"


class StudyHub:
    """One for each study; `serve` returns when the run is over or paused for good by a signal."""

    def __init__(self, study: StudyFolder) -> None:
        need("nvflare", extra="network", purpose="a study over a network")
        self.study, self.state, self.record = study, State(study), study.record()
        self.audit = AuditLog(study.audit_file)
        self._session: Any = None
        self._job = ""
        self._members: frozenset[str] = frozenset()  # sites of the running job
        self._num_jobs, self._num_vain, self._next_at = 0, 0, 0.0
        self._round = -1
        self._is_told_to_end = False
        self._server = Servant(module=SERVER, workspace=study.server.absolute(), output=study.state / "server.log",
                               arguments=("-s", "fed_server.json", "--set", "secure_train=true", "config_folder=config",
                                          f"org={self.record['name']}"),
                               environment=settings(WARDROUND_STUDY=str(study.path.absolute())))

    def serve(self, *, stays: bool = False) -> None:
        """Run the study. stays: go on serving when the run is over, for a service that is started with the machine."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        with ExitStack() as stack:
            stack.enter_context(alone(self.study.state))
            self._prepare()
            stack.callback(self._close)
            self.audit.write("hub-started", pid=os.getpid())
            watchman = Watchman(self.study.server, self.audit, SERVER_ROUTINE)
            while not self._is_told_to_end and (stays or not self._is_over()):
                watchman.look()
                self._turn()
                time.sleep(TICK_S)
            self.audit.write("hub-ended")

    def _prepare(self) -> None:
        """NVFLARE's files anew, so that nobody's edits of them count, and nothing left of earlier servers."""
        authority.refresh(self.study)
        end_all(self.study.server.absolute())
        shutil.rmtree(self.study.server / "storage", ignore_errors=True)
        write_server(self.study)
        write_admin(self.study)
        self.state.boundary.unlink(missing_ok=True)

    def _turn(self) -> None:
        """Look, and do the one thing that is due."""
        if self._server.keep():
            self._lost("the server was started")
        try:
            connected = self._connected()
            self._job_turn(connected)
        except WardroundError as error:
            self._see({}, str(error))
        except Exception as error:
            log.warning("the server did not answer", exc_info=True)
            self._lost(f"the server does not answer ({type(error).__name__})")
            self._see({}, "waiting for the server to answer")

    def _job_turn(self, connected: Mapping[str, float]) -> None:
        control, progress = self.state.control, self.state.progress
        if self._job:
            if self._has_ended():
                self._judge()
            elif back := self._back(connected):
                self._want_boundary("sites that came back: " + ", ".join(back))
            self._see(connected, f"job {self._num_jobs} is running")
        elif self._is_due(control, progress):
            needed = 1 if control.want == "stop" else max(self._min_sites(), control.wait_for if progress.round == 0 else 1)
            if len(connected) >= needed:
                self._submit(connected)
            self._see(connected, f"{len(connected)} of {len(self.record['sites'])} sites are connected, {needed} are needed")
        else:
            self._see(connected, "paused" if control.want == "pause" else "between two jobs")

    def _is_due(self, control: Control, progress: Progress) -> bool:
        """Whether a job is to be submitted. Of a study that was stopped: one more, which tests the best round that there is."""
        is_wanted = control.want == "run" or (control.want == "stop" and progress.round > 0)
        return is_wanted and not self._is_over() and time.monotonic() >= self._next_at

    def _min_sites(self) -> int:
        return parsed(self.study.plan_file.read_text(encoding="utf-8")).cohort.min_sites

    def _submit(self, connected: Mapping[str, float]) -> None:
        self.state.boundary.unlink(missing_ok=True)
        self._members = frozenset(connected)
        self._round = self.state.progress.round
        folder = write_job(self.state.job, sorted(self._members))
        self._job = self._session.submit_job(str(folder))
        self._num_jobs += 1
        self.audit.write("job", number=self._num_jobs, id=self._job, sites=sorted(self._members))

    def _back(self, connected: Mapping[str, float]) -> list[str]:
        """Sites that are there and not in the job: connected since, or with a program that was started anew."""
        submitted_at = self.state.job.stat().st_mtime
        return sorted(site for site in connected if site not in self._members or self.state.came_in_at(site) > submitted_at)

    def _has_ended(self) -> bool:
        status = str(self._session.get_job_meta(self._job).get("status", ""))
        return status.startswith("FINISHED") or self.state.progress.phase in OVER

    def _judge(self) -> None:
        """The job is over: how soon is the next one due?"""
        progress = self.state.progress
        self.audit.write("job-ended", number=self._num_jobs, phase=progress.phase, text=progress.text)
        self._job = ""
        moved = progress.round > self._round or progress.phase in ("handover", "paused")
        self._num_vain = 0 if moved else self._num_vain + 1
        self._next_at = time.monotonic() + (SOON_S if moved else min(LATE_S, SOON_S * 2**self._num_vain))

    def _want_boundary(self, why: str) -> None:
        if not self.state.boundary.exists():
            self.state.boundary.write_text(why)
            self.audit.write("boundary", why=why)

    def _is_over(self) -> bool:
        return self.state.progress.phase in OVER

    def _connected(self) -> dict[str, float]:
        """The study's sites whose heart beat lately, and when it did."""
        if self._session is None:
            self._session = self._opened()
        now = time.time()
        found = {client.name: float(client.last_connect_time) for client in self._session.get_connected_client_list()}
        return {site: at for site, at in found.items() if site in self.record["sites"] and now - at < DEAD_AFTER_S}

    def _opened(self) -> Any:
        from nvflare.fuel.flare_api.flare_api import new_secure_session

        if not is_listening("127.0.0.1", self.record["admin_port"]):
            raise NetworkError("the server is starting")
        with contextlib.redirect_stdout(sys.stderr):
            return new_secure_session(coordinator_of(self.record["name"]), str(self.study.admin.absolute()), timeout=COME_S)

    def _lost(self, why: str) -> None:
        """The server is another one now: its session and job are gone, whatever its list says."""
        if self._job:
            self.audit.write("job-lost", number=self._num_jobs, why=why)
            self._judge()
        self._close_session()

    def _close_session(self) -> None:
        if self._session is not None:
            with contextlib.suppress(Exception):
                self._session.close()
        self._session = None

    def _see(self, connected: Mapping[str, float], text: str) -> None:
        self.state.see(Hub(pid=os.getpid(), text=text, connected=dict(connected), jobs=self._num_jobs, job=self._job))

    def _end(self, number: int, frame: object) -> None:
        self._is_told_to_end = True

    def _close(self) -> None:
        """Nothing of the hub stays behind; the run's folder has all that is needed to go on."""
        if self._job and self._session is not None and not self._is_over():
            with contextlib.suppress(Exception):
                self._session.abort_job(self._job)
        self._close_session()
        self._server.end()


def main() -> None:
    """python -m wardround.network.hub STUDY [--stays]"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    StudyHub(StudyFolder(Path(sys.argv[1]))).serve(stays="--stays" in sys.argv[2:])
    os._exit(0)  # a session of NVFLARE leaves threads that never end


if __name__ == "__main__":
    main()
