"""Thousands of mutants of every format, each read in a process with limits on memory and time: python tests/hostile/fuzz.py --help

A mutant passes if it is read, or refused with an error of ours. It fails if anything else is raised, if it takes more than 5 s of the
processor or 1 GB of memory, if a program is started, a connection opened or a file written outside of the work folder, or if the
process dies. What was done is kept in --out after every batch; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "benchmarks" / "security" / "fuzz.json"
SECONDS, MEGABYTES = 5.0, 1024.0
BATCH = 250  # mutants of a process, which is then replaced: what one leaves behind does not count for all others
HANGS_S = 120.0  # a mutant that has taken so long will not end
FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "socket.connect", "ctypes.dlopen")


@dataclass
class Tally:
    """What became of a format's mutants. failures: number of the mutant and what was wrong, the first fifty."""

    done: int = 0
    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    peak_mb: float = 0.0
    num_failed: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, number: int, outcome: str, seconds: float, megabytes: float) -> None:
        """One mutant more."""
        self.done = number + 1
        self.slowest_s, self.peak_mb = max(self.slowest_s, seconds), max(self.peak_mb, megabytes)
        fault = outcome if outcome not in ("read", "refused") else (
            f"took {seconds:.1f} s" if seconds > SECONDS else f"took {megabytes:.0f} MB" if megabytes > MEGABYTES else "")
        if fault:
            self.num_failed += 1
            self.failures += [(number, fault)] if len(self.failures) < 50 else []
        else:
            self.read += outcome == "read"
            self.refused += outcome == "refused"


def campaign(formats: list[str], num: int, tallies: dict[str, Tally], *, work: Path, out: Path | None = None) -> dict[str, Tally]:
    """Read mutants until every format has `num`, from where the tallies stand."""
    for name in formats:
        tallies.setdefault(name, Tally())
    while todo := {name: (tallies[name].done, min(num, tallies[name].done + BATCH)) for name in formats if tallies[name].done < num}:
        _batch(todo, tallies, work)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            part = out.with_suffix(".part")
            part.write_text(json.dumps(_record(tallies), indent=1) + "\n")
            part.replace(out)
    return tallies


def _batch(todo: dict[str, tuple[int, int]], tallies: dict[str, Tally], work: Path) -> None:
    """One process for a batch of each format; its death is the failure of the mutant that it was reading."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]),
                   "OMP_NUM_THREADS": "1", "WARDROUND_CACHE": str(work / "cache")}
    command = [sys.executable, str(HERE / "fuzz.py"), "--worker", json.dumps(todo), "--work", str(work)]
    reading: tuple[str, int] | None = None
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout or ():
            told = json.loads(line)
            if len(told) == 2:
                reading = (told[0], told[1])
            else:
                tallies[told[0]].add(*told[1:])
                reading = None
    if reading is not None:
        tallies[reading[0]].add(reading[1], f"the process ended with {process.returncode}", 0.0, 0.0)
    elif process.returncode:
        raise SystemExit(f"the reading process failed before it read anything ({process.returncode}): {' '.join(command)}")


def worker(todo: dict[str, tuple[int, int]], work: Path) -> None:
    """Read mutants, telling which before and what became of it afterwards. Not to be called in a process that goes on: hooks stay."""
    import faulthandler
    import resource
    import warnings

    from formats import FORMATS

    from wardround.errors import WardroundError

    tell = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # C libraries write what they like
    warnings.simplefilter("ignore")
    for name in todo:  # what is imported on first use is neither a mutant's time nor its memory
        _read(FORMATS[name].read, work / f"honest.{name}", FORMATS[name].make()[0], WardroundError)
    faults = _watched(work)
    own = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (own + 2 * 2**30, own + 2 * 2**30))
    for name, (first, end) in todo.items():
        for number in range(first, end):
            _tell(tell, name, number)
            faulthandler.dump_traceback_later(HANGS_S, exit=True)
            data = FORMATS[name].mutant(number)
            Path("/proc/self/clear_refs").write_text("5")
            before, started = _megabytes("VmRSS"), time.process_time()
            outcome = _read(FORMATS[name].read, work / f"mutant.{name}", data, WardroundError)
            seconds, most = time.process_time() - started, _megabytes("VmHWM") - before
            faulthandler.cancel_dump_traceback_later()
            outcome = faults.pop() if faults else outcome
            _tell(tell, name, number, outcome, round(seconds, 3), round(most, 1))


def _tell(tell: IO[str], *values: object) -> None:
    tell.write(json.dumps(values) + "\n")
    tell.flush()


def _read(read: object, path: Path, data: bytes, ours: type[Exception]) -> str:
    path.write_bytes(data)
    try:
        read(path)  # type: ignore[operator]
    except ours:
        return "refused"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "read"


def _watched(work: Path) -> list[str]:
    """What forbidden things this process does from now on."""
    faults: list[str] = []
    allowed = (str(work), "/dev/", "/proc/self/")

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in FORBIDDEN:
            faults.append(f"{event}{arguments!r}"[:300])
        elif event == "open" and set(str(arguments[1])) & set("wxa+") and not str(arguments[0]).startswith(allowed):
            faults.append(f"wrote {arguments[0]}"[:300])

    sys.addaudithook(hook)
    return faults


def _megabytes(line: str) -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(found for found in status if found.startswith(line)).split()[1]) / 1024


def _record(tallies: dict[str, Tally]) -> dict[str, object]:
    return {name: asdict(tally) for name, tally in tallies.items()}


def table(tallies: dict[str, Tally]) -> str:
    """What was found, a line a format."""
    lines = [f"{'format':<12}{'mutants':>9}{'read':>9}{'refused':>9}{'failed':>8}{'slowest s':>11}{'peak MB':>9}"]
    for name, tally in tallies.items():
        lines.append(f"{name:<12}{tally.done:>9}{tally.read:>9}{tally.refused:>9}{tally.num_failed:>8}{tally.slowest_s:>11.2f}"
                     f"{tally.peak_mb:>9.0f}")
    return "\n".join(lines)


def main() -> None:
    """Run or continue a campaign, or show one mutant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=10_000, help="mutants of each format")
    parser.add_argument("--formats", default="", help="names separated by commas; all if none are given")
    parser.add_argument("--out", type=Path, default=OUT, help="what was done so far, as JSON")
    parser.add_argument("--show", nargs=2, metavar=("FORMAT", "NUMBER"), help="write one mutant to stdout")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        worker(json.loads(asked.worker), asked.work)
        return
    sys.path[:0] = [str(ROOT), str(HERE)]
    from formats import FORMATS

    if asked.show:
        sys.stdout.buffer.write(FORMATS[asked.show[0]].mutant(int(asked.show[1])))
        return
    known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    tallies = {name: Tally(**{**told, "failures": [tuple(fault) for fault in told["failures"]]}) for name, told in known.items()}
    with tempfile.TemporaryDirectory() as work:
        campaign(asked.formats.split(",") if asked.formats else list(FORMATS), asked.num, tallies, work=Path(work), out=asked.out)
    sys.stdout.write(table(tallies) + "\n")
    failures = [f"{name} {number}: {fault}" for name, tally in tallies.items() for number, fault in tally.failures]
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
