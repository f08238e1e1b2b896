"""The example scripts. (own_model_and_csv.py: test_packaging.py; keras_model.py: models/test_keras.py; notebooks: test_notebooks.py.)"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import wardround as wr

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_whole_volumes_are_classified_by_a_slice_sequence(tmp_path: Path) -> None:
    folder = example("volumes").folder_of_volumes(tmp_path / "images", num=45)
    plan = wr.Plan.model_validate({"name": "volumes", "model": {"name": "slice-sequence", "width": 8, "hidden": 8},
                                   "data": {"folder": folder, "dims": 3, "patch": (16, 24, 24)}, "rounds": {"num": 1},
                                   "engine": {"workers": 1}, "evaluation": {"resamples": 100}})
    scores = wr.run(plan, out=tmp_path / "runs").scores()
    assert scores["classes"] == ["lower", "none", "upper"]
    assert sum(site["num_train"] for site in scores["per_site"].values()) == scores["num_train"] > 0
    assert scores["num_test"] > 0
