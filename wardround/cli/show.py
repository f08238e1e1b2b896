"""What the terminal shows: of data, and of finished runs and comparisons the report's own tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from wardround.cli import console
from wardround.core.wording import PHANTOM
from wardround.data.catalogue import ALL
from wardround.data.datasets import DATASETS
from wardround.report import attacked, canvas, plots, story, tables
from wardround.report.material import primary_metric, read_comparison, read_run, understood
from wardround.report.tables import Table
from wardround.runs.folder import RunFolder
from wardround.strategies import STRATEGIES
from wardround.strategies.advice import OPTIONS, Kind, advice

if TYPE_CHECKING:
    from wardround.data.catalogue import Catalogue
    from wardround.data.prepare import Findings, Prepared

SPLITS = ("train", "val", "test")


def run(folder: RunFolder) -> None:
    """The result, the per-hospital table and how the run ended."""
    with understood(folder.path):
        material = read_run(folder.path)
        metric = primary_metric(material)
        console.table(tables.per_site_table(material.scores, metric))
        console.say(story.run_headline(material, metric))
        console.say(story.outcome(material))
    _end(folder.path, is_phantom=bool(material.scores["phantom"]))


def compare(folder: Path) -> None:
    """The arms side by side, their paired differences and what the intervals allow to be said."""
    comparison = read_comparison(folder)
    console.table(tables.arm_table(comparison.compare))
    if comparison.compare["paired"]:
        console.table(tables.paired_table(comparison.compare))
    for sentence in [story.comparison_headline(comparison), *story.verdict_sentences(comparison)]:
        console.say(sentence)
    _end(folder, is_phantom=any(results[0]["phantom"] for results in comparison.compare["arms"].values()))


def audit(folder: Path, record: Mapping[str, Any]) -> None:
    """What each attack showed, and where the pictures and tables are."""
    console.table(attacked.verdict_table(record))
    console.say(attacked.NEVER)
    console.say(f"Numbers: {folder / 'audit.json'}")
    console.say(f"Report: {folder / 'report.html'}")


def contrast(found: Mapping[str, Mapping[str, float | None]], first: RunFolder) -> None:
    """Two runs by every metric."""
    record = {"paired": {"first/second": found}, "arms": {"first": [first.scores()]}}
    console.table(tables.pair_table(record, "first/second", list(found)))


def _end(folder: Path, *, is_phantom: bool) -> None:
    if is_phantom:
        console.say(PHANTOM)
    console.say(f"Report: {folder / 'report.html'}")


def sites(prepared: Prepared, figure: Path) -> None:
    """Who holds what: a table each for training and test, and the figure."""
    held = {split: prepared.counts(split) for split in SPLITS}
    counts = {site: {split: held[split][site] for split in SPLITS} for site in prepared.site_names}
    console.table(tables.sites_table(counts, "train"))
    console.table(tables.sites_table(counts, "test"))
    canvas.save(plots.partition({site: by_split["train"] for site, by_split in counts.items()}), figure)
    if prepared.catalogue.phantom:
        console.say(PHANTOM)
    console.say(f"Figure: {figure}")


def datasets() -> None:
    """The data sets that a plan can name."""
    readers = {name: DATASETS.find(name) for name in DATASETS.known()}
    console.table(Table(columns=("Data set", "What it is", "Classes", "Licence"), caption="Name one in a plan: data.dataset",
                        rows=tuple((name, reader.title, ", ".join(reader.classes) or "from the folder", reader.licence or "yours")
                                   for name, reader in readers.items())))


def strategies() -> None:
    """The strategies that a plan can name, and the settings that act like algorithms."""
    columns = ("Use when", "Costs beyond fedavg's", "Source")
    found = {name: advice(name) for name in STRATEGIES.known()}
    ordered = sorted(found.items(), key=lambda item: list(get_args(Kind)).index(item[1].kind))
    console.table(Table(columns=("Strategy", "Kind", *columns), caption="Name one in a plan: strategy = {name = \"fedavg\"}",
                        rows=tuple((name, said.kind, said.use_when, said.costs, said.source) for name, said in ordered)))
    console.table(Table(columns=("With any of them", *columns), caption="In a plan, or with --set. How they combine: docs/algorithms.md",
                        rows=tuple((setting, said.use_when, said.costs, said.source) for setting, said in OPTIONS.items())))


def catalogue(found: Catalogue) -> None:
    """What a folder holds: images by class and published split."""
    parts = [part for part in (*SPLITS, "") if (found.splits == part).any()]
    counts = {part or "no split": found.counts(found.splits == part) for part in parts}
    console.table(count_table(counts, f"{found.name}: {len(found)} images. Nothing has been decoded; 'wardround data check' does."))
    known = found.patients[found.patients != ""]
    console.pairs({
        "patients": str(len(np.unique(known))) if len(known) else "not known: near-duplicates are grouped instead",
        "further columns": ", ".join(sorted(found.columns)) or "none",
        "licence": found.licence or "not stated",
        "phantom": "yes: synthetic images" if found.phantom else "no",
    })


def findings(found: Findings) -> None:
    """What would make a result on these images dishonest."""
    console.table(count_table({part or "no split": counts for part, counts in found.published.items()},
                              f"{found.images} images, of which {found.used} can be read."))
    console.pairs({
        "unreadable": ", ".join(f"{number} {reason}" for reason, number in found.failed.items()) or "none",
        "patients": "known" if found.patients_known else "not known: near-duplicates are grouped instead",
        "groups": f"{found.num_groups} (patients, joined with near-duplicates)",
        "identical pixels": f"{found.num_identical} images occur more than once",
        "near-duplicates": f"{found.num_near} images have one",
        "conflicting labels": f"{found.num_conflicting} images occur with two labels",
        "leaks, test": _leaks(found.leaks.test),
        "leaks, validation": _leaks(found.leaks.val),
    })


def _leaks(by_kind: Mapping[str, int]) -> str:
    """How many images of a published split training has seen, by kind."""
    if not by_kind.get("any"):
        return "none in the published split"
    kinds = ", ".join(f"{number} {kind}" for kind, number in by_kind.items() if kind != "any")
    return f"{by_kind['any']} images of the published split that training has seen ({kinds})"


def count_table(counts: Mapping[str, Mapping[str, int]], caption: str) -> Table:
    """Classes by row, parts by column. counts: part -> class -> images."""
    classes = list(dict.fromkeys(name for held in counts.values() for name in held))
    rows = [(name, *(str(held.get(name, 0)) for held in counts.values())) for name in classes]
    if ALL not in classes:
        rows.append((ALL, *(str(sum(held.values())) for held in counts.values())))
    return Table(columns=("Class", *counts), rows=tuple(rows), caption=caption)
