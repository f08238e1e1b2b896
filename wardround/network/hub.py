"""The hub of a study: it keeps NVFLARE's server running, and gives it one job after another until the run is over.

NVFLARE's job states are not trusted: a job whose server died is RUNNING for ever in its list. What counts is whether the server lives,
whether the job's own record has ended, and what the run's folder says. The hub may be killed at any moment and started again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from wardround.errors import NetworkError, Resumable, WardroundError
from wardround.extras import need
from wardround.network import authority
from wardround.network.approved import parsed
from wardround.network.auditlog import AuditLog
from wardround.network.control import OVER, Control, Hub, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.jobs import write_job
from wardround.network.patience import Patience
from wardround.network.pulse import Pulse
from wardround.network.servant import Servant, end_all, is_listening, obstacle, settings
from wardround.network.startup import LOG_BYTES, STUDY, coordinator_of, write_admin, write_server
from wardround.network.watchman import SERVER_ROUTINE, Watchman
from wardround.runs.alone import alone

log = logging.getLogger(__name__)

TICK_S, ASK_S = 0.3, 1.0  # between turns: while a job is to be begun, and else: NVFLARE logs whatever it is asked
COME_S = 20.0  # for a server that listens to let the hub in
HUNG_S = 180.0  # a server that has not answered for so long is started anew
COMPLETED = "FINISHED:COMPLETED"
SERVER = "nvflare.private.fed.app.server.server_train"


class StudyHub:
    """One for each study; `serve` returns when the run is over or paused for good by a signal."""

    def __init__(self, study: StudyFolder) -> None:
        need("nvflare", extra="network", purpose="a study over a network")
        study = StudyFolder(study.path.resolve())  # NVFLARE's processes work in folders of their own, and are found by this one
        self.study, self.state, self.record = study, State(study), study.record()
        self.audit = AuditLog(study.audit_file)
        self._session: Any = None
        self._job = ""
        self._submission = ""  # a job that was submitted and not answered for
        self._patience = Patience(self.state.progress)
        self._pulse = Pulse()
        self._name, self._num_jobs, self._next_at = secrets.token_hex(4), 0, 0.0
        self._heard_at = time.monotonic()  # when the server last answered
        self._said = ""  # the last thing in the log, which is not said again and again
        self._is_told_to_end = False
        self._server = Servant(module=SERVER, workspace=study.server, output=study.state / "server.log",
                               arguments=("-s", "fed_server.json", "--set", "secure_train=true", "config_folder=config",
                                          f"org={self.record['name']}"),
                               environment=settings(**{STUDY: str(study.path)}))

    def serve(self, *, stays: bool = False) -> None:
        """Run the study. stays: go on serving when the run is over, for a service that is started with the machine."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        with ExitStack() as stack:
            try:
                stack.enter_context(alone(self.study.state))
            except Resumable as error:
                raise NetworkError(f"another hub serves the study in {self.study.path}: see wardround study status") from error
            stack.callback(self._close)
            end_all(self.study.server)
            self.audit.write("hub-started", pid=os.getpid())
            watchman = Watchman(self.study.server, self.audit, SERVER_ROUTINE)
            while not self._is_told_to_end and (stays or not self._is_over()):
                watchman.look()
                self._turn()
                time.sleep(TICK_S if self.state.control.want == "run" and not self._job else ASK_S)
            self.audit.write("hub-ended")

    def _prepare(self) -> None:
        """NVFLARE's files anew, so that nobody's edits of them count, and nothing left of earlier servers: no process and no job."""
        self.record = self.study.record()
        authority.refresh(self.study)
        end_all(self.study.server)
        shutil.rmtree(self.study.server / "storage", ignore_errors=True)
        asked = self.study.server / "audit.log"  # of NVFLARE, which keeps it without end
        if asked.exists() and asked.stat().st_size > LOG_BYTES:
            asked.replace(asked.with_name("audit.log.1"))
        write_server(self.study)
        write_admin(self.study)
        self.state.boundary.unlink(missing_ok=True)

    def _turn(self) -> None:
        """Look, and do what is due."""
        if self._server.has_died():
            self._lost("the server died")
        if self._server.is_due:
            self._prepare()
            if why := self._obstacle():
                if self._is_news(why):
                    log.warning("%s", why)
                self._see({}, why)
                return
            self._server.start()
            self._heard_at = time.monotonic()
        try:
            connected = self._connected()
            self._heard_at, self._said = time.monotonic(), ""
            self._job_turn(connected)
        except WardroundError as error:
            self._see({}, str(error))
        except Exception as error:  # of NVFLARE's session: the job may well go on, and another session finds it
            if self._is_news(type(error).__name__):
                log.warning("the server did not answer", exc_info=True)
            self._close_session()
            self._see({}, f"waiting for the server to answer ({type(error).__name__}: see {self.study.state / 'hub.log'})")
        if self._server.pid is not None and time.monotonic() - self._heard_at > HUNG_S:
            self._server.end()
            self._lost(f"the server did not answer for {HUNG_S:g} s")

    def _obstacle(self) -> str:
        """What keeps the server from opening its ports, and what to do. NVFLARE itself would try for ever and say nothing."""
        if why := obstacle(self.record["host"], self.record["port"]):
            return (f"{why}, and hospitals reach this study there. End that program (which it is: ss -ltnp), or set another port in "
                    f"{self.study.path / 'study.json'} and send every site a new kit: wardround study admit")
        if why := obstacle("127.0.0.1", self.record["admin_port"]):
            return (f"{why}, perhaps another study, and this study is steered there. End that program (which it is: ss -ltnp), or set "
                    f"another admin_port in {self.study.path / 'study.json'}")
        return ""

    def _job_turn(self, connected: Mapping[str, float]) -> None:
        control, progress = self.state.control, self.state.progress
        if self._job:
            if fate := self._fate():
                self._judge(waits=self._waits(fate, connected))
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
        """Submit a job. If the answer is lost the same is submitted again, for which NVFLARE has but one job."""
        if not self._submission:
            self.state.boundary.unlink(missing_ok=True)
            self.state.take(sorted(connected))
            write_job(self.state.job, sorted(connected))
            self._num_jobs += 1
            self._submission = f"{self._name}-{self._num_jobs}"
        self._job = self._session.submit_job(str(self.state.job), submit_token=self._submission)
        self._submission = ""
        self.audit.write("job", number=self._num_jobs, id=self._job, sites=sorted(self.state.members))

    def _back(self, connected: Mapping[str, float]) -> list[str]:
        """Sites that are there and not in the job: connected since, or with a program that was started anew."""
        members = self.state.members
        return sorted(site for site in connected if site not in members or self.state.came_in_at(site) != members[site])

    def _fate(self) -> str:
        """How NVFLARE says that the job ended, "over" if the run says that it is, "" while it runs."""
        from nvflare.fuel.flare_api.api_spec import JobNotFound

        try:
            status = str(self._session.get_job_meta(self._job).get("status", ""))
        except JobNotFound:
            return "unknown"
        return status if status.startswith("FINISHED") else "over" if self._is_over() else ""

    def _waits(self, fate: str, connected: Mapping[str, float]) -> bool:
        """Whether the job ended for want of sites: it said so, or one of its own has gone."""
        has_said = fate == COMPLETED and self.state.progress.phase == "waiting"
        members = self.state.members
        return has_said or any(site not in connected or site in self._back(connected) for site in members)

    def _judge(self, *, waits: bool) -> None:
        """The job is over: how soon is the next one due, if at all?"""
        progress, job = self.state.progress, self._job
        self.audit.write("job-ended", number=self._num_jobs, phase=progress.phase, text=progress.text)
        self._job = ""
        self._next_at = time.monotonic() + self._patience.judge(progress, waits=waits)
        if self._patience.is_over and not self._is_over():
            text = (f"{self._patience.num_vain} jobs in a row ended and brought the run no further. Why, is in "
                    f"{self.study.server / job / 'log.txt'}, in {self.study.state / 'server.log'}, and at each site in flare/*/log.txt and "
                    f"state/worker.log. When that is mended: wardround study resume {self.study.path}")
            self._patience.renew()
            self.audit.write("gave-up", text=text)
            self.state.tell(replace(progress, phase="failed", text=text))

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
        beats = {client.name: float(client.last_connect_time) for client in self._session.get_connected_client_list()}
        return self._pulse.living({site: at for site, at in beats.items() if site in self.record["sites"]})

    def _opened(self) -> Any:
        from nvflare.fuel.flare_api.flare_api import new_secure_session

        if not is_listening("127.0.0.1", self.record["admin_port"]):
            raise NetworkError("the server is starting")
        with contextlib.redirect_stdout(sys.stderr):
            return new_secure_session(coordinator_of(self.record["name"]), str(self.study.admin), timeout=COME_S)

    def _lost(self, why: str) -> None:
        """The server is another one now: its session and job are gone, whatever its list says."""
        self._submission = ""
        if self._job:
            self.audit.write("job-lost", number=self._num_jobs, why=why)
            self._judge(waits=False)
        self._close_session()

    def _close_session(self) -> None:
        if self._session is not None:
            with contextlib.suppress(Exception):
                self._session.close()
        self._session = None

    def _is_news(self, text: str) -> bool:
        """Whether the log does not say so already: it would at every turn."""
        is_news, self._said = text != self._said, text
        return is_news

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
    code = 0
    try:
        StudyHub(StudyFolder(Path(sys.argv[1]))).serve(stays="--stays" in sys.argv[2:])
    except WardroundError as error:
        log.error("%s", error)
        code = error.exit_code
    except Exception:
        log.exception("the hub has failed")
        code = 1
    os._exit(code)  # a session of NVFLARE leaves threads that never end, and a hub that failed must not seem to be there


if __name__ == "__main__":
    main()
