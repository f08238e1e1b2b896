"""The public API: one short table, sorted, loaded on first use."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import wardround as wr


@pytest.mark.parametrize("name", wr.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    value = getattr(wr, name)
    assert getattr(value, "__name__", name) == name


def test_public_names_are_sorted_and_few() -> None:
    assert list(wr.HOMES) == sorted(wr.HOMES) == wr.__all__
    assert len(wr.__all__) <= 25


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(wr.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == wr.HOMES


def test_dir_lists_public_names_only() -> None:
    assert dir(wr) == sorted([*wr.__all__, "__version__"])


def test_version_is_the_installed_one() -> None:
    assert wr.__version__ == version("wardround")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = wr.nothing


def test_importing_wardround_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'monai', 'rich', 'typer', 'matplotlib'}"
    code = f"import sys, wardround; wardround.__all__; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
