"""The ways to share images out to sites: when to choose each, and what it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from wardround.plan.schema import PartitionName


@dataclass(frozen=True)
class Partition:
    """name: of sites.partition. use_when: a sentence. takes: the keys of [sites] that it looks at, beside `names`."""

    name: str
    use_when: str
    takes: tuple[str, ...]


PARTITIONS = {name: Partition(name, use_when, takes) for name, use_when, takes in (
    ("iid", "All sites see the same mix of patients, and equally many: the best case, which shows what training apart costs by itself.",
     ("num",)),
    ("dirichlet", "Sites see different mixes of patients. Alpha says how different: 0.1 is near one class a site, 100 near equal.",
     ("num", "alpha")),
    ("quantity", "Small and large hospitals with the same mix of patients. Alpha says how unequal: 0.1 is one large site, 100 near equal.",
     ("num", "alpha")),
    ("missing-classes", "Every site holds the common classes; each other class is seen at one site only. Can all learn what one has seen?",
     ("num", "common")),
    ("shards", "Each site holds only so many pieces of the images sorted by class: a hard case by which algorithms are compared.",
     ("num", "shards")),
    ("feature-shift", "The same mix of patients, but each site has a scanner of its own: contrast, shading, blur and noise are simulated.",
     ("num", "strength")),
    ("column", "The data tell where each image comes from: the hospitals, or scanners, as they were.", ("column",)),
    ("folders", "Each hospital's images lie in a folder of their own, named like the site: a network rehearsed on one machine.", ()),
)}


def partitions() -> tuple[Partition, ...]:
    """All kinds that a plan can name, the plain ones first."""
    return tuple(PARTITIONS[name] for name in sorted(get_args(PartitionName), key=list(PARTITIONS).index))
