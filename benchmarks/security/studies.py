"""What protection costs and withstands on real images: python benchmarks/security/studies.py [PART ...].

Parts: private, secure, poisoned-20, poisoned-40, leakage; each writes benchmarks/security/PART.json. Without a name all that have none yet
are run. Images: WARDROUND_DATA.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wardround import run
from wardround.audit.record import audit
from wardround.audit.robustness import audit_robustness
from wardround.audit.subject import open_subject
from wardround.data.cache import cores
from wardround.plan.load import load_plan
from wardround.plan.schema import RuleName
from wardround.runs.spending import read_spending
from wardround.session import contrast
from wardround.session.result import RunResult

HERE = Path(__file__).parent
DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[1] / ".." / "shared" / "data"))
OUT = Path(os.environ.get("WARDROUND_BENCH", Path(tempfile.gettempdir()) / "wardround-security"))

CHEST = ("chest-xray-pneumonia", f"data.folder={DATA / 'chest_xray'}", "model.name=cnn", "model.width=24", "data.size=48",
         "augment.rotate_deg=0", "augment.scale=0", "augment.shift=0", "augment.intensity=0", "recipe.weight_decay=0", "recipe.warmup=0",
         "engine.precision=fp32", "engine.layout=contiguous")
PRIVATE = ("recipe.batch_size=128", "recipe.local_steps=2", "rounds.num=60", "rounds.evaluate_every=5",
           "recipe.lr=0.2")
PLAIN = ("recipe.batch_size=16", "recipe.local_epochs=0.25", "rounds.num=80")  # as the plan has it
BRAIN = ("demo", f"data.folder={DATA / 'brain_tumor_mri'}", "sites.names=none", "sites.common=none", "sites.partition=iid",
         "recipe.single_step=false", "recipe.local_epochs=1", "recipe.momentum=0.9", "recipe.lr=0.05", "strategy.name=fedavg")
RULES: tuple[RuleName, ...] = ("nnm-trimmed", "multi-krum", "krum", "fltrust", "median")
TEN = (*BRAIN, "sites.num=10", "data.size=32", "model.width=16", "rounds.num=12", "rounds.evaluate_every=4")


def trained(name: str, plan: Sequence[str], *settings: str) -> RunResult:
    return run(load_plan(plan[0], [*plan[1:], *settings, f"name={name}"]), out=OUT)


def auroc(result: RunResult) -> dict[str, Any]:
    scores = result.scores()
    return {**scores["metrics"]["auroc"], "rounds": scores["rounds"], "best_round": scores["best_round"], "seconds": scores["seconds"]}


def private() -> dict[str, Any]:
    """Kermany, five sites: AUROC of DP-SGD by that of federated training without, the same network and the plan's own recipe."""
    plain = trained("chest-plain", CHEST, *PLAIN)
    found: dict[str, Any] = {"plain": auroc(plain)}
    for unit, epsilon in (("image", "8"), ("image", "1"), ("patient", "8")):
        found[f"{unit}, epsilon {epsilon}"] = protected(unit, epsilon, plain)
    return found


def protected(unit: str, epsilon: str, plain: RunResult) -> dict[str, Any]:
    result = trained(f"chest-{unit}-{epsilon}", CHEST, *PRIVATE, f"privacy.unit={unit}", f"privacy.epsilon={epsilon}")
    spent = read_spending(result.path) or {"sites": {}, "delta": None}
    return {**auroc(result), "by_plain": contrast(result.path, plain.path)["auroc"], "sites": spent["sites"], "delta": spent["delta"]}


def secure() -> dict[str, Any]:
    """Brain MRI, five sites: accuracy with secure aggregation by that without."""
    plan = (*BRAIN, "sites.num=5", "data.size=32", "model.width=16", "rounds.num=20", "rounds.evaluate_every=4", "engine.precision=fp32")
    found: dict[str, Any] = {}
    for seed in range(3):
        plain = trained("brain-plain", plan, f"seed={seed}")
        masked = trained("brain-secure", plan, f"seed={seed}", "aggregation.secure=true")
        found[f"seed {seed}"] = {"plain": plain.scores()["metrics"]["accuracy"], "secure": masked.scores()["metrics"]["accuracy"],
                                 "paired": contrast(masked.path, plain.path)["accuracy"]}
    return found


def poisoned(share: float) -> dict[str, Any]:
    """Brain MRI, ten sites: every attack by this share of them against every rule."""
    result = trained("brain-ten-sites", TEN)
    return {finding.attack: finding.record() for finding in audit_robustness(open_subject(result.path), share=share, others=RULES)}


def leakage() -> dict[str, Any]:
    """Audits of the plain and the private chest run: pictures, members, hospitals."""
    attacks = ("inversion", "membership", "hospitals")
    trained("chest-plain", CHEST, *PLAIN), trained("chest-image-8", CHEST, *PRIVATE, "privacy.unit=image", "privacy.epsilon=8")
    return {name: audit(OUT / name / "federated-seed0", attacks=attacks) for name in ("chest-plain", "chest-image-8")}


PARTS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "private": private, "secure": secure, "poisoned-20": lambda: poisoned(0.2), "poisoned-40": lambda: poisoned(0.4), "leakage": leakage}


def main(names: Sequence[str]) -> None:
    for name in names or [part for part in PARTS if not (HERE / f"{part}.json").exists()]:
        started = time.perf_counter()
        found = PARTS[name]()
        record = {"part": name, "cores": cores(), "took_s": round(time.perf_counter() - started, 1), "found": found}
        (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        print(name, record["took_s"], "s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
