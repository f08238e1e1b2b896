"""What follows the rounds: temperature and threshold fixed on validation rows, the best round tested once at every hospital, results
written, and the model sent back to each site with its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wardround.build import Design
from wardround.core.events import Note, RunFinished
from wardround.core.exchange import EvaluateOrder, SiteFailed, SiteReport
from wardround.evaluation.temperature import TEMPERATURES
from wardround.fleet.nvflare import NvflareFleet
from wardround.network import results
from wardround.network.control import Phase
from wardround.network.messages import Deliver, Delivered, LocalOrder, Ready, SiteSummary, TestOrder
from wardround.rounds.course import Course
from wardround.runs.folder import RunFolder, read_json
from wardround.session.keeper import Keeper
from wardround.strategies.base import Personal

LOCAL_ROUNDS = 2  # a site's own arm may take as long as so many deadlines a round
Tell = Callable[[Phase], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Closing:
    """design, fleet, ready: of the study. plan_hash: of its plan. with_local: each site also trains its local arm. tell: the phase."""

    design: Design
    fleet: NvflareFleet
    ready: Mapping[str, Ready]
    folder: RunFolder
    plan_hash: str
    with_local: bool
    tell: Tell

    def close(self, course: Course, keeper: Keeper) -> None:
        """Test, write, deliver. A run that was written already is only delivered: test rows are read once."""
        if not self.folder.is_finished:
            self.tell("testing")
            self._judge(course, keeper)
        self.tell("delivering")
        self._deliver(course, keeper)

    @property
    def _is_personal(self) -> bool:
        return isinstance(self.design.strategy, Personal)

    def _judge(self, course: Course, keeper: Keeper) -> None:
        validated = self._validated(course)
        temperature, threshold = results.fixed_from_sums(self.design, [report.tally for report in validated],
                                                         [report.loss_sums for report in validated if report.loss_sums is not None])
        order = TestOrder(round=course.best_round, params=course.best, is_personal=self._is_personal, temperature=temperature,
                          threshold=threshold)
        summaries, missing = self._summed(order, course, self.fleet.deadline_s)
        alone: dict[str, SiteSummary] = {}
        if self.with_local:
            self.tell("local")
            alone, failed = self._summed(LocalOrder(), course, LOCAL_ROUNDS * self.design.plan.rounds.num * self.fleet.deadline_s)
            for site, reason in failed.items():
                keeper.watch(Note(text=f"site {site} has no local arm: {reason}"))
        found = results.scores(self.design, self.design.plan, course, list(summaries.values()), temperature=temperature,
                               threshold=threshold, missing=missing, ready=self.ready, locals=alone)
        keeper.watch(RunFinished(rounds=course.state.round, best_round=course.best_round, without=tuple(found["without"]),
                                 stopped_early=course.has_stopped_early(self.design.plan.rounds), seconds=course.seconds,
                                 metrics={name: entry["value"] for name, entry in found["metrics"].items() if entry["value"] is not None}))
        results.write(self.folder, self.design, course, found, self.ready, plan_hash=self.plan_hash)

    def _validated(self, course: Course) -> list[SiteReport]:
        """Sums over the validation rows of every site that answers."""
        temperatures = TEMPERATURES if self.design.plan.evaluation.calibrate and self.design.task != "segmentation" else ()
        order = EvaluateOrder(round=course.best_round, params=course.best, rows="val", is_personal=self._is_personal,
                              temperatures=temperatures)
        return [reply for reply in self.fleet.evaluate(order, list(self.fleet.sites())) if isinstance(reply, SiteReport)]

    def _summed(self, order: TestOrder | LocalOrder, course: Course, deadline_s: float) -> tuple[dict[str, SiteSummary], dict[str, str]]:
        """Each site's summary, and why others have none, in the fleet's order."""
        found: dict[str, SiteSummary] = {}
        missing: dict[str, str] = {}
        for site, reply in self.fleet.asked(dict.fromkeys(self.fleet.sites(), order), round=course.best_round, expects=SiteSummary,
                                            deadline_s=deadline_s, is_personal=self._is_personal):
            if isinstance(reply, SiteFailed):
                missing[site] = reply.reason
            else:
                found[site] = reply
        return {site: found[site] for site in self.fleet.sites() if site in found}, missing

    def _deliver(self, course: Course, keeper: Keeper) -> None:
        """The model and its card to every site; one that is not there is named, and gets them from the coordinator's run folder."""
        path = self.folder.path
        order = Deliver(round=course.best_round, params=course.best, is_personal=self._is_personal, record=read_json(path / "model.json"),
                        card=(path / "card.md").read_text(encoding="utf-8"))
        for site, reply in self.fleet.asked(dict.fromkeys(self.fleet.sites(), order), round=course.best_round, expects=Delivered,
                                            is_personal=self._is_personal):
            if isinstance(reply, SiteFailed):
                keeper.watch(Note(text=f"site {site} did not take the final model: {reply.reason}"))
