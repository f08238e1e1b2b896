"""The server's side of a study's run: greet the sites, run the rounds, have the best round tested, send everyone the result.

It runs inside NVFLARE's job and trusts nothing of that job: where it stands is in the run's folder, and any job goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np

from wardround.build import Design, build_strategy, initial_params
from wardround.compression.filter import make_codec
from wardround.core.events import Event, RoundFinished, RunStarted, silent
from wardround.core.exchange import SiteFailed
from wardround.core.params import Layout
from wardround.core.tally import ClassTally, DiceTally, FindingTally, Tally
from wardround.data.labels import balanced_weights, finding_weights
from wardround.errors import NetworkError, Resumable, TooFewSites, WardroundError
from wardround.evaluation.segmentation import headline_regions
from wardround.fleet.nvflare import Exchange, NvflareFleet
from wardround.network.approval import plan_hash
from wardround.network.approved import parsed
from wardround.network.auditlog import AuditLog
from wardround.network.closing import Closing
from wardround.network.control import Phase, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.messages import Hello, Ready
from wardround.plan.schema import Plan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.runs import checkpoint as checkpoints
from wardround.runs.alone import alone
from wardround.runs.folder import RunFolder, read_json, write_json, write_text
from wardround.session.keeper import Keeper, unpack

GREET_AGAIN_S = 5.0  # between questions to sites that were not ready
OLD_JOB_S = 60.0  # so long may the process of a lost job outlive it


class Boundary(Exception):
    """A round has ended, and the run goes on in another job or later."""


class JobEnded(NetworkError):
    """The job was ended under the run, which goes on in another one from its last checkpoint."""


class Sites(Exchange, Protocol):
    """An exchange that knows who is there."""

    def sites(self) -> Sequence[str]: ...


def conduct(study: StudyFolder, exchange: Sites) -> None:
    """Take the run as far as it goes in this job; how that ended is in the state's progress."""
    _Conductor(study, exchange).conduct()


