import numpy as np
import pytest
from matplotlib.figure import Figure

from wardround.core.predictions import Predictions
from wardround.report import curves
from wardround.report.canvas import png
from wardround.report.curves import Model


def drawn(drawing: Figure) -> str:
    assert png(drawing).startswith(b"\x89PNG")
    return "\n".join(text.get_text() for text in drawing.findobj(lambda artist: hasattr(artist, "get_text")))


def predictions(num_classes: int, n: int = 60) -> Predictions:
    truth = np.arange(n) % num_classes
    probabilities = np.full((n, num_classes), 0.4 / (num_classes - 1))
    probabilities[np.arange(n), truth] = 0.6
    names = np.array(["x"] * n, dtype=object)
    return Predictions(classes=tuple(f"class {i}" for i in range(num_classes)), cases=names, groups=names, sites=names, splits=names,
                       truth=truth, probabilities=probabilities)


@pytest.mark.parametrize(("num_classes", "panels"), [(2, 1), (4, 4)])
def test_curves_have_a_panel_for_each_class_but_one_for_two(num_classes: int, panels: int) -> None:
    for draw in (curves.roc_curves, curves.pr_curves):
        drawing = draw([Model(kind="federated", predictions=predictions(num_classes))])
        assert "1.000" in drawn(drawing)
        assert len(drawing.axes) == panels


def test_an_absent_class_is_not_estimable() -> None:
    found = predictions(4)
    found = found.take(found.truth != 3)
    assert "not estimable" in drawn(curves.roc_curves([Model(kind="federated", predictions=found)]))
    assert "not estimable" in drawn(curves.pr_curves([Model(kind="federated", predictions=found)]))


def test_local_models_share_one_legend_entry() -> None:
    models = [Model(kind=kind, predictions=predictions(2)) for kind in ("federated", "local", "local")]
    (legend,) = curves.roc_curves(models).legends
    assert [text.get_text() for text in legend.get_texts()] == ["Federated", "Local (each hospital's model)"]


@pytest.mark.parametrize("num_classes", [2, 4])
def test_reliability_draws_binary_and_many_classes(num_classes: int) -> None:
    assert "stated probability" in drawn(curves.reliability(predictions(num_classes)))


def test_reliability_of_one_row() -> None:
    drawn(curves.reliability(predictions(2).take(np.array([0]))))


def test_confusion_prints_shares_of_the_row_and_counts() -> None:
    shown = drawn(curves.confusion(np.array([[30, 10], [0, 0]]), ["a", "b"]))
    assert "75%\n30" in shown
    assert "25%\n10" in shown
    assert "–" in shown  # a class without rows


def test_confusion_of_many_classes_keeps_the_shades_only() -> None:
    assert "%" not in drawn(curves.confusion(np.eye(14), [f"class {i}" for i in range(14)]))


def test_more_classes_than_panels_still_draw() -> None:
    drawn(curves.roc_curves([Model(kind="pooled", predictions=predictions(20))]))


def findings(n: int = 60) -> Predictions:
    """Two findings, the second of no image."""
    base = predictions(2, n)
    truth = np.stack([np.arange(n) % 3 == 0, np.zeros(n, bool)], 1).astype(np.int64)
    return Predictions(classes=("Mass", "Hernia"), truth=truth, probabilities=0.1 + 0.2 * truth, cases=base.cases, groups=base.groups,
                       sites=base.sites, splits=base.splits)


def test_two_findings_have_a_panel_each() -> None:
    drawing = curves.roc_curves([Model(kind="federated", predictions=findings())])
    shown = drawn(drawing)
    assert "Mass: AUROC 1.000" in shown
    assert "Hernia: not estimable" in shown


def test_reliability_of_findings_counts_every_pair() -> None:
    drawing = curves.reliability(findings(60))
    drawn(drawing)
    upper, lower = drawing.axes
    assert sum(bar.get_height() for bar in lower.patches) == 120
    assert upper.get_xlim()[1] > 1  # the images with probability 0.3 all have it: nothing is cut off
