"""Checkpoints: everything a run needs to go on, written whole or not at all.

checkpoints/round-N/state.safetensors   the flat vectors of State and of each site's memory
checkpoints/round-N/meta.json           the other fields, the model's layout, the journal's length
checkpoints/best-N.safetensors          the best round's parameters, written when that round changes
The last two are kept. JSON keeps float64 exactly, safetensors keeps float32: a resumed run has the same bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from wardround.errors import CheckpointError, WardroundError
from wardround.runs.folder import read_json, write_json

KEPT = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """vectors: flat arrays by name. best: the best round's flat parameters. meta: JSON-ready values."""

    round: int
    best_round: int
    vectors: Mapping[str, Tensor]
    best: Tensor
    meta: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and drop old ones; CheckpointError (the last good one stays) if the disk refuses."""
    target = folder / f"round-{checkpoint.round:06d}"
    part = folder / f"{target.name}.part"
    best = folder / f"best-{checkpoint.best_round:06d}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        if not best.exists():
            _write_tensors(best, {"params": checkpoint.best})
        _write_tensors(part / "state.safetensors", checkpoint.vectors)
        write_json(part / "meta.json", {**checkpoint.meta, "round": checkpoint.round, "best_round": checkpoint.best_round})
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise CheckpointError(f"the checkpoint of round {checkpoint.round} could not be written to {folder}: {error}. "
                              f"Free space or restore write access, then continue: wardround run --resume {folder.parent}") from error
    _drop_old(folder)


def load_last(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None if there is none."""
    for path in reversed(_rounds(folder)):
        try:
            return _load(folder, path)
        except (OSError, ValueError, TypeError, LookupError, WardroundError, SafetensorError) as error:
            last: Exception = error
    if _rounds(folder):
        raise CheckpointError(f"no checkpoint in {folder} can be read ({last}). Start the run again in another folder (--out).")
    return None


def _load(folder: Path, path: Path) -> Checkpoint:
    meta = read_json(path / "meta.json", with_nan=True)
    if not all(type(meta[name]) is int and meta[name] >= 0 for name in ("round", "best_round")):
        raise ValueError("a round that is no whole number")
    best = load_file(folder / f"best-{meta['best_round']:06d}.safetensors")["params"]
    return Checkpoint(round=meta["round"], best_round=meta["best_round"], best=best, meta=meta,
                      vectors=load_file(path / "state.safetensors"))


def _rounds(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("round-*") if path.is_dir() and path.suffix != ".part")


def _drop_old(folder: Path) -> None:
    """Keep the last checkpoints and the best parameters they refer to."""
    rounds = _rounds(folder)
    for path in rounds[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
    needed = {f"best-{_best_round(path):06d}.safetensors" for path in rounds[-KEPT:]}
    for path in folder.glob("best-*.safetensors"):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def _best_round(path: Path) -> int:
    """The best round of a checkpoint that is kept; 0 if it cannot be read."""
    try:
        return int(read_json(path / "meta.json", with_nan=True)["best_round"])
    except (WardroundError, OSError, ValueError, TypeError, KeyError):
        return 0


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # a link would be followed
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
