"""What a run has spent of its privacy budget, in a reader's words: never a number without unit, delta and what is not covered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wardround.report import words
from wardround.report.material import RunMaterial
from wardround.report.page import Items, Rows, Section, Text
from wardround.report.tables import Table
from wardround.runs.spending import read_spending

UNITS = {"image": "one image", "patient": "one patient with all training images", "site": "one hospital"}
SAMPLING = {"poisson": "each step draws every unit by itself (Poisson sampling)"}


def sections(run: RunMaterial) -> tuple[Section, ...]:
    """The report's section; none of a run without differential privacy."""
    spending = read_spending(run.folder)
    if spending is None:
        return ()
    unit = UNITS.get(spending["unit"], spending["unit"])
    most = max((site["epsilon"] for site in spending["sites"].values()), default=float("nan"))
    promise = (f"Training was differentially private: whether {unit} took part changes the probability of anything that training told by "
               f"at most a factor of e^{words.number(most, 2)}, but for a probability of {spending['delta']:g} (epsilon "
               f"{words.number(most, 2)}, delta {spending['delta']:g}). Collections are neighbours if one holds one unit more "
               f"({spending['relation']}); {SAMPLING.get(spending['sampling'], spending['sampling'])}; changes were clipped at an L2 norm "
               f"of {spending['clip_norm']:g}; noise came from the operating system.")
    return (Section(anchor="privacy", title="What privacy was spent", blocks=(
        Text(text=promise), Rows(table=spending_table(spending["sites"])), Text(text="This number does not cover:"),
        Items.of([str(text) for text in spending["not_covered"]]))),)


def spending_table(sites: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a site, by all accountants."""
    rows = tuple((name, words.number(site["epsilon"], 2), words.number(site["prv"], 2), words.number(site["rdp"], 2),
                  words.number(site["budget"], 2), words.number(site["noise_multiplier"]), words.number(site["sample_rate"]),
                  str(site["steps"])) for name, site in sites.items())
    return Table(columns=("Hospital", "Epsilon", "Second opinion", "By Rényi", "Budget", "Noise", "Share drawn", "Steps"), rows=rows,
                 caption="Epsilon by privacy loss distributions; second opinion by PRV, or the closed form where all are drawn; by Rényi: "
                         "a looser bound, to compare with older papers. Noise: its standard deviation by the clip norm. Steps count those "
                         "of rounds that were repeated.")
