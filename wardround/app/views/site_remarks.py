"""What a reader of a study's results should know of how its images were shared out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

FEW_TEST = 10  # test images below which a site's own score says next to nothing
FEW_TRAIN = 10  # training images of a class below which a site knows it by single patients
MOST_NAMED = 4  # sites that a remark names one by one

Grade = Literal["bad", "caution"]


@dataclass(frozen=True)
class Remark:
    """A sentence with its cause and, where there is one, its remedy. bad: the study cannot answer for it; caution: to be known."""

    grade: Grade
    text: str


def remarks_of(sites: Sequence[str], classes: Sequence[str], counts: Mapping[str, np.ndarray], num_images: Mapping[str, np.ndarray], *,
               tested: np.ndarray, unit: str = "images", homeless: int = 0) -> tuple[Remark, ...]:
    """The worst first. counts: split -> (S, C) images. num_images: split -> (S,). tested: (S,) test results, of images or of patients
    (unit). homeless: images without a site."""
    train = counts["train"]
    found = [*_absent(classes, counts), *_untestable(sites, tested, unit), *_unseen(sites, num_images["val"])]
    found += [*_lonely(sites, classes, train), *_lacking(sites, classes, train), *_scarce(sites, classes, train)]
    if homeless:
        found.append(Remark("caution", f"{homeless:,} images belong to none of these sites and take no part."))
    return tuple(sorted(found, key=lambda remark: remark.grade != "bad"))


def _absent(classes: Sequence[str], counts: Mapping[str, np.ndarray]) -> Iterator[Remark]:
    train, test = counts["train"].sum(0), counts["test"].sum(0)
    if none := [name for name, num in zip(classes, train, strict=True) if not num]:
        yield Remark("bad", f"No site has a training image of {_listed(none)}: no model can learn it. Take it out of data.classes, or "
                             "use more images.")
    if none := [name for name, num, held in zip(classes, test, train, strict=True) if held and not num]:
        yield Remark("bad", f"No test image shows {_listed(none)}: nothing can be said about it. Raise split.test, or use more images.")


def _untestable(sites: Sequence[str], tested: np.ndarray, unit: str) -> Iterator[Remark]:
    small = {site: int(num) for site, num in zip(sites, tested, strict=True) if num < FEW_TEST}
    if small:
        held = _listed([f"{site} ({num})" for site, num in small.items()])
        yield Remark("bad" if 0 in small.values() else "caution",
                     f"Fewer than {FEW_TEST} test {unit}, too few for a score of the site's own: {held}. Choose fewer sites, or raise "
                     "split.test.")


def _unseen(sites: Sequence[str], validated: np.ndarray) -> Iterator[Remark]:
    if blind := [site for site, num in zip(sites, validated, strict=True) if not num]:
        yield Remark("caution", f"No validation image at {_listed(blind)}: which round is kept is chosen without it.")


def _lonely(sites: Sequence[str], classes: Sequence[str], train: np.ndarray) -> Iterator[Remark]:
    if len(sites) < 2:
        return
    for place, site in enumerate(sites):
        if own := [name for c, name in enumerate(classes) if train[place, c] and train[:, c].sum() == train[place, c]]:
            yield Remark("caution", f"Only {site} has training images of {_listed(own)}: all others learn it from this site alone.")


def _lacking(sites: Sequence[str], classes: Sequence[str], train: np.ndarray) -> Iterator[Remark]:
    """Of classes that several sites hold; of others it is said who holds them."""
    shared = (train > 0).sum(0) > 1
    lacking = {site: [name for c, name in enumerate(classes) if shared[c] and not train[place, c]] for place, site in enumerate(sites)}
    lacking = {site: names for site, names in lacking.items() if names}
    if len(lacking) > MOST_NAMED:
        most = max(lacking, key=lambda site: len(lacking[site]))
        yield Remark("caution", f"{len(lacking)} of {len(sites)} sites have no training image of some class; {most} lacks "
                                f"{_listed(lacking[most])}.")
        return
    for site, names in lacking.items():
        yield Remark("caution", f"{site} has no training image of {_listed(names)}.")


def _scarce(sites: Sequence[str], classes: Sequence[str], train: np.ndarray) -> Iterator[Remark]:
    kinds = [f"{name} at " for name in classes] if len(classes) > 1 else [""]
    scarce = [f"{kind}{site} ({train[place, c]})" for place, site in enumerate(sites) for c, kind in enumerate(kinds)
              if 0 < train[place, c] < FEW_TRAIN]
    if scarce:
        yield Remark("caution", f"Fewer than {FEW_TRAIN} training images: {_listed(scarce)}.")


def _listed(names: Sequence[str]) -> str:
    """ "a, b and 3 more"."""
    shown, rest = names[:MOST_NAMED], len(names) - MOST_NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
