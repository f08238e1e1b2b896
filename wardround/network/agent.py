"""A site's side of an order: what is asked is checked, done by the worker process, and logged.

The agent lives in NVFLARE's job process, which must stay small and must not die: no torch here, and whatever goes wrong is a reply.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from wardround.errors import NetworkError, PlanError, WardroundError
from wardround.fleet.header import MAX_BYTES as MAX_BYTES
from wardround.fleet.header import Header, header_of
from wardround.network.approval import Approvals, plan_hash
from wardround.network.approved import approved_plan, parsed
from wardround.network.auditlog import AuditLog
from wardround.network.child import Child, Ended, TooLong
from wardround.network.envelope import NOBODY, REFUSED, Envelope, failure
from wardround.network.folders import SiteFolder
from wardround.network.policy import MB, Limits, Work, limits_of, refusal, too_large
from wardround.network.reasons import Refusal, reason_of
from wardround.plan.schema import Plan
from wardround.runs.folder import write_text

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "wardround.network.worker")  # -P: modules are not looked for in the working folder
HELLO, FAILED = "Hello", "SiteFailed"
WORK: Mapping[str, Work] = {HELLO: "other", "EvaluateOrder": "other", "TestOrder": "other", "Deliver": "other", "LocalOrder": "local",
                             "SecureOrder": "other"}  # of a secure sum's steps the order to train keeps to hours and cohort
NEVER_S = 10.0**7  # the deadline of an order that has none
MAX_PLAN = 2**18  # characters of a plan that is offered


class SiteAgent:
    """Answers the requests of one job, one at a time; `stop` may come from another thread."""

    def __init__(self, folder: SiteFolder, *, command: Sequence[str] | None = None) -> None:
        """command: what starts the worker instead of COMMAND."""
        self.folder = folder
        self.site = str(folder.record()["site"])
        self._approvals = Approvals(folder.approvals_file)
        self._audit = AuditLog(folder.audit_file)
        self._child = Child(command or COMMAND, folder.path, log_file=folder.state / "worker.log")
        self._nonces: set[str] = set()
        self._one = threading.Lock()

    def answer(self, data: bytes) -> bytes:
        """The reply to a request, always of a kind that the server knows; SiteFailed says what was not done, and why."""
        with self._one:
            envelope = replace(NOBODY, site=self.site)
            try:
                header = header_of(memoryview(data), MAX_BYTES)
                envelope = Envelope.of(header.head.envelope)
                reply = self._done(header, envelope, data)
                self._log_sent(reply)
                return reply
            except Exception as error:
                log.warning("a request of the server failed", exc_info=True)
                return self._failed(envelope, error)

    def warm(self) -> None:
        """Start the worker: the first order will come."""
        self._child.warm()

    def stop(self) -> None:
        """End what is being done, at once: the job was aborted."""
        self._child.stop()

    def close(self) -> None:
        """The job is over: the worker ends, whatever it does."""
        self._child.close()

    @property
    def worker_pid(self) -> int | None:
        """Of the worker process; None if there is none at present."""
        return self._child.pid

    def _done(self, header: Header, envelope: Envelope, data: bytes) -> bytes:
        """Check the request, log it, have it done. Refusal says what is wrong with it."""
        limits = limits_of(self.folder.limits_file)
        if envelope.site != self.site:
            raise Refusal(f"this is for site '{envelope.site}', and here is '{self.site}'. Have sites changed their kits?")
        if envelope.nonce in self._nonces:
            raise Refusal(f"this request (nonce {envelope.nonce[:8]}...) came before: a replay, or a server that repeats itself.")
        plan = self._approved(header, envelope)
        if cause := too_large(limits, len(data), "in") or _beyond(limits, plan, envelope, header.head.kind):
            raise Refusal(cause)
        self._nonces.add(envelope.nonce)
        self._audit.write("order", kind=header.head.kind, run=envelope.run, round=envelope.round, bytes=len(data))
        return self._by_worker(header.head.kind, envelope, data, limits)

    def _approved(self, header: Header, envelope: Envelope) -> Plan:
        """The approved plan that the envelope names; a plan that is offered and not approved is put where the site looks at it."""
        if header.head.kind == HELLO:
            self._offered(header.fields, envelope)
        return approved_plan(self._approvals, envelope.plan, self.site)

    def _offered(self, fields: Mapping[str, Any], envelope: Envelope) -> None:
        """Check that the plan of a Hello is the one that its envelope names, and keep it for approval if it is new."""
        text = fields.get("plan")
        if not isinstance(text, str) or len(text) > MAX_PLAN:
            raise Refusal(f"a Hello brings a plan of at most {MAX_PLAN} characters")
        if plan_hash(text) != envelope.plan:
            raise Refusal(f"the plan that came is not {envelope.plan[:8]}..., which the envelope names: it was changed on the way.")
        if self._approvals.is_approved(envelope.plan):
            return
        try:
            parsed(text)
        except PlanError as error:
            raise Refusal(f"the plan that came is none: {error}") from error
        if not self.folder.plan_file.exists() or self.folder.plan_file.read_text() != text:
            write_text(self.folder.plan_file, text)
            self._audit.write("offered", plan=envelope.plan)

    def _by_worker(self, kind: str, envelope: Envelope, data: bytes, limits: Limits) -> bytes:
        """The worker's reply. A worker that died is started again and asked once more."""
        due, most = time.monotonic() + (envelope.deadline_s or NEVER_S), int(limits.max_update_mb * MB)
        found = self._asked(kind, envelope, data, most, due)
        if isinstance(found, Ended) and found.is_death:
            found = self._asked(kind, envelope, data, most, due)
        if isinstance(found, Ended):
            raise NetworkError(f"its worker died twice over this order: {found.cause}. worker.log there says more" if found.is_death
                               else f"not done within {envelope.deadline_s:g} s" if found.is_late else "stopped: the job was aborted")
        if isinstance(found, TooLong):
            raise Refusal(too_large(limits, found.num_bytes, "out") or f"a reply of {found.num_bytes} bytes is too large.")
        return found

    def _asked(self, kind: str, envelope: Envelope, data: bytes, most: int, due: float) -> bytes | TooLong | Ended:
        """The worker's answer; its end is logged."""
        started = time.monotonic()
        found = self._child.ask(data, deadline_s=max(0.0, due - started), limit=most)
        if isinstance(found, Ended):
            self._audit.write("late" if found.is_late else "worker-ended", kind=kind, run=envelope.run, round=envelope.round,
                              cause=found.cause, seconds=round(time.monotonic() - started, 1))
        return found

    def _log_sent(self, reply: bytes) -> None:
        """What leaves the site; a refusal or failure of the worker's own is logged as such too."""
        header = header_of(memoryview(reply), MAX_BYTES)
        head, told = header.head, Envelope.of(header.head.envelope)
        if head.kind == FAILED:
            reason = str(header.fields.get("reason"))
            self._audit.write("refused" if reason.startswith(REFUSED) else "failed", run=told.run, round=told.round, cause=reason)
        self._audit.write("sent", kind=head.kind, run=told.run, round=told.round, bytes=len(reply),
                          arrays={name: f"{dtype}{list(shape)}" for name, (dtype, shape) in head.arrays.items()})

    def _failed(self, envelope: Envelope, error: Exception) -> bytes:
        """The reply of something that was not done, logged if the log can still be written."""
        reply = failure(envelope, reason_of(error))
        with suppress(WardroundError):
            self._log_sent(reply)
        return reply


def _beyond(limits: Limits, plan: Plan, envelope: Envelope, kind: str) -> str | None:
    """The site's limit that the request goes beyond. Whatever kind is not known here may be a strategy's order to train."""
    return refusal(limits, plan=plan, envelope=envelope, now=datetime.now(), work=WORK.get(kind, "round"))  # by the hospital's own clock