class _Conductor:
    def __init__(self, study: StudyFolder, exchange: Sites) -> None:
        self.study, self.exchange, self.state = study, exchange, State(study)
        self.text = study.plan_file.read_text(encoding="utf-8")
        self.plan = parsed(self.text)
        self.hash = plan_hash(self.text)
        self.names: list[str] = study.record()["sites"]
        self.folder = RunFolder(study.runs / f"federated-seed{self.plan.seed}-{self.hash[:8]}")
        self.audit = AuditLog(study.audit_file)
        self.faults: dict[str, str] = {}  # site -> what keeps it from taking part

    def conduct(self) -> None:
        try:
            with ExitStack() as stack:
                _hold(stack, self.folder.path)
                self.tell("waiting", "greeting the sites")
                ready = self.greeted()
                self.run(ready)
        except Boundary:
            wanted = self.state.control.want
            self.tell("paused" if wanted == "pause" else "stopped" if wanted == "stop" else "handover")
        except TooFewSites as error:
            self.tell("waiting", str(error))
        except JobEnded:
            raise
        except Exception as error:
            told = str(error) if isinstance(error, WardroundError) else f"{type(error).__name__}: {error}"
            self.tell("failed", f"{told} (In full: {self.study.server}/JOB/log.txt.)")
            raise

    def tell(self, phase: Phase, text: str = "", round: int | None = None) -> None:
        before = self.state.progress
        same = before.run == self.folder.name
        self.state.tell(Progress(phase=phase, run=self.folder.name, text=text, num_rounds=self.plan.rounds.num, sites=self._standing(),
                                 round=round if round is not None else before.round if same else 0))
        self.audit.write("phase", phase=phase, text=text, run=self.folder.name)

    def _standing(self) -> dict[str, str]:
        there = set(self.exchange.sites())
        return {site: self.faults.get(site, "") if site in there else "not connected" for site in self.names}

    def greeted(self) -> dict[str, Ready]:
        """Every site that was ever ready, by the study's order; those that are there have said so in this job."""
        known = self._known()
        while True:
            absent = [site for site in self.exchange.sites() if site in self.names and (site not in known or site in self.faults)]
            known.update(self._hello(absent if self.faults else [site for site in self.exchange.sites() if site in self.names]))
            known = {site: known[site] for site in self.names if site in known}
            present = [site for site in known if site in self.exchange.sites() and site not in self.faults]
            needed = self._needed()
            if len(present) >= needed or self.folder.is_finished:
                write_json(self._sites_file(), {site: asdict(held) for site, held in known.items()})
                return known
            self.tell("waiting", f"{len(present)} of {needed} sites are ready")
            until = time.monotonic() + GREET_AGAIN_S
            while time.monotonic() < until:
                self.check_boundary()
                time.sleep(0.2)

    def _needed(self) -> int:
        """Sites that must be ready: to begin, to go on, or to test what a study that was stopped has."""
        control, least = self.state.control, self.plan.cohort.min_sites
        if control.want == "stop":
            return 1
        return least if self._has_begun() else max(control.wait_for, least)

    def _hello(self, sites: Sequence[str]) -> dict[str, Ready]:
        """Greet; what keeps a site away is remembered in `faults`."""
        found: dict[str, Ready] = {}
        fleet = NvflareFleet(exchange=self.exchange, strategy=build_strategy(self.plan), layout=Layout(()), sites={}, run=self.folder.name,
                             plan=self.hash, deadline_s=self.plan.cohort.deadline_s, audit=self.audit.write)
        for site, reply in fleet.asked({site: Hello(plan=self.text) for site in sites}, round=0, expects=Ready):
            if isinstance(reply, SiteFailed):
                self.faults[site] = reply.reason
            else:
                self.faults.pop(site, None)
                found[site] = reply
        known = {**self._known(), **found}
        first = next((known[site] for site in self.names if site in known), None)
        for site, reply in list(found.items()):
            if first is not None and (why := _differs(reply, first)):
                self.faults[site] = why
                del found[site]
        return found

    def _known(self) -> dict[str, Ready]:
        path = self._sites_file()
        if not path.exists():
            return {}
        return {site: Ready(**{**held, "classes": tuple(held["classes"]), "regions": {name: tuple(parts) for name, parts in
                                                                                     held["regions"].items()}})
                for site, held in read_json(path).items()}

    def _sites_file(self) -> Path:
        return self.folder.path / "sites.json"

    def _has_begun(self) -> bool:
        return checkpoints.load_last(self.folder.checkpoints) is not None

    def check_boundary(self) -> None:
        """Boundary if the hub or the coordinator wants one."""
        if self.state.boundary.exists() or self.state.control.want != "run":
            raise Boundary

    def run(self, ready: Mapping[str, Ready]) -> None:
        """The rounds that are left, then what follows them."""
        design = design_of(self.plan, ready)
        if not (self.folder.path / "plan.toml").exists():
            write_text(self.folder.path / "plan.toml", self.text)
        start = design.strategy.begin(initial_params(design), len(self.names))
        fleet = NvflareFleet(exchange=self.exchange, strategy=design.strategy, layout=start.params.layout, run=self.folder.name,
                             plan=self.hash, sites={site: held.num_train for site, held in ready.items()},
                             deadline_s=self.plan.cohort.deadline_s, weights=class_weights(self.plan, ready),
                             codec=make_codec(self.plan.exchange), tally=tally_of(design), audit=self.audit.write)
        last = checkpoints.load_last(self.folder.checkpoints)
        course = Course(state=start, best=start.params)
        if last is not None:
            course, memories = unpack(last, start)
            fleet.restore(memories)
        keeper = Keeper(self.folder, fleet, silent, every_s=0.0, last=last)
        fleet.watch = keeper.watch
        try:
            keeper.watch(_started(self.plan, ready, course))
            course = self._trained(design, fleet, course, keeper)
            Closing(design=design, fleet=fleet, ready=ready, folder=self.folder, plan_hash=self.hash, tell=self.tell,
                    with_local=self.state.control.with_local).close(course, keeper)
        finally:
            keeper.close()
        self.tell("stopped" if self.state.control.want == "stop" else "finished", round=course.state.round)

    def _trained(self, design: Design, fleet: NvflareFleet, course: Course, keeper: Keeper) -> Course:
        """Run rounds until they are done, or stopped by the coordinator: then the best so far counts."""
        def watch(event: Event) -> None:
            keeper.watch(event)
            if isinstance(event, RoundFinished):
                self.audit.write("round", round=event.round, sites=sorted(event.train_loss_by_site), failed=dict(event.failed),
                                 bytes_up=event.bytes_up, bytes_down=event.bytes_down)

        def save(course: Course) -> None:
            keeper.after_round(course)
            self.tell("training", round=course.state.round)
            if not course.is_over(self.plan.rounds):
                self.check_boundary()

        self.tell("training", round=course.state.round)
        if self.state.control.want == "stop" and course.best_round:
            return course
        try:
            return run_rounds(self.plan, design.strategy, fleet, course, watch=watch, save=save)
        except Boundary:
            if self.state.control.want != "stop" or keeper.course is None or not keeper.course.best_round:
                raise
            return keeper.course


