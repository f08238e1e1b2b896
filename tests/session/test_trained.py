"""A run's model, read back."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from wardround.core.params import FlatModel
from wardround.errors import WardroundError
from wardround.models.build import build_model
from wardround.plan.schema import ModelPlan
from wardround.runs.folder import RunFolder, read_json, write_json
from wardround.session.trained import Trained


def copied(run: RunFolder, tmp_path) -> RunFolder:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    return RunFolder(tmp_path)


def test_the_model_holds_the_tensors_of_the_best_round(slices_run) -> None:
    trained = Trained.of(slices_run)
    kept = load_file(slices_run.path / "model.safetensors")
    assert kept.keys() == trained.model.tensors().keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in trained.model.tensors().items())
    assert (trained.task, trained.classes) == ("segmentation", ("background", "foreground"))
    assert not trained.model.module.training


def test_the_network_answers_as_its_task_asks(slices_run, brains_run, xrays_run) -> None:
    assert Trained.of(slices_run).network(torch.zeros(3, 1, 32, 32)).shape == (3, 2, 32, 32)
    assert Trained.of(brains_run).network(torch.zeros(1, 4, 8, 8, 8)).shape == (1, 4, 8, 8, 8)
    findings = Trained.of(xrays_run)
    logits = findings.network(torch.zeros(2, 1, 16, 16))
    assert logits.shape == (2, 14)
    assert torch.equal(findings.loss.probabilities(logits), logits.sigmoid())


def test_an_unfinished_run_says_how_to_go_on(slices_run, tmp_path) -> None:
    folder = copied(slices_run, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WardroundError, match=r"has not finished.*--resume"):
        Trained.of(folder)


def test_a_model_cut_short_is_named(slices_run, tmp_path) -> None:
    folder = copied(slices_run, tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:500])
    with pytest.raises(WardroundError, match=r"model\.safetensors.*damaged"):
        Trained.of(folder)


def test_a_model_of_another_run_is_refused(slices_run, xrays_run, tmp_path) -> None:
    folder = copied(slices_run, tmp_path)
    (tmp_path / "model.safetensors").write_bytes((xrays_run.path / "model.safetensors").read_bytes())
    with pytest.raises(WardroundError, match="tensors do not fit the model"):
        Trained.of(folder)


def test_a_run_from_before_layouts_were_recorded_can_still_be_used(slices_run, tmp_path) -> None:
    folder = copied(slices_run, tmp_path)
    record = read_json(tmp_path / "model.json")
    del record["layout"]
    write_json(tmp_path / "model.json", record)
    assert Trained.of(folder).arithmetic.layout == "contiguous"


def test_probabilities_are_those_at_the_run_s_temperature_and_of_runs_from_before_as_the_network_gives_them(xrays_run, tmp_path) -> None:
    folder, images = copied(xrays_run, tmp_path), torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    record = read_json(tmp_path / "model.json")
    write_json(tmp_path / "model.json", record | {"temperature": 2.0})
    trained = Trained.of(folder)
    logits = trained.network(images).double().numpy()
    assert trained.probabilities(images) == pytest.approx(1 / (1 + np.exp(-logits / 2)), abs=1e-6)
    del record["temperature"]
    write_json(tmp_path / "model.json", record)
    assert Trained.of(folder).probabilities(images) == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-6)


def test_a_network_with_frozen_norm_answers_without_its_first_weights(xrays_run, tmp_path) -> None:
    folder = copied(xrays_run, tmp_path)
    record = read_json(tmp_path / "model.json")
    batch = build_model(ModelPlan(name="cnn", norm="batch"), in_channels=1, num_outputs=14, shape=(16, 16), seed=3)
    record["model"] = ModelPlan(name="cnn", norm="frozen", weights="gone.pth").model_dump(mode="json")
    write_json(tmp_path / "model.json", record)
    save_file(FlatModel(batch).tensors(), tmp_path / "model.safetensors")
    images = torch.arange(2 * 256.0).sin().view(2, 1, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(Trained.of(folder).network(images), batch.eval()(images), atol=1e-5)
