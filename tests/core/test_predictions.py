"""Results on rows that were held back."""

import numpy as np

from wardround.core.predictions import Measured, Predictions

HELD = {"cases": np.array(["a", "b", "c"], object), "groups": np.array(["p", "p", "q"], object),
        "sites": np.array(["north", "south", "south"], object), "splits": np.array(["test", "test", "val"], object)}


def test_rows_are_taken_from_every_column() -> None:
    measured = Measured(names=("dice", "hd95"), values=np.array([[0.1, 1], [0.2, 2], [0.3, np.nan]]), **HELD)
    taken = measured.take(np.array([2, 0]))
    assert (taken.cases.tolist(), taken.sites.tolist(), taken.splits.tolist()) == (["c", "a"], ["south", "north"], ["val", "test"])
    assert taken.values[:, 0].tolist() == [0.3, 0.1]
    assert taken.names == ("dice", "hd95")
    assert len(measured.take(measured.groups == "p")) == 2


def test_findings_are_a_truth_of_two_axes() -> None:
    one = Predictions(classes=("a", "b"), truth=np.array([0, 1, 1]), probabilities=np.full((3, 2), 0.5), **HELD)
    several = Predictions(classes=("a", "b"), truth=np.array([[0, 0], [1, 1], [0, 1]]), probabilities=np.full((3, 2), 0.9), **HELD)
    assert not one.is_multilabel
    assert several.is_multilabel
    assert several.take(several.truth[:, 1] == 1).truth.tolist() == [[1, 1], [0, 1]]
