"""Tables of images."""

from pathlib import Path

import pytest

from wardround.data.datasets.base import mark_phantom
from wardround.data.datasets.manifest import READER, Manifest
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

FULL = "image,label,patient,site,split,age\nx/a.png,sick,p1,north,train,61\nx/b.png,well,p2,south,test,\n"


def write(root: Path, text: str, name: str = "table.csv") -> Path:
    path = root / name
    path.write_bytes(text.encode())
    return path


def test_every_column_finds_its_place(tmp_path: Path) -> None:
    found = READER.read(write(tmp_path, FULL))
    assert found.root == tmp_path
    assert found.classes == ("sick", "well")
    assert found.images.tolist() == ["x/a.png", "x/b.png"]
    assert found.labels.tolist() == [0, 1]
    assert found.patients.tolist() == ["p1", "p2"]
    assert found.splits.tolist() == ["train", "test"]
    assert {name: values.tolist() for name, values in found.columns.items()} == {"site": ["north", "south"], "age": ["61", ""]}


def test_image_and_label_are_enough(tmp_path: Path) -> None:
    found = READER.read(write(tmp_path, "image,label\na.png,10\nb.png,9\n"))
    assert found.classes == ("9", "10")
    assert found.labels.tolist() == [1, 0]
    assert set(found.patients) == set(found.splits) == {""}
    assert not found.columns


@pytest.mark.parametrize("text", [
    "\ufeff" + FULL.replace("\n", "\r\n"), FULL.replace(",", ";"), FULL.replace(",", "\t"), FULL.replace("image,label", "Image , LABEL"),
    FULL + "\n\n", FULL.replace("x/a", "x\\a"), FULL.replace("x/a", "./x/a"),
], ids=["bom-crlf", "semicolon", "tab", "header-case", "blank-lines", "backslash", "dot"])
def test_what_spreadsheets_write_is_the_same_table(tmp_path: Path, text: str) -> None:
    found = READER.read(write(tmp_path, text))
    assert found.images.tolist() == ["x/a.png", "x/b.png"]
    assert found.labels.tolist() == [0, 1]


def test_a_folder_with_one_table_is_enough(tmp_path: Path) -> None:
    write(tmp_path, FULL)
    check_dataset_without_images(tmp_path)
    assert len(READER.read(tmp_path)) == 2


def check_dataset_without_images(folder: Path) -> None:
    (folder / "x").mkdir()
    for name in ("a.png", "b.png"):
        (folder / "x" / name).write_bytes(b"x")
    check_dataset(READER, folder)


def test_manifest_csv_wins_over_other_tables(tmp_path: Path) -> None:
    write(tmp_path, "something,else\n1,2\n", "other.csv")
    write(tmp_path, FULL, "manifest.csv")
    assert len(READER.read(tmp_path)) == 2


def test_several_tables_are_not_guessed_between(tmp_path: Path) -> None:
    write(tmp_path, FULL, "a.csv")
    write(tmp_path, FULL, "b.csv")
    assert not READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match=r"2 CSV files \(a.csv, b.csv\). Name the table with --data FILE.csv, or call it manifest.csv"):
        READER.read(tmp_path)


def test_known_classes_set_the_order_and_forgive_spelling(tmp_path: Path) -> None:
    path = write(tmp_path, "image,label\na.png,no_tumor\nb.png,Glioma\n")
    assert Manifest(classes=("glioma", "notumor")).read(path).labels.tolist() == [1, 0]


def test_an_unknown_label_is_named_with_row_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "image,label\na.png,glioma\nb.png,gliomma\n")
    with pytest.raises(CatalogueError, match=r"table.csv, row 3: unknown label 'gliomma'. Did you mean 'glioma'\? Known: glioma, notumor"):
        Manifest(classes=("glioma", "notumor")).read(path)


