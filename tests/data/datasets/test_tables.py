"""Tables beside images."""

from pathlib import Path

import pytest

from wardround.data.datasets.tables import read_rows
from wardround.errors import CatalogueError


@pytest.mark.parametrize("text", ["image,patient\na.png,p1\n", "\ufeffimage;patient\r\n\r\na.png ; p1\r\n",
                                  "image\tpatient\na.png\tp1\n\t\n"])
def test_separators_byte_order_mark_and_empty_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    assert read_rows(path) == [{"image": "a.png", "patient": "p1"}]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    assert read_rows(tmp_path / "t.csv") == []


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,patient\na.png,p1\nb.png,p,2\n")
    with pytest.raises(CatalogueError, match=r"t.csv, row 3: 3 cells, the header has 2"):
        read_rows(tmp_path / "t.csv")


def test_another_encoding_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("image,patient\nä.png,1\n".encode("latin-1"))
    with pytest.raises(CatalogueError, match="not UTF-8 text"):
        read_rows(tmp_path / "t.csv")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read as CSV"):
        read_rows(tmp_path / "absent.csv")
