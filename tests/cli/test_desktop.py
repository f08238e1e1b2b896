"""The command `app`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]


@pytest.mark.parametrize("package", ["PySide6", "pyqtgraph", "tomlkit"])
def test_without_the_extra_it_says_how_to_get_it(wardround: Run, monkeypatch: pytest.MonkeyPatch, package: str,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert wardround("app") == 2
    assert f"the desktop app needs {package}: pip install 'wardround[app]'" in capsys.readouterr().err


def test_it_opens_the_window_on_a_run(wardround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[object] = []
    monkeypatch.setattr("wardround.app.main.launch", lambda *given: asked.extend(given) or 0)
    assert wardround("app", str(tmp_path), "--workspace", "studies") == 0
    assert asked == [tmp_path, Path("studies")]


def test_without_a_display_it_says_so_instead_of_ending(wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert wardround("app") == 1
    assert "ssh -X" in capsys.readouterr().err


def test_without_a_library_of_the_system_it_says_which_package_brings_it(wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                                                        capsys: pytest.CaptureFixture[str]) -> None:
    def absent(*given: object, **named: object) -> None:
        raise ImportError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr("wardround.app.main.need", absent)
    assert wardround("app") == 1
    said = capsys.readouterr().err
    assert "libEGL.so.1" in said and "apt-get install" in said
