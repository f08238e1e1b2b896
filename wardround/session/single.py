"""Run one arm of a plan, or go on with a run that stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wardround.build import ARMS, Arm, Design, as_begun, build, check_names, resolved
from wardround.core.events import Note, Watch
from wardround.data.prepare import Prepared, prepare
from wardround.errors import PlanError, WardroundError
from wardround.models.weights import digest_of
from wardround.plan.load import dump_plan, load_plan
from wardround.plan.schema import Plan
from wardround.runs import provenance
from wardround.runs.alone import alone
from wardround.runs.folder import RunFolder, check_links, read_json, write_json, write_text
from wardround.session.arm import run_arm
from wardround.session.notebook import watching
from wardround.session.result import RunResult


def run(plan: Plan | Path | str, *, arm: str = "federated", site: str | None = None, out: Path | str = Path("runs"),
        watch: Watch | None = None) -> RunResult:
    """Train and test one arm; its folder is OUT/PLAN/ARM-seedN. A run that was stopped there is continued.

    plan: a Plan, a TOML file, or the name of a shipped plan. site: which hospital trains alone, for arm "local".
    watch: gets every event; without it a notebook shows bars, anything else nothing.
    """
    plan = plan if isinstance(plan, Plan) else load_plan(plan)
    folder = RunFolder(Path(out) / plan.name / run_name(known_arm(arm), plan.seed, site))
    if (folder.path / "plan.toml").exists():
        plan = as_begun(plan, folder.plan())
    check_names(plan)
    with watching(watch) as told:
        prepared = prepare(plan, told)
        return reported(start(resolved(plan, prepared, told), prepared, known_arm(arm), site, folder, told))


def resume(folder: Path | str, *, watch: Watch | None = None) -> RunResult:
    """Go on with the run in this folder, with the plan it was started with. A finished run is returned as it is."""
    run_folder = RunFolder(Path(folder))
    plan, begun = run_folder.plan(), run_folder.provenance()
    if not {"arm", "site"} <= begun.keys():
        raise WardroundError(f"{run_folder.path / 'provenance.json'} does not say which arm this was. Was it changed or damaged?")
    with watching(watch) as told:
        return reported(start(plan, prepare(plan, told), known_arm(begun["arm"]), begun["site"], run_folder, told))


def start(plan: Plan, prepared: Prepared, arm: Arm, site: str | None, folder: RunFolder, watch: Watch) -> RunFolder:
    """Open the folder of an arm and run it, unless it has finished already."""
    check_links(folder.path)
    open_folder(folder, plan, prepared, arm, site)
    if folder.is_finished:
        watch(Note(run=folder.name, text=f"{folder.path} has finished already; its results are used as they are."))
        return folder
    with alone(folder.path):
        return run_arm(plan, prepared, arm, site, folder, watch)


def reported(folder: RunFolder) -> RunResult:
    """Write the run's report.html."""
    from wardround.report.html import write_run_report  # matplotlib is loaded when there is something to draw

    write_run_report(folder.path)
    return RunResult(folder.path)


def known_arm(arm: str) -> Arm:
    """The arm of this name, or PlanError."""
    for known in ARMS:
        if arm == known:
            return known
    raise PlanError(f"no arm '{arm}'. Arms are: {', '.join(ARMS)}.")


def run_name(arm: Arm, seed: int, site: str | None) -> str:
    return f"{arm}-seed{seed}" + (f"-{site}" if arm == "local" else "")


def open_folder(folder: RunFolder, plan: Plan, prepared: Prepared, arm: Arm, site: str | None) -> None:
    """Make the run's folder, or check that the run in it is this one: same plan (but for engine.name and workers), same data."""
    if (folder.path / "plan.toml").exists() and (folder.path / "provenance.json").exists():
        _check_same(folder, plan, prepared)
        return
    build_record = provenance_of(plan, prepared, arm, site)  # a plan that cannot be built leaves no folder behind
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        prepared.ledger.write(folder.path / "ledger.csv")
        write_json(folder.path / "provenance.json", build_record)
        write_text(folder.path / "plan.toml", dump_plan(plan))
    except OSError as error:
        raise PlanError(f"results cannot be written to {folder.path}: {error.strerror}. Choose another folder with --out DIR.") from error


