"""The quality studies: federated methods against pooled and local training, cell by cell, resumable.

    make bench-quality                                             # all cells that have no result yet, then the tables
    .venv/bin/python benchmarks/quality/run.py --list              # what is done, failed, outdated (other settings) and due
    .venv/bin/python benchmarks/quality/run.py --only brain48/missing-classes/scaffold --seeds 3
    .venv/bin/python benchmarks/quality/run.py --hours 3           # no cell is begun after three hours
    .venv/bin/python benchmarks/quality/tables.py                  # results.md and figures/ from the cells alone

Each finished cell is a JSON file in cells/STUDY/, kept at once; studies.py says what the cells are. A study that was stopped or killed goes
on where it was, inside a run too, when the same command is given again. Systems that can fork (Linux, macOS).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from cells import Place
from design import HERE, Cell, chosen
from pool import STOPPED, Pool
from studies import STUDIES, TOY

from wardround.places import cache_root

DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[2] / "shared" / "data"))


def main() -> int:
    given = arguments()
    place = Place(out=given.out, work=given.work or cache_root() / "quality")
    studies = [*STUDIES, *(study for study in (TOY,) if any(name.split("/")[0] == study.name for name in given.only))]
    try:
        cells = chosen(studies, given.only, given.seeds)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    states = {cell.label: place.state(cell) for cell in cells}
    if given.list:
        print("\n".join(line(cell, states[cell.label], place) for cell in cells))
        return 0
    wanted = {"due", "outdated", "failed"} if given.retry else {"due", "outdated"}
    cells = [cell for cell in cells if states[cell.label] in wanted]
    print(f"{len(cells)} cells to run, {list(states.values()).count('done')} done", flush=True)
    try:
        num_bad = Pool(place, given.data, given.workers).run(cells, time.monotonic() + given.hours * 3600)
    except KeyboardInterrupt:
        print("stopped; finished cells and the last whole round of the others are kept. Give the same command again to go on.")
        return STOPPED
    left = sum(place.state(cell) in ("due", "outdated") for cell in cells)
    print(f"{left} cells left, {num_bad} failed or stopped" if left or num_bad else "all done", flush=True)
    return 1 if num_bad else 0


def line(cell: Cell, state: str, place: Place) -> str:
    record = place.read(cell) or {}
    return f"{state:9}{cell.label}" + (f": {record['error']}" if state == "failed" else "")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="STUDY[/PARTITION[/METHOD]]")
    parser.add_argument("--seeds", type=int, help="seeds of every method, instead of the study's number")
    parser.add_argument("--hours", type=float, default=float("inf"), help="begin no cell after so long")
    parser.add_argument("--workers", type=int, default=2, help="cells at a time, a process each (default 2)")
    parser.add_argument("--retry", action="store_true", help="also run cells that failed")
    parser.add_argument("--list", action="store_true", help="show the cells and run nothing")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of all data sets (default: WARDROUND_DATA)")
    parser.add_argument("--out", type=Path, default=HERE / "cells", help="folder of the results")
    parser.add_argument("--work", type=Path, help="folder of runs at work (default: quality/ in wardround's cache)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
