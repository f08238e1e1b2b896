"""A few hundred mutants of every format, in a process with limits; `make fuzz` reads ten thousand of each."""

import json
from pathlib import Path

import pytest
from formats import FORMATS
from fuzz import BATCH, Tally, campaign, table
from mutants import mutant, with_checksums

NUM = 200


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tally]:
    assert NUM <= BATCH  # one process
    return campaign(list(FORMATS), NUM, {}, work=tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_mutant_is_read_or_refused_in_our_own_words(tallies: dict[str, Tally], name: str) -> None:
    tally = tallies[name]
    assert tally.failures == []
    assert (tally.done, tally.read + tally.refused) == (NUM, NUM)
    assert tally.read > 0  # what is changed is not always broken: the readers are reached
    assert tally.refused > 0


@pytest.mark.parametrize("name", FORMATS)
def test_the_files_to_begin_with_are_honest(name: str, tmp_path: Path) -> None:
    (tmp_path / f"honest.{name}").write_bytes(FORMATS[name].make()[0])
    FORMATS[name].read(tmp_path / f"honest.{name}")


@pytest.mark.parametrize("name", FORMATS)
def test_a_mutant_is_the_same_whenever_it_is_made(name: str) -> None:
    assert [FORMATS[name].mutant(number) for number in range(20)] == [FORMATS[name].mutant(number) for number in range(20)]
    assert len({FORMATS[name].mutant(number) for number in range(20)}) > 10


def test_a_png_keeps_its_bytes_where_its_checksums_are_right() -> None:
    whole = FORMATS["png"].make()[0]
    assert with_checksums(whole) == whole
    assert with_checksums(whole[:-1] + b"x")[-1:] != b"x"


def test_a_campaign_goes_on_from_where_it_stood(tmp_path: Path) -> None:
    out = tmp_path / "fuzz.json"
    campaign(["csv"], 3, {}, work=tmp_path, out=out)
    stood = json.loads(out.read_text())["csv"]
    assert stood["done"] == 3
    assert campaign(["csv"], 5, {"csv": Tally(**stood)}, work=tmp_path)["csv"].done == 5


def test_what_would_be_found_is_found() -> None:
    """A tally that is told of an error, a delay or a gigabyte has a failure of each."""
    tally = Tally()
    for number, told in enumerate([("read", 0.1, 1.0), ("KeyError: x", 0.1, 1.0), ("read", 5.1, 1.0), ("refused", 0.1, 1025.0)]):
        tally.add(number, *told)
    assert tally.failures == [(1, "KeyError: x"), (2, "took 5.1 s"), (3, "took 1025 MB")]
    assert (tally.read, tally.refused, tally.num_failed) == (1, 0, 3)
    assert "csv" in table({"csv": tally})


def test_seeds_are_changed_by_every_mutator_without_an_error() -> None:
    assert all(isinstance(mutant([b"", b"x"], [b"w"], "empty", number), bytes) for number in range(200))
