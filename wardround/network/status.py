"""Where a study stands, and where a site does: read off their files, whether or not anything runs."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wardround.core.events import Event, RoundFinished, RunFinished, RunStarted
from wardround.core.wording import sentence
from wardround.extras import need
from wardround.network import auditlog
from wardround.network.approval import Approval, Approvals, plan_hash
from wardround.network.certificates import Finding, server_verdict
from wardround.network.control import OVER, Hub, Phase, Progress, State, Want
from wardround.network.folders import SiteFolder, StudyFolder
from wardround.network.kits import expiring
from wardround.runs.folder import RunFolder

CLOCK_S = 1.0  # by so much may the start of a process be misjudged
ABSENT = "not connected"  # as greeting.py says it, which loads torch
SOON = "waits for the next round"
PHASES: Mapping[Phase, str] = {
    "none": "not begun", "waiting": "waiting for sites", "training": "training", "testing": "testing the best round at every site",
    "local": "training each site alone", "delivering": "sending the model to the sites", "paused": "paused",
    "handover": "between two jobs", "finished": "finished", "stopped": "stopped", "failed": "failed"}


@dataclass(frozen=True, kw_only=True)
class SiteStatus:
    """A site as the coordinator sees it. heard_s: seconds since its last heartbeat, None if it is not connected. away: what keeps it from
    taking part, "" if nothing is known of that. round: the last that it took part in, 0 for none. missed: rounds that ended without it."""

    name: str
    heard_s: float | None
    away: str
    round: int
    missed: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Status:
    """A study. is_served: its hub runs. hub, text: what hub and run say of themselves. run: the run's folder, None before the first.
    score: the last on validation images, None before the first; score_round: its round. seconds: of the rounds so far. without: sites
    that were dropped in some round. notes: what the coordinator should read, in order. warnings: of certificates that end soon."""

    study: str
    folder: Path
    want: Want
    is_served: bool
    hub: str
    phase: Phase
    text: str
    run: Path | None
    round: int
    num_rounds: int
    metric: str
    score: float | None
    score_round: int
    bytes_up: int
    bytes_down: int
    seconds: float
    sites: tuple[SiteStatus, ...]
    without: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Whether the run asks for nothing more."""
        return self.phase in OVER


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What left a site in one round of a run, "" for none: so many messages and bytes."""

    run: str
    round: int
    num: int
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class OwnStatus:
    """A site as it sees itself. registration: what the server said last, None if nothing yet. order: the last that came, with its time,
    "" for none. is_approved: the plan in plan.toml may be trained. models: folders of models that came back."""

    site: str
    study: str
    server: str
    is_running: bool
    registration: Finding | None
    order: str
    sent: tuple[Sending, ...]
    refused: tuple[str, ...]
    approvals: tuple[Approval, ...]
    is_approved: bool
    warnings: tuple[str, ...]
    models: tuple[Path, ...]


def look(study: StudyFolder) -> Status:
    """Of a study; WardroundError for files that were changed."""
    state, record = State(study), study.record()
    progress, hub = state.progress, state.hub
    serving = hub if hub is not None and is_alive(hub.pid, hub.at) else None
    run = study.runs / progress.run if progress.run else None
    events = RunFolder(run).events() if run else []
    rounds = _rounds(events)
    metric = next((event.metric for event in events if isinstance(event, RunStarted)), "")
    scored = [event for event in rounds if metric in event.val and math.isfinite(event.val[metric])]
    return Status(
        study=record["name"], folder=study.path, want=state.control.want, is_served=serving is not None,
        hub=serving.text if serving else "", phase=progress.phase, text=progress.text, run=run, round=progress.round,
        num_rounds=progress.num_rounds, metric=metric, score=scored[-1].val[metric] if scored else None,
        score_round=scored[-1].round if scored else 0, bytes_up=sum(event.bytes_up for event in rounds),
        bytes_down=sum(event.bytes_down for event in rounds), seconds=sum(event.seconds for event in rounds),
        sites=_sites(record["sites"], serving, progress, rounds),
        without=_without(record["sites"], events, rounds), notes=_notes(events), warnings=tuple(expiring(study)))


def look_at_site(site: SiteFolder) -> OwnStatus:
    """Of a site's folder; NetworkError for files that were changed."""
    record, approvals = site.record(), Approvals(site.approvals_file)
    lines = list(auditlog.lines(site.audit_file)) if site.audit_file.exists() else []
    orders = [line for line in lines if line.kind == "order"]
    last = f"{orders[-1].facts.get('kind')} of round {orders[-1].facts.get('round')}, {orders[-1].time}" if orders else ""
    refused = [f"{line.time}: {line.facts.get('cause')}" for line in lines if line.kind == "refused"]
    offered = site.plan_file.read_text(encoding="utf-8") if site.plan_file.exists() else None
    return OwnStatus(
        site=record["site"], study=record["study"], server=f"{record['host']}:{record['port']}", is_running=_is_running(lines),
        registration=server_verdict(site), order=last, sent=_sent(site.audit_file), refused=tuple(refused),
        approvals=tuple(approvals.history()), is_approved=offered is not None and approvals.is_approved(plan_hash(offered)),
        warnings=tuple(expiring(site)),
        models=tuple(sorted(path for path in site.models.glob("*") if (path / "model.json").is_file())))


