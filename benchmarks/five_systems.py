"""The studies of segmentation, fourteen findings, partial federation and pretrained weights, on real images and on BraTS phantoms.

    make bench                                     # with first_results.py; stopped and given again, it goes on
    python benchmarks/five_systems.py --only lgg brats

Runs and reports go to runs/bench/, a line of results a study to the terminal. What the lines were on which machine stands in
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import wardround as wr
from wardround.build import METRICS
from wardround.core.events import RoundFinished
from wardround.evaluation.paired import verdict
from wardround.runs.folder import RunFolder, read_json

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("WARDROUND_DATA", ROOT.parent / "shared" / "data"))
OUT = Path(os.environ.get("WARDROUND_BENCH", ROOT / "runs" / "bench"))
WARDROUND = [sys.executable, "-m", "wardround"]

KERMANY_RESNET34 = OUT / "kermany-resnet34" / "kermany-resnet34" / "pooled-seed0" / "model.safetensors"
ON_CHEST = [f"model.weights={KERMANY_RESNET34}", "model.norm=batch"]
LITE0 = ["data.size=96", "model.name=efficientnet-lite0", "model.width=none", "model.norm=batch", "recipe.lr=0.02",
         "recipe.local_epochs=0.5", "rounds.num=8", "rounds.evaluate_every=1"]

LITE0_ON_NIH = ["data.size=96", "model.name=efficientnet-lite0", "model.stem=none", "model.weights=imagenet", "model.norm=batch"]

STUDIES: dict[str, tuple[str, str, str | None, list[str]]] = {  # name -> arms ("compare") or arm ("run"), plan, data, overrides
    "lgg": ("federated,pooled,local", "lgg-mri", "lgg_mri_segmentation", []),
    "lgg-attention": ("federated", "lgg-mri", "lgg_mri_segmentation", ["model.name=attention-unet"]),
    "brats": ("federated,pooled", "brats2020", None, []),
    "brats-attention": ("federated", "brats2020", None, ["model.name=attention-unet"]),
    "kermany-resnet34": ("pooled", "chest-xray-pneumonia", "chest_xray", [  # the nearest thing to pretrained weights that is offline
        "name=kermany-resnet34", "data.normalise=imagenet", "model.name=resnet34", "model.width=1.0", "model.stem=7x7", "model.norm=batch",
        "recipe.optimizer=adam", "recipe.lr=5e-4", "recipe.batch_size=32", "recipe.local_epochs=1", "rounds.num=8",
        "rounds.evaluate_every=1"]),
    "nih": ("federated,pooled", "nih-chestxray14", "nih_chestxray14", ON_CHEST),
    "nih-full": ("federated", "nih-chestxray14", "nih_chestxray14", [*ON_CHEST, "model.share=none"]),
    "nih-head": ("federated", "nih-chestxray14", "nih_chestxray14", [*ON_CHEST, 'model.share=["fc.*"]']),
    "nih-lite0-full": ("federated", "nih-chestxray14", "nih_chestxray14", [*LITE0_ON_NIH, "model.share=none"]),
    "nih-lite0": ("federated", "nih-chestxray14", "nih_chestxray14", [
        *LITE0_ON_NIH, 'model.share=["_blocks.1[3-5].*", "_conv_head.*", "_bn1.*", "_fc.*"]']),
    "nih-lite0-head": ("federated", "nih-chestxray14", "nih_chestxray14", [*LITE0_ON_NIH, 'model.share=["_fc.*"]']),
    "brain-pretrained": ("federated,pooled", "brain-tumour-clinics", "brain_tumor_mri", []),
    "brain-scratch": ("federated", "brain-tumour-clinics", "brain_tumor_mri", ["model.weights=none"]),
    "kermany-pretrained": ("federated", "chest-xray-pneumonia", "chest_xray", [*LITE0, "model.weights=imagenet"]),
    "kermany-scratch": ("federated", "chest-xray-pneumonia", "chest_xray", LITE0),
}
CONTRASTS = [("lgg-attention", "lgg"), ("brats-attention", "brats"), ("nih", "nih-full"), ("nih-head", "nih-full"),
             ("nih-lite0", "nih-lite0-full"), ("nih-lite0-head", "nih-lite0-full"),
             ("brain-pretrained", "brain-scratch"), ("kermany-pretrained", "kermany-scratch")]
NEARLY = 0.95  # of the best validation score: how soon a model is nearly as good as it gets


def study(name: str) -> str:
    """Run a study, or use what is there, and put its result in a line."""
    arms, plan, data, overrides = STUDIES[name]
    command = [*WARDROUND, *(("run", plan, "--arm", arms) if "," not in arms else ("compare", plan, "--arms", arms)),
               "--out", str(OUT / name), *(["--data", str(DATA / data)] if data else [])]
    started = time.perf_counter()
    subprocess.run([*command, *(part for override in overrides for part in ("--set", override))], check=True)
    seconds = time.perf_counter() - started
    return f"{name}: {seconds:.0f} s this time; " + "; ".join(scored(RunFolder(folder.parent)) for folder in runs_of(name))


def runs_of(name: str) -> list[Path]:
    return sorted((OUT / name).glob("*/*/scores.json"))


def scored(run: RunFolder) -> str:
    """A run's headline metric, its hospitals, traffic and how soon it was nearly as good as it got."""
    scores = run.scores()
    metric = METRICS[scores["task"]][0] if scores["task"] != "binary" else "auroc"
    by_site = {site: part["metrics"][metric]["value"] for site, part in scores["per_site"].items() if metric in part["metrics"]}
    sites = ", ".join(f"{site} {value:.3f}" for site, value in by_site.items() if value is not None)
    return (f"{run.name} {metric} {interval(scores['metrics'][metric])} (n = {scores['num_test']}; {sites}; {scores['seconds']:.0f} s, "
            f"{scores['bytes_up'] / 1e6:.0f} MB up, best round {scores['best_round']} of {scores['rounds']}, {NEARLY:.0%} of its best "
            f"validation score in round {rounds_to_nearly(run)})")


