"""Keras runs on torch in this process: whoever imports it first decides, and these tests go through a plan."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel
from wardround.errors import PlanError
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan
from wardround.testing import check_model

OWN = '''
from keras import Input, Model, Sequential, layers, ops

def build(in_channels, num_outputs, size, last=None):
    return Sequential([Input((size, size, in_channels)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(),
                       layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(num_outputs, activation=last)])

def functional(in_channels, num_outputs, size):
    images = Input((size, size, in_channels))
    x = layers.RandomTranslation(0.4, 0.4)(layers.Conv2D(4, 3, name="first_2")(images))
    return Model(images, layers.Dense(num_outputs)(layers.GlobalAveragePooling2D()(x[:, :5])))

class Late(Model):
    """Makes its variables when it is first called."""
    def __init__(self, num_outputs, softmax=False):
        super().__init__()
        self.dense, self.softmax = layers.Dense(num_outputs), softmax
    def call(self, images):
        logits = self.dense(ops.mean(images, (1, 2)))
        return ops.softmax(logits) if self.softmax else logits

def drawing(num_outputs):
    return Sequential([layers.Conv2D(num_outputs, 3, padding="same")])

def volumes(num_outputs):
    return Sequential([layers.Conv3D(2, 3, padding="same"), layers.Flatten(), layers.Dense(num_outputs)])
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("lab") / "my_keras.py"
    path.write_text(OWN)
    return str(path)


def built(name: str, *, seed: int = 0, in_channels: int = 1, shape: tuple[int, ...] = (12, 12), dense: bool = False,
          **arguments: object) -> nn.Module:
    plan = ModelPlan.model_validate({"name": name, **arguments})
    return build_model(plan, in_channels=in_channels, num_outputs=3, shape=shape, dense=dense, seed=seed)


def test_tensors_have_the_same_names_however_many_models_were_built(own: str) -> None:
    for _ in range(2):
        assert list(built(f"{own}:build").state_dict()) == [
            "conv2d.kernel", "conv2d.bias", "batch_normalization.gamma", "batch_normalization.beta", "batch_normalization.moving_mean",
            "batch_normalization.moving_variance", "conv2d_1.kernel", "conv2d_1.bias", "dense.kernel", "dense.bias"]
    assert list(built(f"{own}:functional").state_dict()) == ["first_2.kernel", "first_2.bias", "dense.kernel", "dense.bias"]


def test_same_seed_gives_the_same_weights_and_leaves_the_generators_alone(own: str) -> None:
    python, state = random.getstate(), torch.get_rng_state()
    first, second, other = (built(f"{own}:build", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv2d.kernel"], other["conv2d.kernel"])
    assert python == random.getstate() and torch.equal(state, torch.get_rng_state())


FRESH = """
import sys
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan
assert "keras" not in sys.modules
for _ in range(2):
    model = build_model(ModelPlan(name=sys.argv[1]), in_channels=1, num_outputs=3, shape=(16, 16), seed=0)
    print(float(model.state_dict()["conv2d.kernel"].double().sum()))
"""


def test_first_model_of_a_process_is_no_other_than_the_next_and_keras_runs_on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example imports Keras inside its builder, after the generators were seeded."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    example = Path(__file__).parents[2] / "examples" / "keras_model.py"
    done = subprocess.run([sys.executable, "-W", "error", "-c", FRESH, f"{example}:build"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.split())) == 1


def test_flat_vector_is_the_memory_of_the_keras_variables(own: str) -> None:
    model = FlatModel(built(f"{own}:build"))
    assert (model.params.layout.num_trainable, model.params.layout.size) == (40 + 8 + 148 + 15, 40 + 16 + 148 + 15)
    images = torch.randn(4, 1, 12, 12)
    model.module.eval()
    before = model.module(images).detach()
    model.params.flat.mul_(2)
    assert not torch.allclose(model.module(images), before)
    model.params.named()["dense.kernel"].zero_()
    assert torch.allclose(model.module(images), model.params.named()["dense.bias"].expand(4, 3))


def test_training_moves_the_averages_in_the_vector_and_evaluation_does_not(own: str) -> None:
    model = FlatModel(built(f"{own}:build"))
    averages = model.params.named()["batch_normalization.moving_mean"]
    images = torch.randn(4, 1, 12, 12)
    model.module.eval()(images)
    assert averages.tolist() == [0.0] * 4
    model.train()(images).square().sum().backward()
    assert averages.abs().sum() > 0
    assert model.grads.abs().sum() > 0


def test_trial_leaves_moving_averages_untouched(own: str) -> None:
    state = built(f"{own}:build").state_dict()
    assert state["batch_normalization.moving_mean"].tolist() == [0.0] * 4
    assert state["batch_normalization.moving_variance"].tolist() == [1.0] * 4


def test_frozen_batch_norm_keeps_its_averages(own: str) -> None:
    model = FlatModel(built(f"{own}:build"), share=["dense.*"])
    for _ in range(2):
        model.train()(torch.randn(4, 1, 12, 12)).sum().backward()
    assert dict(model.module.named_parameters())["batch_normalization.moving_mean"].tolist() == [0.0] * 4
    assert model.params.layout.size == 15 and model.grads.abs().sum() > 0


def test_images_reach_keras_with_their_channels_last(own: str) -> None:
    model = built(f"{own}:Late", in_channels=2).eval()
    images = torch.randn(2, 2, 12, 12)
    dense = model.state_dict()
    assert torch.allclose(model(images), images.mean((2, 3)) @ dense["dense.kernel"] + dense["dense.bias"], atol=1e-6)


def test_masks_come_back_with_their_classes_second_and_volumes_are_read(own: str) -> None:
    assert built(f"{own}:drawing", dense=True)(torch.zeros(2, 1, 12, 12)).shape == (2, 3, 12, 12)
    assert built(f"{own}:volumes", shape=(4, 6, 6))(torch.zeros(2, 1, 4, 6, 6)).shape == (2, 3)


def test_random_layers_follow_torchs_generator_in_training_and_rest_in_evaluation(own: str) -> None:
    model = built(f"{own}:functional").train()
    images = torch.randn(2, 1, 12, 12)
    draws = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            draws.append(model(images))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert torch.equal(model.eval()(images), model(images))


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_model_that_ends_in_probabilities_is_refused(own: str, last: str) -> None:
    with pytest.raises(PlanError, match=rf"ends in {last}; it must give logits.* Dense\(num_outputs\) without activation"):
        built(f"{own}:build", last=last)


def test_softmax_hidden_in_a_call_is_refused_too(own: str) -> None:
    with pytest.raises(PlanError, match=r"outputs sum to 1"):
        built(f"{own}:Late", softmax=True)


def test_another_backend_is_refused_with_the_remedy(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built(f"{own}:build")
    monkeypatch.setattr("keras.config.backend", lambda: "jax")
    with pytest.raises(PlanError, match=r"with the backend 'jax', but training needs 'torch'. Set .* KERAS_BACKEND=torch before"):
        built(f"{own}:build")


def test_passes_the_checks_of_a_model(own: str) -> None:
    check_model(lambda **facts: built(f"{own}:build", shape=(facts["size"], facts["size"])), num_outputs=3, size=12)