def design_of(plan: Plan, ready: Mapping[str, Ready]) -> Design:
    """What the sites' images and the plan make of the model."""
    first = next(iter(ready.values()))
    return Design(plan=plan, strategy=build_strategy(plan), task=first.task, classes=first.classes, regions=first.regions)


def tally_of(design: Design) -> tuple[type[Tally], int]:
    """What every site's reports must be, so that none can shut out the others by another kind."""
    if design.task == "segmentation":
        return DiceTally, len(headline_regions(design.classes, design.regions))
    return (FindingTally if design.task == "multilabel" else ClassTally), len(design.classes)


def class_weights(plan: Plan, ready: Mapping[str, Ready]) -> list[float] | None:
    """Weights of the loss from the sites' counts, summed; None where the plan has none."""
    if plan.recipe.class_weights == "none":
        return None
    first = next(iter(ready.values()))
    total = np.array([sum((held.counts or {}).get(name, 0) for held in ready.values()) for name in first.classes])
    if first.task == "multilabel":
        return [float(weight) for weight in finding_weights(total, sum(held.num_train for held in ready.values()))]
    return [float(weight) for weight in balanced_weights(total)]


def _differs(reply: Ready, first: Ready) -> str:
    """Why a site's images cannot be trained together with the first one's, "" if they can."""
    for name in ("task", "classes", "regions", "phantom"):
        if getattr(reply, name) != getattr(first, name):
            return (f"its {name} are {getattr(reply, name)}, those of site '{first.site}' are {getattr(first, name)}. Look at the folder "
                    "that `wardround site ready` was given there.")
    return "" if reply.num_train > 0 else "it has no training images: see `wardround site ready` there"


def _started(plan: Plan, ready: Mapping[str, Ready], course: Course) -> RunStarted:
    return RunStarted(arm="federated", num_rounds=plan.rounds.num, num_sites=len(ready), num_train=sum(r.num_train for r in ready.values()),
                      num_parameters=course.state.params.layout.num_trainable, phantom=next(iter(ready.values())).phantom,
                      metric=plan.rounds.metric, resumed_from=course.state.round)


def _hold(stack: ExitStack, folder: Path) -> None:
    """Hold the run's folder; the process of a job that was lost gives it up when it ends."""
    until = time.monotonic() + OLD_JOB_S
    while True:
        try:
            stack.enter_context(alone(folder))
            return
        except Resumable as error:
            if time.monotonic() > until:
                raise JobEnded(f"an earlier job still holds {folder}") from error
            time.sleep(0.5)
