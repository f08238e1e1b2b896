"""What is said of the networks is complete, short and true."""

from pathlib import Path

import pytest

from wardround.models import DRAWING, MODELS, ON_VOLUMES
from wardround.models.advice import ADVICE, advice
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan


def test_every_network_has_its_advice_and_nothing_else_has() -> None:
    assert set(ADVICE) == set(MODELS.table)


@pytest.mark.parametrize("name", sorted(ADVICE))
def test_advice_is_short_and_names_a_source(name: str) -> None:
    said = ADVICE[name]
    assert 0 < len(said.use_when) < 95 and said.source
    assert said.costs.split()[1] == "million"


@pytest.mark.parametrize("name", ["cnn", "efficientnet-lite0", "slice-sequence", "unet", "attention-unet"])
def test_a_network_is_as_large_as_it_is_said_to_be(name: str) -> None:
    model = build_model(ModelPlan(name=name), in_channels=1, num_outputs=4, shape=(32, 64, 64) if name in ON_VOLUMES else (64, 64),
                        dense=name in DRAWING, seed=0, is_tried=True)
    assert f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f}" == ADVICE[name].costs.split()[0]


def test_of_a_network_of_another_place_its_docstring_is_shown(tmp_path: Path) -> None:
    (tmp_path / "own_net.py").write_text('def net():\n    """Two layers.\n\n    More."""\ndef silent():\n    pass\n')
    assert advice(f"{tmp_path / 'own_net.py'}:net").use_when == "Two layers."
    assert advice(f"{tmp_path / 'own_net.py'}:silent").use_when == ""
