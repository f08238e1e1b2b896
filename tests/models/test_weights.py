import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wardround.core.params import FlatModel
from wardround.errors import DataError, PlanError
from wardround.models.norms import use_norm
from wardround.models.unet import unet
from wardround.models.weights import digest_of, load_weights, read_tensors


def net(in_channels: int = 1, num_outputs: int = 2, hidden: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, hidden, 3), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Conv2d(hidden, hidden, 3),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(hidden, num_outputs))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights of a net of three channels and ten classes, with running statistics of its own."""
    model = net(3, 10)
    model.train()(torch.randn(4, 3, 8, 8))
    torch.save(model.state_dict(), tmp_path / "first.pth")
    return tmp_path / "first.pth"


def loaded(path: Path, model: nn.Module, in_channels: int) -> list[str]:
    return load_weights(model, str(path), "net", in_channels=in_channels)


def test_all_of_the_same_network_is_taken(file: Path) -> None:
    model = net(3, 10)
    assert loaded(file, model, 3) == []
    assert all(torch.equal(tensor, stored) for tensor, stored in zip(model.state_dict().values(), torch.load(file).values(), strict=True))


def test_another_number_of_classes_leaves_the_last_layer_at_its_random_values(file: Path) -> None:
    model = net(3, 2)
    before = model[6].weight.clone()
    assert loaded(file, model, 3) == ["6.weight", "6.bias"]
    assert torch.equal(model[6].weight, before)
    assert torch.equal(model[3].weight, torch.load(file)["3.weight"])


def test_file_without_last_layer_leaves_it_random(file: Path) -> None:
    stored = {name: tensor for name, tensor in torch.load(file).items() if not name.startswith("6.")}
    torch.save(stored, file)
    assert loaded(file, net(3, 2), 3) == ["6.weight", "6.bias"]


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_image_equal_in_all_channels_gives_the_same_however_many_there_are(file: Path, channels: int) -> None:
    stored, model = net(3, 10), net(channels, 10)
    loaded(file, stored, 3)
    loaded(file, model, channels)
    grey = torch.randn(2, 1, 8, 8)
    assert torch.allclose(stored.eval()(grey.expand(2, 3, 8, 8)), model.eval()(grey.expand(2, channels, 8, 8)), atol=1e-5)


def test_fourth_channel_repeats_the_first_and_all_are_scaled(file: Path) -> None:
    model = net(4, 10)
    loaded(file, model, 4)
    assert torch.allclose(model[0].weight, torch.load(file)["0.weight"][:, [0, 1, 2, 0]] * 0.75)


def test_one_stored_channel_is_divided_among_three(tmp_path: Path) -> None:
    one, three = net(1, 2), net(3, 2)
    torch.save(one.state_dict(), tmp_path / "one.pt")
    loaded(tmp_path / "one.pt", three, 3)
    grey = torch.randn(2, 1, 8, 8)
    assert torch.allclose(one.eval()(grey), three.eval()(grey.expand(2, 3, 8, 8)), atol=1e-6)


def test_group_norm_takes_scale_and_shift_and_no_statistics(file: Path) -> None:
    model = use_norm(net(3, 10), "group")
    with torch.no_grad():
        model[1].weight.fill_(5)
    assert loaded(file, model, 3) == []
    assert torch.equal(model[1].weight, torch.load(file)["1.weight"])


def test_batch_norm_takes_running_statistics_and_keeps_its_own_where_there_are_none(file: Path, tmp_path: Path) -> None:
    model = net(3, 10)
    loaded(file, model, 3)
    assert model[1].running_mean.abs().sum() > 0
    torch.save(use_norm(net(3, 10), "group").state_dict(), tmp_path / "group.pth")
    fresh = net(3, 10)
    loaded(tmp_path / "group.pth", fresh, 3)
    assert fresh[1].running_var.unique().tolist() == [1.0]


def test_checkpoint_of_a_parallel_model_is_looked_into(file: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in torch.load(file).items()}}, file)
    assert loaded(file, net(3, 10), 3) == []


def test_model_of_a_run_is_taken(tmp_path: Path) -> None:
    trained = net(1, 2)
    save_file({name: tensor.clone() for name, tensor in FlatModel(trained).tensors().items()}, tmp_path / "model.safetensors")
    model = net(1, 2)
    assert loaded(tmp_path / "model.safetensors", model, 1) == []
    assert torch.equal(model[6].weight, trained[6].weight)


def test_shortcut_that_reads_the_image_and_block_of_the_outputs_are_adapted_too(tmp_path: Path) -> None:
    small = {"shape": (16, 16), "width": 4, "depth": 3}
    torch.save(unet(in_channels=1, num_outputs=2, **small).state_dict(), tmp_path / "unet.pth")
    model = unet(in_channels=4, num_outputs=3, **small)
    random = load_weights(model, str(tmp_path / "unet.pth"), "unet", in_channels=4)
    assert random and all(name.startswith("model.2.") for name in random)


def test_loading_changes_a_flat_model_in_place(file: Path) -> None:
    model = FlatModel(net(3, 10))
    before = model.params.flat.clone()
    loaded(file, model.module, 3)
    assert not torch.equal(model.params.flat, before)


@pytest.mark.parametrize(("change", "said"), [
    (lambda tensors: tensors.update({"3.weight": torch.zeros(4, 4, 5, 5)}),
     r"3.weight \(\[4, 4, 5, 5\] in the file, \[4, 4, 3, 3\] in the model"),
    (lambda tensors: tensors.pop("3.bias"), r"3.bias \(not in the file\)"),
    (lambda tensors: tensors.update({"7.weight": torch.zeros(3)}), r"7.weight \(unknown to the model\)"),
    (lambda tensors: tensors.update({"1.running_mean": torch.zeros(3)}), "1.running_mean"),
])
def test_another_network_is_refused_with_its_tensors(file: Path, change, said: str) -> None:
    tensors = torch.load(file)
    change(tensors)
    torch.save(tensors, file)
    model = net(3, 10)
    before = model[0].weight.clone()
    with pytest.raises(PlanError, match=f"weights of another network than 'net': {said}"):
        loaded(file, model, 3)
    assert torch.equal(model[0].weight, before)


def test_weights_of_something_else_altogether_are_refused(file: Path) -> None:
    with pytest.raises(PlanError, match=r"does not hold weights of this model \('net'\): 1 of its 8 tensors fit"):
        loaded(file, net(3, 10, hidden=8), 3)


class Trap:
    """What a pickle can do: call anything."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("executed"),))


