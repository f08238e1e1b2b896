from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from wardround.errors import PlanError, UnknownName
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan

OWN = '''
import torch
from torch import nn

class Plain(nn.Module):
    """A class that wants two of the three facts and an argument of its own."""
    def __init__(self, in_channels, num_outputs, hidden=4):
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, hidden, 3)
        self.norm = nn.BatchNorm2d(hidden)
        self.head = nn.Linear(hidden, num_outputs)
    def forward(self, x):
        return self.head(self.norm(self.convolution(x)).mean((2, 3)))

def everything(**facts):
    return nn.Sequential(nn.Flatten(), nn.Linear(facts["in_channels"] * facts["size"] ** 2, facts["num_outputs"]))

def needs_depth(depth, num_outputs):
    return nn.Flatten()

def three_outputs(num_outputs):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3))

def lazy(num_outputs):
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(num_outputs))

def infinite(num_outputs):
    head = nn.Linear(1, num_outputs)
    nn.init.constant_(head.bias, float("inf"))
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)

def no_module():
    return 7

def wrong_channels():
    return nn.Conv2d(5, 2, 3)

def same_size(in_channels, num_outputs, dims):
    return (nn.Conv3d if dims == 3 else nn.Conv2d)(in_channels, num_outputs, 3, padding=1)

def of_shape(shape, num_outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], num_outputs))

class PairInTraining(Plain):
    def forward(self, x):
        return (super().forward(x), x) if self.training else super().forward(x)

number = 3
'''


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Path of a user's file with builders."""
    path = tmp_path / "my_lab.py"
    path.write_text(OWN)
    return str(path)


def built(name: str, *, seed: int = 0, num_outputs: int = 2, size: int = 28, **arguments: object) -> nn.Module:
    plan = ModelPlan.model_validate({"name": name, **arguments})
    return build_model(plan, in_channels=1, num_outputs=num_outputs, shape=(size, size), seed=seed)


def weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters())


@pytest.mark.parametrize(("name", "arguments"), [
    ("efficientnet-lite0", {}), ("cnn", {}), ("resnet18", {"width": 0.25}), ("resnet34", {"width": 0.125}), ("resnet50", {"width": 0.125}),
    ("densenet121", {"growth": 4}),
])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_network_has_the_norm_of_the_plan_and_is_ready_to_train(name: str, arguments: dict[str, float], norm: str) -> None:
    model = built(name, size=32, num_outputs=3, norm=norm, **arguments)
    has_group, has_batch = (any(isinstance(module, kind) for module in model.modules()) for kind in (nn.GroupNorm, nn.BatchNorm2d))
    assert (has_group, has_batch) == (norm == "group", norm == "batch")
    assert model.training
    assert model(torch.ones(2, 1, 32, 32)).shape == (2, 3)


def test_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    assert torch.equal(weights(built("cnn", seed=1)), weights(built("cnn", seed=1)))
    assert not torch.equal(weights(built("cnn", seed=1)), weights(built("cnn", seed=2)))


