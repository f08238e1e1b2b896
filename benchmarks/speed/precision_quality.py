"""Whether precision = "auto" keeps quality: fp32 and auto, three seeds, brain MRI and Kermany, all on the same test patients.

    python benchmarks/speed/precision_quality.py        # about twenty minutes on two cores; stopped and given again, it goes on

The difference of the means counts as kept if it is at most the spread (standard deviation over seeds) of fp32.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from statistics import mean, stdev

import wardround
from wardround.plan.load import load_plan
from wardround.runs.folder import RunFolder, write_json

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[2] / "shared" / "data"))
OUT = HERE.parents[1] / "runs" / "precision"
SEEDS = (0, 1, 2)
SHORT = ["recipe.local_epochs=0.5", "recipe.local_steps=none", "rounds.num=6", "rounds.evaluate_every=2", "recipe.keep_optimizer=false"]
STUDIES = {  # data set -> plan, folder, its primary metric, overrides
    "Kermany": ("chest-xray-pneumonia", "chest_xray", "auroc", SHORT),
    "brain MRI": ("brain-tumour-missing-types", "brain_tumor_mri", "balanced_accuracy", [*SHORT, "sites.partition=iid", "recipe.lr=0.05"]),
}
PRECISIONS = {"fp32": ["engine.precision=fp32", "engine.layout=contiguous"], "auto": ["engine.precision=auto", "engine.layout=auto"]}


def score(study: str, precision: str, seed: int) -> tuple[float, str]:
    """The test metric of one federated run, and how it computed."""
    name, folder, metric, overrides = STUDIES[study]
    plan = load_plan(name, [*overrides, *PRECISIONS[precision], f"data.folder={DATA / folder}", f"seed={seed}"])
    run = wardround.run(plan, out=OUT / precision)
    engine = RunFolder(run.path).plan().engine
    return float(run.scores()["metrics"][metric]["value"]), f"{engine.precision}, {engine.layout}"


def main() -> None:
    record = {}
    for study, (*_, metric, _) in STUDIES.items():
        found = {precision: [score(study, precision, seed) for seed in SEEDS] for precision in PRECISIONS}
        values = {precision: [value for value, _ in pairs] for precision, pairs in found.items()}
        difference, spread = mean(values["auto"]) - mean(values["fp32"]), stdev(values["fp32"])
        record[study] = {"metric": metric, "values": values, "computed": {precision: pairs[0][1] for precision, pairs in found.items()},
                         "difference": difference, "spread": spread, "kept": abs(difference) <= spread}
        write_json(HERE / "precision_quality.json", record)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
