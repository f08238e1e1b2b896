"""The server's side of a study's run: greet the sites, run the rounds, have the best round tested, send everyone the result.

It runs inside NVFLARE's job and trusts nothing of that job: where it stands is in the run's folder, and any job goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from wardround.build import Design, build_strategy, initial_params, with_noise
from wardround.compression.filter import make_codec
from wardround.core.events import Event, Note, RoundFinished, RunStarted, silent
from wardround.core.tally import ClassTally, DiceTally, FindingTally, Tally
from wardround.data.labels import balanced_weights, finding_weights
from wardround.errors import CheckpointError, NetworkError, Resumable, TooFewSites, WardroundError
from wardround.evaluation.segmentation import headline_regions
from wardround.fleet.budget import BudgetSpent
from wardround.fleet.nvflare import NvflareFleet
from wardround.fleet.wrapped import Watched
from wardround.network.approval import plan_hash
from wardround.network.approved import parsed
from wardround.network.auditlog import AuditLog
from wardround.network.closing import Closing
from wardround.network.control import Phase, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.greeting import Greeting, Sites
from wardround.network.messages import Ready
from wardround.network.secure import SecureNvflare
from wardround.network.spending import budgeted, server_terms
from wardround.plan.schema import Plan
from wardround.rounds.course import Course
from wardround.rounds.loop import judge_last, run_rounds
from wardround.runs import checkpoint as checkpoints
from wardround.runs.alone import alone
from wardround.runs.checkpoint import Checkpoint
from wardround.runs.folder import RunFolder, write_text
from wardround.session.keeper import Keeper, unpack

SOON_S, LATE_S = 5.0, 60.0  # between greetings of sites that were not ready, while nothing else can be done: first and last
BESIDE_S = 60.0  # between greetings of sites that are kept away, at the ends of rounds; and ten times as long as the last one took,
BESIDE_WITHIN_S = 120.0  # which is not longer than this, for the others wait meanwhile
OLD_JOB_S = 60.0  # so long may the process of a lost job outlive it
TICK_S = 0.2


class Boundary(Exception):
    """The run leaves this job, and goes on in another one or later. phase: in which it rests."""

    def __init__(self, phase: Phase, text: str = "") -> None:
        super().__init__(phase)
        self.phase, self.text = phase, text


class Stopped(Exception):
    """The coordinator wants no more rounds, and there is a best one to test."""

    def __init__(self, course: Course) -> None:
        super().__init__("stopped")
        self.course = course


class JobEnded(NetworkError):
    """The job was ended under the run, which goes on in another one from its last checkpoint."""


def conduct(study: StudyFolder, exchange: Sites) -> None:
    """Take the run as far as it goes in this job; how that ended is in the state's progress."""
    _Conductor(study, exchange).conduct()