def provenance_of(plan: Plan, prepared: Prepared, arm: Arm, site: str | None) -> dict[str, Any]:
    """provenance.json: software, machine, seed, data, model."""
    return {**provenance.environment(), "arm": arm, "site": site, "seed": plan.seed, "data": data_record(prepared),
            "model": model_record(build(plan, prepared, arm, site))}


def model_record(design: Design) -> dict[str, Any]:
    """The model's size: trained numbers, those that stay as they began, bytes of one exchange; the digest of its first weights."""
    model, plan = design.model(is_tried=False), design.plan.model
    whole = sum(tensor.numel() for tensor in model.tensors().values())
    layout = model.params.layout
    return {"name": plan.name, "parameters": layout.num_trainable, "frozen": whole - layout.size, "bytes": layout.num_bytes,
            "weights": digest_of(plan.weights, plan.name) if plan.weights else None}


def data_record(prepared: Prepared) -> dict[str, Any]:
    """What the data were, in counts; no patient id and no path."""
    catalogue, ledger = prepared.catalogue, prepared.ledger
    counted = {"used": 0, "skipped": 0, "failed": 0, **count(ledger.status)}
    splits = ("train", "val", "test", "test-leak")
    return {"name": catalogue.name, "task": catalogue.task, "fingerprint": prepared.fingerprint,
            "images": len(ledger.images), **counted, "reasons": {reason: num for reason, num in count(ledger.reason).items() if reason},
            "phantom": catalogue.phantom, "licence": catalogue.licence, "citation": catalogue.citation,
            "class_counts": {split: by_class(prepared, None, split) for split in splits if len(prepared.rows(None, split))},
            "site_counts": {site: {split: by_class(prepared, site, split) for split in ("train", "val", "test")}
                            for site in prepared.site_names},
            "leaks": leaks_record(prepared), "groups": len(set(prepared.groups[prepared.groups >= 0].tolist())),
            "patients_known": bool((catalogue.patients != "").any())}


def leaks_record(prepared: Prepared) -> dict[str, int]:
    """Test rows of the published split that leak, by kind, and the rows left out for it."""
    kinds = {"patient": "patient", "identical": "identical", "near_duplicate": "near-duplicate"}
    return {**{name: prepared.leaks.test[kind] for name, kind in kinds.items()},
            "test_rows_dropped": int((prepared.split == "test-leak").sum()),
            "val_rows_dropped": int((prepared.ledger.reason == "leaks_into_train").sum())}


def by_class(prepared: Prepared, site: str | None, split: str) -> dict[str, int]:
    return prepared.catalogue.counts(prepared.rows(site, split))


def count(values: Any) -> dict[str, int]:
    """How often each text occurs."""
    found: dict[str, int] = {}
    for value in values:
        found[str(value)] = found.get(str(value), 0) + 1
    return found


def _check_same(folder: RunFolder, plan: Plan, prepared: Prepared) -> None:
    if comparable(folder.plan()) != comparable(plan):
        raise PlanError(f"{folder.path} holds a run of another plan. Choose another folder with --out DIR, another name in the plan, or "
                        f"remove that folder. (To go on with the run in it: wardround run --resume {folder.path})")
    begun = read_json(folder.path / "provenance.json")
    if not all(isinstance(begun.get(name), dict) for name in ("model", "data")):
        raise WardroundError(f"{folder.path / 'provenance.json'} does not tell model and data. Was it changed or damaged?")
    if plan.model.weights and begun["model"].get("weights") != digest_of(plan.model.weights, plan.model.name):
        raise PlanError(f"{folder.path} was begun from other first weights: the file of model.weights has changed. Restore it, or start a "
                        "new run with --out DIR.")
    if begun["data"].get("fingerprint") != prepared.fingerprint:
        raise PlanError(f"{folder.path} was begun on other images or labels than those found now: the data folder has changed. "
                        "Restore it, or start a new run with --out DIR.")


def comparable(plan: Plan) -> Mapping[str, Any]:
    """A plan without what does not change results."""
    record = plan.model_dump(mode="json")
    record["engine"].pop("name")
    record["engine"].pop("workers")
    record["rounds"].pop("checkpoint_every_s")
    return record