def test_whole_models_and_other_objects_are_refused_and_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(net(), "model.pth")
    torch.save({"state_dict": Trap()}, "trap.pt")
    Path("plain.bin").write_bytes(pickle.dumps(Trap()))
    for name in ("model.pth", "trap.pt", "plain.bin"):
        with pytest.raises(PlanError, match="holds Python objects, not only tensors; nothing of it was executed"):
            read_tensors(Path(name))
    assert not Path("executed").exists()


def stored(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(("make", "error", "said"), [
    (lambda folder: folder / "none.pth", DataError, "no file"),
    (lambda folder: folder / "weights.h5", PlanError, "weights are \"imagenet\" or a file"),
    (lambda folder: stored(folder / "list.pt", [1, 2]), PlanError, "must hold tensors by name"),
    (lambda folder: stored(folder / "mixed.pt", {"a": torch.zeros(1), "lr": 0.1}), PlanError, "must hold tensors by name"),
    (lambda folder: stored(folder / "nan.pt", {"a": torch.tensor([float("nan")])}), PlanError, "NaN or infinite numbers: a"),
])
def test_unusable_file_says_why(tmp_path: Path, make, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_tensors(make(tmp_path))


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_damaged_file_is_named(file: Path, tmp_path: Path, name: str) -> None:
    tensors: dict[str, Tensor] = torch.load(file)
    save_file(tensors, tmp_path / "whole.safetensors")
    whole = file if name.endswith(".pth") else tmp_path / "whole.safetensors"
    (tmp_path / name).write_bytes(whole.read_bytes()[:700])
    with pytest.raises(DataError, match=f"{name} cannot be read as weights"):
        read_tensors(tmp_path / name)


def test_a_file_is_known_again_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"w": torch.zeros(1)}, path)
    before = digest_of(str(path), "cnn")
    torch.save({"w": torch.ones(1)}, path)
    assert digest_of(str(path), "cnn") != before
    with pytest.raises(DataError, match="no file"):
        digest_of(str(tmp_path / "absent.pth"), "cnn")
