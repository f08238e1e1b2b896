"""The worker process: it ends with whoever started it, and keeps what went wrong to itself."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_site
from toy_site import first_order, make_site, opened, request

from wardround.core.exchange import Update
from wardround.fleet.header import MAX_BYTES
from wardround.network import frames


@pytest.fixture
def started(tmp_path):
    """A worker, and our end of its socket."""
    folder, plan = make_site(tmp_path / "site")
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, toy_site.__file__, "fedavg", "--fd", str(theirs.fileno()), str(folder.path)],
                               pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL)
    theirs.close()
    with ours:
        yield folder, plan, process, ours
    process.kill()
    process.wait()


def ends(process, within_s=5.0):
    return process.wait(within_s)


def test_it_answers_until_the_other_end_closes_and_ctrl_c_does_not_end_it(started) -> None:
    _, plan, process, ours = started
    with ours.makefile("rb") as answers:
        for _ in range(2):
            frames.send(ours, request(plan, first_order()))
            assert isinstance(opened(frames.receive(answers, MAX_BYTES))[1], Update)
            os.kill(process.pid, signal.SIGINT)
    ours.close()
    assert ends(process) == 0


def test_it_ends_in_the_middle_of_its_work_when_the_other_end_is_gone(started) -> None:
    folder, plan, process, ours = started
    (folder.path / "slow").write_text("")
    with ours.makefile("rb") as answers:
        frames.send(ours, request(plan, first_order(), site="other"))
        frames.receive(answers, MAX_BYTES)  # it is up
    frames.send(ours, request(plan, first_order()))
    time.sleep(0.3)
    assert process.poll() is None
    ours.close()
    assert ends(process) == 0


def test_it_ends_with_the_agent_s_process_however_that_ends(tmp_path) -> None:
    folder, _ = make_site(tmp_path / "site")
    code = ("import sys, time\nfrom pathlib import Path\nfrom wardround.network.child import Child\n"
            "child = Child(sys.argv[2:], Path(sys.argv[1]), log_file=Path(sys.argv[1]) / 'state' / 'worker.log')\n"
            "child._started()\nprint(child.pid, flush=True)\ntime.sleep(60)\n")
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder.path), sys.executable, toy_site.__file__, "fedavg"],
                              stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    due = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < due:
        time.sleep(0.05)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
