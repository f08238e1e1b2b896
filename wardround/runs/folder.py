"""What a run leaves on disk (design.md, section 6), and how to read it back. Other programs read these files: names are stable."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wardround.core.events import Event
from wardround.core.predictions import Measured, Predictions, Results
from wardround.core.untrusted import cell, cell_text, parsed_json
from wardround.errors import WardroundError
from wardround.plan.load import MOST_BYTES as MOST_PLAN
from wardround.plan.load import plan_of, toml_table
from wardround.plan.schema import Plan
from wardround.runs import journal

HELD = ("case", "group", "site", "split")
MOST_JSON = 2**26  # bytes: scores of a thousand hospitals are a tenth of it
MOST_ROWS = 2**28  # bytes of a table of results
MOST_CLASSES = 1000


@dataclass(frozen=True)
class RunFolder:
    """One arm's folder: plan.toml, provenance.json, journal.jsonl, ledger.csv, checkpoints/, model.safetensors, model.json,
    scores.json, predictions.csv, figures/, report.html; with a privacy budget privacy/ and privacy.json; once audited audit.json."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def is_finished(self) -> bool:
        return (self.path / "scores.json").exists()

    def plan(self) -> Plan:
        """The resolved plan the run was started with."""
        path = self.path / "plan.toml"
        if not path.exists():
            raise WardroundError(f"{self.path} is not a run folder (it has no plan.toml)")
        return plan_of(toml_table(read_text(path, MOST_PLAN), str(path)), str(path))

    def scores(self) -> dict[str, Any]:
        """scores.json, or WardroundError if the run has not finished."""
        if not self.is_finished:
            raise WardroundError(f"{self.path} has no scores.json: the run has not finished. "
                                 f"Continue it: wardround run --resume {self.path}")
        return read_json(self.path / "scores.json")

    def provenance(self) -> dict[str, Any]:
        return read_json(self.path / "provenance.json")

    def events(self) -> list[Event]:
        return list(journal.read(self.path / "journal.jsonl"))

    def predictions(self) -> Results:
        """The test rows' results."""
        return read_predictions(self.path / "predictions.csv")

    def ledger(self) -> list[dict[str, str]]:
        """Rows of ledger.csv: image, status (used, skipped, failed), reason."""
        path = self.path / "ledger.csv"
        try:
            return [{name: cell_text(text) for name, text in row.items() if isinstance(name, str) and isinstance(text, str)}
                    for row in csv.DictReader(_lines(path))]
        except csv.Error as error:
            raise WardroundError(f"{path} is no table ({error}). Was it changed or damaged?") from error


def read_text(path: Path, most: int) -> str:
    """A text file of at most so many bytes; WardroundError naming one that is absent, larger, or no UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise WardroundError(f"{path}: more than {most:,} bytes; no run writes such a file. Is it the one meant?")
        return data.decode()
    except FileNotFoundError:
        raise WardroundError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise WardroundError(f"{path} is not text in UTF-8 (byte {error.start}). Was it changed or damaged?") from error


def read_json(path: Path, *, with_nan: bool = False) -> dict[str, Any]:
    """A JSON object, or WardroundError naming the file. with_nan: NaN and infinity may be in it."""
    try:
        value = parsed_json(read_text(path, MOST_JSON), with_nan=with_nan)
    except ValueError as error:
        raise WardroundError(f"{path} is not valid JSON ({str(error)[:200]}). Was it changed or damaged?") from error
    if not isinstance(value, dict):
        raise WardroundError(f"{path} holds no JSON object")
    return value


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader never sees half of it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """The same of bytes. A link that lies there is replaced, not followed."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def check_links(folder: Path) -> None:
    """WardroundError for a link inside a run's folder: what is written into the folder would be written elsewhere."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if (path := Path(place, name)).is_symlink():
                raise WardroundError(f"{path} is a link: nothing is read or written through it. Put what it leads to in its place, or "
                                     "remove it.")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(value, indent=1))


def write_predictions(path: Path, results: Results) -> None:
    """One row a case: case, group, site, split; then truth (class name) and a probability column "p_CLASS" for each class; or of
    several findings an image, "truth_FINDING" (0 or 1) and "p_FINDING" for each; or of segmentations a column for each measure."""
    held = [results.cases, results.groups, results.sites, results.splits]
    if isinstance(results, Measured):
        header, values = list(results.names), [_numbers(row) for row in results.values]
    elif results.is_multilabel:
        header = [f"{kind}_{name}" for kind in ("truth", "p") for name in results.classes]
        values = [[*map(str, truth), *_numbers(row)] for truth, row in zip(results.truth, results.probabilities, strict=True)]
    else:
        header = ["truth", *(f"p_{name}" for name in results.classes)]
        values = [[cell(results.classes[truth]), *_numbers(row)] for truth, row in zip(results.truth, results.probabilities, strict=True)]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*HELD, *header])
    writer.writerows([*(cell(str(column[i])) for column in held), *row] for i, row in enumerate(values))
    write_bytes(path, file.getvalue().encode())


def read_predictions(path: Path) -> Results:
    """Read what write_predictions wrote; WardroundError naming a file that is absent or holds something else."""
    try:
        header, *rows = ([cell_text(text) for text in row] for row in csv.reader(_lines(path)))
        if len(header) > 2 * MOST_CLASSES + len(HELD):
            raise ValueError(f"{len(header)} columns")
        return _results(header, {name: np.array([row[i] for row in rows], dtype=object) for i, name in enumerate(header)})
    except (ValueError, IndexError, KeyError, csv.Error, WardroundError) as error:
        raise WardroundError(f"{path} holds no predictions ({str(error)[:200]}). Was it changed or damaged?") from error


def _lines(path: Path) -> io.StringIO:
    return io.StringIO(read_text(path, MOST_ROWS), newline="")


def _results(header: list[str], table: Mapping[str, np.ndarray]) -> Results:
    held = {"cases": table["case"], "groups": table["group"], "sites": table["site"], "splits": table["split"]}
    classes = tuple(name.removeprefix("p_") for name in header if name.startswith("p_"))
    if not classes:
        return Measured(names=tuple(header[len(HELD):]), values=_matrix([table[name] for name in header[len(HELD):]]), **held)
    probabilities = _matrix([table[f"p_{name}"] for name in classes])
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability that is none")
    if "truth" in table:
        truth = np.array([classes.index(name) for name in table["truth"]], dtype=np.int64)
    else:
        truth = _matrix([table[f"truth_{name}"] for name in classes]).astype(np.int64)
        if not ((truth == 0) | (truth == 1)).all():
            raise ValueError("a truth beside 0 and 1")
    return Predictions(classes=classes, truth=truth, probabilities=probabilities, **held)


def _numbers(row: np.ndarray) -> list[str]:
    return [f"{number:.9g}" for number in row]


def _matrix(columns: list[np.ndarray]) -> np.ndarray:
    return np.stack([column.astype(np.float64) for column in columns], axis=1)
