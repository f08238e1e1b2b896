"""Checkpoints are whole or not there."""

import json

import pytest
import torch

from wardround.errors import CheckpointError
from wardround.runs import checkpoint
from wardround.runs.checkpoint import Checkpoint, load_last, save


def at(round: int, best_round: int = 1) -> Checkpoint:
    return Checkpoint(round=round, best_round=best_round, vectors={"state/params": torch.full((3,), float(round))},
                      best=torch.full((3,), float(best_round)), meta={"seconds": 0.1 + 0.2})


def test_what_was_saved_is_what_is_loaded(tmp_path) -> None:
    save(tmp_path, at(5, best_round=4))
    loaded = load_last(tmp_path)
    assert (loaded.round, loaded.best_round, loaded.meta["seconds"]) == (5, 4, 0.1 + 0.2)
    assert loaded.vectors["state/params"].tolist() == [5, 5, 5]
    assert loaded.best.tolist() == [4, 4, 4]


def test_the_last_two_are_kept_and_the_best_they_need(tmp_path) -> None:
    for number, best in [(1, 1), (2, 1), (3, 3), (4, 3)]:
        save(tmp_path, at(number, best))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-000003.safetensors", "round-000003", "round-000004"]


def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(tmp_path) -> None:
    save(tmp_path, at(1))
    save(tmp_path, at(2))
    (tmp_path / "round-000002" / "state.safetensors").write_bytes(b"half a fi")
    assert load_last(tmp_path).round == 1


def test_no_checkpoint_is_none_and_only_damaged_ones_are_an_error(tmp_path) -> None:
    assert load_last(tmp_path / "checkpoints") is None
    save(tmp_path, at(1))
    (tmp_path / "round-000001" / "meta.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        load_last(tmp_path)


def test_a_half_written_checkpoint_is_ignored_and_replaced(tmp_path) -> None:
    save(tmp_path, at(1))
    (tmp_path / "round-000002.part").mkdir()
    assert load_last(tmp_path).round == 1
    save(tmp_path, at(2))
    assert load_last(tmp_path).round == 2


def test_a_full_disk_leaves_the_last_good_checkpoint_and_says_how_to_go_on(tmp_path, monkeypatch) -> None:
    save(tmp_path, at(1))

    def full(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match=r"round 2 could not be written.*No space left.*--resume") as caught:
        save(tmp_path, at(2))
    assert caught.value.exit_code == 6
    assert load_last(tmp_path).round == 1


def test_meta_is_plain_json(tmp_path) -> None:
    save(tmp_path, at(1))
    assert json.loads((tmp_path / "round-000001" / "meta.json").read_text())["round"] == 1
