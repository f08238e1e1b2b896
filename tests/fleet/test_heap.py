"""Workers keep the memory that they free."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from wardround.fleet.heap import keep_heap
torch.set_num_threads(1)
if {keeps}:
    keep_heap()
def step():
    return [torch.ones(size) for size in (2_000_000, 3_000_000, 12_000_000)][0].numel()
faults = []
for _ in range(10):
    step()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[4])
"""


def faults(keeps: bool) -> int:
    """Page faults of five further steps."""
    done = subprocess.run([sys.executable, "-c", FAULTS.format(keeps=keeps)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is tuned on Linux only")
def test_memory_that_was_used_once_is_not_fetched_from_the_system_again() -> None:
    assert faults(keeps=True) < faults(keeps=False) / 10