class _Conductor:
    def __init__(self, study: StudyFolder, exchange: Sites) -> None:
        self.study, self.state = study, State(study)
        self.text = study.plan_file.read_text(encoding="utf-8")
        self.plan = parsed(self.text)
        self.hash = plan_hash(self.text)
        self.names: list[str] = study.record()["sites"]
        self.folder = RunFolder(study.runs / f"federated-seed{self.plan.seed}-{self.hash[:8]}")
        self.audit = AuditLog(study.audit_file)
        self.greeting = Greeting(exchange, plan=self.plan, text=self.text, names=self.names, folder=self.folder, audit=self.audit.write)
        self.round = self.best_round = 0  # of the last checkpoint
        self.greet_at = 0.0

    def conduct(self) -> None:
        try:
            with ExitStack() as stack:
                _hold(stack, self.folder.path)
                self.look_back()
                self.tell("waiting", "greeting the sites")
                self.gather()
                self.run()
        except Boundary as boundary:
            self.tell(boundary.phase, boundary.text)
        except TooFewSites as error:
            self.tell("waiting", str(error))
        except JobEnded:
            raise
        except Exception as error:
            told = str(error) if isinstance(error, WardroundError) else f"{type(error).__name__}: {error}"
            self.tell("failed", f"{told} (In full: {self.study.server}/JOB/log.txt.)")
            raise

    def tell(self, phase: Phase, text: str = "") -> None:
        """Write down how far the run is; into the audit log only what is new."""
        before = self.state.progress
        self.state.tell(Progress(phase=phase, run=self.folder.name, text=text, num_rounds=self.plan.rounds.num, round=self.round,
                                 sites=self.greeting.away))
        if (before.run, before.phase, before.text) != (self.folder.name, phase, text):
            self.audit.write("phase", phase=phase, text=text, run=self.folder.name)

    def look_back(self) -> None:
        """Where an earlier job has left the run."""
        last = checkpoints.load_last(self.folder.checkpoints)
        if last is not None:
            self.round, self.best_round = last.round, last.best_round
            self.greeting.recall()

    def gather(self) -> None:
        """Greet the sites until enough are ready."""
        pause = SOON_S
        while True:
            self.greeting.greet()
            num, needed = len(self.greeting.present), self.num_needed()
            if num >= needed or (self.folder.is_finished and self.greeting.ready):
                self.greeting.keep()
                return
            self.tell("waiting", f"{num} of {needed} sites are ready")
            until = time.monotonic() + pause
            while time.monotonic() < until:
                self.check_boundary()
                time.sleep(TICK_S)
            pause = min(2 * pause, LATE_S)

    def num_needed(self) -> int:
        """Sites that must be ready: to begin, to go on, or to test what a study that was stopped has."""
        control, least = self.state.control, self.plan.cohort.min_sites
        if control.want == "stop":
            return 1
        if self.plan.aggregation.secure and not self.round:
            return len(self.names)  # each site will trust only the keys that all had at the beginning
        return least if self.round else max(control.wait_for, least)

    def check_wish(self) -> None:
        """Boundary if the coordinator wants one. A study that was stopped still tests the best round that it has."""
        want = self.state.control.want
        if want == "pause":
            raise Boundary("paused")
        if want == "stop" and not self.best_round:
            raise Boundary("stopped", "before a round was evaluated: there is nothing to test")

    def check_boundary(self) -> None:
        """Boundary if the coordinator or the hub wants one."""
        self.check_wish()
        if self.state.boundary.exists():
            raise Boundary("handover")

    def greet_beside(self) -> None:
        """Greet again who was not ready before. A site that is new to the run is taken in by the next job."""
        started = time.monotonic()
        if started >= self.greet_at:
            known = self.greeting.ready
            new = [site for site in self.greeting.greet(within_s=BESIDE_WITHIN_S) if site not in known]
            self.greet_at = time.monotonic() + max(BESIDE_S, 10 * (time.monotonic() - started))
            if new:
                raise Boundary("handover", f"ready now: {', '.join(new)}")

    def run(self) -> None:
        """The rounds that are left, then what follows them."""
        ready = self.greeting.ready
        design = design_of(self.plan, ready)
        if not (self.folder.path / "plan.toml").exists():
            write_text(self.folder.path / "plan.toml", self.text)
        start = design.strategy.begin(initial_params(design), len(self.names))
        fleet = NvflareFleet(exchange=self.greeting, strategy=design.strategy, layout=start.params.layout, run=self.folder.name,
                             plan=self.hash, sites={site: held.num_train for site, held in ready.items()},
                             deadline_s=self.plan.cohort.deadline_s, weights=class_weights(self.plan, ready),
                             codec=make_codec(self.plan.exchange), tally=tally_of(design), audit=self.audit.write)
        course, last = Course(state=start, best=start.params), checkpoints.load_last(self.folder.checkpoints)
        if last is not None:
            course, memories = unpack(last, start)
            fleet.restore(memories)
        keeper = Keeper(self.folder, fleet, silent, every_s=0.0, last=_to_keep(self.folder, last))
        del start, last  # a large model's, which nobody needs while it trains
        fleet.watch = keeper.watch
        try:
            self.announce(ready, course, keeper)
            course = self.trained(design, fleet, course, keeper)
            Closing(design=design, fleet=fleet, ready=ready, folder=self.folder, plan_hash=self.hash, tell=self.tell,
                    with_local=self.state.control.with_local, min_sites=self.num_needed()).close(course, keeper)
        finally:
            keeper.close()
        self.tell("finished" if course.is_over(self.plan.rounds) else "stopped")

    def announce(self, ready: Mapping[str, Ready], course: Course, keeper: Keeper) -> None:
        """Journal that the run begins or goes on, and without whom."""
        if not self.folder.is_finished:
            keeper.watch(_started(self.plan, ready, course))
        for site, reason in self.greeting.away.items():
            if reason:
                keeper.watch(Note(text=f"site {site} does not take part: {reason}"))
        for text in self.greeting.notes:
            keeper.watch(Note(text=text))

    def trained(self, design: Design, fleet: NvflareFleet, course: Course, keeper: Keeper) -> Course:
        """Run rounds until they are done, or stopped by the coordinator: then the best so far counts."""
        def watch(event: Event) -> None:
            keeper.watch(event)
            if isinstance(event, RoundFinished):
                sites = engine.members if isinstance(engine, SecureNvflare) else event.train_loss_by_site
                self.audit.write("round", round=event.round, sites=sorted(sites), failed=dict(event.failed),
                                 bytes_up=event.bytes_up, bytes_down=event.bytes_down)

        def save(course: Course) -> None:
            keeper.after_round(course)
            self.round, self.best_round = course.state.round, course.best_round
            self.tell("training")
            if not course.is_over(self.plan.rounds):
                self.check_stopped(course)
                self.check_boundary()
                self.greet_beside()

        if self.folder.is_finished or course.is_over(self.plan.rounds):
            return course
        try:
            self.check_stopped(course)
            self.check_wish()  # not for the hub's boundary: every job has a round, however often sites come and go
            self.tell("training")
            engine = self.engine(fleet, done=course.state.round)
            return run_rounds(self.plan, design.strategy, engine, course, watch=watch, save=save)
        except Stopped as stopped:
            return stopped.course
        except BudgetSpent as spent:
            course = keeper.course or course
            if not course.state.round:
                raise
            keeper.watch(Note(text=f"privacy budget is spent: training ends after round {course.state.round}. {spent}"))
            return judge_last(self.plan, design.strategy, fleet, course)

    def engine(self, fleet: NvflareFleet, *, done: int) -> Watched:
        """What trains: of a plan with secure sums, one that asks for no single update."""
        if not self.plan.aggregation.secure:
            return budgeted(fleet, self.plan, self.folder, done=done)
        return SecureNvflare(fleet, plan=self.plan, plan_hash=self.hash, folder=self.folder,
                             identities={site: held.identity or "" for site, held in self.greeting.ready.items()})

    def check_stopped(self, course: Course) -> None:
        """Stopped if that is wanted and there is a round to test."""
        if self.state.control.want == "stop" and course.best_round:
            raise Stopped(course)


def design_of(plan: Plan, ready: Mapping[str, Ready]) -> Design:
    """What the sites' images and the plan make of the model."""
    first = next(iter(ready.values()))
    strategy = with_noise(build_strategy(plan), plan, server_terms(plan), plan.sites.num)
    return Design(plan=plan, strategy=strategy, task=first.task, classes=first.classes, regions=first.regions)


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


def _to_keep(folder: RunFolder, last: Checkpoint | None) -> Checkpoint | None:
    """The checkpoint by which the journal is cut off; of a run that has finished nothing is repeated, so all whole lines stay."""
    if not folder.is_finished:
        return last
    if last is None:
        raise CheckpointError(f"{folder.path} has finished and its checkpoints are gone, so its model cannot be sent to the sites again. "
                              "Give them model.safetensors, model.json and card.md by another way.")
    whole = (folder.path / "journal.jsonl").read_bytes().rfind(b"\n") + 1
    return replace(last, meta={**last.meta, "journal_bytes": whole})


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
