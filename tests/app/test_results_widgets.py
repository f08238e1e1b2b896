"""The drawings of the Results page: each tells its values to screen readers too."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from wardround.app.widgets.confusion import MOST_TEXTS, ConfusionMatrix
from wardround.app.widgets.reliability import Reliability

NAN = float("nan")


def test_confusion_tells_truth_and_answer(qtbot: QtBot) -> None:
    matrix = ConfusionMatrix()
    qtbot.addWidget(matrix)
    matrix.show_confusion(np.array([[0.9, 0.1], [NAN, 0.8]]), ["normal", "ill"], [["90%\n9", "10%\n1"], ["hidden", "80%\n8"]])
    assert matrix.accessibleDescription() == "normal: normal 90% 9, ill 10% 1; ill: normal hidden, ill 80% 8"
    assert matrix.grab().width() > 0


def test_many_classes_are_drawn_without_texts_but_still_told(qtbot: QtBot) -> None:
    number = MOST_TEXTS + 1
    matrix = ConfusionMatrix()
    qtbot.addWidget(matrix)
    names = [f"class {place}" for place in range(number)]
    matrix.show_confusion(np.eye(number), names, [["0"] * number] * number)
    assert not [item for item in matrix.items() if isinstance(item, pg.TextItem)]
    assert f"class {number - 1}: class 0 0" in matrix.accessibleDescription()


def test_reliability_draws_an_interval_only_where_there_is_one(qtbot: QtBot) -> None:
    plot = Reliability()
    qtbot.addWidget(plot)
    plot.show()
    plot.show_bins([0.1, 0.7], [0.2, 0.6], [0.1, NAN], [0.3, NAN], heights=[3, 1, 0, 2], title="Observed share of ill")
    assert [bar.opts["x"].tolist() for bar in plot.findChildren(pg.PlotWidget)[0].items() if isinstance(bar, pg.ErrorBarItem)] == [[0.1]]
    upper, lower = plot.findChildren(pg.PlotWidget)
    assert upper.accessibleDescription() == "0.100: 0.200; 0.700: 0.600"
    assert lower.accessibleDescription() == "3, 1, 0, 2"
    assert lower.isVisible()


def test_reliability_of_told_bins_has_no_histogram(qtbot: QtBot, qapp: QApplication) -> None:
    plot = Reliability()
    qtbot.addWidget(plot)
    plot.show()
    plot.show_bins([0.5], [0.5], [NAN], [NAN])
    assert not plot.findChildren(pg.PlotWidget)[1].isVisible()
