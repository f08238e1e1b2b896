"""Commands on the log of a study or of a site: audit-log verify, show, egress."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.options import examples

if TYPE_CHECKING:
    from wardround.network.auditlog import Line, Sent, Verdict
    from wardround.report.tables import Table

sub = typer.Typer(help="What a site or a server of a study did, and whether its log was changed.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="audit.jsonl of a study or of a site.", show_default=False)]
Head = Annotated[str | None, typer.Option("--head", metavar="HASH", help="A head that this command has shown before and that was noted "
                                                                         "elsewhere: only with it is an end found to be cut off.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only lines of this kind, e.g. sent, refused, approved.")]
Last = Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="Only so many, the latest.")]
MAX_SHOWN = 300  # characters of a line's facts


@sub.command(epilog=examples("wardround audit-log verify north/audit.jsonl", "wardround audit-log verify north/audit.jsonl --head HASH"))
def verify(file: File, head: Head = None) -> None:
    """Say whether a log is whole: no line changed, taken out, put in or moved. Exit code 1 if not, with the first bad line."""
    from wardround.cli import console
    from wardround.errors import NetworkError
    from wardround.network import auditlog

    verdict = auditlog.verify(file, head)
    if not verdict.ok:
        raise NetworkError(f"{file}: line {verdict.first_bad} {verdict.reason}. The {verdict.num} lines before it are whole (head "
                           f"{verdict.head}).")
    console.say(whole(file, verdict, has_head=head is not None))


@sub.command(epilog=examples("wardround audit-log show north/audit.jsonl --kind refused",
                             "wardround audit-log show north/audit.jsonl --last 20"))
def show(file: File, kind: Kind = None, last: Last = None) -> None:
    """Show the lines of a log. Whether they were changed says 'audit-log verify'."""
    from wardround.cli import console
    from wardround.network import auditlog

    found = (line for line in auditlog.lines(file) if kind in (None, line.kind))
    console.table(line_table(deque(found, maxlen=last)))


@sub.command(epilog=examples("wardround audit-log egress north/audit.jsonl"))
def egress(file: File) -> None:
    """Show what left a site: for each round of a run the kinds of messages, how many, their arrays and bytes."""
    from wardround.cli import console
    from wardround.network import auditlog

    console.table(egress_table(auditlog.egress(file)))


def whole(file: Path, verdict: Verdict, *, has_head: bool) -> str:
    """What may be said of a log in which nothing was found."""
    told = f"{file} is whole: {verdict.num} lines. Head: {verdict.head}"
    if has_head:
        return f"{told}. It holds the head that was noted."
    return (f"{told}\nWhether its end was cut off, or all of it was written anew, shows only a head that was noted elsewhere: note this "
            "one, and give it with --head later.")


def line_table(found: Iterable[Line]) -> Table:
    """The lines, oldest first."""
    from wardround.report.tables import Table

    return Table(columns=("Line", "Time (UTC)", "Kind", "Facts"), caption="",
                 rows=tuple((str(line.seq), _printed(line.time.partition("+")[0].replace("T", " ")), _printed(line.kind),
                             _facts(line)) for line in found))


def egress_table(found: Iterable[Sent]) -> Table:
    """A row for each kind of message in each round of a run, in the order in which they first left; then the total."""
    from wardround.report.tables import Table

    held: dict[tuple[str, int, str], list[Sent]] = {}
    for sent in found:
        held.setdefault((sent.run, sent.round, sent.kind), []).append(sent)
    rows = [(_printed(run), str(t), _printed(kind), *_sums(several), _arrays(several)) for (run, t, kind), several in held.items()]
    total = _sums([sent for several in held.values() for sent in several])
    return Table(columns=("Run", "Round", "What", "Messages", "Bytes", "Arrays"), rows=(*rows, ("All", "", "", *total, "")),
                 caption="Bytes are those of the messages as they left, before encryption.")


def _sums(several: list[Sent]) -> tuple[str, str]:
    """Number of messages, and their bytes."""
    return str(len(several)), f"{sum(sent.num_bytes for sent in several):,}"


def _arrays(several: list[Sent]) -> str:
    """The different arrays in them."""
    return _printed(", ".join(dict.fromkeys(f"{name} {shape}" for sent in several for name, shape in sent.arrays.items())))


def _facts(line: Line) -> str:
    told = _printed(", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in line.facts.items()))
    return told if len(told) <= MAX_SHOWN else f"{told[:MAX_SHOWN]} ..."


def _printed(text: str) -> str:
    """The text without what a terminal would obey: a log holds words of whoever was refused."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
