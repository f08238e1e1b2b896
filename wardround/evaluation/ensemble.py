"""Several models as one: the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wardround.core.predictions import Predictions
from wardround.evaluation.scores import by_case, check_same


def averaged(models: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """The models' probabilities, averaged row by row: the opinion pool of Stone 1961, doi:10.1214/aoms/1177704873. Rows by case.

    weights: of the models, > 0; their sum does not matter. WardroundError unless all models were given the same cases."""
    first, *others = [by_case(model) for model in models]
    for other in others:
        check_same(first, other)
    return replace(first, probabilities=np.average([model.probabilities for model in (first, *others)], axis=0, weights=weights))
