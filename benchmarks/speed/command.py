"""Workload w1 as a user types it: `wardround run PLAN`, with reading, splitting, intervals and report."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from workloads import HERE, LR, MOMENTUM, SEED, Workload, load

PLAN = """\
name = "speed"
seed = {seed}
[data]
dataset = "pneumoniamnist"
size = {size}
[split]
policy = "published"
[sites]
num = {num_sites}
[model]
name = "{networks}:cnn"
norm = "batch"
[recipe]
lr = {lr}
momentum = {momentum}
batch_size = {batch_size}
[rounds]
num = {rounds}
metric = "auroc"
"""


def write(work: Workload, data: Path, folder: Path) -> list[str]:
    """Write plan and data file into an empty folder; the command.

    The file holds as many different training images as the workload trains on, or all there are."""
    arrays = load(work, data)
    source = next((data / "pneumoniamnist").glob("*.npz"))
    rows = np.unique(np.concatenate(list(arrays.train.values())))
    with np.load(source) as file:
        kept = {name: file[name] for name in file}
    kept |= {"train_images": kept["train_images"][rows], "train_labels": kept["train_labels"][rows]}
    np.savez(folder / "pneumoniamnist.npz", **kept)
    (folder / "speed.toml").write_text(PLAN.format(
        seed=SEED, size=work.size, num_sites=work.num_sites, networks=HERE / "networks.py", lr=LR, momentum=MOMENTUM,
        batch_size=work.batch_size, rounds=work.rounds))
    return [sys.executable, "-m", "wardround", "run", str(folder / "speed.toml"), "--data", str(folder), "--out", str(folder / "runs")]
