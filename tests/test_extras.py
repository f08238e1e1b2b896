"""Optional packages."""

import sys
from pathlib import Path

import pytest

from wardround.errors import MissingExtra
from wardround.extras import need


def test_an_installed_package_is_returned() -> None:
    assert need("json", extra="dicom", purpose="reading DICOM") is sys.modules["json"]


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtra, match=r"reading DICOM needs no_such_package: pip install 'wardround\[dicom\]'"):
        need("no_such_package.part", extra="dicom", purpose="reading DICOM")


def test_a_fault_inside_the_package_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import something_it_lacks\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_lacks"):
        need("broken_package", extra="dicom", purpose="reading DICOM")
