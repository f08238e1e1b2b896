"""privacy.json: what a run has spent of each site's privacy budget, and what that number does not cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardround.errors import WardroundError
from wardround.runs.folder import RunFolder, read_json, write_json

if TYPE_CHECKING:  # a run's folder lies below privacy/: types, no code
    from wardround.privacy.ledger import Ledger
    from wardround.privacy.terms import Terms

FILE = "privacy.json"
RELATION = "add or remove one"
NOT_COVERED = (
    "Which round is kept, early stopping, the temperature and the threshold were chosen on the sites' validation images, and test scores "
    "are told of test images: images of both leave numbers without noise.",
    "Counts of images and classes by site, and weights made of them, are told as they are.",
    "Epsilon holds for ideal real numbers; computers round, and the noise of float32 has gaps.",
    "Other runs on the same images, and settings tried before this one, spend on top of it.",
)
NOT_COVERED_BY_UNIT = {
    "image": ("A patient with several images is hidden less than one image: epsilon is of a single image.",),
    "patient": (),
    "site": ("The server sees every site's change before it is shortened, and the journal tells their lengths: the server is trusted.",),
}


def write_spending(folder: RunFolder, terms: Mapping[str, Terms], ledgers: Mapping[str, Ledger], promises: Sequence[str]) -> None:
    """Write privacy.json from the ledgers: by site (or "server", where whole sites are hidden) epsilon by every accountant, its budget and
    what was spent. steps: with those of rounds that were repeated after a stop, which `repeated` counts. promises: what the first site's
    terms are, in sentences."""
    first = next(iter(terms.values()))
    write_json(folder.path / FILE, {
        "unit": first.unit, "relation": RELATION, "delta": max(held.delta for held in terms.values()),
        "sampling": "all sites, every round" if first.unit == "site" else "poisson", "clip_norm": first.clip_norm,
        "sites": {site: _record(held, ledgers[site]) for site, held in terms.items()},
        "promises": list(promises), "not_covered": [*NOT_COVERED, *NOT_COVERED_BY_UNIT[first.unit]]})


def read_spending(folder: Path) -> dict[str, Any] | None:
    """privacy.json of a run's folder, or None of a run without privacy; WardroundError if it is not what `write_spending` writes."""
    path = folder / FILE
    if not path.exists():
        return None
    found = read_json(path)
    kinds = {"unit": str, "relation": str, "sampling": str, "delta": float, "clip_norm": float, "sites": dict, "promises": list,
             "not_covered": list}
    if not all(isinstance(found.get(name), kind) for name, kind in kinds.items()) or not all(map(_is_record, found["sites"].values())):
        raise WardroundError(f"{path} does not tell what was spent. Was it changed or damaged?")
    return found


def _record(terms: Terms, ledger: Ledger) -> dict[str, float | int]:
    spent, lines = ledger.spent(), ledger.lines()
    return {"epsilon": spent.epsilon, "pld": spent.pld, "prv": spent.prv, "rdp": spent.rdp, "delta": terms.delta, "budget": terms.epsilon,
            "noise_multiplier": terms.noise_multiplier, "sample_rate": terms.sample_rate,
            "steps": sum(spend.steps for spend in ledger.spends()), "repeated": sum(line.attempt > 1 for line in lines)}


def _is_record(value: Any) -> bool:
    names = ("epsilon", "pld", "prv", "rdp", "delta", "budget", "noise_multiplier", "sample_rate", "steps", "repeated")
    return isinstance(value, dict) and all(type(value.get(name)) in (int, float) for name in names)
