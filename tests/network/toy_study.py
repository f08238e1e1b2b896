"""A study of toy sites in one process: the desks of real sites, behind an exchange that can be told who is there and what happens."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from toy_network import one_thread
from toy_site import prepared_of

from wardround.build import ArmBlueprint, build_strategy, initial_params
from wardround.core.events import Note, RoundFinished, RunFinished, RunStarted
from wardround.core.exchange import EvaluateOrder, SiteFailed
from wardround.data.prepare import Prepared
from wardround.fleet.header import peek
from wardround.fleet.nvflare import Lost
from wardround.fleet.wire import decode, encode, kinds_of
from wardround.fleet.worker import evaluated
from wardround.network import auditlog
from wardround.network import conduct as conducting
from wardround.network.approval import Approvals
from wardround.network.conduct import conduct
from wardround.network.control import Progress, State
from wardround.network.desk import Desk
from wardround.network.folders import SiteFolder, StudyFolder
from wardround.network.messages import Delivered, Ready, SiteSummary
from wardround.network.summary import summarise
from wardround.plan.load import dump_plan
from wardround.plan.schema import CohortPlan, EvaluationPlan, Plan, Recipe, RoundsPlan, StrategyPlan
from wardround.runs.folder import RunFolder, write_json
from wardround.testing import toy_blueprint

SITES = ("site-1", "site-2", "site-3")
Hook = Callable[[str, str, int], object]  # (site, kind of the request, round), before it is answered


def toy_plan(*, strategy: str = "fedavg", rounds: RoundsPlan | None = None, cohort: CohortPlan | None = None, **changes: Any) -> Plan:
    """Three rounds of a toy network, every one evaluated."""
    recipe = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
    plan = toy_blueprint(recipe=recipe, rounds=rounds or RoundsPlan(num=3, metric="loss")).plan
    return plan.model_copy(update={"strategy": StrategyPlan(name=strategy), "evaluation": EvaluationPlan(resamples=100),
                                   "cohort": cohort or CohortPlan(min_sites=1, deadline_s=60.0), **changes})


def blueprint_of(plan: Plan) -> ArmBlueprint:
    """All sites of the plan."""
    toy = toy_blueprint(num_sites=len(SITES), recipe=plan.recipe)
    return replace(toy, plan=plan, strategy=build_strategy(plan))


@dataclass(frozen=True)
class ToySupply:
    """What a site has: its rows of the blueprint."""

    whole: ArmBlueprint
    site: str

    def plan(self, approved: Plan) -> Plan:
        return approved

    def prepared(self, plan: Plan) -> Prepared:
        return prepared_of(self.whole, self.site)

    def blueprint(self, plan: Plan) -> ArmBlueprint:
        return replace(self.whole, plan=plan, rows={self.site: self.whole.rows[self.site]})


class ToyDesk(Desk):
    """A desk whose local arm is its untrained model."""

    def _alone(self, work: Any) -> SiteSummary:
        order = EvaluateOrder(round=0, params=initial_params(work.blueprint), rows="test", detail=True)
        report = evaluated(work.blueprint, work.bench, [self.site], order, {})[0]
        whole = summarise(work.blueprint, self._supply.prepared(work.plan), self.site, report, temperature=1.0, threshold=0.5)
        return SiteSummary(site=self.site, scores=whole.scores)


class ToyStudy:
    """The coordinator's folder, and an exchange with its sites.

    there: who is connected. noting: site -> what its first reply of a job tells. before: told of each request. altered: (site, kind of
    the reply) -> what becomes of it. log: (site, kind of the request, round) of all jobs.
    """

    def __init__(self, path: Path, plan: Plan | None = None) -> None:
        self.plan = plan or toy_plan()
        self.blueprint = blueprint_of(self.plan)
        self.study, text = StudyFolder(path / "study"), dump_plan(self.plan)
        self.study.path.mkdir(parents=True)
        write_json(self.study.path / "study.json", {"name": "toy", "sites": list(SITES)})
        self.study.plan_file.write_text(text)
        self.state = State(self.study)
        self.there = set(SITES)
        self.before: Hook = lambda site, kind, number: None
        self.altered: dict[tuple[str, str], Callable[[Any], Any]] = {}
        self.noting: dict[str, str] = {}
        self.log: list[tuple[str, str, int]] = []
        self._folders = {site: self._site(path / site, site, text) for site in SITES}
        self._desks: dict[str, Desk] = {}

    def conduct(self) -> Progress:
        """One job."""
        self.open_desks()
        conduct(self.study, self)
        return self.state.progress

    def open_desks(self) -> None:
        """As a job does: a new process at every site."""
        self._desks = {site: ToyDesk(folder, notes=(self.noting[site],) if site in self.noting else (),
                                     supply=ToySupply(self.blueprint, site)) for site, folder in self._folders.items()}

    def sites(self) -> list[str]:
        return sorted(self.there)

    def ask(self, requests: Mapping[str, bytes], *, deadline_s: float) -> Iterator[tuple[str, bytes | Lost]]:
        for site in reversed(list(requests)):
            if site in self.there:
                yield site, self._answer(site, requests[site])
            else:
                yield site, Lost("not connected")

    @property
    def run(self) -> RunFolder:
        (folder,) = self.study.runs.iterdir()
        return RunFolder(folder)

    def asked(self, kind: str) -> Counter[tuple[str, int]]:
        """How often each site was asked this, by (site, round)."""
        return Counter((site, number) for site, told, number in self.log if told == kind)

    def rounds(self) -> list[RoundFinished]:
        return [event for event in self.run.events() if isinstance(event, RoundFinished)]

    def notes(self) -> list[str]:
        return [event.text for event in self.run.events() if isinstance(event, Note)]

    def kinds(self) -> list[str]:
        """What the journal holds beside notes."""
        names = {RunStarted: "started", RoundFinished: "round", RunFinished: "finished"}
        return [names[type(event)] for event in self.run.events() if type(event) in names]

    def phases(self) -> list[str]:
        """Of the audit log."""
        return [str(line.facts["phase"]) for line in auditlog.lines(self.study.audit_file) if line.kind == "phase"]

    def withdraw(self, site: str) -> None:
        """The hospital no longer approves the plan."""
        approvals = Approvals(self._folders[site].approvals_file)
        approvals.withdraw(approvals.history()[0].hash)

    def approve(self, site: str) -> None:
        Approvals(self._folders[site].approvals_file).approve(self.study.plan_file.read_text(), by="Dr Who")

    def model_of(self, site: str) -> list[str]:
        """Names of the files that came back to the site."""
        return sorted(path.name for path in self._folders[site].models.glob("*/*"))

    def _site(self, path: Path, site: str, text: str) -> SiteFolder:
        folder = SiteFolder(path)
        folder.state.mkdir(parents=True)
        write_json(path / "site.json", {"study": "toy", "site": site, "data": str(path / "data")})
        folder.limits_file.write_text("")
        Approvals(folder.approvals_file).approve(text, by="Dr Who")
        return folder

    def _answer(self, site: str, request: bytes) -> bytes:
        head = peek(request)
        self.log.append((site, head.kind, head.envelope["round"]))
        self.before(site, head.kind, head.envelope["round"])
        with one_thread():
            answer = self._desks[site].answer(request)
        alter = self.altered.get((site, peek(answer).kind))
        if alter is None:
            return answer
        layout = initial_params(self.blueprint).layout
        envelope, reply = decode(answer, kinds_of(self.blueprint.strategy, Ready, SiteSummary, Delivered), layout)
        return encode(envelope, alter(reply))


def failing(reason: str) -> Callable[[Any], SiteFailed]:
    """The reply becomes a failure."""
    return lambda reply: SiteFailed(site=reply.site, reason=reason)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is waited between greetings; no entry points are looked for; reports, which have tests of their own, are not drawn."""
    for name, seconds in (("SOON_S", 0.02), ("LATE_S", 0.05), ("TICK_S", 0.01), ("BESIDE_S", 0.0), ("OLD_JOB_S", 0.1)):
        monkeypatch.setattr(conducting, name, seconds)
    monkeypatch.setattr("wardround.lookup.entry_points", lambda **told: ())
    monkeypatch.setattr("wardround.report.html.write_run_report", lambda folder: (folder / "report.html").write_text(""))
