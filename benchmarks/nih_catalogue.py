"""Time and memory of the whole NIH ChestX-ray14 before training: 112,120 images of 30,805 patients, all of them synthetic and tiny.

    python benchmarks/nih_catalogue.py             # writes the set to a temporary folder, measures, removes it
    python benchmarks/nih_catalogue.py --profile   # also the 25 functions that take longest

Measured in a fresh process with an empty cache: `wardround data check` and then `prepare` (catalogue, decode, near-duplicates,
leak gate, split, partition). Writing the set is not counted. The goal is below 60 s and 2 GB on 2 cores.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.data.cache import cores
from wardround.data.datasets.nih_chestxray14 import FINDINGS, TABLES
from wardround.data.phantoms.nih import HEADER
from wardround.data.prepare import check, prepare
from wardround.plan.schema import DataPlan, Plan, SitesPlan, SplitPlan
from wardround.rng import stream

NUM_IMAGES, NUM_PATIENTS = 112_120, 30_805
NUM_TEST = 25_596  # images in NIH's own test list
PREVALENCE = (11559, 2776, 13317, 19894, 5782, 6331, 1431, 5302, 4667, 2303, 2516, 1686, 3385, 227)  # Wang 2017, images a finding
FOLDERS = 12
PX = 20
ROWS = 4096  # pictures drawn at once


def write_set(root: Path, num: int, num_patients: int) -> None:
    """The layout of NIH's release; every patient has an image, a few have very many."""
    rng = stream(0, "benchmark", "nih")
    extra = rng.choice(num_patients, num - num_patients, p=_geometric(num_patients))
    patients = np.sort(np.concatenate([np.arange(num_patients), extra]))
    first = np.searchsorted(patients, patients)
    names = [f"{patient + 1:08d}_{row - start:03d}.png" for row, (patient, start) in enumerate(zip(patients, first, strict=True))]
    labels = rng.random((num, len(FINDINGS))) < np.array(PREVALENCE) / NUM_IMAGES
    folders = [root / f"images_{number + 1:03d}" / "images" for number in range(FOLDERS)]
    for folder in folders:
        folder.mkdir(parents=True)
    for start in range(0, num, ROWS):
        for row, picture in enumerate(_pictures(rng, patients[start : start + ROWS]), start=start):
            Image.fromarray(picture).save(folders[row * FOLDERS // num] / names[row], compress_level=1)
    lines = [f"{name},{'|'.join(np.array(FINDINGS)[shown]) or 'No Finding'},{row - start},{patient + 1},{20 + patient % 70},M,PA,2992,2991,"
             "0.143,0.143," for row, (name, shown, patient, start) in enumerate(zip(names, labels, patients, first, strict=True))]
    (root / TABLES[-1]).write_text("\n".join([HEADER, *lines]) + "\n")
    is_test = patients >= patients[num - round(num * NUM_TEST / NUM_IMAGES)]
    for file, chosen in (("train_val_list.txt", ~is_test), ("test_list.txt", is_test)):
        (root / file).write_text("\n".join(np.array(names)[chosen]) + "\n")


def _geometric(num: int) -> np.ndarray:
    """Chances of patients to have a further image, very uneven."""
    chances = 0.9997 ** np.arange(num)
    shares: np.ndarray = chances / chances.sum()
    return stream(0, "benchmark", "nih", "patients").permutation(shares)


def _pictures(rng: np.random.Generator, patients: np.ndarray) -> np.ndarray:
    """A chest in outline with shadows of its own in every picture, so that hashes are as alike as those of films: (n, PX, PX) uint8."""
    y, x = np.mgrid[-1 : 1 : PX * 1j, -1 : 1 : PX * 1j]
    lungs = np.exp(-np.square((np.abs(x) - 0.42) / 0.24) - np.square((y + 0.05) / 0.6))
    shadows = rng.standard_normal((len(patients), PX // 4, PX // 4)).repeat(4, 1).repeat(4, 2)
    pictures = 150 - 80 * lungs + 14 * shadows + 10 * rng.standard_normal((len(patients), PX, PX)) + (patients % 20)[:, None, None]
    return np.clip(pictures, 0, 255).astype(np.uint8)


def measure(root: Path, profile: bool) -> None:
    """Print seconds and peak memory of check and prepare."""
    plan = Plan(name="nih", data=DataPlan(dataset="nih-chestxray14", folder=root, size=PX), split=SplitPlan(policy="published"),
                sites=SitesPlan(num=5, partition="dirichlet"))
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    begun = time.perf_counter()
    found = check(plan)
    checked = time.perf_counter()
    ready = prepare(plan)
    done = time.perf_counter()
    profiler.disable()
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, child = (used.ru_maxrss / 2**20 for used in usage)
    print(f"{found.used:,} of {found.images:,} images in {found.num_groups:,} groups; {found.num_near:,} near-duplicates; sites "
          f"{[len(ready.rows(site, 'train')) for site in ready.site_names]}", flush=True)
    print(f"catalogue, decode and checks {checked - begun:.1f} s, then split and partition {done - checked:.1f} s: {done - begun:.1f} s; "
          f"processor time {sum(used.ru_utime + used.ru_stime for used in usage):.1f} s\n"
          f"peak memory {own:.2f} GB, {cores()} decoding processes {child:.2f} GB each, at most {own + cores() * child:.2f} GB together")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=NUM_IMAGES)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure, asked.profile)
        return
    with tempfile.TemporaryDirectory(prefix="wardround-nih-") as place:
        begun = time.perf_counter()
        write_set(Path(place) / "nih", asked.images, min(NUM_PATIENTS, asked.images // 3))
        print(f"{asked.images:,} images written in {time.perf_counter() - begun:.0f} s (not counted)", flush=True)
        again = [sys.executable, __file__, "--measure", str(Path(place) / "nih"), *(["--profile"] if asked.profile else [])]
        subprocess.run(again, check=True, env={**os.environ, "WARDROUND_CACHE": f"{place}/cache"})


if __name__ == "__main__":
    main()
