"""NVFLARE's logs are read as they grow, whatever happens to the files; what was refused is in ours."""

from pathlib import Path

import pytest

from wardround.network.auditlog import AuditLog, lines
from wardround.network.watchman import MOST, SERVER_ROUTINE, SITE_ROUTINE, Watchman

SHELL = "[E:1][T:2026-01-01][U:coordinator@clinics][A:sys.shell ls]\n"
CLASS = ("2026-01-01 - runner - ERROR - [identity=north] - component not authorized: Component 'os.system' at config path "
         "'executors.#1' is not in allow_list\n")
TOLD = "NVFLARE's command 'sys.shell ls' of coordinator@clinics is not allowed here"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "flare").mkdir()
    return tmp_path / "flare"


def watch(workspace: Path, routine: frozenset[str] = SITE_ROUTINE) -> Watchman:
    return Watchman(workspace, AuditLog(workspace.parent / "audit.jsonl"), routine)


def told(workspace: Path) -> list[str]:
    path = workspace.parent / "audit.jsonl"
    return [str(line.facts["cause"]) for line in lines(path) if line.kind == "refused"] if path.exists() else []


def say(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def test_a_command_that_is_not_routine_was_refused(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", SHELL)
    watchman.look()
    assert told(workspace) == [TOLD]


@pytest.mark.parametrize(("routine", "actions"), [
    (SITE_ROUTINE, ("train.deploy", "train.start_job", "train.abort")),
    (SERVER_ROUTINE, ("_cert_login", "job_mgmt.submit_job job --submit-token a", "check_status server"))])
def test_routine_is_not_told(workspace: Path, routine: frozenset[str], actions: tuple[str, ...]) -> None:
    watchman = watch(workspace, routine)
    say(workspace / "audit.log", "".join(f"[E:1][R:2][T:3][U:coordinator][A:{action}]more\n" for action in actions))
    watchman.look()
    assert told(workspace) == []


def test_what_begins_like_routine_is_not(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", "[U:x][A:train.deployment]\n[U:][A:]\n")
    watchman.look()
    assert told(workspace) == ["NVFLARE's command 'train.deployment' of x is not allowed here",
                               "NVFLARE's command '' of nobody is not allowed here"]


def test_lines_of_jobs_are_no_commands(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", "[E:1][T:2][S:all][J:job][A:order#1]\n\nsomething else\n")
    watchman.look()
    assert told(workspace) == []


def test_a_job_with_a_class_that_is_not_listed_was_refused(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "job" / "error_log.txt", CLASS + "Traceback: " + CLASS + "another error\n")
    watchman.look()
    assert told(workspace) == ["a job of NVFLARE was refused: Component 'os.system' at config path 'executors.#1' is not in allow_list"]


def test_each_line_is_told_once(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", SHELL)
    watchman.look()
    watchman.look()
    say(workspace / "audit.log", SHELL)
    watchman.look()
    assert told(workspace) == [TOLD, TOLD]


def test_what_was_there_before_is_not_told_again(workspace: Path) -> None:
    say(workspace / "audit.log", SHELL)
    watchman = watch(workspace)
    watchman.look()
    assert told(workspace) == []


def test_half_a_line_waits_for_its_other_half(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", SHELL[:30])
    watchman.look()
    assert told(workspace) == []
    say(workspace / "audit.log", SHELL[30:])
    watchman.look()
    assert told(workspace) == [TOLD]


def test_a_log_that_was_moved_aside_is_read_to_its_end_and_the_new_one_from_its_beginning(workspace: Path) -> None:
    watchman, log = watch(workspace), workspace / "job" / "error_log.txt"
    say(log, "much of before\n" * 9)
    watchman.look()
    say(log, CLASS)
    log.rename(log.with_name("error_log.txt.1"))
    say(log, CLASS.replace("os.system", "os.exec"))
    watchman.look()
    assert sorted(cause.split("'")[1] for cause in told(workspace)) == ["os.exec", "os.system"]
    watchman.look()
    assert len(told(workspace)) == 2


def test_a_log_that_was_cut_is_read_anew(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", "old\n" * 100)
    watchman.look()
    (workspace / "audit.log").write_text(SHELL)
    watchman.look()
    assert told(workspace) == [TOLD]


def test_a_log_that_goes_away_meanwhile_is_no_failure(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watchman = watch(workspace)
    monkeypatch.setattr(watchman, "_logs", lambda: [workspace / "gone" / "error_log.txt"])
    watchman.look()
    assert told(workspace) == []


def test_of_a_huge_line_the_head_is_read_and_its_rest_is_no_line(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", SHELL.rstrip() + "x" * (3 * MOST) + SHELL.rstrip() + "\n")
    watchman.look()
    assert told(workspace) == [TOLD]


def test_what_is_told_is_short_and_one_line_whatever_was_asked(workspace: Path) -> None:
    watchman = watch(workspace)
    say(workspace / "audit.log", f"[U:{'u' * 999}][A:{'a' * 999}\x0b\u2028[U:x][A:train.deploy]]\n")
    watchman.look()
    assert len(told(workspace)) == 1 and len(told(workspace)[0]) < 400


def test_bytes_that_are_no_text_are_read_all_the_same(workspace: Path) -> None:
    watchman = watch(workspace)
    (workspace / "audit.log").write_bytes(b"[U:\xff][A:sys.shell]\n")
    watchman.look()
    assert len(told(workspace)) == 1
