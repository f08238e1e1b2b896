"""A subject that was never trained: what is audited needs its plan and images, and first weights do for the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.audit.subject import Subject
from wardround.build import build, initial_params
from wardround.data.prepare import prepare
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import RunFolder


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 images of noise; the bright half tells the class."""
    folder = tmp_path_factory.mktemp("sides")
    for index in range(180):
        pixels = stream("audit", index).integers(0, 120, (16, 16), dtype=np.uint8)
        name = ("left", "right")[index % 2]
        pixels[:, slice(0, 8) if name == "left" else slice(8, 16)] += 60
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{index:03}.png")
    return folder


@pytest.fixture
def subject_with(sides: Path, tmp_path: Path) -> Callable[..., Subject]:
    """A subject on the tiny images; keyword arguments replace keys of its plan's sections."""

    def make(**sections: dict[str, object]) -> Subject:
        settings: dict[str, dict[str, object]] = {
            "data": {"dataset": "folder", "folder": sides, "size": 16}, "split": {"val": 0.2, "test": 0.1}, "sites": {"num": 5},
            "model": {"name": "wardround.testing:toy_net"}, "recipe": {"lr": 0.1, "batch_size": 8},
            "rounds": {"num": 4, "metric": "balanced_accuracy"}, "engine": {"workers": 1, "precision": "fp32"}}
        for name, keys in sections.items():
            settings[name] = {**settings.get(name, {}), **keys}
        plan = Plan.model_validate({"name": "tiny", **settings})
        prepared = prepare(plan, lambda event: None)
        blueprint = build(plan, prepared, "federated")
        return Subject(run=RunFolder(tmp_path), plan=plan, prepared=prepared, blueprint=blueprint, params=initial_params(blueprint),
                       is_quick=True)

    return make
