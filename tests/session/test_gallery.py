"""Test images that the report shows."""

from types import SimpleNamespace

import numpy as np

from wardround.core.predictions import Predictions
from wardround.data.prepare import prepare
from wardround.session.gallery import write_errors


def test_the_gallery_holds_the_surest_wrong_test_images_one_a_patient_and_no_id(tmp_path) -> None:
    def text(*values: str) -> np.ndarray:
        return np.array(values, dtype=object)

    tested = Predictions(classes=("none", "mass"), cases=text(*"abcde"), groups=text("p1", "p1", "p2", "p3", "p4"),
                         sites=text("n", "n", "s", "s", "s"), splits=text("test", "test", "test", "test-leak", "test"),
                         truth=np.array([0, 0, 1, 0, 1]),
                         probabilities=np.array([[0.2, 0.8], [0.1, 0.9], [0.7, 0.3], [0.0, 1.0], [0.1, 0.9]]))
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    (tmp_path / "figures").mkdir()
    write_errors(tmp_path / "figures", tested, np.array([5, 6, 7, 8, 9]), SimpleNamespace(pixels=pixels, volumes=None))
    with np.load(tmp_path / "figures" / "errors.npz") as kept:
        assert sorted(kept) == ["images", "predicted", "probability", "site", "truth"]
        assert kept["images"].ravel().tolist() == [6, 7]  # p1's surer image, p2; the leaking and the right one are left out
        assert kept["probability"].tolist() == [0.9, 0.7]
        assert kept["site"].tolist() == ["n", "s"]


def test_volumes_leave_no_wrong_answers_to_look_at(tmp_path) -> None:
    write_errors(tmp_path, SimpleNamespace(), np.array([0]), SimpleNamespace(volumes=object()))
    assert not list(tmp_path.iterdir())


def test_volumes_are_shown_upright_as_radiologists_look_at_them(brains_plan, brains_run) -> None:
    volumes = prepare(brains_plan()).volumes
    masks = [np.asarray(volumes.mask(row)) for row in np.flatnonzero(volumes.reasons == "")]
    with np.load(brains_run.path / "figures" / "overlays.npz") as kept:
        shown = kept["best_truth"]
    assert any(np.array_equal(shown, mask[:, ::-1, ::-1]) for mask in masks)
