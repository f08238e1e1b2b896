"""The run that is audited: its plan, images, recipe and the model it has kept, opened again on the machine that trained it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file

from wardround.build import ArmBlueprint, build
from wardround.core.events import Watch, silent
from wardround.core.params import Params
from wardround.data.prepare import Prepared, prepare
from wardround.errors import PlanError, WardroundError
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A finished federated run. params: of its kept model, on the CPU. is_quick: smaller attacks, whose intervals are wider."""

    run: RunFolder
    plan: Plan
    prepared: Prepared
    blueprint: ArmBlueprint
    params: Params
    is_quick: bool = False
    watch: Watch = silent

    @property
    def figures(self) -> Path:
        """Where an audit's pictures go."""
        return self.run.path / "figures"

    @property
    def seed(self) -> int:
        return self.plan.seed

    def rows(self, kind: str) -> np.ndarray:
        """All sites' catalogue rows of "train" or "val", sorted. Test rows are not an audit's to read."""
        if kind not in ("train", "val"):
            raise ValueError(f"an audit reads no {kind} rows")
        return np.sort(np.concatenate([getattr(rows, kind) for rows in self.blueprint.rows.values()]))


def open_subject(run: Path, *, data: Path | None = None, is_quick: bool = False, watch: Watch = silent) -> Subject:
    """Open a finished federated run. data: where its images lie now, if not where the plan says.

    PlanError for another arm; WardroundError if the run has not finished, or was trained on other images than those found."""
    folder = RunFolder(run)
    plan, begun = folder.plan(), folder.provenance()
    if begun.get("arm") != "federated":
        raise PlanError(f"{run} is a run of arm '{begun.get('arm')}': nothing was exchanged that could leak or be poisoned. Audit a "
                        "federated one.")
    folder.scores()  # says what to do if the run has not finished
    if data is not None:
        plan = plan.model_copy(update={"data": plan.data.model_copy(update={"folder": data.absolute()})})
    prepared = prepare(plan, watch)
    if begun.get("data", {}).get("fingerprint") != prepared.fingerprint:
        raise WardroundError(f"{run} was trained on other images or labels than those found now. Name their folder: --data DIR.")
    blueprint = build(plan, prepared, "federated")
    return Subject(run=folder, plan=plan, prepared=prepared, blueprint=blueprint, params=_kept(folder, blueprint), is_quick=is_quick,
                   watch=watch)


def _kept(folder: RunFolder, blueprint: ArmBlueprint) -> Params:
    """The kept model's parameters."""
    path, model = folder.path / "model.safetensors", blueprint.model(is_tried=False)
    try:
        model.load_tensors(load_file(path))
    except (SafetensorError, FileNotFoundError) as error:
        raise WardroundError(f"{path} cannot be read ({error}). Repeat the run with --out DIR.") from error
    return Params(model.params.flat.detach().cpu().clone(), model.params.layout)
