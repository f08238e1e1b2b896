"""Every spending of a site's privacy budget, written down before the noise it stands for is drawn.

A ledger is a file of JSON lines to which only is added, a write-ahead log: a line is safe on disk before training begins, and every
repetition of a round after a crash is a line of its own, for the update of the round that was cut off may have left. A line is canonical
JSON with the fields of `Line`; hash is the SHA-256 of the line without it, prev the hash of the line before, 64 zeros of the first. So a
changed, missing or moved line is noticed. What is not: lines cut off at the end (`open_ledgers` compares with the run's checkpoint), and
a file that somebody writes anew.

What a crash left of a last line counts as a spending too, with the numbers of the line before, or as the very first those of the next
spending. Nothing was trained for it, since `spend` had not returned; counting it needs no trust in that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from wardround.core.untrusted import parsed_json
from wardround.errors import PrivacyError, Resumable
from wardround.plan.schema import Plan
from wardround.privacy.accountant import Spend, Spent, epsilon, spent
from wardround.privacy.terms import Terms

GENESIS = "0" * 64
MOST_BYTES = 2**26  # a thousand rounds are a hundredth of it
TYPES = {"seq": int, "kind": str, "run": str, "round": int, "attempt": int, "noise_multiplier": float, "sample_rate": float, "steps": int,
         "delta": float, "prev": str, "hash": str}
LONGEST = 100  # letters of a file's name; of a longer site's name the beginning and a hash
REMEDY = ("What was spent is no longer known. Put the file back from a copy; without one, count the whole budget as spent: a new run "
          "(--out DIR) spends its own on top.")

Kind = tuple[float, float]  # noise multiplier, sample rate: spendings that differ in their steps only


@dataclass(frozen=True, kw_only=True)
class Line:
    """A spending. kind "torn": of which a crash left a part of a line. attempt: from 1, how often this run's round was begun.

    delta: of the epsilon that was kept within the budget; the spending itself has none."""

    seq: int
    kind: Literal["spend", "torn"]
    run: str
    round: int
    attempt: int
    noise_multiplier: float
    sample_rate: float
    steps: int
    delta: float
    prev: str
    hash: str

    @property
    def spend(self) -> Spend:
        return Spend(noise_multiplier=self.noise_multiplier, sample_rate=self.sample_rate, steps=self.steps)


class Ledger:
    """What one site has spent, and whether it may go on. Processes that share a file wait for each other (POSIX locks; without them, as on
    Windows, one run at a time may use it, which runs/alone.py cannot see to there either)."""

    def __init__(self, path: Path, *, epsilon: float, delta: float, num_steps: int = 0) -> None:
        """epsilon, delta: the budget. num_steps: of the whole run; that all of them fit is found out at once, and not step by step.

        PrivacyError names a line that is damaged."""
        self.path, self.budget, self.delta = path, epsilon, delta
        self._num_steps = num_steps
        self._lines: list[Line] = []
        self._end = 0  # bytes of whole lines that were read
        self._is_torn = False
        self._epsilons: dict[frozenset[tuple[Kind, int]], float] = {}
        self._known: dict[tuple[Kind, frozenset[tuple[Kind, int]]], tuple[int, float]] = {}  # steps that fit, and that do not
        self._look()

    def allow(self, spend: Spend) -> bool:
        """Whether the budget holds one more such spending."""
        self._look()
        return self._fits(spend)

    def spend(self, spend: Spend, *, round: int, run: str) -> None:
        """Write a spending down; when this returns it is safe on disk, and noise may be drawn.

        PrivacyError if the budget would be passed (nothing is written), Resumable if the disk refuses."""
        self._look()
        try:
            with _held(self.path, os.O_RDWR | (0 if self._end else os.O_CREAT)) as file:
                self._catch_up(file)
                if not self._fits(spend):
                    raise PrivacyError(f"{self.path}: {self.refusal(spend, round)}")
                added: list[Line] = []
                if self._is_torn:
                    added.append(self._next("torn", self._torn(spend), *self._last_round(run, round), added))
                added.append(self._next("spend", spend, run, round, added))
                self._write(file, added)
        except OSError as error:
            raise Resumable(f"{self.path} cannot be written ({error.strerror or error}); without it nothing is trained. Free space or "
                            "restore write access, then continue the run with --resume.") from error

    def spends(self) -> list[Spend]:
        """All spendings so far, a torn line among them where its numbers are known."""
        self._look()
        found = [line.spend for line in self._lines]
        return [*found, found[-1]] if self._is_torn and found else found

    def lines(self) -> Sequence[Line]:
        """The whole lines."""
        self._look()
        return tuple(self._lines)

    def spent(self) -> Spent:
        """What all of it comes to, by every accountant; MissingExtra without the extra `privacy`."""
        spends = _merged(_steps_of(self.spends()))
        return spent(spends, self.delta) if spends else Spent(epsilon=0.0, pld=0.0, prv=0.0, rdp=0.0, delta=self.delta)

    def refusal(self, spend: Spend, round: int) -> str:
        """Why such a spending is refused."""
        before, after = self._counted(spend), self._counted(spend) + _steps_of([spend])
        return (f"privacy budget: epsilon {self._epsilon(before):.2f} of {self.budget:g} spent, round {round} would make it "
                f"{self._epsilon(after):.2f} (delta {self.delta:g})")

    def _fits(self, spend: Spend) -> bool:
        """Of a composition epsilon grows with each step, so a few looks tell for all rounds: at the whole run's steps, then halfway."""
        kind, counts = _kind_of(spend), self._counted(spend)
        wanted, others = counts.pop(kind, 0) + spend.steps, frozenset(counts.items())
        fit, unfit = self._known.get((kind, others), (0, float("inf")))
        while fit < wanted < unfit:
            ahead = int((wanted + unfit) // 2) if unfit < float("inf") else 2 * wanted
            ahead = self._num_steps if wanted <= self._num_steps < unfit else ahead
            for steps in (ahead, wanted):
                if fit < steps < unfit:
                    is_within = self._epsilon(counts + Counter({kind: steps})) <= self.budget
                    fit, unfit = (steps, unfit) if is_within else (fit, steps)
        self._known[kind, others] = (fit, unfit)
        return wanted <= fit

    def _epsilon(self, counts: Counter[Kind]) -> float:
        key = frozenset(counts.items())
        if key not in self._epsilons:
            self._epsilons[key] = _epsilon_of(_merged(counts), self.delta)
        return self._epsilons[key]

    def _counted(self, spend: Spend) -> Counter[Kind]:
        """Steps so far by kind, a torn line included. spend: whose numbers a torn first line gets."""
        lines = [line.spend for line in self._lines]
        return _steps_of([*lines, self._torn(spend)] if self._is_torn else lines)

    def _torn(self, spend: Spend) -> Spend:
        return self._lines[-1].spend if self._lines else spend

    def _last_round(self, run: str, round: int) -> tuple[str, int]:
        return (self._lines[-1].run, self._lines[-1].round) if self._lines else (run, round)

    def _next(self, kind: Literal["spend", "torn"], spend: Spend, run: str, round: int, added: Sequence[Line]) -> Line:
        before = [*self._lines, *added]
        attempt = 1 + sum((line.run, line.round) == (run, round) for line in before)
        told: dict[str, Any] = {"seq": len(before) + 1, "kind": kind, "run": run, "round": round, "attempt": attempt,
                                "noise_multiplier": float(spend.noise_multiplier), "sample_rate": float(spend.sample_rate),
                                "steps": spend.steps, "delta": float(self.delta), "prev": before[-1].hash if before else GENESIS}
        return Line(**told, hash=_hash_of(told))

    def _write(self, file: int, added: Sequence[Line]) -> None:
        """Write lines where the whole ones end. A crash in between leaves a torn line, which counts."""
        data = b"".join(_canonical(asdict(line)) + b"\n" for line in added)
        rest, end = data, self._end + len(data)
        while rest:
            rest = rest[os.pwrite(file, rest, end - len(rest)) :]
        os.ftruncate(file, end)  # what a crash left may be longer
        os.fsync(file)
        if not self._lines:
            _sync_folder(self.path.parent)
        self._lines, self._end, self._is_torn = [*self._lines, *added], end, False

    def _look(self) -> None:
        """Read what was added since the last look."""
        try:
            with _held(self.path, os.O_RDONLY) as file:
                self._catch_up(file)
        except FileNotFoundError:
            if self._end:
                raise PrivacyError(f"{self.path} has gone while the run was on. {REMEDY}") from None
        except OSError as error:
            raise PrivacyError(f"{self.path} cannot be read ({error.strerror or error}). Restore access to it.") from error

    def _catch_up(self, file: int) -> None:
        size = os.fstat(file).st_size
        if size > MOST_BYTES:
            raise PrivacyError(f"{self.path}: more than {MOST_BYTES:,} bytes; no run writes such a ledger. Is it the one meant?")
        if size < self._end:
            raise PrivacyError(f"{self.path} was cut off while the run was on. {REMEDY}")
        *whole, fragment = os.pread(file, size - self._end, self._end).split(b"\n")
        for raw in whole:
            try:
                self._lines.append(_following(self._lines, raw))
            except ValueError as error:
                raise PrivacyError(f"{self.path}: line {len(self._lines) + 1} {error}. {REMEDY}") from error
            self._end += len(raw) + 1
        self._is_torn = bool(fragment)


def open_ledgers(folder: Path, plan: Plan, terms: Mapping[str, Terms], *, done: int = 0) -> dict[str, Ledger]:
    """The ledgers of a run, FOLDER/SITE.jsonl, made where the run begins; {} without terms. terms: by site, or by SERVER. done: rounds of
    the checkpoint that the run goes on from; PrivacyError if a ledger is then missing, or all are silent about one of those rounds."""
    if not terms:
        return {}
    paths = {site: folder / file_name(site) for site in terms}
    if len({path.name.casefold() for path in paths.values()}) < len(paths):
        raise PrivacyError(f"{folder}: two sites whose names differ in small and large letters only would share a ledger on some systems. "
                           "Rename one.")
    for site, path in paths.items():
        if done and not path.exists():
            raise PrivacyError(f"{path} is missing, though rounds 1 to {done} are done: what site '{site}' has spent is in it. {REMEDY}")
        if not done:
            _make(path)
    ledgers = {site: Ledger(path, epsilon=terms[site].epsilon, delta=terms[site].delta,
                            num_steps=plan.rounds.num * terms[site].steps_per_round) for site, path in paths.items()}
    told = {line.round for ledger in ledgers.values() for line in ledger.lines()}
    if silent := [t for t in range(1, done + 1) if t not in told]:
        raise PrivacyError(f"{folder}: no ledger tells of round {silent[0]}, which the run has done: lines were cut off. {REMEDY}")
    return ledgers


def file_name(site: str) -> str:
    """A site's ledger: its name, with what no file's name may hold written as %2F."""
    name = quote(site, safe=" ")
    name = name.replace(".", "%2E", 1) if name.startswith(".") else name
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}-{hashlib.blake2b(site.encode(), digest_size=8).hexdigest()}"
    return f"{name}.jsonl"