def test_norm_does_not_change_the_first_weights() -> None:
    assert torch.equal(weights(built("cnn", norm="batch")), weights(built("cnn", norm="group")))


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    built("cnn", dropout=0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_trial_leaves_running_statistics_untouched() -> None:
    statistics = dict(built("cnn", norm="batch").named_buffers())
    assert statistics["0.0.1.running_mean"].abs().sum() == 0
    assert statistics["0.0.1.running_var"].unique().tolist() == [1.0]
    assert statistics["0.0.1.num_batches_tracked"] == 0


def test_own_class_is_given_only_what_it_accepts(own: str) -> None:
    model = built(f"{own}:Plain", hidden=6)
    assert model.convolution.out_channels == 6
    assert isinstance(model.norm, nn.GroupNorm)


def test_own_function_with_open_arguments_is_given_everything(own: str) -> None:
    assert built(f"{own}:everything", size=10, num_outputs=5)[1].weight.shape == (5, 100)


def test_lazy_layers_take_their_sizes_from_the_trial(own: str) -> None:
    model = built(f"{own}:lazy", size=6)
    assert model[3].weight.shape == (2, 4 * 4 * 4)
    assert isinstance(model[1], nn.GroupNorm)


def test_unknown_network_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        built("resnet81")


def test_unknown_argument_names_the_model_and_the_nearest_accepted_one() -> None:
    with pytest.raises(PlanError, match=r"model 'cnn' has no argument 'widht'. Did you mean 'width'\? Known: width, dropout\."):
        built("cnn", widht=16)


def test_unknown_argument_of_a_resnet_names_only_what_a_plan_may_set() -> None:
    with pytest.raises(PlanError, match=r"no argument 'layers'. Known: stem, stem_stride, width\."):
        built("resnet18", layers=3)


def test_facts_of_the_data_cannot_be_set() -> None:
    with pytest.raises(PlanError, match=r"model.size cannot be set: it follows from data.size"):
        build_model(ModelPlan.model_validate({"size": 64}), in_channels=1, num_outputs=2, shape=(28, 28), seed=0)


def test_missing_argument_is_named(own: str) -> None:
    with pytest.raises(PlanError, match=r"missing a required argument: 'depth'. Set it under \[model\]"):
        built(f"{own}:needs_depth")


def test_value_of_a_wrong_type_names_the_model_and_the_values() -> None:
    with pytest.raises(PlanError, match="model 'cnn' cannot be built with width = 'wide'"):
        built("cnn", width="wide")


@pytest.mark.parametrize(("name", "said"), [
    ("three_outputs", r"into \(2, 2\) .*got \(2, 3\)"),
    ("PairInTraining", r"into \(2, 2\) .*got tuple in training"),
    ("infinite", "NaN or infinite numbers"),
    ("no_module", "must give a torch.nn.Module or a keras.Model, got int"),
    ("wrong_channels", r"fails on a batch of shape \(2, 1, 28, 28\)"),
    ("number", "must be a function or a class, got int"),
])
def test_unusable_network_says_what_was_expected_and_found(own: str, name: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        built(f"{own}:{name}")


@pytest.mark.parametrize(("name", "shape"), [
    ("unet", (16, 16)), ("unet", (8, 16, 16)), ("attention-unet", (16, 16)), ("attention-unet", (8, 16, 16)),
])
@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_networks_that_draw_give_every_position_of_pictures_and_volumes_a_class(name: str, shape: tuple[int, ...], norm: str) -> None:
    plan = ModelPlan.model_validate({"name": name, "norm": norm, "width": 4, "depth": 3})
    model = build_model(plan, in_channels=2, num_outputs=3, shape=shape, dense=True, seed=0)
    assert model(torch.ones(2, 2, *shape)).shape == (2, 3, *shape)
    names = {type(module).__name__.removeprefix("Quick").removesuffix("2d").removesuffix("3d") for module in model.modules()}
    kinds = {name for name in names if name.endswith("Norm")}
    assert kinds == {{"batch": "BatchNorm", "group": "GroupNorm", "instance": "InstanceNorm"}[norm]}


def test_own_network_may_draw_and_is_told_the_number_of_dimensions(own: str) -> None:
    for shape in ((8, 8), (4, 8, 8)):
        model = build_model(ModelPlan(name=f"{own}:same_size"), in_channels=1, num_outputs=2, shape=shape, dense=True, seed=0)
        assert model(torch.ones(1, 1, *shape)).shape == (1, 2, *shape)


def test_own_network_of_volumes_is_told_their_shape(own: str) -> None:
    model = build_model(ModelPlan(name=f"{own}:of_shape"), in_channels=1, num_outputs=2, shape=(3, 4, 5), seed=0)
    assert model[1].in_features == 60


@pytest.mark.parametrize(("name", "shape", "dense", "said"), [
    ("unet", (16, 16), False, "'unet' draws masks; this data set has labels: choose cnn, resnet18"),
    ("cnn", (16, 16), True, "'cnn' tells classes; this data set has masks to draw: choose unet, attention-unet"),
    ("resnet18", (8, 16, 16), False, "'resnet18' reads pictures; this data set has volumes: choose slice-sequence,"),
    ("slice-sequence", (16, 16), False, "'slice-sequence' reads volumes; this data set has pictures: choose cnn"),
])
def test_network_of_another_kind_is_refused_with_those_that_fit(name: str, shape: tuple[int, ...], dense: bool, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        build_model(ModelPlan(name=name), in_channels=1, num_outputs=2, shape=shape, dense=dense, seed=0)


def test_own_network_that_gives_numbers_where_masks_are_due_says_the_shapes(own: str) -> None:
    with pytest.raises(PlanError, match=r"into \(2, 3, 28, 28\) \(a number for each class at each position\), got \(2, 3\)"):
        build_model(ModelPlan(name=f"{own}:three_outputs"), in_channels=1, num_outputs=3, shape=(28, 28), dense=True, seed=0)


def test_first_weights_come_from_the_file_after_the_norm_was_chosen(tmp_path: Path) -> None:
    torch.save(built("cnn", seed=1, norm="batch").state_dict(), tmp_path / "first.pth")
    model = built("cnn", seed=2, norm="group", weights=str(tmp_path / "first.pth"))
    assert torch.equal(weights(model), weights(built("cnn", seed=1)))


def test_instance_norm_on_a_single_position_is_refused_before_training() -> None:
    with pytest.raises(PlanError, match="more than 1 spatial element"):
        built("resnet18", size=8, norm="instance", width=0.125)


def test_frozen_norm_without_first_weights_is_refused() -> None:
    with pytest.raises(PlanError, match=r"there are none\. Set model\.weights"):
        build_model(ModelPlan(name="resnet18", norm="frozen"), in_channels=1, num_outputs=2, shape=(32, 32), seed=0)
