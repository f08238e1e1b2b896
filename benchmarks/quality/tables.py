"""results.md and figures/ from the cells alone, on any machine.

    .venv/bin/python benchmarks/quality/tables.py [--only STUDY ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from design import HERE, Ranking, Study
from figures import draw
from judge import BASELINE, ENSEMBLE, Group, Judged, judged, spread, verdict, words
from studies import RANKINGS, STUDIES, TOY

FIRST = ("pooled", "local", ENSEMBLE)  # arms that come before the federated methods
INTRO = """\
# Federated against pooled: the quality studies

Written by `make bench-quality` from the cells in `cells/`; `studies.py` says what each of them is. All methods of a table train from the
same first weights, pass over a site's images equally often and are tested on the same patients; the round and the threshold are chosen on
validation images.

- metric: mean over seeds, ± standard deviation over seeds. **1 seed** marks rows without one.
- / pooled: ratio to pooled training over the same seeds, [95 % interval] over test patients, paired. - FedAvg: difference, likewise.
- worst recall / pooled: the least ratio over classes. worst / mean site: of the metric on each site's own test images, where it exists.
- ECE: calibration error after the temperature fitted on validation images, and in brackets its ratio to pooled training's.
- MB up: all updates of the run as they travelled, and in brackets the ratio to FedAvg's.
- passes: over a site's images, weighted by images; a small site takes at least one batch a round. Ditto and APFL train a second model too.
- local: mean over the sites' own models. ensemble: one model, the mean of theirs, weighted by their training images.
- Personal models are judged on their own site's images only, so their rows do not compare with one model for all.
"""


def page(studies: Sequence[Study], out: Path, rankings: Sequence[Ranking], figures: Path) -> str:
    """The whole page; figures are drawn beside. out: folder of the cells."""
    parts: list[str] = [INTRO]
    held: dict[tuple[str, str], Judged] = {}
    for study in studies:
        partitions = judged(study, out)
        if partitions:
            held |= {(study.name, one.partition.name): one for one in partitions}
            parts.append(section(study, partitions, draw(study, partitions, figures)))
    if any((ranking.study, ranking.partition) in held for ranking in rankings):
        parts.append(rankings_table(rankings, held))
    return "\n".join(parts)


def section(study: Study, partitions: Sequence[Judged], figures: Sequence[Path]) -> str:
    record = next(iter(next(iter(partitions[0].groups.values())).records.values()))
    phantom = " **Synthetic images: says nothing about patients.**" if record.get("phantom") else ""
    lines = [f"## {study.title}", "", f"Metric: {words(study.metric)} of {record['num_test']:,} test images.{phantom}", ""]
    lines += [f"![{path.stem.replace('-', ' ')}]({path.parent.name}/{path.name})\n" for path in figures]
    return "\n".join(lines) + "\n" + "\n".join(table(one) for one in partitions)


def table(one: Judged) -> str:
    """A partition's methods: references first, then the best first."""
    metric = one.study.metric
    head = ["method", "seeds", words(metric), "/ pooled", "- FedAvg", "worst recall / pooled", "worst / mean site", "ECE", "MB up",
            "rounds", "passes"]
    lines = [f"### {one.partition.title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row(one, group)) + " |" for group in ordered(one)]
    if one.missing:
        lines += ["", "Without result: " + "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason(one.missing).items()) + "."]
    return "\n".join(lines) + "\n"


def by_reason(missing: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in missing.items():
        found.setdefault(why, []).append(name)
    return found


def ordered(one: Judged) -> list[Group]:
    def place(group: Group) -> tuple[float, float]:
        values = group.values(one.study.metric)
        return (FIRST.index(group.arm) if group.arm in FIRST else len(FIRST), -sum(values) / len(values) if values else 0.0)

    return sorted(one.groups.values(), key=place)


def row(one: Judged, group: Group) -> list[str]:
    metric, reference = one.study.metric, one.groups.get(one.partition.reference or "")
    pooled = one.contrasts.get((group.method, one.partition.reference or ""), {})
    against, calibration = pooled.get(metric), pooled.get("ece")
    beyond = one.contrasts.get((group.method, BASELINE), {}).get(metric)
    values, deviation = group.values(metric), spread(group.values(metric))
    mean = sum(values) / len(values) if values else None
    is_federated, baseline = group.arm == "federated", one.groups.get(BASELINE)
    sent, usual = group.mean_of("bytes_up"), baseline.mean_of("bytes_up") if baseline else None
    return [
        group.method + (" (personal)" if group.is_personal else ""), "**1 seed**" if len(group.seeds) == 1 else str(len(group.seeds)),
        number(mean) + (f" ± {deviation:.3f}" if deviation is not None else ""),
        interval(against, "ratio", "low", "high") if against else "",
        interval(beyond, "difference", "difference_low", "difference_high", signed=True) if beyond else "",
        number(one.worst_recall_ratio(group), 2) if group is not reference else "", number(group.worst_to_mean_site(metric), 2),
        with_ratio(average(group, "ece"), calibration["ratio"] if calibration else None, 3),
        with_ratio(sent / 1e6, sent / usual if usual and group is not baseline else None, 1) if is_federated and sent is not None else "",
        number(group.mean_of("rounds"), 0) if group.arm in ("federated", "pooled") else "", number(group.mean_of("passes"), 1)]


def rankings_table(rankings: Sequence[Ranking], held: dict[tuple[str, str], Judged]) -> str:
    """What the literature says, and what was found here."""
    lines = ["## Known rankings", "", "`>`: better. `~`: alike within the margin. `not >`: not better by more than the margin. The verdict "
             "is by the whole interval of the paired difference.", "",
             "| study | partition | claim | source | seeds | difference | |", "|---|---|---|---|---|---|---|"]
    for ranking in rankings:
        one = held.get((ranking.study, ranking.partition))
        pair = (ranking.first, ranking.second)
        entry = one.contrast([pair]).get(pair) if one and {*pair} <= {*one.groups} else None
        margin = "" if ranking.relation == ">" else f" (margin {ranking.margin:g})"
        claim = f"{ranking.first} {ranking.relation} {ranking.second}{margin}"
        found = ["", "not run", ""]
        if one and entry:
            metric = entry[one.study.metric]
            seeds = {*one.groups[ranking.first].seeds} & {*one.groups[ranking.second].seeds}
            found = [str(len(seeds)), interval(metric, "difference", "difference_low", "difference_high", signed=True),
                     f"**{verdict(ranking, metric)}**"]
        lines.append("| " + " | ".join([ranking.study, ranking.partition, claim, ranking.source, *found]) + " |")
    return "\n".join(lines) + "\n"


def average(group: Group, metric: str) -> float | None:
    values = group.values(metric)
    return sum(values) / len(values) if values else None


def number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def with_ratio(value: float | None, ratio: float | None, digits: int) -> str:
    return number(value, digits) + (f" ({ratio:.3g})" if ratio is not None else "")


def interval(entry: dict[str, float | None], value: str, low: str, high: str, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    shown = ["not estimable" if entry[name] is None else f"{entry[name]:{sign}.3f}" for name in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[study.name for study in (*STUDIES, TOY)], metavar="STUDY",
                        default=[study.name for study in STUDIES])
    parser.add_argument("--cells", type=Path, default=HERE / "cells")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of results.md and figures/")
    given = parser.parse_args()
    studies = [study for study in (*STUDIES, TOY) if study.name in given.only]
    text = page(studies, given.cells, RANKINGS, given.out / "figures")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "results.md").write_text(text)
    print(f"{given.out / 'results.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
