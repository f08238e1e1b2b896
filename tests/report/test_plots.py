import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from wardround.core.events import RoundFinished
from wardround.report import plots
from wardround.report.canvas import Estimate, png

NAN = math.nan


def texts(drawing: Figure) -> str:
    return "\n".join(text.get_text() for text in drawing.findobj(lambda artist: hasattr(artist, "get_text")))


def drawn(drawing: Figure) -> str:
    """Render the figure, and return all its texts."""
    assert png(drawing).startswith(b"\x89PNG")
    return texts(drawing)


def rounds(num: int, sites: int = 3, value: float = 0.5) -> list[RoundFinished]:
    names = [f"site-{i}" for i in range(sites)]
    by_site = {name: {"auroc": value} for name in names}
    return [RoundFinished(round=t, lr=0.1, train_loss=1 / t, train_loss_by_site=dict.fromkeys(names, 1 / t),
                          val={"loss": 1 / t, "auroc": value}, val_by_site=by_site) for t in range(1, num + 1)]


@pytest.mark.parametrize("num", [1, 3, 2000])
def test_learning_curves_draw_any_number_of_rounds(num: int) -> None:
    assert f"round kept ({num})" in drawn(plots.learning_curves(rounds(num), "auroc", best_round=num))


def test_learning_curves_draw_without_rounds_and_with_gaps() -> None:
    assert "no rounds" in drawn(plots.learning_curves([], "auroc"))
    drawn(plots.learning_curves(rounds(4, value=NAN), "auroc", best_round=2))
    bare = [RoundFinished(round=1, lr=0.1, train_loss=NAN, train_loss_by_site={})]
    drawn(plots.learning_curves(bare, "loss"))


def test_many_sites_share_a_quiet_colour() -> None:
    (panel, _) = plots.learning_curves(rounds(3, sites=20), "auroc").axes[:2]
    assert len({line.get_color() for line in panel.lines[:20]}) == 1


@pytest.mark.parametrize("num_classes", [2, 4, 14])
def test_partition_stacks_every_class(num_classes: int) -> None:
    counts = {site: {f"class {i}": 10 * i for i in range(num_classes)} for site in ("a", "b")}
    drawing = plots.partition(counts)
    drawn(drawing)
    widths = [bar.get_width() for bars in drawing.axes[0].containers for bar in bars]
    assert sum(widths) == 2 * sum(10 * i for i in range(num_classes))


def test_partition_of_many_sites_thins_its_labels() -> None:
    drawing = plots.partition({f"site-{i}": {"a": 5} for i in range(200)})
    drawn(drawing)
    assert sum(bool(label.get_text()) for label in drawing.axes[0].get_yticklabels()) == 40


def test_arms_print_value_and_interval() -> None:
    rows = [Estimate(label="Federated", value=0.9, low=0.8, high=0.95), Estimate(label="Local", value=NAN, low=NAN, high=NAN, kind="local")]
    shown = drawn(plots.arms(rows, "balanced_accuracy"))
    assert "0.900 [0.800, 0.950]" in shown
    assert "not estimable" in shown


def test_arms_without_anything_estimable_still_draw() -> None:
    drawn(plots.arms([Estimate(label="a", value=NAN, low=NAN, high=NAN)], "auroc"))
    assert "nothing to compare" in drawn(plots.arms([], "auroc"))


@pytest.mark.parametrize(("kind", "reference"), [("ratio", 1.0), ("difference", 0.0)])
def test_paired_marks_no_difference(kind: str, reference: float) -> None:
    drawing = plots.paired([Estimate(label="AUROC", value=0.3, low=0.2, high=0.4)], kind=kind, title="Federated against local")
    drawn(drawing)
    assert any(list(line.get_xdata()) == [reference, reference] for line in drawing.axes[0].lines)
    low, high = drawing.axes[0].get_xlim()
    assert low < reference < high


