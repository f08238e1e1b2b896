"""All arms of a plan, over seeds, side by side on this machine; then judged on the same test patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wardround.build import Arm, as_begun, check_names, num_workers, primary_metric, resolved
from wardround.core.events import Watch
from wardround.core.predictions import Predictions, Results
from wardround.data.prepare import Prepared, prepare
from wardround.evaluation import paired
from wardround.evaluation import scores as judging
from wardround.evaluation.ensemble import averaged
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder, write_json
from wardround.session.abreast import Job, run_abreast
from wardround.session.notebook import watching
from wardround.session.result import CompareResult
from wardround.session.single import known_arm, run_name


def compare(plan: Plan | Path | str, *, arms: Sequence[str] = ("federated", "pooled", "local"), seeds: int = 1,
            out: Path | str = Path("runs"), watch: Watch | None = None) -> CompareResult:
    """Run every arm for seeds plan.seed, plan.seed + 1, ...; write compare.json into OUT/PLAN.

    Runs that have finished there are used, those that were stopped are continued. watch: as in `run`.
    """
    from wardround.report.html import write_compare_report  # matplotlib is loaded when there is something to draw

    plan = plan if isinstance(plan, Plan) else load_plan(plan)
    chosen = [known_arm(arm) for arm in arms]
    folder = Path(out) / plan.name
    for begun in sorted(folder.glob("*/plan.toml"))[:1]:
        plan = as_begun(plan, RunFolder(begun.parent).plan())
    check_names(plan)
    with watching(watch) as told:
        prepared = {seed: prepare(plan.model_copy(update={"seed": seed}), told) for seed in range(plan.seed, plan.seed + seeds)}
        plan = resolved(plan, prepared[plan.seed], told)
        jobs = jobs_of(plan, prepared, chosen, folder)
        run_abreast(jobs, cores=num_workers(plan), watch=told)
    write_json(folder / "compare.json", judge(plan, jobs, list(prepared)))
    write_compare_report(folder)
    return CompareResult(folder)


def jobs_of(plan: Plan, prepared: dict[int, Prepared], arms: Sequence[Arm], folder: Path) -> list[Job]:
    """One job a run, the longest first: federated on all cores, then the one-site arms beside each other."""
    jobs = []
    for arm in (arm for arm in ("federated", "pooled", "local") if arm in arms):
        for seed, data in prepared.items():
            for site in data.site_names if arm == "local" else [None]:
                seeded = plan.model_copy(update={"seed": seed})
                cores = min(num_workers(plan), len(data.site_names)) if arm == "federated" else 1
                jobs.append(Job(plan=seeded, prepared=data, arm=known_arm(arm), site=site, cores=cores,
                                folder=RunFolder(folder / run_name(known_arm(arm), seed, site))))
    return jobs


def judge(plan: Plan, jobs: Sequence[Job], seeds: Sequence[int]) -> dict[str, Any]:
    """compare.json (design.md, section 6) from finished runs."""
    runs: dict[str, list[list[RunFolder]]] = {}
    for job in jobs:
        by_seed = runs.setdefault(job.arm, [[] for _ in seeds])
        by_seed[seeds.index(job.plan.seed)].append(job.folder)
    predictions = {arm: [[run.predictions() for run in group] for group in groups] for arm, groups in runs.items()}
    scores = {arm: [arm_scores(plan, group, predictions[arm][index]) for index, group in enumerate(groups)] for arm, groups in runs.items()}
    thresholds = {arm: [[run.scores()["threshold"] for run in group] for group in groups] for arm, groups in runs.items()}
    for group, models in zip(runs.get("local", ()), predictions.get("local", ()), strict=True):
        if (found := ensemble(group, models)) is not None:
            predictions.setdefault("ensemble", []).append([found[0]])
            thresholds.setdefault("ensemble", []).append([found[1]])
            scores.setdefault("ensemble", []).append(ensemble_scores(plan, group, *found))
    pairs = [(first, second) for first, second in paired.PAIRS if first in scores and second in scores]
    contrasts = paired.compare(predictions, thresholds, plan=plan.evaluation, seed=plan.split.seed, pairs=pairs) if pairs else {}
    task = next(iter(runs.values()))[0][0].scores()["task"]
    return {"plan": plan.name, "seeds": list(seeds), "primary": primary_metric(plan, task),
            "arms": scores, "paired": contrasts,
            "runs": {arm: [[run.name for run in group] for group in groups] for arm, groups in runs.items()}}


def arm_scores(plan: Plan, group: Sequence[RunFolder], predictions: Sequence[Any]) -> dict[str, Any]:
    """The scores of an arm and seed: of its one run, or of the hospitals' own models as their mean over the same test rows."""
    first, *others = [run.scores() for run in group]
    if first["arm"] != "local":
        return first
    every = [first, *others]
    own = {run.provenance()["site"]: scores for run, scores in zip(group, every, strict=True)}
    thresholds = [scores["threshold"] for scores in every]
    return {**first, **summed(every),
            "metrics": judging.mean_scores(predictions, thresholds=thresholds, plan=plan.evaluation, seed=plan.split.seed),
            "published": None, "confusion": None, "per_site": {site: scores["per_site"][site] for site, scores in own.items()},
            "models": {site: {"metrics": scores["metrics"], "best_round": scores["best_round"]} for site, scores in own.items()}}


def summed(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs of hospitals alone came to together; what each fixed for itself is None."""
    totals = {name: sum(scores[name] for scores in every) for name in ("seconds", "train_seconds", "bytes_up", "bytes_down", "num_train")}
    return {**totals, "rounds": max(scores["rounds"] for scores in every), "best_round": None, "threshold": None, "temperature": None,
            "uncalibrated": None, "without": sorted({site for scores in every for site in scores["without"]})}


def ensemble(group: Sequence[RunFolder], models: Sequence[Results]) -> tuple[Predictions, float | None] | None:
    """The hospitals' own models as one, a baseline that training together must beat: the mean of their probabilities by training images,
    and the threshold of two classes. None of segmentations, and of a single hospital.

    The threshold is the same mean of the models' own: each was fixed on its hospital's validation images. No model has seen those of
    another hospital, so the mean probabilities there, which would fix a better one, are not known; test images must not fix it."""
    labelled = [model for model in models if isinstance(model, Predictions)]
    if len(labelled) < 2:
        return None
    weights = [run.scores()["num_train"] for run in group]
    cuts = [run.scores()["threshold"] for run in group]
    return averaged(labelled, weights), None if None in cuts else float(np.average(cuts, weights=weights))


def ensemble_scores(plan: Plan, group: Sequence[RunFolder], predictions: Predictions, threshold: float | None) -> dict[str, Any]:
    """Scores of the ensemble in the shape of a run's. Bytes: each model is sent once, to all other hospitals by way of a server."""
    every = [run.scores() for run in group]
    settings: dict[str, Any] = {"threshold": threshold, "plan": plan.evaluation, "seed": plan.split.seed}
    by_site = judging.per_site(predictions, **settings)
    per_site = {site: {**held, **by_site.get(site, {"num_test": 0, "metrics": {}})} for site, held in every[0]["per_site"].items()}
    sent = sum(run.provenance()["model"]["bytes"] for run in group)
    return {**every[0], **summed(every), "arm": "ensemble", "threshold": threshold, "bytes_up": sent, "bytes_down": sent * (len(group) - 1),
            "metrics": judging.test_scores(predictions, **settings), "published": judging.published(predictions, **settings),
            "confusion": None if predictions.is_multilabel else judging.confusion(predictions, threshold).tolist(), "per_site": per_site}
