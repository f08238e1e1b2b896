"""What the terminal shows of a study and of a site: where it stands, what came of it, what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardround.cli import console
from wardround.errors import NetworkError
from wardround.network import authority, keys, kits, steering
from wardround.network.status import PHASES, Status, look
from wardround.report.words import duration, listing, metric, number, plural, size
from wardround.runs.folder import RunFolder

if TYPE_CHECKING:
    from wardround.network.folders import SiteFolder, StudyFolder
    from wardround.network.status import OwnStatus, SiteStatus

LEFT = "The study goes on by itself. Look again: wardround study status {path} --watch"
ROUNDS_SHOWN = 8  # of what was sent, the latest


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table of plain text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def is_numeric(self, column: int) -> bool:
        return False


def made(study: StudyFolder) -> None:
    """A new study: where it is, what is read over the phone, which files go to whom."""
    record = study.record()
    console.pairs({"study": study.path, "server": f"{record['host']}:{record['port']}",
                   "fingerprint": keys.spoken(authority.fingerprint(authority.root_of(study)))})
    for site in record["sites"]:
        console.say(f"For {site}: {study.path / 'invitations' / f'{site}.invitation'}")
    console.say("Send each hospital its invitation, by e-mail if you like: nothing in it is secret. Read the fingerprint to them over the "
                f"phone. When their requests come back: wardround study admit SITE.request --study {study.path}")


def admitted(paths: Sequence[Path]) -> None:
    """Where the kits are."""
    for path in paths:
        console.say(f"Kit: {path}")
    console.say("Send each site its kit, by e-mail if you like: only the site's own key can use it. There: wardround site ready SITE.kit "
                "--data FOLDER")


def joined(site: SiteFolder) -> None:
    """A new site's folder: what is compared over the phone, which file goes back."""
    record = site.record()
    console.pairs({"site": f"{record['site']} of study {record['study']}", "folder": site.path,
                   "server": f"{record['host']}:{record['port']}", "fingerprint": keys.spoken(record["fingerprint"]),
                   "request": kits.request_file(site)})
    console.say("Compare the fingerprint with the coordinator's over the phone. If it is the same, send them the request, by e-mail if you "
                "like: the key stays here. When the kit comes: wardround site ready SITE.kit --data FOLDER")


def as_json(status: Status) -> str:
    """For programs: names of fields as network/status.py has them."""
    return json.dumps(asdict(status), default=str, indent=1)


def study(status: Status) -> None:
    """Where a study stands."""
    console.table(sites_table(status))
    console.say(line(status))
    if not status.is_served and not status.is_over:
        again = "start" if status.phase == "none" else "resume"
        console.say(f"The hub does not run: wardround study {again} {status.folder}")
    for text in (*status.notes, *status.warnings):
        console.say(text)


def sites_table(status: Status) -> Rows:
    """One row a site."""
    return Rows(columns=("Site", "Connection", "What keeps it away", "Last round", "Rounds without it"),
                rows=[_row(site, status) for site in status.sites])


def _row(site: SiteStatus, status: Status) -> tuple[str, ...]:
    heard = "not connected" if site.heard_s is None else f"heard {duration(site.heard_s)} ago"
    missed = ", ".join(map(str, site.missed[-ROUNDS_SHOWN:]))
    away = site.away or ("nothing" if status.is_served and status.phase != "none" else "")
    connection = heard if status.is_served else "" if status.is_over else "not known: the hub does not run"
    return (site.name, connection, away, str(site.round or "none"),
            f"{len(site.missed)}: {'... ' if len(site.missed) > ROUNDS_SHOWN else ''}{missed}" if site.missed else "none")


