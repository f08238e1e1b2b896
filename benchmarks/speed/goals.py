"""The goals of speed, each against what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HELP_S = 0.3
STARTUP_S = 1.3
WALL = {("w3", "fp32"): 1.2, ("w3", "auto"): 0.9, ("w1", "fp32"): 1.05, ("w1", "auto"): 0.65, ("w2", "fp32"): 1.05, ("w2", "auto"): 0.75,
        ("unet", "auto"): 0.36}
MEMORY = 1.1  # x bare2p
OVERHEAD_MS = {"cnn": 0.4, "resnet18": 15.0}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure and the most it may be (or with at_least the least). value None: not measured."""

    what: str
    limit: float
    value: float | None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        is_reached = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "reached" if is_reached else "missed"


def goals(latest: dict[str, Any], micro: dict[str, Any], decode: dict[str, Any]) -> list[Goal]:
    """Every goal that has a number here."""
    return [*_runs(latest), *_micro(micro), *_decode(decode)]


def _runs(latest: dict[str, Any]) -> Iterator[Goal]:
    for (workload, precision), limit in WALL.items():
        yield Goal(what=f"{workload}, {precision}: wall time / bare2p", limit=limit,
                   value=_at(latest, workload, f"wardround_{precision}", "ratio_to_bare2p"))
    for workload in ("w1", "w2", "w3", "unet"):
        for precision in ("fp32", "auto"):
            name = f"wardround_{precision}"
            yield Goal(what=f"{workload}, {precision}: peak memory / bare2p", limit=MEMORY,
                       value=_at(latest, workload, name, "memory_ratio_to_bare2p"))
    for workload in ("w1", "w2", "w3", "unet"):
        whole, data = (_at(latest, workload, "wardround_auto", key) for key in ("startup_s", "data_s"))
        yield Goal(what=f"{workload}, auto: s from start to first step, without reading data", limit=STARTUP_S,
                   value=None if whole is None or data is None else whole - data)


def _micro(micro: dict[str, Any]) -> Iterator[Goal]:
    yield Goal(what="`wardround --help`, s", limit=HELP_S, value=_at(micro, "startup_s", "wardround_help"))
    for kind, words in (("numpy", "by layer, NumPy, as Flower"), ("torch", "by key, torch")):
        yield Goal(what=f"sum of ten ResNet-18 / sum {words}", limit=0.55,
                   value=_at(micro, "sum_of_ten_resnet18", "ratio_to", f"per_key_{kind}"))
    yield Goal(what="sum of ten ResNet-18: peak extra memory, models", limit=1.02,
               value=_at(micro, "sum_of_ten_resnet18", "extra_models", "ours"))
    for model, limit in OVERHEAD_MS.items():
        for workers in (1, 2):
            yield Goal(what=f"{model}, {workers} worker{'s' * (workers > 1)}: ms a site and round beside training", limit=limit,
                       value=_at(micro, "overhead_ms", model, f"{workers}_workers"))
    yield Goal(what="w3: memory with 1000 sites / with 50", limit=1.02, value=_at(micro, "memory_by_sites", "ratio"))


def _decode(decode: dict[str, Any]) -> Iterator[Goal]:
    for name, found in decode.items():
        if isinstance(found, dict) and "share_of_limit" in found:
            yield Goal(what=f"decode {name}: share of cores x the one-core limit", limit=0.9, value=found["share_of_limit"], at_least=True)


def _at(record: dict[str, Any], *keys: str) -> Any:
    for key in keys:
        if not isinstance(record, dict) or record.get(key) is None:
            return None
        record = record[key]
    return record
