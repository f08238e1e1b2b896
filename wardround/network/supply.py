"""What a site has for a plan: its own images, and the plan as it is carried out there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wardround.build import ArmBlueprint, build, check_names, device_of
from wardround.core.events import silent
from wardround.data.prepare import Prepared, prepare_at
from wardround.errors import PlanError
from wardround.network.folders import SiteFolder
from wardround.network.policy import Limits
from wardround.plan.schema import Plan


class Supply(Protocol):
    """Where a desk takes from what it works on."""

    def plan(self, approved: Plan) -> Plan:
        """The approved plan with what only the site can say: where its images lie, what of its machine may be used."""
        ...

    def prepared(self, plan: Plan) -> Prepared:
        """The site's images. plan: what `plan` returned."""
        ...

    def blueprint(self, plan: Plan) -> ArmBlueprint:
        """The federated arm, of this site alone; its class weights are not looked at. plan: what `plan` returned."""
        ...


@dataclass
class AtSite:
    """From the site's folder. Images are read once for a plan."""

    folder: SiteFolder
    limits: Limits
    _prepared: tuple[Plan, Prepared] | None = field(default=None, init=False, repr=False)

    def plan(self, approved: Plan) -> Plan:
        """PlanError if the site was not told of something that the plan needs."""
        record = self.folder.record()
        if not record.get("data"):
            raise PlanError("the site does not know its images yet. There: wardround site ready KIT --data DIR")
        changes: dict[str, Any] = {"data": approved.data.model_copy(update={"folder": Path(record["data"])})}
        if "." in approved.model.weights:
            if not record.get("weights"):
                raise PlanError("the plan begins from a file of weights, and the site was not told where it has that file.")
            changes["model"] = approved.model.model_copy(update={"weights": str(record["weights"])})
        return as_here(approved.model_copy(update=changes), self.limits)

    def prepared(self, plan: Plan) -> Prepared:
        if self._prepared is None or self._prepared[0] != plan:
            self._prepared = plan, prepare_at(plan, self.folder.record()["site"], Path(str(plan.data.folder)), silent)
        return self._prepared[1]

    def blueprint(self, plan: Plan) -> ArmBlueprint:
        check_names(plan)
        return build(plan, self.prepared(plan), "federated")


def as_here(plan: Plan, limits: Limits) -> Plan:
    """The plan on this machine: on a GPU only if the site's limits allow one; "auto" is the plainest arithmetic, the same at all sites."""
    engine = plan.engine
    device = device_of(plan) if limits.gpu else "cpu"
    plain = {"name": "local", "workers": limits.threads, "device": device,
             "precision": "fp32" if engine.precision == "auto" else engine.precision,
             "layout": "contiguous" if engine.layout == "auto" else engine.layout}
    return plan.model_copy(update={"engine": engine.model_copy(update=plain)})
