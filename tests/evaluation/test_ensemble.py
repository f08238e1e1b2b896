"""Several models as one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.errors import WardroundError
from wardround.evaluation.ensemble import averaged

Make = Callable[..., Predictions]


def test_probabilities_are_averaged_by_weight(make_predictions: Make) -> None:
    first, second = (replace(make_predictions(2), probabilities=np.array([p, [0.5, 0.5]])) for p in ([1.0, 0.0], [0.2, 0.8]))
    found = averaged([first, second], [30, 10])
    assert found.probabilities == pytest.approx(np.array([[0.8, 0.2], [0.5, 0.5]]))  # 3/4 of 1 and 1/4 of 0.2
    assert np.array_equal(found.truth, first.truth)


def test_one_model_is_itself(make_predictions: Make) -> None:
    only = make_predictions(20, 4)
    assert averaged([only], [7]).probabilities == pytest.approx(only.probabilities)


def test_rows_are_matched_by_case_not_by_place(make_predictions: Make) -> None:
    first, second = make_predictions(20, 3), make_predictions(20, 3, model=1)
    there = averaged([first, second], [1, 1])
    back = averaged([first.take(np.arange(20)[::-1]), second], [1, 1])
    assert list(back.cases) == list(there.cases)
    assert back.probabilities == pytest.approx(there.probabilities)


def test_models_of_other_cases_are_refused(make_predictions: Make) -> None:
    with pytest.raises(WardroundError, match="only on the same test cases"):
        averaged([make_predictions(20), make_predictions(19)], [1, 1])
