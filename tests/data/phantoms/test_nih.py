import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Progress, silent
from wardround.data.datasets.nih_chestxray14 import FINDINGS
from wardround.data.phantoms import nih

NUM = 60


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(folder: Path) -> list[list[str]]:
    with (folder / nih.TABLE).open(newline="") as file:
        return list(csv.reader(file))[1:]


def findings_by_split(num: int, seed: int) -> dict[str, set[str]]:
    patients = nih._patients(num, seed)
    return {split: {name for patient in patients if patient.split == split for film in patient.films for name in film}
            for split in nih.LISTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nih")
    nih.write_folders(folder, NUM, 0, silent)
    return folder


def test_every_row_of_the_table_has_an_image_and_a_place_in_one_list(folder: Path) -> None:
    names = [row[0] for row in rows(folder)]
    listed = {split: (folder / file).read_text().split() for split, file in nih.LISTS.items()}
    assert len(names) == len(set(names)) == NUM
    assert sorted(names) == sorted(path.name for path in (folder / "images").iterdir()) == sorted(listed["train"] + listed["test"])
    assert len(listed["test"]) == 12


def test_no_patient_is_in_both_lists_and_some_have_several_images(folder: Path) -> None:
    patient = {split: {name[:8] for name in (folder / file).read_text().split()} for split, file in nih.LISTS.items()}
    assert not patient["train"] & patient["test"]
    assert NUM / 4 < len(patient["train"] | patient["test"]) < NUM


def test_the_table_has_the_header_of_2017_and_cells_for_it(folder: Path) -> None:
    assert (folder / nih.TABLE).read_text().startswith(nih.HEADER + "\n")
    assert {len(row) for row in rows(folder)} == {len(nih.HEADER.split(","))}
    assert all(int(row[0][:8]) == int(row[3]) and int(row[0][9:12]) == int(row[2]) for row in rows(folder))


@pytest.mark.parametrize("seed", range(10))
def test_every_finding_is_in_train_and_test_from_300_images_on(seed: int) -> None:
    assert findings_by_split(300, seed) == {"train": set(FINDINGS), "test": set(FINDINGS)}


def test_prevalence_is_skewed_and_half_of_the_images_have_no_finding() -> None:
    films = [film for patient in nih._patients(3000, 0) for film in patient.films]
    counts = {name: sum(name in film for film in films) for name in FINDINGS}
    assert counts["Infiltration"] > 5 * counts["Hernia"] > 0
    assert 0.4 < sum(not film for film in films) / 3000 < 0.6
    assert sum(len(film) > 1 for film in films) > 300


def test_some_ages_are_impossible_as_in_the_real_table() -> None:
    ages = [int(patient.age) for patient in nih._patients(3000, 0)]
    assert 0 < sum(age > 120 for age in ages) < 60


def test_the_same_seed_gives_the_same_bytes_and_another_other_images(folder: Path, tmp_path: Path) -> None:
    nih.write_folders(tmp_path, NUM, 0, silent)
    assert files(tmp_path) == files(folder)
    nih.write_folders(tmp_path, 30, 1, silent)
    again = files(tmp_path)
    assert len([name for name in again if name.startswith("images/")]) == 30
    assert not {value for name, value in again.items() if name.endswith(".png")} & set(files(folder).values())


def test_images_are_grey_pngs_of_224_px(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (224, 224))


def test_films_from_the_front_are_named_ap(folder: Path) -> None:
    for row in rows(folder):
        assert row[6] == ("AP" if nih.is_supine(0, int(row[3]), int(row[2])) else "PA")
    assert {row[6] for row in rows(folder)} == {"AP", "PA"}


def test_progress_ends_at_the_number_of_images(tmp_path: Path) -> None:
    seen: list[Progress] = []
    nih.write_folders(tmp_path, 30, 0, seen.append)
    assert [(event.stage, event.done, event.total) for event in seen] == [("phantom", 30, 30)]


def test_a_plain_finding_changes_the_film_more_than_a_faint_one() -> None:
    def change(name: str, strength: float) -> float:
        films = [nih._film(np.random.default_rng(i), np.random.default_rng(i), strengths, "M", is_supine=False).astype(float)
                 for i in range(3) for strengths in ({}, {name: strength})]
        return float(np.mean([np.abs(films[i] - films[i + 1]).mean() for i in range(0, 6, 2)]))
    for name in ("Cardiomegaly", "Emphysema", "Atelectasis"):
        assert change(name, 1.0) > change(name, 0.2)
