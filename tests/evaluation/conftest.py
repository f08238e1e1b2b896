"""Predictions to judge."""

from collections.abc import Callable

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.rng import stream

CLASSES = ("no_tumor", "glioma", "meningioma", "pituitary")
MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="session")
def make_predictions() -> MakePredictions:
    """make(num, num_classes, model=0, skill=1.5, rows_each=1): test rows of one fixed set of cases, as some model sees them."""
    def make(num: int = 60, num_classes: int = 2, model: int = 0, skill: float = 1.5, rows_each: int = 1) -> Predictions:
        truth = stream(0, "truth", num, num_classes).integers(num_classes, size=num)
        logits = stream(0, "model", model, num).normal(size=(num, num_classes)) + skill * np.eye(num_classes)[truth]
        odds = np.exp(logits)
        return Predictions(classes=CLASSES[:num_classes], cases=np.array([f"case-{i:05}" for i in range(num)], object),
                           groups=np.array([f"patient-{i // rows_each:05}" for i in range(num)], object),
                           sites=np.array([("north", "south", "west")[i % 3] for i in range(num)], object),
                           splits=np.full(num, "test", object), truth=truth, probabilities=odds / odds.sum(1, keepdims=True))
    return make
