"""A run's model on new images."""

import pytest

from wardround.errors import DataError, WardroundError
from wardround.session import predict, run


def test_the_test_rows_get_the_same_probabilities_again(plan_with, images, tmp_path) -> None:
    run_folder = run(plan_with(), out=tmp_path)
    again = predict(run_folder, [images])
    assert len(again) == 90
    tested = run_folder.predictions()
    expected = {tuple(row.round(5)) for row in tested.probabilities}
    assert expected <= {tuple(round(p, 5) for p in found.probabilities.values()) for found in again}
    assert list(again[0].probabilities) == ["left", "none", "right"]


def test_an_unreadable_image_gets_its_reason_and_the_others_go_on(plan_with, images, tmp_path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    good = next(images.rglob("*.png"))
    broken, fine = predict(run(plan_with(), out=tmp_path), [tmp_path / "broken.png", good])
    assert broken.error and not broken.probabilities
    assert sum(fine.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_what_is_not_there_is_named(plan_with, tmp_path) -> None:
    run_folder = run(plan_with(), out=tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        predict(run_folder, [tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no image"):
        predict(run_folder, [tmp_path / "empty"])
    with pytest.raises(WardroundError, match="does not exist"):
        predict(tmp_path / "empty", [])
