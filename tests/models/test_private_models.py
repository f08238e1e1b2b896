"""Every shipped network trains by DP-SGD, and those of batch norm are refused."""

from types import SimpleNamespace

import pytest
import torch
from opacus.validators import ModuleValidator
from torch import nn

from wardround.core.params import FlatModel
from wardround.errors import PlanError
from wardround.models import DRAWING, MODELS
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan, Recipe
from wardround.rng import torch_stream
from wardround.training.dpsgd import dp_sgd, faults, validated
from wardround.training.losses import make_loss
from wardround.training.optimizers import make_optimizer
from wardround.training.per_unit import Chunk, is_sampled

SMALL = {"cnn": {"width": 8}, "resnet18": {"width": 0.125}, "resnet34": {"width": 0.125}, "resnet50": {"width": 0.125},
         "slice-sequence": {"width": 8, "hidden": 4}, "unet": {"width": 4, "depth": 2}, "attention-unet": {"width": 4, "depth": 2}}
SHAPES = {"slice-sequence": (2, 16, 16), "densenet121": (32, 32)}
CASES = [*((name, SHAPES.get(name, (16, 16))) for name in MODELS.table), *((name, (8, 8, 8)) for name in DRAWING)]
ALONE = {"slice-sequence"}  # its nn.GRU has no sampler: on every device its volumes are taken one by one


def network(name: str, shape: tuple[int, ...], norm: str = "group") -> FlatModel:
    plan = ModelPlan(name=name, norm=norm, **SMALL.get(name, {}))
    return FlatModel(build_model(plan, in_channels=1, num_outputs=2, shape=shape, dense=name in DRAWING, seed=0, is_tried=True))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_every_network_takes_a_private_step(name: str, shape: tuple[int, ...]) -> None:
    model = network(name, shape)
    validated(model, (1, *shape))
    rng = torch_stream("private", name)
    images = torch.randn(2, 1, *shape, generator=rng)
    truth = torch.randint(0, 2, (2, *(shape if name in DRAWING else ())), generator=rng)
    loss = make_loss(Recipe(loss="dice_cross_entropy"), None, "segmentation") if name in DRAWING else make_loss(Recipe(), None)
    terms = SimpleNamespace(unit="image", noise_multiplier=1.0, clip_norm=1e-3, sample_rate=1.0, physical_batch=1)
    sums: list[float] = []  # norms of the clipped gradients' sums

    def noise(num: int, std: float) -> torch.Tensor:
        assert (num, std) == (model.params.layout.num_trainable, 1e-3)
        return torch.zeros(num)

    before = model.params.trainable.clone()
    recipe = Recipe(lr=1.0, momentum=0.0)
    for image, label in zip(images, truth, strict=True):
        dp_sgd(model, [[Chunk(images=image[None], truth=label[None], starts=(0, 1))]], recipe, terms, num_units=1, noise=noise,
               losses=lambda images, truth: loss.per_image(model.module(images), truth),
               optimizer=make_optimizer(recipe, len(before), "cpu", None))
        sums.append(float(model.grads.double().norm()))
    assert all(0.999e-3 < size <= 1e-3 * (1 + 1e-6) for size in sums)
    assert not torch.equal(model.params.trainable, before)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_opacus_tells_the_images_of_every_network_apart(name: str, shape: tuple[int, ...]) -> None:
    model = network(name, shape)
    assert [type(error).__name__ for error in ModuleValidator.validate(model.train(), strict=False)] == (
        ["ShouldReplaceModuleError"] if name in ALONE else [])
    assert is_sampled(model.train(), (1, *shape)) is (name not in ALONE)


@pytest.mark.parametrize(("name", "shape"), [("cnn", (16, 16)), ("unet", (8, 8, 8))])
def test_batch_norm_is_refused_and_told_by_layer(name: str, shape: tuple[int, ...]) -> None:
    model = network(name, shape, norm="batch")
    norms = [layer for layer in model.module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert len(faults(model, (1, *shape))) == len(norms) > 0
    with pytest.raises(PlanError, match=r"\(BatchNorm[23]d\) makes every image's answer depend on the others.*Set model.norm = \"group\""):
        validated(model, (1, *shape))


@pytest.mark.parametrize("norm", ["group", "instance", "frozen"])
def test_norms_that_look_at_one_image_pass(norm: str) -> None:
    plan = ModelPlan(name="cnn", norm="group", width=8)
    module = build_model(plan, in_channels=1, num_outputs=2, shape=(16, 16), seed=0, is_tried=True)
    if norm != "group":
        from wardround.models.norms import use_norm

        module = use_norm(build_model(plan.model_copy(update={"norm": "batch"}), in_channels=1, num_outputs=2, shape=(16, 16), seed=0,
                                      is_tried=True), norm)
    assert faults(FlatModel(module), (1, 16, 16)) == []