def rounds_to_nearly(run: RunFolder) -> int | None:
    """The first evaluated round whose validation score is at least NEARLY times the best one's."""
    metric = run.plan().rounds.metric
    judged = [(event.round, event.val[metric]) for event in run.events() if isinstance(event, RoundFinished) and metric in event.val]
    best = max(score for _, score in judged)
    return next((number for number, score in judged if score >= NEARLY * best), None)


def contrasted(first: str, second: str) -> str:
    """Two federated runs on the same test patients, by every metric that has an interval."""
    runs = [next((OUT / name).glob("*/federated-*")) for name in (first, second)]
    found = wr.contrast(*runs)
    lines = [f"{metric} ratio {pair(entry, '')} difference {pair(entry, 'difference_')} ({verdict(entry)})"
             for metric, entry in found.items() if entry["low"] is not None]
    bytes_up = [RunFolder(run).scores()["bytes_up"] for run in runs]
    return f"{first} / {second}: bytes {bytes_up[0] / bytes_up[1]:.4f} x; " + "; ".join(lines[:8])


def pair(entry: dict, prefix: str) -> str:
    value = entry["difference" if prefix else "ratio"]
    return f"{value:.3f} [{entry[f'{prefix}low']:.3f}, {entry[f'{prefix}high']:.3f}]"


def paired(name: str) -> str:
    """The ratios of a comparison."""
    [path] = (OUT / name).glob("*/compare.json")
    record = read_json(path)
    metrics = [name for name in record["paired"]["federated/pooled"] if name in (record["primary"], "dice_WT")]
    return f"{name}: " + "; ".join(f"{arms} {metric} ratio {pair(found[metric], '')}" for arms, found in record["paired"].items()
                                   for metric in metrics)


def interval(entry: dict) -> str:
    return f"{entry['value']:.3f}" + (f" [{entry['low']:.3f}, {entry['high']:.3f}]" if entry["low"] is not None else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    for name in (chosen := parser.parse_args().only):
        print(study(name), flush=True)
        if "federated,pooled" in STUDIES[name][0]:
            print(paired(name), flush=True)
    for first, second in CONTRASTS:
        if first in chosen and list((OUT / second).glob("*/federated-*/scores.json")):
            print(contrasted(first, second), flush=True)


if __name__ == "__main__":
    main()
