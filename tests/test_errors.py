"""The tree of errors and its exit codes."""

import re

import pytest

from wardround import errors
from wardround.errors import ImageError, WardroundError

TREE = dict(re.findall(r"(\w+) +(\d)  ", errors.__doc__ or ""))
CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def test_the_docstring_shows_every_error() -> None:
    assert set(TREE) == set(CLASSES)


@pytest.mark.parametrize("name", list(CLASSES))
def test_exit_codes_are_those_of_the_docstring(name: str) -> None:
    assert CLASSES[name].exit_code == int(TREE[name])
    assert issubclass(CLASSES[name], WardroundError)


def test_indentation_shows_the_parent() -> None:
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│├└─ ]*)(\w+) +\d  ", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            if depth:
                assert CLASSES[found[2]].__base__ is CLASSES[above[depth - 1]]


def test_an_image_error_carries_its_reason_code() -> None:
    assert ImageError("a.png is cut short", reason="truncated").reason == "truncated"
