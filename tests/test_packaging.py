"""What is shipped: files, licence, documentation that tells the truth, make targets."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import typer

from wardround.cli.main import app
from wardround.plan.problems import section_keys
from wardround.plan.schema import Plan

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMAND = typer.main.get_command(app)
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PRIVATE = ["/" + "work/", "/" + "root/", "/opt/" + "pypi", "/opt/" + "wheels", "index" + "-url", "--" + "index", "find" + "-links",
           "trusted" + "-host", "download." + "pytorch.org/whl"]  # joined, so that this file is clean too


def committed() -> list[Path]:
    """Text files of the checkout that git knows or would take."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are committed")
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def test_no_file_names_a_private_path_or_a_package_index() -> None:
    found = [f"{path.relative_to(ROOT)}: {word}" for path in committed() for word in PRIVATE if word.encode() in path.read_bytes()]
    assert found == []


def test_the_licence_is_apache_2_in_full() -> None:
    official = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == official


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_constraints_are_plain_pins() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) and re.fullmatch(r"[0-9][0-9a-z.]*", version) for name, version in pins().items())


def test_every_package_that_is_asked_for_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["dicom"], *extras["dev"], *PROJECT["build-system"]["requires"]]
    names = {re.split(r"[\[>=<]", requirement)[0].lower().replace("_", "-") for requirement in asked} - {"wardround"}
    assert names <= {name.lower().replace("_", "-") for name in pins()}


def test_the_wheel_holds_what_an_installed_wardround_needs(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="needs hatchling to build the wheel")
    done = subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    plans = {f"wardround/plan/shipped/{path.name}" for path in (ROOT / "plans").glob("*.toml")}
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "wardround/report/templates").rglob("*") if path.is_file()}
    assets = {path.relative_to(ROOT).as_posix() for pattern in ("icons/*.svg", "translations/*.qm")
              for path in (ROOT / "wardround/app").glob(pattern)}
    assert len(assets) > 3 and plans | templates | assets | {"wardround/py.typed", "wardround/plan/starters.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "plans/", "docs/"))]
    zipfile.ZipFile(wheel).extractall(tmp_path / "unpacked")
    code = "from wardround.plan.starters import starter; print(starter('demo'))"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "unpacked", check=True, capture_output=True, text=True)
    assert Path(found.stdout.strip()) == tmp_path / "unpacked" / "wardround" / "plan" / "shipped" / "demo.toml"


def make(*arguments: str) -> str:
    return subprocess.run(["make", "--no-print-directory", "-n", "-W", "pyproject.toml", *arguments], cwd=ROOT, capture_output=True,
                          text=True, check=True).stdout


@pytest.mark.parametrize("target", ["setup", "demo", "test", "lint"])
def test_every_target_installs_first_with_constraints(target: str) -> None:
    lines = make(target).splitlines()
    [installed] = [i for i, line in enumerate(lines) if "pip install" in line]
    assert "-c constraints.txt -e '.[dev]'" in lines[installed]
    assert target == "setup" or installed < len(lines) - 1


def test_demo_takes_a_folder_of_real_images() -> None:
    assert ".venv/bin/wardround demo --data 'my folder'" in make("demo", "DATA=my folder")
    assert "--data" not in make("demo")


def run_ci(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """.ci/run with a make that shows its arguments and settings."""
    fake = tmp_path / "make"
    fake.write_text('#!/bin/sh\necho "$@" "$WARDROUND_REQUIRE_DATA" "$WARDROUND_DATA"\nexit ${FAKE_EXIT:-0}\n')
    fake.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WARDROUND_")}
    return subprocess.run([ROOT / ".ci" / "run"], cwd=tmp_path, capture_output=True, text=True,
                          env={**kept, "PATH": f"{tmp_path}:{os.environ['PATH']}", **environment})


def test_ci_demands_real_images_and_looks_beside_the_checkout(tmp_path: Path) -> None:
    assert run_ci(tmp_path).stdout.split() == ["lint", "test", "1", f"{ROOT}/../shared/data"]
    assert run_ci(tmp_path, WARDROUND_DATA="elsewhere").stdout.split()[-1] == "elsewhere"


def test_ci_fails_when_a_step_fails(tmp_path: Path) -> None:
    assert run_ci(tmp_path, FAKE_EXIT="3").returncode != 0


def test_absent_images_fail_only_where_they_are_demanded(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text("def test_it(real_data): pass\n")
    for demanded, code in (("0", 0), ("1", 1)):
        environment = {**os.environ, "WARDROUND_DATA": str(tmp_path / "none"), "WARDROUND_REQUIRE_DATA": demanded}
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)], cwd=tmp_path,
                              env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout


@pytest.mark.parametrize("section", list(section_keys()))
def test_every_key_of_a_plan_is_documented_with_its_default(section: str) -> None:
    text = (ROOT / "docs" / "plans.md").read_text()
    part = text.partition(f"## [{section}]" if section else "## Top")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", part, re.MULTILINE))
    assert list(documented) == section_keys()[section]
    fields = Plan.model_fields[section].annotation.model_fields if section else Plan.model_fields  # type: ignore[union-attr]
    for key, shown in documented.items():
        if (section, key) not in {("", "name"), ("sites", "names")}:
            assert shown == default_text(fields[key].default), f"{section}.{key}"


def default_text(value: object) -> str:
    """A default as the documentation writes it: TOML in backquotes, or none."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{str(list(value) if isinstance(value, tuple) else value).lower()}`"


def shown_commands() -> list[str]:
    """Every `wardround ...` line in documentation, comments of plans and help texts."""
    plans = [path.read_text().replace("#   ", "") for path in (ROOT / "plans").glob("*.toml")]
    helps = [path.read_text() for path in (ROOT / "wardround" / "cli").glob("*.py")]
    blocks = [block for path in TEXTS for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)]
    found = re.findall(r"^(?:\.venv/bin/)?(wardround .*?)(?:  .*)?$", "\n".join([*plans, *blocks]), re.MULTILINE)
    return sorted({*found, *(line for text in helps for line in re.findall(r'"(wardround [a-z].*?)"', text))})


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_that_is_shown_can_be_parsed(line: str) -> None:
    command, arguments = COMMAND, shlex.split(line)[1:]
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    command.make_context("wardround", arguments)


def test_commands_are_shown() -> None:
    assert len(shown_commands()) > 20


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", path.read_text()):
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        if anchor:
            headings = [re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                        for line in linked.read_text().splitlines() if line.startswith("#")]
            assert anchor in headings, target


def test_the_example_is_short_and_learns(tmp_path: Path) -> None:
    script = ROOT / "examples" / "own_model_and_csv.py"
    assert len(script.read_text().splitlines()) < 40
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.search(r"'auroc': ([0-9.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) > 0.9
