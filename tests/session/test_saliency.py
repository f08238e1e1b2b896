"""Heat maps of what a class's score comes from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wardround.core.params import FlatModel
from wardround.errors import PlanError
from wardround.models import fitting
from wardround.models.build import build_model
from wardround.plan.schema import DataPlan, ModelPlan, Plan
from wardround.runs.folder import RunFolder, write_json
from wardround.session import predict, run
from wardround.session.saliency import CAUTION, explain, explain_arrays, grad_cam, target_layer


class Corner(nn.Module):
    """Tells how bright the upper left quarter is (class 1), or how dark (class 0); the rest of the image does not count."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(Quarter(size), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        bright = self.pool(self.seen(images)).flatten(1)
        return torch.cat([-bright, bright], dim=1)


class Quarter(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mask", torch.zeros(size, size))
        self.mask[: size // 2, : size // 2] = 1

    def forward(self, images: Tensor) -> Tensor:
        return images * self.mask


@pytest.fixture(scope="module")
def halves(images: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run whose classes are told apart by the half that is bright."""
    plan = Plan.model_validate({"name": "halves", "data": {"dataset": "folder", "folder": images, "size": 16}, "sites": {"num": 2},
                                "model": {"name": "cnn", "width": 8, "norm": "batch"}, "recipe": {"lr": 0.1, "batch_size": 8},
                                "rounds": {"num": 8, "checkpoint_every_s": 0}, "engine": {"workers": 1},
                                "evaluation": {"resamples": 100}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARDROUND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return run(plan, out=tmp_path_factory.mktemp("runs"))


def half(side: str, size: int = 16) -> np.ndarray:
    pixels = np.full((1, size, size), 60, np.uint8)
    pixels[..., slice(0, size // 2) if side == "left" else slice(size // 2, size)] = 150
    return pixels


def test_a_network_that_looks_at_one_corner_gets_its_heat_there() -> None:
    heat = grad_cam(Corner(8), (1, 8, 8))(torch.ones(1, 8, 8), 1)
    assert heat.shape == (8, 8)
    assert (heat[:4, :4] == 1).all()
    assert heat.sum() == 16


def test_what_speaks_against_a_class_is_no_heat() -> None:
    assert not grad_cam(Corner(8), (1, 8, 8))(torch.ones(1, 8, 8), 0).any()


@pytest.mark.parametrize("name", fitting(dense=False, dims=2))
def test_every_classifier_gets_heat_between_0_and_1_of_at_least_4_fields_a_side(name: str) -> None:
    model = build_model(ModelPlan(name=name, norm="group"), in_channels=3, num_outputs=3, shape=(32, 32), seed=0)
    image = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = model.eval()(image[None])
    heats = [grad_cam(model, (3, 32, 32))(image, index) for index in range(3)]
    assert all(min(heat.shape) >= 4 and heat.min() >= 0 and heat.max() in (0, 1) for heat in heats)
    assert any(heat.any() for heat in heats)
    assert torch.equal(model(image[None]), before)


def test_the_layer_before_the_last_pooling_is_looked_at() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert target_layer(network.eval(), torch.zeros(1, 1, 8, 8)) == "1"


def test_a_network_without_places_is_refused() -> None:
    with pytest.raises(PlanError, match="tells places of the image apart"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), (1, 8, 8))


class Overwriting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu_(self.conv(images)).mean((2, 3))


def test_a_network_that_overwrites_what_its_layers_gave_is_refused() -> None:
    with pytest.raises(PlanError, match="work in place"):
        grad_cam(Overwriting(), (1, 8, 8))(torch.ones(1, 8, 8), 0)


def test_heat_has_the_size_of_the_images_and_the_probability_that_predict_gives(halves: RunFolder, tmp_path: Path) -> None:
    pixels = half("left", 20)
    Image.fromarray(pixels[0]).save(tmp_path / "left.png")
    [seen] = explain_arrays(halves, pixels[None])
    [told] = predict(halves, [tmp_path / "left.png"])
    assert (seen.label, seen.heat.shape, seen.heat.dtype, seen.fields) == ("left", (20, 20), np.float32, (8, 8))
    assert seen.probability == pytest.approx(told.probabilities["left"], abs=1e-6)
    assert seen.heat.min() >= 0 and 0.5 < seen.heat.max() <= 1


def test_the_heat_of_a_trained_model_is_on_the_side_that_tells_the_class_and_another_class_gets_other_heat(halves: RunFolder) -> None:
    left, other = explain_arrays(halves, half("left")[None])[0], explain_arrays(halves, half("left")[None], "right")[0]
    assert left.heat[:, :8].mean() > left.heat[:, 8:].mean()
    assert not np.allclose(left.heat, other.heat, atol=0.05)


def test_random_weights_get_another_heat_than_trained_ones(halves: RunFolder, tmp_path: Path) -> None:
    """The first sanity check of Adebayo et al. 2018: a map that stays when the weights go would show the image, not the model."""
    (tmp_path / "model.json").write_bytes((halves.path / "model.json").read_bytes())
    tensors = load_file(halves.path / "model.safetensors")
    rng = torch.Generator().manual_seed(0)
    save_file({name: torch.randn(tensor.shape, generator=rng) if tensor.ndim > 1 else tensor for name, tensor in tensors.items()},
              tmp_path / "model.safetensors")
    pairs = [[explain_arrays(folder, half(side)[None], "left")[0].heat for folder in (halves, RunFolder(tmp_path))] for side in
             ("left", "right")]
    assert all(np.abs(trained - random).mean() > 0.1 for trained, random in pairs)


def test_each_image_gets_a_picture_beside_its_heat_and_an_unreadable_one_its_reason(halves: RunFolder, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(half("right", 20)[0]).save(tmp_path / folder / "one.png")
    (tmp_path / "a" / "two.png").write_text("no picture")
    notes: list = []
    found = explain(halves, [tmp_path / "a", tmp_path / "b"], tmp_path / "out", watch=notes.append)
    assert [image.picture and image.picture.name for image in found] == ["one_heat.png", None, "one-2_heat.png"]
    assert "not an image" in found[1].error and found[1].saliency is None
    assert notes[0].text == CAUTION and (notes[-1].stage, notes[-1].done, notes[-1].total) == ("explain", 3, 3)
    pixels = np.asarray(Image.open(found[0].picture))
    assert pixels.shape == (256, 2 * 256 + 8, 3)
    image, overlay = pixels[:, :256], pixels[:, 264:]
    assert (image[..., 0] == image[..., 2]).all()
    assert (overlay[..., 0] != overlay[..., 2]).mean() > 0.1


def test_a_finding_can_be_asked_for_and_a_misspelt_one_is_named(xrays_run: RunFolder, xrays: Path) -> None:
    images = np.asarray(Image.open(next((xrays / "images").iterdir())).convert("L"))[None, None]
    name = xrays_run.predictions().classes[3]
    assert explain_arrays(xrays_run, images, name)[0].label == name
    with pytest.raises(PlanError, match=f"Did you mean '{name}'"):
        explain_arrays(xrays_run, images, name[:-1])


@pytest.mark.parametrize(("kind", "reason"), [("slices", "draws masks"), ("brains", "draws masks")])
def test_models_that_draw_masks_are_refused(kind: str, reason: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=reason):
        explain(request.getfixturevalue(f"{kind}_run"), [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_of_volumes_is_refused(tmp_path: Path) -> None:
    plan, data = ModelPlan(name="slice-sequence", width=8), DataPlan(dims=3, patch=(4, 8, 8), channels=1)
    model = build_model(plan, in_channels=1, num_outputs=2, shape=(4, 8, 8), seed=0)
    save_file(FlatModel(model).tensors(), tmp_path / "model.safetensors")
    write_json(tmp_path / "model.json", {"model": plan.model_dump(mode="json"), "task": "binary", "classes": ["a", "b"], "suffixes": [],
                                         "data": data.model_dump(mode="json"), "precision": "fp32", "loss": "cross_entropy"})
    with pytest.raises(PlanError, match=r"reads volumes.*data.dims = 2"):
        explain_arrays(RunFolder(tmp_path), np.zeros((1, 1, 8, 8), np.uint8))


def test_a_folder_that_cannot_be_made_is_named(halves: RunFolder, images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match=r"file.*--out"):
        explain(halves, [images], tmp_path / "file")
