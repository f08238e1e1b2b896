"""The flat vector and its views."""

import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel, Layout, Params, params_of
from wardround.errors import AggregationError, PlanError
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))


def vector(*numbers: float) -> Params:
    return Params(torch.tensor(numbers), Layout.of([("w", torch.zeros(len(numbers)), True)]))


def test_trainable_tensors_come_first_and_counters_are_left_out() -> None:
    layout = FlatModel(net()).params.layout
    kinds = [entry.is_trainable for entry in layout.entries]
    assert kinds == sorted(kinds, reverse=True)
    assert {entry.name for entry in layout.entries if not entry.is_trainable} == {"1.running_mean", "1.running_var"}
    assert layout.size == layout.num_trainable + 4
    assert layout.num_bytes == 4 * layout.size


def test_flattening_leaves_the_model_as_it_was() -> None:
    module, images = net().eval(), torch.randn(3, 1, 3, 3)
    before = module(images)
    assert torch.equal(FlatModel(module).module(images), before)


def test_loading_changes_what_the_module_computes() -> None:
    model, other = FlatModel(net()), FlatModel(net())
    model.load(params_of(other))
    images = torch.randn(3, 1, 3, 3)
    assert torch.equal(model.module.eval()(images), other.module.eval()(images))


def test_gradients_arrive_in_the_flat_vector() -> None:
    model = FlatModel(net())
    model.module(torch.randn(3, 1, 3, 3)).sum().backward()
    first = model.params.layout.entries[0]
    assert torch.equal(model.grads[: first.size].view(first.shape), dict(model.module.named_parameters())[first.name].grad)
    assert model.grads.abs().sum() > 0


def test_batch_statistics_arrive_in_the_flat_vector() -> None:
    model = FlatModel(net())
    before = model.params.flat[model.params.layout.num_trainable :].clone()
    model.module.train()(torch.randn(8, 1, 3, 3) + 3)
    assert not torch.equal(model.params.flat[model.params.layout.num_trainable :], before)


def test_frozen_tensors_are_not_trainable() -> None:
    module = net()
    module[0].weight.requires_grad_(False)
    entry = next(entry for entry in FlatModel(module).params.layout.entries if entry.name == "0.weight")
    assert not entry.is_trainable


def test_arithmetic_reads_like_vectors() -> None:
    a, b = vector(1.0, 2.0), vector(3.0, 5.0)
    assert (a + b).flat.tolist() == [4, 7]
    assert (b - a).flat.tolist() == [2, 3]
    assert (2.0 * a).flat.tolist() == (a * 2.0).flat.tolist() == [2, 4]
    assert (b / 2.0).flat.tolist() == [1.5, 2.5]
    assert a.clone().add_(b, alpha=2.0).flat.tolist() == [7, 12]
    assert a.zeros().flat.tolist() == [0, 0]
    assert a.flat.tolist() == [1, 2]


def test_norm_covers_the_trainable_part_only() -> None:
    layout = Layout.of([("statistics", torch.zeros(1), False), ("w", torch.zeros(2), True)])
    assert Params(torch.tensor([3.0, 4.0, 100.0]), layout).norm() == 5


def test_params_of_other_models_are_not_combined() -> None:
    with pytest.raises(AggregationError, match="names or shapes differ"):
        vector(1.0) + Params(torch.ones(1), Layout.of([("v", torch.zeros(1), True)]))


@pytest.mark.parametrize("flat", [torch.zeros(3), torch.zeros(2, dtype=torch.float64)])
def test_a_vector_of_another_length_or_type_is_refused(flat: torch.Tensor) -> None:
    with pytest.raises(AggregationError, match="2 float32 numbers"):
        Params(flat, vector(1.0, 2.0).layout)


def test_tensors_make_the_trip_back() -> None:
    model, other = FlatModel(net()), FlatModel(net())
    other.load_tensors({name: tensor.clone() for name, tensor in model.tensors().items()})
    assert torch.equal(other.params.flat, model.params.flat)