def _epsilon_of(spends: Sequence[Spend], delta: float) -> float:
    if not spends:
        return 0.0
    if len(spends) > 1:
        return spent(spends, delta).epsilon
    return epsilon(noise_multiplier=spends[0].noise_multiplier, sample_rate=spends[0].sample_rate, steps=spends[0].steps, delta=delta)


def _kind_of(spend: Spend) -> Kind:
    return float(spend.noise_multiplier), float(spend.sample_rate)


def _steps_of(spends: Sequence[Spend]) -> Counter[Kind]:
    counts: Counter[Kind] = Counter()
    for spend in spends:
        counts[_kind_of(spend)] += spend.steps
    return counts


def _merged(counts: Counter[Kind]) -> list[Spend]:
    """One spending a kind: their order does not matter to epsilon."""
    return [Spend(noise_multiplier=noise, sample_rate=rate, steps=steps) for (noise, rate), steps in sorted(counts.items())]


def _following(before: Sequence[Line], raw: bytes) -> Line:
    """The line after these; ValueError says what is wrong with it, after "line 7"."""
    try:
        told = parsed_json(raw)
    except ValueError:
        told = None
    if not isinstance(told, dict) or {name: type(value) for name, value in told.items()} != TYPES or _canonical(told) != raw:
        raise ValueError("is no line of a ledger: it was changed or damaged")
    line = Line(**told)
    if line.hash != _hash_of({key: value for key, value in told.items() if key != "hash"}):
        raise ValueError("was changed or damaged: what it says does not fit its hash")
    if (line.seq, line.prev) != (len(before) + 1, before[-1].hash if before else GENESIS):
        raise ValueError("does not follow the line before it: lines are missing, or changed places")
    try:
        line.spend  # noqa: B018, its numbers are checked there
    except PrivacyError as error:
        raise ValueError(f"holds numbers that no spending has ({error})") from error
    return line


def _hash_of(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(told)).hexdigest()


def _canonical(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _make(path: Path) -> None:
    """An empty ledger, so that one that is missing later is noticed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            _sync_folder(path.parent)
    except OSError as error:
        raise PrivacyError(f"{path} cannot be written ({error.strerror or error}). Choose another folder with --out DIR.") from error


@contextmanager
def _held(path: Path, flags: int) -> Iterator[int]:
    """The open file, with everyone else kept out; to read, everyone who writes."""
    file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        try:
            import fcntl
        except ModuleNotFoundError:
            pass
        else:
            fcntl.flock(file, fcntl.LOCK_SH if flags == os.O_RDONLY else fcntl.LOCK_EX)  # until the file is closed, also by a crash
        yield file
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """So that a new file is still there after a power cut."""
    if os.name == "posix":
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
