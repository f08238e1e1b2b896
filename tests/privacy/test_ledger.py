"""What was spent stays spent. In these tests epsilon is steps * rate / noise, so that budgets can be counted by hand."""

import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from wardround.errors import PrivacyError, Resumable
from wardround.plan.schema import Plan
from wardround.privacy import ledger as ledgers
from wardround.privacy.accountant import Spend, Spent
from wardround.privacy.ledger import Ledger, file_name, open_ledgers
from wardround.privacy.terms import Terms

ROUND = Spend(noise_multiplier=2.0, sample_rate=0.5, steps=4)  # epsilon 1
TERMS = Terms(unit="image", noise_multiplier=2.0, sample_rate=0.5, clip_norm=1.0, delta=1e-5, epsilon=3.0, steps_per_round=4,
              physical_batch=8, images_per_patient=4)


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps whose epsilon was asked for."""
    asked: list[int] = []

    def epsilon(*, noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
        asked.append(steps)
        return steps * sample_rate / noise_multiplier

    def spent(spends: Sequence[Spend], delta: float) -> Spent:
        total = sum(spend.steps * spend.sample_rate / spend.noise_multiplier for spend in spends)
        return Spent(epsilon=total, pld=total, prv=total, rdp=total, delta=delta)

    monkeypatch.setattr(ledgers, "epsilon", epsilon)
    monkeypatch.setattr(ledgers, "spent", spent)
    return asked


def opened(folder: Path, epsilon: float = 3.0, num_steps: int = 0) -> Ledger:
    return Ledger(folder / "north.jsonl", epsilon=epsilon, delta=1e-5, num_steps=num_steps)


def three_rounds(folder: Path) -> Path:
    for t in (1, 2, 3):
        opened(folder).spend(ROUND, round=t, run="r")
    return folder / "north.jsonl"


def test_a_budget_of_three_rounds_pays_for_three(tmp_path) -> None:
    ledger = opened(tmp_path)
    for t in (1, 2, 3):
        assert ledger.allow(ROUND)
        ledger.spend(ROUND, round=t, run="r")
    assert not ledger.allow(ROUND)
    with pytest.raises(PrivacyError, match=r"north.jsonl: privacy budget: epsilon 3.00 of 3 spent, round 4 would make it 4.00 \(delta"):
        ledger.spend(ROUND, round=4, run="r")
    assert ledger.spends() == [ROUND] * 3
    assert ledger.spent().epsilon == 3.0


def test_a_smaller_spending_may_still_fit(tmp_path) -> None:
    ledger = opened(tmp_path, epsilon=1.5)
    ledger.spend(ROUND, round=1, run="r")
    half = Spend(noise_multiplier=4.0, sample_rate=0.5, steps=4)
    assert not ledger.allow(ROUND)
    assert ledger.allow(half)
    ledger.spend(half, round=2, run="r")
    assert ledger.spent().epsilon == 1.5


def test_nothing_spent_is_epsilon_zero(tmp_path) -> None:
    assert opened(tmp_path).spent().epsilon == 0.0
    assert not (tmp_path / "north.jsonl").exists()


def test_a_ledger_opened_again_remembers_and_never_resets(tmp_path) -> None:
    three_rounds(tmp_path)
    again = opened(tmp_path)
    assert again.spends() == [ROUND] * 3
    assert not again.allow(ROUND)


def test_a_round_that_is_repeated_counts_again(tmp_path) -> None:
    opened(tmp_path).spend(ROUND, round=1, run="r")
    opened(tmp_path).spend(ROUND, round=1, run="r")
    opened(tmp_path).spend(ROUND, round=1, run="other")
    assert [(line.run, line.round, line.attempt) for line in opened(tmp_path).lines()] == [("r", 1, 1), ("r", 1, 2), ("other", 1, 1)]
    assert not opened(tmp_path).allow(ROUND)


def test_a_line_is_on_disk_when_spend_returns_even_if_the_process_dies_at_once(tmp_path) -> None:
    def spend_and_die() -> None:
        opened(tmp_path).spend(ROUND, round=1, run="r")
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=spend_and_die)
    process.start()
    process.join()
    assert opened(tmp_path).spends() == [ROUND]


def test_a_line_is_synced_before_it_counts_as_written(tmp_path, monkeypatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(ledgers.os, "fsync", lambda file: synced.append(os.pread(file, 9999, 0) if file_is_regular(file) else b"folder"))
    opened(tmp_path).spend(ROUND, round=1, run="r")
    assert synced[0] == (tmp_path / "north.jsonl").read_bytes()
    assert synced[1] == b"folder"


def file_is_regular(file: int) -> bool:
    return os.fstat(file).st_mode & 0o170000 == 0o100000


def test_what_a_full_disk_refuses_is_not_spent_and_the_run_can_go_on(tmp_path, monkeypatch) -> None:
    def full(file: int, data: bytes, place: int) -> int:
        raise OSError(28, "No space left on device")

    ledger = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(ledgers.os, "pwrite", full)
        with pytest.raises(Resumable, match=r"north.jsonl cannot be written \(No space left on device\).*--resume"):
            ledger.spend(ROUND, round=1, run="r")
    assert ledger.spends() == []
    ledger.spend(ROUND, round=1, run="r")
    assert ledger.spends() == [ROUND]


@pytest.mark.parametrize("cut", [1, 100])
def test_a_torn_last_line_counts_with_the_numbers_of_the_line_before(tmp_path, cut) -> None:
    path = three_rounds(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    torn = opened(tmp_path, epsilon=4.0)
    assert torn.spends() == [ROUND] * 3
    torn.spend(ROUND, round=3, run="r")
    assert [(line.kind, line.round, line.attempt) for line in torn.lines()] == [("spend", 1, 1), ("spend", 2, 1), ("torn", 2, 2),
                                                                               ("spend", 3, 1)]
    assert opened(tmp_path).spends() == [ROUND] * 4


def test_a_torn_line_can_use_up_the_budget(tmp_path) -> None:
    path = three_rounds(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert not opened(tmp_path).allow(ROUND)


def test_a_torn_first_line_counts_as_the_next_spending(tmp_path) -> None:
    (tmp_path / "north.jsonl").write_bytes(b'{"attempt":1,' + b"x" * 5000)
    assert not opened(tmp_path, epsilon=1.0).allow(ROUND)
    ledger = opened(tmp_path)
    assert ledger.spends() == []
    ledger.spend(ROUND, round=1, run="r")
    assert opened(tmp_path).spends() == [ROUND] * 2


def changed(line: bytes, **values: object) -> bytes:
    return json.dumps({**json.loads(line), **values}, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(("edit", "named"), [
    (lambda lines: [lines[0], changed(lines[1], steps=1), lines[2]], "line 2 was changed"),
    (lambda lines: [lines[0], lines[2]], "line 2 does not follow"),
    (lambda lines: lines[1:], "line 1 does not follow"),
    (lambda lines: [lines[1], lines[0], lines[2]], "line 1 does not follow"),
    (lambda lines: [*lines, lines[2]], "line 4 does not follow"),
    (lambda lines: [lines[0], b"\0" * 50, lines[2]], "line 2 is no line of a ledger"),
    (lambda lines: [lines[0], changed(lines[1], steps=1.5), lines[2]], "line 2 is no line of a ledger"),
    (lambda lines: [b"[" * 9999, *lines], "line 1 is no line of a ledger")])
def test_a_damaged_line_is_named_with_the_remedy(tmp_path, edit, named) -> None:
    path = three_rounds(tmp_path)
    path.write_bytes(b"".join(line + b"\n" for line in edit(path.read_bytes().splitlines())))
    with pytest.raises(PrivacyError, match=rf"north.jsonl: {named}.*Put the file back from a copy"):
        opened(tmp_path)


def test_a_forged_line_with_impossible_numbers_is_refused(tmp_path) -> None:
    path = three_rounds(tmp_path)
    told = json.loads(path.read_bytes().splitlines()[0]) | {"steps": -4}
    del told["hash"]
    path.write_bytes(ledgers._canonical({**told, "hash": ledgers._hash_of(told)}) + b"\n")
    with pytest.raises(PrivacyError, match="line 1 holds numbers that no spending has"):
        opened(tmp_path)


def test_a_ledger_that_vanishes_or_shrinks_under_a_run_is_noticed(tmp_path) -> None:
    path = three_rounds(tmp_path)
    ledger, whole = opened(tmp_path, epsilon=9.0), path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\n") + 1])
    with pytest.raises(PrivacyError, match="was cut off while the run was on"):
        ledger.spend(ROUND, round=4, run="r")
    path.unlink()
    with pytest.raises(PrivacyError, match="has gone while the run was on"):
        ledger.spend(ROUND, round=4, run="r")
    assert not path.exists()


def test_two_ledgers_on_one_file_see_each_other(tmp_path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    for t, ledger in enumerate((one, two, one), start=1):
        ledger.spend(ROUND, round=t, run="r")
    assert not two.allow(ROUND)
    with pytest.raises(PrivacyError, match=r"epsilon 3.00 of 3 spent"):
        two.spend(ROUND, round=4, run="r")


def spend_all(folder: Path) -> None:
    ledger = opened(folder, epsilon=60.5)
    for t in range(1, 26):
        if ledger.allow(ROUND):
            try:
                ledger.spend(ROUND, round=t, run=str(os.getpid()))
            except PrivacyError:
                return


def test_processes_at_once_never_pass_the_budget(tmp_path, looks) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=spend_all, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(opened(tmp_path, epsilon=60.5).spends()) == 60  # of 75 that were wanted


def test_a_whole_run_that_fits_takes_one_look_at_the_accountant(tmp_path, looks) -> None:
    ledger = opened(tmp_path, epsilon=50.0, num_steps=50 * 4)
    for t in range(1, 51):
        assert ledger.allow(ROUND)
        ledger.spend(ROUND, round=t, run="r")
    assert looks == [200]
    assert not ledger.allow(ROUND)


def test_the_last_round_that_fits_is_found_in_few_looks(tmp_path, looks) -> None:
    for num_steps in (0, 4 * 50, 4 * 200):
        looks.clear()
        ledger = Ledger(tmp_path / f"{num_steps}.jsonl", epsilon=77.9, delta=1e-5, num_steps=num_steps)
        t = 0
        while ledger.allow(ROUND):
            t += 1
            ledger.spend(ROUND, round=t, run="r")
        assert t == 77
        assert len(looks) <= 20


def plan(num: int = 5) -> Plan:
    return Plan.model_validate({"name": "p", "rounds": {"num": num}})


def test_a_run_has_a_ledger_a_site_from_its_beginning(tmp_path) -> None:
    found = open_ledgers(tmp_path / "privacy", plan(), {"north": TERMS, "Süd/2": TERMS})
    assert sorted(path.name for path in (tmp_path / "privacy").iterdir()) == ["S%C3%BCd%2F2.jsonl", "north.jsonl"]
    found["north"].spend(ROUND, round=1, run="r")
    again = open_ledgers(tmp_path / "privacy", plan(), {"north": TERMS, "Süd/2": TERMS})  # killed before its first checkpoint
    assert again["north"].spends() == [ROUND]
    assert again["north"].budget == 3.0


def test_a_missing_ledger_of_a_run_that_has_done_rounds_is_refused(tmp_path) -> None:
    terms = {"north": TERMS, "south": TERMS}
    for ledger in open_ledgers(tmp_path, plan(), terms).values():
        ledger.spend(ROUND, round=1, run="r")
    assert open_ledgers(tmp_path, plan(), terms, done=1)["south"].spends() == [ROUND]
    (tmp_path / "south.jsonl").unlink()
    with pytest.raises(PrivacyError, match=r"south.jsonl is missing, though rounds 1 to 1 are done.*'south'.*from a copy"):
        open_ledgers(tmp_path, plan(), terms, done=1)


def test_ledgers_that_are_silent_about_a_round_that_was_done_are_refused(tmp_path) -> None:
    open_ledgers(tmp_path, plan(), {"north": TERMS})["north"].spend(ROUND, round=1, run="r")
    with pytest.raises(PrivacyError, match=r"no ledger tells of round 2.*cut off"):
        open_ledgers(tmp_path, plan(), {"north": TERMS}, done=2)


def test_names_of_sites_make_names_of_files() -> None:
    assert file_name("St. Mary's 2") == "St. Mary%27s 2.jsonl"
    assert file_name("..") == "%2E..jsonl"
    assert "/" not in file_name("../../etc/passwd")
    long, other = file_name("a" * 300 + "b"), file_name("a" * 300 + "c")
    assert long != other
    assert len(long) < 128


def test_sites_that_would_share_a_file_somewhere_are_refused(tmp_path) -> None:
    with pytest.raises(PrivacyError, match="small and large letters"):
        open_ledgers(tmp_path, plan(), {"North": TERMS, "north": TERMS})
