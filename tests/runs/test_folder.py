"""What a run leaves can be read back."""

import numpy as np
import pytest

from wardround.core.predictions import Measured, Predictions
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


def held(num: int) -> dict[str, np.ndarray]:
    return {name: np.array([f"{name}-{i}" for i in range(num)], dtype=object) for name in ("cases", "groups", "sites", "splits")}


def test_findings_make_the_trip_through_csv(tmp_path) -> None:
    predictions = Predictions(classes=("Mass", "p_Nodule, small", "truth"), truth=np.array([[0, 1, 0], [1, 1, 0]]),
                              probabilities=np.array([[0.125, 0.75, 1e-12], [1.0, 0.0, 0.3]]), **held(2))
    write_predictions(tmp_path / "p.csv", predictions)
    again = read_predictions(tmp_path / "p.csv")
    assert isinstance(again, Predictions)
    assert again.classes == predictions.classes
    assert again.is_multilabel
    assert again.truth.dtype == np.int64
    assert again.truth.tolist() == predictions.truth.tolist()
    assert again.probabilities == pytest.approx(predictions.probabilities, rel=1e-8)
    assert again.cases.tolist() == predictions.cases.tolist()


def test_measures_make_the_trip_through_csv_with_what_is_not_estimable(tmp_path) -> None:
    measured = Measured(names=("dice", "hd95", "dice_necrotic core"), values=np.array([[0.5, np.nan, 1 / 3], [1.0, 12.25, 0.0]]), **held(2))
    write_predictions(tmp_path / "p.csv", measured)
    again = read_predictions(tmp_path / "p.csv")
    assert isinstance(again, Measured)
    assert again.names == measured.names
    assert again.values == pytest.approx(measured.values, rel=1e-8, nan_ok=True)
    assert (again.sites.tolist(), again.splits.tolist()) == (measured.sites.tolist(), measured.splits.tolist())


@pytest.mark.parametrize("results", [
    Predictions(classes=("a", "b"), truth=np.zeros(0, np.int64), probabilities=np.zeros((0, 2)), **held(0)),
    Predictions(classes=("a", "b"), truth=np.zeros((0, 2), np.int64), probabilities=np.zeros((0, 2)), **held(0)),
    Measured(names=("dice",), values=np.zeros((0, 1)), **held(0))])
def test_no_rows_read_back_as_none(tmp_path, results) -> None:
    write_predictions(tmp_path / "p.csv", results)
    again = read_predictions(tmp_path / "p.csv")
    assert type(again) is type(results)
    assert len(again) == 0


@pytest.mark.parametrize("content", [None, "", "case,group,site\n1,2,3\n", "case,group,site,split,truth,p_a\n1,2,n,test\n",
                                     "case,group,site,split,truth,p_a\n1,2,n,test,b,0.5\n",
                                     "case,group,site,split,dice\n1,2,n,test,much\n"])
def test_a_table_that_is_none_of_predictions_is_named(tmp_path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "p.csv").write_text(content)
    with pytest.raises(WardroundError, match=r"p\.csv holds no predictions"):
        read_predictions(tmp_path / "p.csv")
