"""The table of images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wardround.data.catalogue import Catalogue, files_of, suffixes_of, text_column
from wardround.errors import CatalogueError


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(name="small", root=Path("images"), classes=("ill", "well"), images=text_column(["a.png", "b.png", "c.png"]),
                     labels=np.array([0, 1, 1]), patients=text_column(["p1", "", "p2"]), splits=text_column(["train", "val", "test"]),
                     columns={"age": np.array([3, 4, 5])})


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True])])
def test_take_selects_every_column(catalogue: Catalogue, rows: np.ndarray) -> None:
    part = catalogue.take(rows)
    assert len(part) == 2
    expected = {"c.png": (1, "p2", "test", 5), "a.png": (0, "p1", "train", 3)}
    for i, image in enumerate(part.images):
        assert (part.labels[i], part.patients[i], part.splits[i], part.columns["age"][i]) == expected[image]
    assert part.classes == catalogue.classes


def test_take_keeps_the_given_order(catalogue: Catalogue) -> None:
    assert catalogue.take(np.array([2, 0])).images.tolist() == ["c.png", "a.png"]


def test_an_empty_catalogue_is_refused_with_a_remedy(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"no images found for data set 'small'.*data inspect"):
        catalogue.take(np.array([], np.int64))


@pytest.mark.parametrize("field", ["labels", "patients", "splits"])
def test_a_column_of_another_length_is_named(catalogue: Catalogue, field: str) -> None:
    with pytest.raises(CatalogueError, match=f"column '{field}' has 2 rows, images has 3"):
        replace(catalogue, **{field: getattr(catalogue, field)[:2]})


def test_a_further_column_of_another_length_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="column 'age' has 1 rows"):
        replace(catalogue, columns={"age": np.array([1])})


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_class_is_refused(catalogue: Catalogue, label: int) -> None:
    with pytest.raises(CatalogueError, match=r"outside 0\.\.1"):
        replace(catalogue, labels=np.array([0, 1, label]))


def test_an_unknown_column_names_those_there_are(catalogue: Catalogue) -> None:
    assert catalogue.column("age").tolist() == [3, 4, 5]
    with pytest.raises(CatalogueError, match=r"no column 'sex'\. Columns there are: age"):
        catalogue.column("sex")


def test_given_classes_set_the_order_and_may_have_no_image(catalogue: Catalogue) -> None:
    found = catalogue.with_classes(("well", "unsure", "ill"))
    assert found.classes == ("well", "unsure", "ill")
    assert [found.classes[label] for label in found.labels] == [catalogue.classes[label] for label in catalogue.labels]


def test_a_label_that_is_none_of_the_given_classes_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"unknown label 'well' in 2 of 3 rows \(first: b\.png\)\. Did you mean .wel.*data\.classes"):
        catalogue.with_classes(("ill", "wel"))


# --- several findings an image


@pytest.fixture
def findings(catalogue: Catalogue) -> Catalogue:
    return replace(catalogue, classes=("Mass", "Nodule", "Hernia"), labels=np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]]))


def test_findings_are_strata_and_so_is_their_absence(findings: Catalogue) -> None:
    assert findings.task == "multilabel"
    assert findings.strata == ("Mass", "Nodule", "Hernia", "No Finding")
    assert findings.stratum_table().tolist() == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    assert findings.counts() == {"Mass": 1, "Nodule": 2, "Hernia": 0, "No Finding": 1, "All images": 3}
    assert findings.counts(np.array([1])) == {"Mass": 0, "Nodule": 0, "Hernia": 0, "No Finding": 1, "All images": 1}
    assert findings.take(np.array([2, 0])).labels.tolist() == [[0, 1, 0], [1, 1, 0]]


def test_findings_may_be_left_out_and_put_in_order(findings: Catalogue) -> None:
    found = findings.with_classes(("Nodule", "Mass"))
    assert found.labels.tolist() == [[1, 1], [0, 0], [1, 0]]
    with pytest.raises(CatalogueError, match=r"'Nodul', which is no finding.*Did you mean 'Nodule'"):
        findings.with_classes(("Nodul",))


@pytest.mark.parametrize(("labels", "told"), [(np.array([[1, 2, 0]] * 3), r"outside 0\.\.1"), (np.zeros((3, 2), int), "2 columns")])
def test_findings_are_yes_or_no_and_as_many_as_named(findings: Catalogue, labels: np.ndarray, told: str) -> None:
    with pytest.raises(CatalogueError, match=told):
        replace(findings, labels=labels)


# --- masks


@pytest.fixture
def drawn(catalogue: Catalogue) -> Catalogue:
    return replace(catalogue, labels=np.zeros(3, np.int64), masks=text_column(["a.tif", "b.tif", ""]), mask_values={0: 0, 255: 1})


def test_masks_make_a_segmentation_of_one_stratum(drawn: Catalogue) -> None:
    assert drawn.task == "segmentation"
    assert drawn.counts() == {"images": 3}
    assert drawn.stratum_table().tolist() == [[1], [1], [1]]
    taken = drawn.take(np.array([1])).masks
    assert taken is not None and taken.tolist() == ["b.tif"]


def test_classes_of_masks_are_fixed(drawn: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"Leave out data\.classes"):
        drawn.with_classes(("well", "ill"))


def test_masks_are_as_many_as_images(drawn: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="column 'masks' has 1 rows"):
        replace(drawn, masks=text_column(["a.tif"]))


# --- an image in several files


@pytest.mark.parametrize(("image", "files", "suffixes"), [
    ("a/x.png", ["a/x.png"], ()),
    ("a/x_{t1,t2}.nii.gz", ["a/x_t1.nii.gz", "a/x_t2.nii.gz"], ("t1.nii.gz", "t2.nii.gz")),
    ("a/x_{t1.nii,t2.nii.gz}", ["a/x_t1.nii", "a/x_t2.nii.gz"], ("t1.nii", "t2.nii.gz"))])
def test_braces_name_the_files_of_an_image(image: str, files: list[str], suffixes: tuple[str, ...]) -> None:
    assert files_of(image) == files
    assert suffixes_of(image) == suffixes