def test_hospitals_are_drawn_worst_first_with_their_own_models_in_view() -> None:
    rows = [Estimate(label="good", value=0.9, low=0.85, high=0.95), Estimate(label="none", value=NAN, low=NAN, high=NAN),
            Estimate(label="bad", value=0.7, low=0.6, high=0.8)]
    drawing = plots.per_site(rows, "auroc", own={"good": 0.3})
    drawn(drawing)
    assert [label.get_text() for label in drawing.axes[0].get_yticklabels()] == ["bad", "good", "none"]
    assert drawing.axes[0].get_xlim()[0] < 0.3


def test_site_matrix_marks_what_is_not_estimable() -> None:
    assert "–" in drawn(plots.site_matrix(np.array([[0.9, NAN], [0.2, 0.8]]), ["a", "b"], "auroc"))


@pytest.mark.parametrize("channels", [1, 3])
def test_worst_errors_show_images_with_captions(channels: int) -> None:
    images = np.zeros((3, channels, 8, 8), np.uint8)
    assert "truth: b" in drawn(plots.worst_errors(images, ["truth: a", "truth: b", "truth: c"]))


def test_worst_errors_of_a_perfect_model_say_so() -> None:
    assert "no wrong answers" in drawn(plots.worst_errors(np.zeros((0, 1, 8, 8), np.uint8), []))


def test_names_are_never_read_as_formulas() -> None:
    drawn(plots.partition({r"$\frac{1}$": {r"$\bad$ class": 3}, "$$": {r"$\bad$ class": 3}}))


def test_training_losses_of_single_steps_are_averaged_between_validations() -> None:
    events = [RoundFinished(round=t, lr=0.1, train_loss=float(t), train_loss_by_site={"a": float(t)},
                            val={"loss": 1.0} if t % 3 == 0 else {}) for t in range(1, 8)]
    lines = plots.learning_curves(events, "loss").axes[0].get_lines()
    assert [list(line.get_ydata()) for line in lines[:2]] == [[2.0, 5.0, 7.0]] * 2  # means of 1..3, 4..6 and 7
    assert list(lines[0].get_xdata()) == [3, 6, 7]


def test_overlapping_findings_are_not_stacked() -> None:
    held = {"Mass": 30, "Hernia": 3, "No Finding": 60, "All images": 80}
    drawing = plots.partition({"north": held, "south": held})
    shown = drawn(drawing)
    bars, grid = drawing.axes
    assert [bar.get_width() for bar in bars.patches] == [80, 80]
    assert [label.get_text() for label in grid.get_xticklabels()] == ["Mass", "Hernia", "No Finding"]
    assert "1–10" in shown
    assert "\n3\n" not in shown  # a small count is hidden


def test_images_without_classes_are_plain_bars() -> None:
    drawing = plots.partition({"north": {"images": 30}, "south": {"images": 20}})
    drawn(drawing)
    assert not drawing.legends
    assert [bar.get_width() for bar in drawing.axes[0].patches] == [30, 20]


def test_grouped_rows_print_the_leading_arm_and_say_what_is_missing() -> None:
    rows = {"Mass (30)": [Estimate(label="", value=value, low=value - 0.1, high=value + 0.1, kind=kind)
                          for kind, value in (("pooled", 0.8), ("federated", 0.7))],
            "Hernia (0)": [Estimate(label="", value=NAN, low=NAN, high=NAN, kind=kind) for kind in ("pooled", "federated")]}
    shown = drawn(plots.grouped(rows, "auroc", title="Findings", lead="federated", reference=0.5))
    assert "0.700 [0.600, 0.800]" in shown
    assert "0.800 [0.700, 0.900]" not in shown
    assert shown.count("not estimable") == 1


def test_a_length_is_not_cut_at_one() -> None:
    drawing = plots.arms([Estimate(label="a", value=7.0, low=5.0, high=9.0)], "hd95")
    assert "7.00 [5.00, 9.00]" in drawn(drawing)
    assert drawing.axes[0].get_xlim()[1] > 9
