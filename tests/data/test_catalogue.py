"""The table of images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wardround.data.catalogue import Catalogue, text_column
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
