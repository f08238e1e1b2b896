"""What `wardround audit` found, in a reader's words: a verdict for each attack, never without the planted victim beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wardround.data.readers.image import read_image, to_uint8
from wardround.report import plots, words
from wardround.report.material import RunMaterial
from wardround.report.page import Block, Picture, Rows, Section, Text
from wardround.report.tables import Table
from wardround.runs.folder import read_json

VERDICTS = {"leaks": "the attack worked", "resists": "the attack failed here, and worked on the planted victim",
            "inconclusive": "nothing can be concluded: the attack was not tried for long enough, or failed on the planted victim too"}
NEVER = ("An attack that failed is no proof of safety: only what was tried was tried. A verdict stands on a planted victim without any "
         "defence, which the same program must break first.")


def verdict_table(record: Mapping[str, Any]) -> Table:
    """A row an attack."""
    rows = [(str(found["attack"]), _measure(found["canary"]), _measure(found["result"]), VERDICTS.get(found["verdict"], "unknown"))
            for found in record["findings"]]
    return Table(columns=("Attack", "Planted victim", "This run", "Verdict"), rows=tuple(rows),
                 caption="In brackets the 95 % interval and the number of cases; after \"from\" what counts as a success of the attack.")


def sections(run: RunMaterial) -> tuple[Section, ...]:
    """The report's section; none without an audit."""
    path = run.folder / "audit.json"
    if not path.exists():
        return ()
    record = read_json(path)
    if not is_audit(record):
        return (Section(anchor="attacked", title="What attacks on this run showed", blocks=(
            Text(text="audit.json does not hold what an audit writes. Was it changed? Repeat it: wardround audit RUN"),)),)
    blocks: list[Block] = [Text(text=NEVER), Rows(table=verdict_table(record))]
    for found in record["findings"]:
        blocks.append(Text(text=f"{words.sentence(str(found['attack']))}. {found['question']} {found['says_not']}"))
        blocks += _pictures(run, found)
        if found["rows"]:
            blocks.append(Rows(table=_details(found["rows"], str(found["attack"]))))
    return (Section(anchor="attacked", title="What attacks on this run showed", blocks=tuple(blocks)),)


def _pictures(run: RunMaterial, found: Mapping[str, Any]) -> list[Block]:
    """What the attack drew; nothing where its picture is gone."""
    blocks: list[Block] = []
    for name in (str(name) for name in found.get("figures") or ()):
        path = run.folder / "figures" / Path(name).name
        if not path.is_file():
            continue
        drawing = plots.shown_picture(to_uint8(read_image(path)), words.sentence(found["attack"]))
        blocks += [Picture(name=f"{path.stem}-shown", figure=drawing,
                           alt=f"Pictures side by side: what was true, and what {found['attack']} drew of it",
                           caption="What was true and what was drawn, as named above the columns."),
                   Text(text="These are images of patients, and what could be drawn of them. They stay at the hospital.", is_caution=True)]
    return blocks


def is_audit(record: Mapping[str, Any]) -> bool:
    """Whether it has the form of an audit.json."""
    findings = record.get("findings")
    if not isinstance(findings, list) or len(findings) > 100:
        return False
    texts = ("attack", "question", "says_not", "verdict")
    return all(isinstance(found, dict) and all(isinstance(found.get(name), str) for name in texts) and _is_rows(found.get("rows"))
               and isinstance(found.get("canary"), dict) and isinstance(found.get("result"), dict) for found in findings)


def _is_rows(rows: object) -> bool:
    return isinstance(rows, list) and len(rows) <= 1000 and all(isinstance(row, dict) and len(row) <= 20 for row in rows)


def _measure(measure: Mapping[str, Any]) -> str:
    if measure.get("value") is None:
        return "not measured"
    unit = f" {measure['unit']}" if measure.get("unit") else ""
    text = f"{measure.get('name')}: {words.number(measure['value'])}{unit}"
    if measure.get("low") is not None and measure.get("high") is not None:
        text += f" [{words.number(measure['low'])}, {words.number(measure['high'])}]"
    if measure.get("count"):
        text += f" (n = {measure['count']:,})"
    return text + (f", from {words.number(measure['threshold'])}" if measure.get("threshold") is not None else "")


def _details(rows: Sequence[Mapping[str, Any]], attack: str) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(columns=tuple(words.sentence(str(name).replace("_", " ")) for name in columns),
                 rows=tuple(tuple(_cell(row.get(name)) for name in columns) for row in rows), caption=f"All numbers of {attack}.")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(_cell(part) for part in value)
    return words.number(value) if isinstance(value, float) else str(value)
