import logging
import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import parent_process
from pathlib import Path

import pytest

from wardround.data import pool
from wardround.data.pool import each


def squared(number: int) -> tuple[int, int, str]:
    """The square, the process, and its setting of torch's threads."""
    return number * number, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")


def squared_slowly(number: int) -> tuple[int, int, str]:
    time.sleep(0.01)
    return squared(number)


def squared_here_only(number: int) -> tuple[int, int, str]:
    if parent_process() is not None:
        os._exit(1)
    return squared_slowly(number)


def refuse(number: int) -> int:
    raise ValueError(f"not {number}")


def test_one_worker_works_here_in_order() -> None:
    assert [result[:2] for result in each(squared, [3, 1, 2], workers=1)] == [(square, os.getpid()) for square in (9, 1, 4)]


def test_processes_do_every_item_once_with_one_thread_each() -> None:
    results = list(each(squared, list(range(20)), workers=2))
    assert sorted(square for square, _, _ in results) == [number * number for number in range(20)]
    assert os.getpid() not in {pid for _, pid, _ in results}
    assert {threads for _, _, threads in results} == {"1"}


def test_joining_this_process_works_as_one_of_them() -> None:
    results = list(each(squared_slowly, list(range(40)), workers=2, joining=True))
    assert sorted(square for square, _, _ in results) == [number * number for number in range(40)]
    assert os.getpid() in {pid for _, pid, _ in results}
    assert len({pid for _, pid, _ in results}) == 2


def test_where_the_other_process_dies_this_one_does_every_item_once(caplog: pytest.LogCaptureFixture) -> None:
    results = list(each(squared_here_only, list(range(40)), workers=3, joining=True))
    assert sorted(square for square, _, _ in results) == [number * number for number in range(40)]
    assert "died" in caplog.text


def test_no_items_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_apart", lambda *args: pytest.fail("a process was started"))
    assert list(each(squared, [], workers=2)) == []
    assert len(list(each(squared, [1], workers=2))) == 1


def test_what_a_dead_process_left_is_done_here(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def dying(*args: object) -> object:
        yield 2, "apart"
        raise BrokenProcessPool

    monkeypatch.setattr(pool, "_apart", dying)
    with caplog.at_level(logging.WARNING):
        assert list(each(str, [10, 11, 12, 13], workers=2)) == ["apart", "10", "11", "13"]
    assert "died" in caplog.text


def test_errors_of_the_work_reach_the_caller() -> None:
    for workers, joining in ((1, False), (2, False), (2, True)):
        with pytest.raises(ValueError, match="not"):
            list(each(refuse, [1, 2], workers=workers, joining=joining))


def test_a_script_without_main_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from wardround.data.pool import each\nprint(sorted(each(abs, [-1, -2, -3], workers=2)))\n")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("[1, 2, 3]\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import time\nfrom wardround.data.pool import each\nprint('begun', flush=True)\n"
                      "list(each(time.sleep, [0, 99, 99], workers=2))\n")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"begun\n"
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    until = time.monotonic() + 20
    started: list[str] = []
    while len(started) < 3 and time.monotonic() < until:  # two workers and multiprocessing's own tracker
        started = children.read_text().split()
        time.sleep(0.05)
    parent.kill()
    parent.communicate()
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(started) == 3
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
