"""One process at a time on a run."""

import subprocess
import sys

import pytest

from wardround.errors import Resumable
from wardround.runs.alone import alone

HOLD = ("import sys; from pathlib import Path; from wardround.runs.alone import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()\n")


def test_a_run_that_another_process_works_on_is_refused_until_that_one_is_gone(tmp_path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(Resumable, match="another process is at work on"), alone(tmp_path):
        pass
    process.kill()
    process.communicate()
    with alone(tmp_path):
        pass
