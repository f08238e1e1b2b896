"""Every test here is held to what a hostile file may cost: 5 s of the processor and 1 GB of memory."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS, MEGABYTES = 5.0, 1000.0


def megabytes(line: str) -> float:
    """A line of /proc/self/status: VmRSS is what is held now, VmHWM the most since the last reset."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(found for found in status if found.startswith(line)).split()[1]) / 1024


TRAINS = ("test_leaks", "test_runs")  # files whose tests train a run first, which takes what it takes


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test, with what it makes and reads, stays within the limits."""
    if request.path.stem in TRAINS:
        yield
        return
    is_measured = Path("/proc/self/clear_refs").exists()
    if is_measured:
        Path("/proc/self/clear_refs").write_text("5")
    before, started = megabytes("VmRSS") if is_measured else 0.0, time.process_time()
    yield
    assert time.process_time() - started < SECONDS
    assert not is_measured or megabytes("VmHWM") - before < MEGABYTES
