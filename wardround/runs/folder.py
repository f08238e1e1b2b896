"""What a run leaves on disk (design.md, section 6), and how to read it back. Other programs read these files: names are stable."""

from __future__ import annotations

import csv
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wardround.core.events import Event
from wardround.core.predictions import Measured, Predictions, Results
from wardround.errors import WardroundError
from wardround.plan.schema import Plan
from wardround.runs import journal

HELD = ("case", "group", "site", "split")


@dataclass(frozen=True)
class RunFolder:
    """One arm's folder: plan.toml, provenance.json, journal.jsonl, ledger.csv, checkpoints/, model.safetensors, model.json,
    scores.json, predictions.csv, figures/, report.html."""

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
        return Plan.model_validate(tomllib.loads(path.read_text()))

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
        with (self.path / "ledger.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or WardroundError naming the file."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise WardroundError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WardroundError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise WardroundError(f"{path} holds no JSON object")
    return value


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


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
        values = [[results.classes[truth], *_numbers(row)] for truth, row in zip(results.truth, results.probabilities, strict=True)]
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HELD, *header])
        writer.writerows([*(column[i] for column in held), *row] for i, row in enumerate(values))
    part.replace(path)


def read_predictions(path: Path) -> Results:
    """Read what write_predictions wrote; WardroundError naming a file that is absent or holds something else."""
    try:
        with path.open(newline="") as file:
            header, *rows = list(csv.reader(file))
        return _results(header, {name: np.array([row[i] for row in rows], dtype=object) for i, name in enumerate(header)})
    except (FileNotFoundError, ValueError, IndexError, KeyError) as error:
        raise WardroundError(f"{path} holds no predictions ({error})") from error


def _results(header: list[str], table: Mapping[str, np.ndarray]) -> Results:
    held = {"cases": table["case"], "groups": table["group"], "sites": table["site"], "splits": table["split"]}
    classes = tuple(name.removeprefix("p_") for name in header if name.startswith("p_"))
    if not classes:
        return Measured(names=tuple(header[len(HELD):]), values=_matrix([table[name] for name in header[len(HELD):]]), **held)
    probabilities = _matrix([table[f"p_{name}"] for name in classes])
    if "truth" in table:
        truth = np.array([classes.index(name) for name in table["truth"]], dtype=np.int64)
    else:
        truth = _matrix([table[f"truth_{name}"] for name in classes]).astype(np.int64)
    return Predictions(classes=classes, truth=truth, probabilities=probabilities, **held)


def _numbers(row: np.ndarray) -> list[str]:
    return [f"{number:.9g}" for number in row]


def _matrix(columns: list[np.ndarray]) -> np.ndarray:
    return np.stack([column.astype(np.float64) for column in columns], axis=1)
