"""What a run leaves can be read back."""

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.errors import WardroundError
from wardround.runs.folder import RunFolder, read_json, read_predictions, write_json, write_predictions


def test_predictions_make_the_trip_through_csv(tmp_path) -> None:
    text = lambda *values: np.array(values, dtype=object)  # noqa: E731
    predictions = Predictions(classes=("none", 'glio"ma, x'), cases=text("a", "b"), groups=text("g", "g"), sites=text("north", "süd"),
                              splits=text("test", "test-leak"), truth=np.array([1, 0]), probabilities=np.array([[0.1, 0.9], [0.25, 0.75]]))
    write_predictions(tmp_path / "p.csv", predictions)
    again = read_predictions(tmp_path / "p.csv")
    assert again.classes == predictions.classes
    for name in ("cases", "groups", "sites", "splits", "truth"):
        assert getattr(again, name).tolist() == getattr(predictions, name).tolist()
    assert again.probabilities == pytest.approx(predictions.probabilities)


def test_json_is_replaced_whole(tmp_path) -> None:
    write_json(tmp_path / "x.json", {"a": 1})
    write_json(tmp_path / "x.json", {"a": 2})
    assert read_json(tmp_path / "x.json") == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(("content", "cause"), [(None, "does not exist"), ("{", "not valid JSON"), ("[1]", "no JSON object")])
def test_unreadable_json_is_named(tmp_path, content: str | None, cause: str) -> None:
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(WardroundError, match=f"x.json.*{cause}"):
        read_json(tmp_path / "x.json")


def test_an_unfinished_run_says_how_to_go_on(tmp_path) -> None:
    with pytest.raises(WardroundError, match="wardround run --resume"):
        RunFolder(tmp_path).scores()


def test_a_folder_without_a_plan_is_no_run(tmp_path) -> None:
    with pytest.raises(WardroundError, match="not a run folder"):
        RunFolder(tmp_path).plan()
