"""audit.json: what was tried on a run, with what result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wardround.audit.finding import Finding
from wardround.audit.hospitals import audit_hospitals
from wardround.audit.inversion import audit_inversion
from wardround.audit.membership import audit_membership
from wardround.audit.robustness import audit_robustness
from wardround.audit.subject import Subject, open_subject
from wardround.core.events import Note, Watch, silent
from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.report.html import write_run_report
from wardround.runs.folder import write_json
from wardround.runs.provenance import environment

AUDITS: Mapping[str, Callable[[Subject], list[Finding]]] = {
    "inversion": audit_inversion, "membership": audit_membership, "hospitals": audit_hospitals, "poisoning": audit_robustness}


def audit(run: Path | str, *, attacks: Sequence[str] = tuple(AUDITS), data: Path | None = None, is_quick: bool = False,
          watch: Watch = silent) -> dict[str, Any]:
    """Attack a finished federated run, write audit.json and the report anew, and return what audit.json holds.

    attacks: names of AUDITS. data: where the run's images lie now. is_quick: minutes instead of up to an hour, with wider intervals.
    Reads training and validation rows only. PlanError for an unknown attack or another arm."""
    for name in attacks:
        if name not in AUDITS:
            raise PlanError(f"no attack '{name}'.{suggestion(name, list(AUDITS))} Attacks: {', '.join(AUDITS)}.")
    subject = open_subject(Path(run), data=data, is_quick=is_quick, watch=watch)
    started, findings = time.perf_counter(), list[Finding]()
    for name in dict.fromkeys(attacks):
        watch(Note(text=f"attack: {name}"))
        findings += AUDITS[name](subject)
    record = {**environment(), "is_quick": is_quick, "attacks": list(attacks), "seconds": round(time.perf_counter() - started, 1),
              "findings": [finding.record() for finding in findings]}
    write_json(subject.run.path / "audit.json", record)
    write_run_report(subject.run.path)
    return record