@pytest.mark.parametrize(("text", "message"), [
    ("img,label\na,b\n", r"no column 'image'. Did you mean 'img'\? Columns found: img, label"),
    ("image,lable\na,b\n", r"no column 'label'. Did you mean 'lable'\? Columns found: image, lable"),
    ("", r"no column 'image'. Columns found: none"),
    ("image,label\n", r"no rows below the header"),
    ("image,label,label\na,b,c\n", r"column 'label' occurs twice"),
    ("image,label\na.png,x\nb.png\n", r"row 3: 1 cells, the header has 2"),
    ("image,label\n,x\n", r"row 2: the image is empty"),
    ("image,label\na.png,x\n\nb.png,\n", r"row 4: the label is empty"),
    ("image,label\na.png,x\nb.png,y\n./a.png,x\n", r"row 4: the same image as in row 2"),
    ("image,label\n../a.png,x\n", r"row 2: the image's path leads out of .* without '..'"),
    ("image,label\n/etc/a.png,x\n", r"row 2: the image's path leads out of"),
    ("image,label\nC:\\a.png,x\n", r"row 2: the image's path leads out of"),
    ("image,label,split\na.png,x,trian\n", r"row 2: unknown split 'trian'. Did you mean 'train'\? Known: train, val, test or empty"),
    ("image,label,patient\na.png,x,p1\nb.png,x,\nc.png,x,\n", r"'patient' is empty in 2 of 3 rows \(first: row 3\). Splits are by patient"),
    ("image,label,Patient ID\na.png,x,p1\n", r"column 'Patient ID' looks like the patients' .* Rename it to 'patient'"),
])
def test_a_wrong_table_is_an_error_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        READER.read(write(tmp_path, text))


def test_an_error_of_a_row_holds_no_cell_that_may_name_a_patient(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        READER.read(write(tmp_path, "image,label,patient\ndoe.png,x,Doe\n../doe.png,x,Doe\n"))
    assert "doe" not in str(caught.value).lower()


def test_an_empty_patient_column_means_unknown(tmp_path: Path) -> None:
    assert READER.read(write(tmp_path, "image,label,patient\na.png,x,\n")).patients.tolist() == [""]


def test_text_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("image,label\na.png,größe\n".encode("latin-1"))
    with pytest.raises(CatalogueError, match=r"not UTF-8 text. Save the table as 'CSV UTF-8'"):
        READER.read(tmp_path)


def test_no_table_is_an_error(tmp_path: Path) -> None:
    assert not READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match="no CSV file"):
        READER.read(tmp_path)
    with pytest.raises(CatalogueError, match="does not exist"):
        READER.read(tmp_path / "absent.csv")
    with pytest.raises(CatalogueError, match="not a CSV"):
        READER.read(write(tmp_path, FULL, "table.xlsx"))


def test_a_table_of_phantoms_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    mark_phantom(tmp_path, dataset="x", num=2, seed=0)
    assert READER.read(path).phantom


def test_it_has_no_phantom_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="'manifest' has no phantoms"):
        READER.write_phantom(tmp_path, 10, 0)


def test_a_large_table_is_read(tmp_path: Path) -> None:
    rows = "".join(f"d{n % 7}/{n}.png,{n % 3},p{n // 2}\n" for n in range(50_000))
    found = READER.read(write(tmp_path, "image,label,patient\n" + rows))
    assert len(found) == 50_000
    assert len(set(found.patients)) == 25_000


def test_labels_with_bars_are_several_findings_an_image(tmp_path: Path) -> None:
    found = READER.read(write(tmp_path, "image,label\na.png,Mass|Effusion\nb.png,No Finding\nc.png,Mass\nd.png,\n"))
    assert found.task == "multilabel"
    assert found.classes == ("Effusion", "Mass")
    assert found.labels.tolist() == [[1, 1], [0, 0], [0, 1], [0, 0]]


def test_an_unknown_finding_is_named_with_its_row(tmp_path: Path) -> None:
    table = write(tmp_path, "image,label\na.png,Mass|Effusion\nb.png,Efusion\n")
    with pytest.raises(CatalogueError, match=r"row 3: unknown finding 'Efusion'. Did you mean 'Effusion'\?"):
        Manifest(classes=("Effusion", "Mass")).read(table)