def is_alive(pid: int, seen_at: float) -> bool:
    """Whether the process that was seen then (seconds since 1970) still runs, and not a later one under its number."""
    psutil = need("psutil", extra="network", purpose="a study over a network")
    try:
        process = psutil.Process(pid)
        return bool(process.create_time() <= seen_at + CLOCK_S and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _rounds(events: Sequence[Event]) -> list[RoundFinished]:
    """One event a round: a round that was repeated counts as it ended last."""
    return list({event.round: event for event in events if isinstance(event, RoundFinished)}.values())


def _sites(names: Sequence[str], hub: Hub | None, progress: Progress, rounds: Sequence[RoundFinished]) -> tuple[SiteStatus, ...]:
    now = time.time()
    found = []
    for name in names:
        heard = hub.connected.get(name) if hub else None
        found.append(SiteStatus(
            name=name, heard_s=None if heard is None else max(0.0, now - heard), away=_away(name, hub, progress),
            round=max((event.round for event in rounds if name in event.train_loss_by_site), default=0),
            missed=tuple(event.round for event in rounds if name in event.failed)))
    return tuple(found)


def _away(name: str, hub: Hub | None, progress: Progress) -> str:
    """What keeps the site away: the hub hears at once that a site has come or gone, the run says what else there is."""
    said = progress.sites.get(name, "")
    if hub is None:
        return said
    if name not in hub.connected:
        return ABSENT
    return SOON if said == ABSENT else said


def _without(names: Sequence[str], events: Sequence[Event], rounds: Sequence[RoundFinished]) -> tuple[str, ...]:
    """Sites that were dropped, by the study's order."""
    dropped = {site for event in rounds for site in event.failed}
    dropped |= {site for event in events if isinstance(event, RunFinished) for site in event.without}
    return tuple(name for name in names if name in dropped)


def _notes(events: Sequence[Event]) -> tuple[str, ...]:
    """Notes, and rounds that ended without a site, in the journal's order."""
    found: list[str] = []
    for event in events:
        if isinstance(event, RoundFinished):
            found += [f"round {event.round} went on without {site}: {reason}" for site, reason in event.failed.items()]
        elif text := sentence(event):
            found.append(text)
    return tuple(dict.fromkeys(found))


def _sent(audit_file: Path) -> tuple[Sending, ...]:
    if not audit_file.exists():
        return ()
    num, size = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    for message in auditlog.egress(audit_file):
        num[message.run, message.round] += 1
        size[message.run, message.round] += message.num_bytes
    return tuple(Sending(run=run, round=number, num=num[run, number], num_bytes=size[run, number]) for run, number in num)


def _is_running(lines: Sequence[auditlog.Line]) -> bool:
    """Whether the program that was started last has not ended."""
    for line in reversed(lines):
        if line.kind == "site-ended":
            return False
        if line.kind == "site-started":
            pid = _pid(line.facts)
            return pid > 0 and is_alive(pid, datetime.fromisoformat(line.time).timestamp())
    return False


def _pid(facts: Mapping[str, object]) -> int:
    pid = facts.get("pid")
    return pid if isinstance(pid, int) else 0
