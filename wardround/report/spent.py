"""What a run has spent of its privacy budget, in a reader's words: never a number without unit, delta and what is not covered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wardround.report import words
from wardround.report.material import RunMaterial
from wardround.report.page import Items, Rows, Section, Text
from wardround.report.tables import Table
from wardround.runs.spending import read_spending


def sections(run: RunMaterial) -> tuple[Section, ...]:
    """The report's section; none of a run without differential privacy."""
    spending = read_spending(run.folder)
    if spending is None:
        return ()
    most = max((site["epsilon"] for site in spending["sites"].values()), default=float("nan"))
    spent = (f"Training was differentially private. Spent: epsilon {words.number(most, 2)} at delta {spending['delta']:g}, the most of any "
             "row below. What that means, with the first row's numbers:")
    return (Section(anchor="privacy", title="What privacy was spent", blocks=(
        Text(text=spent), Items.of([str(text) for text in spending["promises"]]), Rows(table=spending_table(spending["sites"])),
        Text(text="This number does not cover:"), Items.of([str(text) for text in spending["not_covered"]]))),)


def spending_table(sites: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a site, by all accountants."""
    rows = tuple((name, words.number(site["epsilon"], 2), words.number(site["prv"], 2), words.number(site["rdp"], 2),
                  words.number(site["budget"], 2), words.number(site["noise_multiplier"]), words.number(site["sample_rate"]),
                  str(site["steps"])) for name, site in sites.items())
    return Table(columns=("Hospital", "Epsilon", "Second opinion", "By Rényi", "Budget", "Noise", "Share drawn", "Steps"), rows=rows,
                 caption="Epsilon by privacy loss distributions; second opinion by PRV, or the closed form where all are drawn; by Rényi: "
                         "a looser bound, to compare with older papers. Noise: its standard deviation by the clip norm. Steps count those "
                         "of rounds that were repeated.")