def line(status: Status) -> str:
    """ "clinics: training, round 7 of 20, balanced accuracy 0.812 after round 6, 12.3 MB came, 12.3 MB went, 4 min in rounds"."""
    facts = [ending(status) if status.is_over else PHASES[status.phase]]
    if status.num_rounds and status.round:
        facts.append(f"round {status.round} of {status.num_rounds}")
    if status.score is not None:
        facts.append(f"{metric(status.metric)} {number(status.score)} on validation images after round {status.score_round}")
    if status.bytes_up:
        facts.append(f"{size(status.bytes_up)} came, {size(status.bytes_down)} went, {duration(status.seconds)} in rounds")
    away = [site.name for site in status.sites if site.away]
    if away and not status.is_over:
        facts.append(f"without {listing(away)} now")
    between = status.hub if status.phase in ("none", "waiting", "handover") else ""
    facts += [text for text in (status.text, between) if text and status.phase != "failed"]
    return f"{status.study}: {', '.join(facts)}"


def ending(status: Status) -> str:
    """How it ended; of a run that dropped a site never "finished" alone."""
    without = f" without {listing(status.without)}" if status.without else ""
    return f"{PHASES[status.phase]}{without if status.phase != 'failed' else ''}"


@contextmanager
def following(folder: StudyFolder) -> Iterator[steering.Show]:
    """Yields what draws a status; Ctrl-C leaves the study alone and says so."""
    try:
        with console.standing() as draw:
            yield lambda status: draw(sites_table(status), line(status), (*status.warnings, *status.notes))
    except KeyboardInterrupt:
        console.say(LEFT.format(path=folder.path))
        raise SystemExit(130) from None  # as a shell has it of a program that Ctrl-C ended


def begun(folder: StudyFolder) -> None:
    """A study that runs by itself now."""
    console.say(line(look(folder)))
    console.say(LEFT.format(path=folder.path))


def end(status: Status) -> None:
    """The end of a study's run: results, or an error that says why there are none."""
    if status.phase == "failed":
        raise NetworkError(f"study {status.study}: the run failed: {status.text}")
    if status.phase == "stopped":
        raise NetworkError(f"study {status.study}: stopped after round {status.round}. {_tested(status)}")
    results(status)


def results(status: Status) -> None:
    """The report's own headline and table, where everything lies, and who was dropped; NetworkError if nothing was tested yet."""
    from wardround.cli import show

    if status.run is None or not RunFolder(status.run).is_finished:
        raise NetworkError(f"study {status.study} has no results yet: it is {PHASES[status.phase]}. See: wardround study status "
                           f"{status.folder}")
    show.run(RunFolder(status.run))
    console.pairs({"run": status.run, "model": status.run / "model.safetensors",
                   "sites without a part in some round": listing(status.without) or "none"})


def _tested(status: Status) -> str:
    if status.run is not None and RunFolder(status.run).is_finished:
        return f"Its best round was tested: wardround study results {status.folder}"
    return f"Nothing was tested. To go on: wardround study resume {status.folder}"


def site(status: OwnStatus) -> None:
    """Where a site stands, from its own files."""
    said = status.registration
    console.pairs({
        "site": f"{status.site} of study {status.study}", "server": status.server,
        "program": "running" if status.is_running else "not running: wardround site start",
        "connection": f"{said.text}{'. ' + said.remedy if said.remedy else ''}" if said else "the server has not answered yet",
        "last order": status.order or "none", "plan": "approved" if status.is_approved else "not approved: wardround site approve",
        "approvals": "; ".join(f"{held.hash[:12]} by {held.by} on {held.when}{' (withdrawn)' if held.withdrawn else ''}"
                               for held in status.approvals) or "none",
        "models": ", ".join(map(str, status.models)) or "none yet"})
    if status.sent:
        console.table(sent_table(status))
    for text in (*status.refused[-ROUNDS_SHOWN:], *status.warnings):
        console.say(text)


def sent_table(status: OwnStatus) -> Rows:
    """What left, by run and round, the latest."""
    rows = [(sent.run or "none", str(sent.round), plural(sent.num, "message"), size(sent.num_bytes))
            for sent in status.sent[-ROUNDS_SHOWN:]]
    total = sum(sent.num_bytes for sent in status.sent)
    return Rows(columns=("Run", "Round", "Sent", "Bytes"), rows=rows,
                caption=f"{size(total)} in all; every message by name: wardround audit-log egress")
