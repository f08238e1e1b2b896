"""The command as a whole: help, exit codes, start-up."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from wardround import __version__, errors
from wardround.cli import main as cli

TOP = typer.main.get_command(cli.app)


def commands(group: object = TOP, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    found = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found.update(commands(command, (*path, name)) if hasattr(command, "commands") else {(*path, name): command})
    return found


COMMANDS = commands()
Run = Callable[..., int]


def test_the_commands_of_this_release_are_there() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "app", "audit", "audit-log egress", "audit-log show", "audit-log verify", "compare", "contrast", "data check", "data convert",
        "data fetch", "data inspect", "data list", "demo", "doctor", "explain", "forecast", "phantom", "predict", "report", "run",
        "site approve", "site join", "site limits", "site plan", "site ready", "site start", "site status", "site withdraw", "sites",
        "strategies", "study admit", "study new", "study pause", "study plan", "study results", "study resume", "study revoke",
        "study start", "study status", "study stop"}


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_each_help_ends_with_an_example_of_its_own(wardround: Run, path: tuple[str, ...],
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround(*path, "--help") == 0
    _, found, end = capsys.readouterr().out.partition("Example")
    assert found
    assert f"\n    wardround {' '.join(path)}" in end


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_every_option_has_a_help_text(path: tuple[str, ...]) -> None:
    for parameter in COMMANDS[path].params:  # type: ignore[attr-defined]
        assert getattr(parameter, "help", None), parameter.name


def test_version(wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("arguments", [("nothing",), ("run", "demo", "--nothing"), ("compare",), ("compare", "demo", "--seeds", "0")])
def test_a_wrong_command_line_exits_with_2(wardround: Run, arguments: tuple[str, ...]) -> None:
    assert wardround(*arguments) == 2


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.WardroundError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_expected_error_is_one_line_and_its_exit_code(wardround: Run, kind: type[errors.WardroundError],
                                                         monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    def failing(arguments: list[str]) -> None:
        raise kind("the cause. The remedy.", reason="truncated") if kind is errors.ImageError else kind("the cause. The remedy.")

    monkeypatch.setattr(cli, "app", failing)
    assert wardround() == kind.exit_code
    assert capsys.readouterr().err == "error: the cause. The remedy.\n"


def test_an_unknown_plan_key_exits_with_2_and_names_the_near_one(wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", "demo", "--set", "rounds.number=3") == 2
    assert "unknown key 'rounds.number'. Did you mean 'rounds.num'?" in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_is_a_message(wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    def failing(arguments: list[str]) -> None:
        raise PermissionError(13, "Permission denied", "/results")

    monkeypatch.setattr(cli, "app", failing)
    assert wardround() == 1
    assert capsys.readouterr().err == "error: /results: Permission denied. (--debug shows where)\n"


def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["wardround", "run", "nothing.toml", "--debug"])
    with pytest.raises(errors.PlanError):
        cli.main()


def test_a_fault_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(arguments: list[str]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", failing)
    monkeypatch.setattr(sys, "argv", ["wardround"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_help_starts_in_a_blink() -> None:
    """The target is 0.3 s on an idle machine; this guard leaves room for a busy one."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "wardround", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.6


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'monai', 'matplotlib', 'rich'}"
    code = f"import sys\nfrom wardround.cli.main import app\ntry:\n app(['--help'])\nfinally:\n assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_colour_is_for_terminals_only(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "wardround", "run", "nothing.toml"], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "FORCE_COLOR": ""})
    assert done.returncode == 2
    assert done.stderr.startswith("error: no plan nothing.toml.")
    assert "\x1b" not in done.stderr
