"""Plans that no hand has written: without end, without bottom, of strange types."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.errors import PlanError
from wardround.network.approved import parsed
from wardround.plan.load import load_plan
from wardround.runs.folder import RunFolder

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "2 MB": (lambda: b'name = "x"\ntitle = "' + b"9" * 2**21 + b'"', "more than 1,048,576 characters"),
    "lists 5,000 deep": (lambda: b"name = " + b"[" * 5000 + b"]" * 5000, "nested deeper"),
    "a key of 20,000 parts": (lambda: b".".join([b"a"] * 20_000) + b" = 1", "200 dots in a line"),
    "a key of 150 parts": (lambda: b".".join([b"a"] * 150) + b" = 1", "nested deeper|unknown key"),
    "sections 100 deep, a thousand times": (
        lambda: b"\n".join(b"[" + b".".join(b"a%d" % i for _ in range(100)) + b"]" for i in range(1000)), "nested deeper"),
    "a number of 5,000 digits": (lambda: b'name = "x"\nseed = ' + b"9" * 5000, "not valid TOML"),
    "a hexadecimal number of 5,000 digits": (lambda: b'name = "x"\nseed = 0x' + b"9" * 5000, "a number of .* bits"),
    "NUL in a path": (lambda: b'name = "x"\n[data]\nfolder = "a\\u0000b"', "character NUL"),
    "dates, lists and numbers in place of sections": (lambda: b'name = 2020-01-01\ndata = 3\n[[model]]\n', "3 problems"),
    "a home of nobody": (lambda: b'name = "x"\n[data]\nfolder = "~nobody-at-all/x"', "no such user's home"),
    "infinity": (lambda: b'name = "x"\n[recipe]\nlr = inf', "finite"),
    "a name that leads elsewhere": (lambda: b'name = "../../x"', "may hold letters"),
    "a name in color": (lambda: b'name = "\\u001b[31mx"', "may hold letters"),
    "10,000 unknown keys": (lambda: b'name = "x"\n' + b"\n".join(b"k%d = 1" % i for i in range(10_000)), "and 9900 more"),
    "a value of a megabyte": (lambda: b'name = "x"\n[sites]\npartition = "' + b"y" * 10**6 + b'"', r"y\.\.\.: must be"),
    "no UTF-8": (lambda: b'name = "\xff"', "not text in UTF-8"),
    "a program": (lambda: b"\x7fELF" + bytes(1000), "not valid TOML|UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path) -> None:
    make, text = REFUSED[case]
    path = tmp_path / "plan.toml"
    path.write_bytes(make())
    with pytest.raises(PlanError, match=f"(?s)(plan.toml|~nobody).*({text})") as caught:
        load_plan(path)
    assert len(str(caught.value)) < 25_000


@pytest.mark.parametrize("case", [name for name in REFUSED if name not in ("a home of nobody", "no UTF-8", "a program", "2 MB")])
def test_a_coordinator_s_plan_and_a_run_s_are_read_as_warily(case: str, tmp_path: Path) -> None:
    text = REFUSED[case][0]().decode()
    with pytest.raises(PlanError, match="the plan"):
        parsed(text)
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(PlanError, match=r"plan\.toml"):
        RunFolder(tmp_path).plan()


def test_a_list_of_a_thousand_names_is_no_attack(tmp_path: Path) -> None:
    names = ", ".join(f'"class no {i}"' for i in range(1000))
    (tmp_path / "plan.toml").write_text(f'name = "x"\n[data]\nclasses = [{names}]')
    assert len(load_plan(tmp_path / "plan.toml").data.classes) == 1000
