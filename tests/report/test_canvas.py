from pathlib import Path

from PIL import Image

from wardround.report import canvas


def test_figures_are_saved_at_twice_their_size(tmp_path: Path) -> None:
    canvas.save(canvas.figure("Title", width=3, height=2), tmp_path / "new" / "figure.png")
    with Image.open(tmp_path / "new" / "figure.png") as image:
        assert image.size == (600, 400)


def test_text_from_outside_is_one_short_line_without_formulas() -> None:
    assert canvas.plain("a\nb\tc\x00") == "a b c"
    assert canvas.plain("x" * 50, 10) == "x" * 9 + "…"
    assert canvas.plain("$x$") == r"\$x\$"


def test_more_classes_than_colours_are_told_apart() -> None:
    assert len(set(canvas.colours(14))) == 14


def test_a_name_in_another_script_still_draws() -> None:
    assert canvas.png(canvas.figure("病院", height=2)).startswith(b"\x89PNG")


def test_thinning_keeps_the_first_label() -> None:
    labels = canvas.thinned([str(i) for i in range(100)], most=10)
    assert [label for label in labels if label] == [str(i) for i in range(0, 100, 10)]
