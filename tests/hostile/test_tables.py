"""Tables of images that lead out of their folder, have no end, or are made for a spreadsheet."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import corpus
import pytest

from wardround.core.untrusted import csv_text
from wardround.data.catalogue import text_column
from wardround.data.datasets import manifest
from wardround.data.datasets.decathlon import READER as DECATHLON
from wardround.data.datasets.image_mask import READER as IMAGE_MASK
from wardround.data.datasets.manifest import READER
from wardround.data.ledger import Ledger
from wardround.errors import CatalogueError


def row(image: str) -> Callable[[], bytes]:
    return lambda: f"image,label\na.png,x\n{image},y\n".encode()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a full path": (row("/etc/passwd"), "row 3: the image's path leads out"),
    "the parent": (row("x/../../b.png"), "row 3: the image's path leads out"),
    "a drive": (row("C:/b.png"), "row 3: the image's path leads out"),
    "a share": (row(r"\\server\share\b.png"), "row 3: the image's path leads out"),
    "NUL": (row("b\0.png"), "row 3: the image's path leads out"),
    "100,000 columns": (lambda: ",".join(["image", "label", *(f"c{i}" for i in range(10**5))]).encode() + b"\n", "row 1: 100,002 cells"),
    "a row of a million cells": (lambda: b"image,label\n" + b"," * 10**6 + b"\n", "row 2: 1,000,001 cells"),
    "20,000 classes": (lambda: ("image,label\n" + "".join(f"{i}.png,l{i}\n" for i in range(20_000))).encode(), "20,000 different labels"),
    "labels of nothing": (lambda: b"image,label\na.png,|\nb.png,|\n", "no label names a finding"),
    "a cell of 200,000 letters": (lambda: b"image,label\na.png," + b"x" * 200_000 + b"\n", "cannot be read as CSV"),
    "a quote that never ends": (lambda: b'image,label\n"a.png,x\n' + b"b.png,y\n" * 50_000, "cannot be read as CSV|cells"),
    "no text": (lambda: b"\xff\xfe\x00image", "not UTF-8|no column"),
    "the same column twice": (lambda: b"image,label,label\na.png,x,y\n", "occurs twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path) -> None:
    make, text = REFUSED[case]
    (tmp_path / "manifest.csv").write_bytes(make())
    with pytest.raises(CatalogueError, match=f"manifest.csv.*({text})"):
        READER.read(tmp_path)


def test_a_table_larger_than_tables_are_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "manifest.csv").open("wb") as file:
        file.write(b"image,label\n")
        file.truncate(2**40)
    with pytest.raises(CatalogueError, match="more than the limit of 134,217,728 for a table"):
        READER.read(tmp_path)


@pytest.mark.parametrize("link", ["images", "images/b.png"])
def test_a_link_that_leads_out_of_the_folder_is_refused_by_its_row(link: str, tmp_path: Path) -> None:
    corpus.picture_of(tmp_path / "elsewhere" / "b.png")
    root = tmp_path / "root"
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(tmp_path / "elsewhere" / "b.png" if link.endswith("png") else tmp_path / "elsewhere")
    (root / "manifest.csv").write_text("image,label\nc/a.png,x\nimages/b.png,y\n")
    with pytest.raises(CatalogueError, match="row 3: the image is a link, or lies in one, that leads out of"):
        READER.read(root)


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    corpus.picture_of(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.png").symlink_to("a.png")
    (tmp_path / "manifest.csv").write_text("image,label\nimages/a.png,x\nimages/b.png,y\n")
    assert len(READER.read(tmp_path)) == 2


def test_a_label_of_5000_digits_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"image,label\na.png,{'1' * 5000}\nb.png,2\n")
    assert READER.read(tmp_path).classes == ("1" * 5000, "2")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]


def test_a_spreadsheet_takes_no_cell_of_ours_for_a_formula(tmp_path: Path) -> None:
    images = text_column([f"{start}/a.png" for start in FORMULAS])
    nothing = text_column([""] * len(images))
    Ledger.of(images, failed=nothing, detail=nothing, skipped=nothing).write(tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(newline="") as file:
        cells = [cell for record in csv.reader(file) for cell in record]
    cells += [cell for record in csv.reader(io.StringIO(csv_text([FORMULAS]), newline="")) for cell in record]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_what_is_written_so_is_read_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("image,label\n'=a.png,'-1\nb.png,'tis\n")
    found = READER.read(tmp_path)
    assert found.images.tolist() == ["=a.png", "b.png"]
    assert found.classes == ("'tis", "-1")


@pytest.mark.parametrize("text", ["[" * 10**5, '{"classes": ["a", "b"], "values": {"0": 0, "1": 1e999}}', '{"values": NaN}',
                                  '{"classes": ["a", "b"], "values": {"' + "1" * 5000 + '": 0}}'])
def test_a_table_of_classes_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        corpus.picture_of(tmp_path / folder / "a.png")
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(CatalogueError, match=r"classes\.json"):
        IMAGE_MASK.read(tmp_path)


def test_the_decathlon_s_table_of_classes_is_looked_at_too(tmp_path: Path) -> None:
    for folder in ("imagesTr", "labelsTr"):
        corpus.picture_of(tmp_path / folder / "a.png")
    (tmp_path / "dataset.json").write_text("[" * 10**5)
    with pytest.raises(CatalogueError, match=r"dataset\.json"):
        DECATHLON.read(tmp_path)


def test_a_line_without_end_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"image,label," + b"x" * 2**22)
    assert not manifest.READER.matches(tmp_path)


