"""The images of a data set as columns to be filtered: as they were found, or as a plan's check has found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wardround.app.views.data import Found
from wardround.app.views.ledger import REASONS, STATUS, Checked, split_word

MOST_FURTHER = 8  # further columns of the table
NO_SITE = "\0"  # the choice of images that belong to no site


@dataclass(frozen=True, kw_only=True)
class Pick:
    """What is shown: "" for all. status: a key of STATUS, or a reason code."""

    stratum: str = ""
    split: str | None = None  # None for all: "" is a published split that is not known
    site: str = ""
    status: str = ""
    text: str = ""


@dataclass(frozen=True, eq=False)
class Sheet:
    """found, and what is known from the check; None before it."""

    found: Found
    checked: Checked | None = None

    def __len__(self) -> int:
        return len(self.found)

    @property
    def split(self) -> np.ndarray:
        """(n,) text: of the plan once it is known, else the published one."""
        return self.found.splits if self.checked is None else self.checked.split

    @cached_property
    def site(self) -> np.ndarray:
        """(n,) text: by the plan's partition once it is known, else by the data set's own column."""
        if self.checked is not None and (self.checked.site != "").any():
            return self.checked.site
        own = self.found.further.get("site")
        return np.full(len(self), "", dtype=object) if own is None else own

    def rows(self, pick: Pick) -> np.ndarray:
        """The rows that are picked, sorted."""
        shown = np.ones(len(self), bool)
        if pick.stratum:
            shown &= self.found.members[:, self.found.strata.index(pick.stratum)]
        if pick.split is not None:
            shown &= self.split == pick.split
        if pick.site:
            shown &= self.site == ("" if pick.site == NO_SITE else pick.site)
        if pick.status and self.checked is not None:
            shown &= (self.checked.status if pick.status in STATUS else self.checked.reason) == pick.status
        rows = np.flatnonzero(shown)
        needle = pick.text.strip().lower()
        return rows if not needle else rows[[needle in self._texts[row] for row in rows.tolist()]]

    def splits(self) -> dict[str, str]:
        """Split -> its words, of those there are."""
        return {split: split_word(split) or "No split" for split in ("train", "val", "test", "test-leak", "out", "")
                if (self.split == split).any()}

    def sites(self) -> list[str]:
        """Names of sites, sorted; NO_SITE last where some images have none."""
        names = sorted(set(self.site.tolist()))
        return [name for name in names if name] + [NO_SITE] * ("" in names and len(names) > 1)

    def statuses(self) -> dict[str, str]:
        """Status or reason code -> its words with the number of images; empty before the check."""
        if self.checked is None:
            return {}
        found = {}
        for status, words in STATUS.items():
            here = self.checked.status == status
            if not here.any():
                continue
            found[status] = f"{words} ({here.sum():,})"
            codes = [code for code in self.checked.reasons if (here & (self.checked.reason == code)).any()]
            found |= {code: f"    {REASONS.get(code, code)} ({self.checked.reasons[code]:,})" for code in codes if status != "used"}
        return found

    def columns(self) -> dict[str, np.ndarray]:
        """What the table shows, by its heads; a column of which nothing is known is left out."""
        found, checked = self.found, self.checked
        columns: dict[str, np.ndarray] = {"Image": found.images, "Label": found.labels}
        if checked is not None:
            columns |= {"Status": checked.status, "Reason": checked.reason, "Split": checked.split, "Site": self.site}
        elif "site" in found.further:
            columns["Site"] = self.site
        columns |= {"Patient": found.patients}
        if checked is not None:
            columns |= {"Group": checked.group, "In group": checked.num_alike}
        columns |= {"Published split": found.splits}
        columns |= {name: values for name, values in list(found.further.items())[:MOST_FURTHER] if name != "site"}
        return {name: values for name, values in columns.items() if values.dtype.kind in "iu" or (values != "").any()}

    def caption(self, row: int) -> str:
        """Name and label in two lines; the site or the patient where masks are what is learnt."""
        found = self.found
        return f"{self.short_name(row)}\n{found.labels[row] or self.site[row] or found.patients[row]}"

    def short_name(self, row: int) -> str:
        """A file's name without folder and suffix."""
        name = str(self.found.images[row]).rpartition("/")[2]
        first, several, _ = name.partition("{")  # its channels lie in several files: NAME_{t1,t2}.nii
        return first.rstrip("_-") if several and first else name.removesuffix(".gz").rpartition(".")[0] or name

    def facts(self, row: int) -> Mapping[str, str]:
        """What is known about one image."""
        found, checked = self.found, self.checked
        split = self.split[row]
        facts = {"Label": found.labels[row], "Patient": found.patients[row], "Split": split_word(split) if split else "",
                 "Site": self.site[row]}
        if checked is not None:
            reason = REASONS.get(checked.reason[row], checked.reason[row])
            facts["Status"] = STATUS[checked.status[row]] + (f": {reason}" if reason else "")
            if checked.num_alike[row] > 1:
                facts["Group"] = f"{checked.num_alike[row]:,} images of one patient, or nearly the same"
        facts |= {name: values[row] for name, values in found.further.items() if name != "site"}
        return {name: str(value) for name, value in facts.items() if str(value)}

    @cached_property
    def _texts(self) -> list[str]:
        """What a search looks in."""
        columns = (self.found.images, self.found.labels, self.found.patients)
        return ["\n".join(texts).lower() for texts in zip(*(column.tolist() for column in columns), strict=True)]
