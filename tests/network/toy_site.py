"""A site's folder, and a worker over toy sites in place of images; as a program: toy_site.py STRATEGY --fd N SITE.

What its strategy does besides training is told by files in the site's folder: `kill-once`, `kill-always`, `slow`, `large`.
"""

import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wardround.build import ArmBlueprint, initial_params
from wardround.compression.filter import make_codec
from wardround.core.exchange import Order, Update
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.ledger import Ledger
from wardround.data.prepare import Prepared
from wardround.data.split import LeakReport
from wardround.fleet.wire import decode, encode, kinds_of
from wardround.fleet.worker import trained
from wardround.network import worker
from wardround.network.approval import Approvals
from wardround.network.desk import Desk
from wardround.network.envelope import Envelope
from wardround.network.folders import SiteFolder
from wardround.network.messages import Delivered, Ready, SiteSummary
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan, Recipe
from wardround.runs.folder import write_json
from wardround.sites.memory import Memory
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN
from wardround.strategies.scaffold import Scaffold
from wardround.testing import toy_blueprint

SITE = "site-2"
REMEMBERING = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
STRATEGIES = {"fedavg": FedAvg, "fedbn": FedBN, "scaffold": Scaffold}


def blueprint_of(strategy: str = "fedavg", recipe: Recipe = REMEMBERING) -> ArmBlueprint:
    """All sites of the toy study."""
    return toy_blueprint(STRATEGIES[strategy], recipe=recipe)


def make_site(path: Path, plan: Plan | None = None, site: str = SITE) -> tuple[SiteFolder, str]:
    """A hospital's folder without limits of its own that has approved the plan, and the plan's hash."""
    folder = SiteFolder(path)
    folder.state.mkdir(parents=True)
    write_json(path / "site.json", {"study": "toy", "site": site, "data": str(path / "data")})
    folder.limits_file.write_text("")
    approval = Approvals(folder.approvals_file).approve(dump_plan(plan or blueprint_of().plan), by="Dr Who")
    return folder, approval.hash


def request(plan: str, message: Any, /, **changes: Any) -> bytes:
    """A message to the site in its envelope."""
    told = {"run": "toy-seed0", "plan": plan, "site": SITE, "round": getattr(message, "round", 0), "nonce": secrets.token_hex(16),
            "deadline_s": 60.0, "cohort": 3}
    return encode(Envelope(**{**told, **changes}).record(), message)


def opened(reply: bytes, blueprint: ArmBlueprint | None = None) -> tuple[Envelope, Any]:
    """What a reply says."""
    blueprint = blueprint or blueprint_of()
    kinds = kinds_of(blueprint.strategy, Ready, SiteSummary, Delivered)
    envelope, message = decode(reply, kinds, initial_params(blueprint).layout, codec=make_codec(blueprint.plan.exchange))
    return Envelope.of(envelope), message


def first_order(blueprint: ArmBlueprint | None = None) -> Order:
    """The order of round 1."""
    blueprint = blueprint or blueprint_of()
    return blueprint.strategy.order(blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows)))


def at_home(orders: Sequence[Order], blueprint: ArmBlueprint | None = None) -> tuple[list[Update], Memory]:
    """The site's updates to these orders, one after another, as a worker of the local engine makes them; and what it remembers then."""
    from toy_network import one_thread  # which the program does not find

    blueprint = blueprint or blueprint_of()
    site = Site(rows=blueprint.rows[SITE], bench=blueprint.bench())
    with one_thread():
        return [trained(blueprint, site, order) for order in orders], site.memory


def prepared_of(blueprint: ArmBlueprint, site: str) -> Prepared:
    """The site's rows as if they had been read from images."""
    num, rows = len(blueprint.feed.labels), blueprint.rows[site]
    splits, homes = ["out"] * num, [""] * num
    for split in ("train", "val", "test"):
        for row in rows.of(split):
            splits[row], homes[row] = split, site
    images = text_column([f"Smith_John_{row:03}.png" for row in range(num)])
    catalogue = Catalogue(name="toy", root=Path("toy"), classes=blueprint.classes, images=images, labels=blueprint.feed.labels.numpy(),
                          patients=images, splits=text_column([""] * num), phantom=True)
    nothing = text_column([""] * num)
    return Prepared(catalogue=catalogue, pixels=np.asarray(blueprint.feed.images), groups=np.arange(num), split=text_column(splits),
                    homes=text_column(homes), site_names=(site,), leaks=LeakReport(test={}, val={}, examples={}),
                    ledger=Ledger.of(images, failed=nothing, detail=nothing, skipped=nothing), fingerprint="toy")


@dataclass
class ToySupply:
    """A Supply of the toy site. kind: replaces the strategy."""

    folder: SiteFolder
    strategy: str = "fedavg"
    kind: type | None = None

    def plan(self, approved: Plan) -> Plan:
        return approved

    def prepared(self, plan: Plan) -> Prepared:
        return prepared_of(self.blueprint(plan), SITE)

    def blueprint(self, plan: Plan) -> ArmBlueprint:
        kind = self.kind or STRATEGIES[self.strategy]
        blueprint = toy_blueprint(kind, recipe=plan.recipe)
        return replace(blueprint, plan=plan, rows={SITE: blueprint.rows[SITE]})


def troubled(folder: SiteFolder, kind: type) -> type:
    """The strategy, in the trouble that files in the site's folder ask for."""

    class Troubled(kind):
        def train(self, site, order):
            update = super().train(site, order)  # half-way: something was done, nothing was written
            if (folder.path / "slow").exists():
                time.sleep(600)
            if (folder.path / "large").exists():
                torch.ones(2**30)  # 4 GiB
            if (folder.path / "kill-once").exists() or (folder.path / "kill-always").exists():
                (folder.path / "kill-once").unlink(missing_ok=True)
                os.kill(os.getpid(), signal.SIGKILL)
            return update

    return Troubled


if __name__ == "__main__":
    strategy, *argv = sys.argv[1:]
    worker.main(argv, lambda folder, notes: Desk(folder, notes=notes, supply=ToySupply(folder, strategy,
                                                                                       troubled(folder, STRATEGIES[strategy]))))