def test_tensors_that_do_not_fit_are_named() -> None:
    model = FlatModel(net())
    tensors = model.tensors()
    with pytest.raises(AggregationError, match=r"missing \['0.weight'\]"):
        model.load_tensors({name: tensor for name, tensor in tensors.items() if name != "0.weight"})
    with pytest.raises(AggregationError, match=r"unknown \['more'\]"):
        model.load_tensors({**tensors, "more": torch.zeros(1)})
    with pytest.raises(AggregationError, match="has shape"):
        model.load_tensors({**tensors, "0.bias": torch.zeros(7)})


# --- partial federation: only what is shared is trained and sent


def test_only_shared_tensors_are_in_the_vector() -> None:
    module = net()
    layout = FlatModel(module, share=["0.*"]).params.layout
    assert {entry.name for entry in layout.entries} == {"0.weight", "0.bias"}
    assert layout.num_bytes == 4 * sum(tensor.numel() for tensor in module[0].parameters())


def test_what_is_not_shared_never_changes() -> None:
    model = FlatModel(net(), share=["0.*"])
    before = {name: tensor.clone() for name, tensor in model.tensors().items()}
    model.train()(torch.randn(8, 1, 3, 3) + 3).sum().backward()
    model.params.trainable.sub_(model.grads)
    changed = {name for name, tensor in model.tensors().items() if not torch.equal(tensor, before[name])}
    assert changed == {"0.weight", "0.bias"}


def test_a_frozen_batch_norm_stays_in_evaluation_and_a_shared_one_trains() -> None:
    frozen, shared = FlatModel(net(), share=["0.*"]), FlatModel(net(), share=["1.*"])
    assert not frozen.train()[1].training
    assert shared.train()[1].training
    assert {entry.name for entry in shared.params.layout.entries} >= {"1.running_mean", "1.running_var"}


def test_sharing_everything_by_name_is_sharing_everything() -> None:
    module = net()
    assert FlatModel(module, share=["*"]).params.layout == FlatModel(net()).params.layout


def test_a_file_holds_frozen_tensors_too_and_gives_them_back() -> None:
    model, other = FlatModel(net(), share=["3.*"]), FlatModel(net(), share=["3.*"])
    assert model.tensors().keys() == FlatModel(net()).tensors().keys()
    other.load_tensors({name: tensor.clone() for name, tensor in model.tensors().items()})
    images = torch.randn(3, 1, 3, 3)
    assert torch.equal(model.module.eval()(images), other.module.eval()(images))
    assert torch.equal(model.params.flat, other.params.flat)


def test_what_is_not_shared_takes_no_gradient() -> None:
    model = FlatModel(net(), share=["3.*"])
    model.train()(torch.randn(8, 1, 3, 3)).sum().backward()
    assert model.grads.shape == (model.params.layout.num_trainable,)
    assert model.grads.abs().sum() > 0
    assert all(parameter.grad is None for name, parameter in model.module.named_parameters() if not name.startswith("3."))


def test_layers_without_tensors_keep_training_mode() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(), torch.nn.Linear(2, 1))
    model = FlatModel(module, share=["2.*"]).train()
    assert model[1].training


def test_a_pattern_that_fits_nothing_is_an_error_with_the_nearest_name() -> None:
    module = torch.nn.Sequential()
    module.add_module("layer4", torch.nn.Linear(2, 2))
    with pytest.raises(PlanError, match=r"no tensor of the model fits 'layer5\.\*'\. Did you mean 'layer4'"):
        FlatModel(module, share=["layer5.*"])


def test_resnet34_shares_61_6_percent_with_layer4_and_fc_and_0_03_with_its_head() -> None:
    def numbers(share: list[str]) -> int:
        plan = ModelPlan(name="resnet34", norm="batch", stem="7x7")
        module = build_model(plan, in_channels=3, num_outputs=14, shape=(64, 64), seed=0)
        return FlatModel(module, share=share).params.layout.num_trainable

    whole = numbers([])
    assert round(100 * numbers(["layer4.*", "fc.*"]) / whole, 1) == 61.6
    assert round(100 * numbers(["fc.*"]) / whole, 2) == 0.03
