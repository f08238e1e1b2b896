"""What follows the rounds: local arms, temperature and threshold fixed on validation rows, the best round tested once at every hospital,
results written, and the model sent back to each site with its card.

Local arms take long and come first: between the test and scores.json, which keeps it from being repeated, no time is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wardround.build import Design
from wardround.core.events import Note, RunFinished
from wardround.core.exchange import EvaluateOrder, SiteFailed, SiteReport
from wardround.errors import NetworkError, TooFewSites, WireError
from wardround.evaluation.temperature import TEMPERATURES
from wardround.fleet.nvflare import NvflareFleet
from wardround.network import results
from wardround.network.control import Phase
from wardround.network.messages import Deliver, Delivered, LocalOrder, Ready, SiteSummary, TestOrder
from wardround.plan.schema import Plan
from wardround.rounds.course import Course
from wardround.runs.folder import RunFolder, read_json
from wardround.session.keeper import Keeper
from wardround.strategies.base import Personal

LOCAL_ROUNDS = 2  # a site's own arm may take as long as so many deadlines a round,
LOCAL_S = (3600.0, 10.0**6)  # but an hour, for it also starts processes, tests and draws; and no longer than an envelope may say
Tell = Callable[[Phase], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Closing:
    """design, fleet, ready: of the study. plan_hash: of its plan. with_local: each site also trains its local arm. min_sites: fewer are
    not tested. tell: the phase."""

    design: Design
    fleet: NvflareFleet
    ready: Mapping[str, Ready]
    folder: RunFolder
    plan_hash: str
    with_local: bool
    min_sites: int
    tell: Tell

    def close(self, course: Course, keeper: Keeper) -> None:
        """Test, write, deliver. A run that was written already is only delivered: test rows are read once.

        TooFewSites, before any test row is read, if fewer than min_sites answer."""
        if not self.folder.is_finished:
            self._judge(course, keeper, self._alone(course, keeper) if self.with_local else {})
        elif not (self.folder.path / "report.html").exists():
            from wardround.report.html import write_run_report  # matplotlib is loaded when there is something to draw

            write_run_report(self.folder.path)
        self.tell("delivering")
        self._deliver(course, keeper)

    @property
    def _is_personal(self) -> bool:
        return isinstance(self.design.strategy, Personal)

    def _alone(self, course: Course, keeper: Keeper) -> dict[str, SiteSummary]:
        """The test of each site's local arm. A site that has trained it before an interruption answers at once."""
        self.tell("local")
        found, failed = self._summed(LocalOrder(), course, local_deadline_s(self.design.plan))
        for site, reason in failed.items():
            keeper.watch(Note(text=f"site {site} has no local arm: {reason}"))
        return found

    def _judge(self, course: Course, keeper: Keeper, alone: dict[str, SiteSummary]) -> None:
        self.tell("testing")
        validated = self._validated(course)
        temperature, threshold = results.fixed_from_sums(self.design, [report.tally for report in validated],
                                                         [report.loss_sums for report in validated if report.loss_sums is not None])
        order = TestOrder(round=course.best_round, params=course.best, is_personal=self._is_personal, temperature=temperature,
                          threshold=threshold)
        summaries, missing = self._summed(order, course, self.fleet.deadline_s)

        def scored(tested: Mapping[str, SiteSummary], alone: Mapping[str, SiteSummary]) -> dict[str, Any]:
            return results.scores(self.design, self.design.plan, course, list(tested.values()), temperature=temperature,
                                  threshold=threshold, missing=missing, ready=self.ready, locals=alone)

        try:
            found = scored(summaries, alone)
        except WireError:
            missing |= _sifted(summaries, lambda one: scored(one, {}))
            for site, reason in _sifted(alone, lambda one: scored({}, one)).items():
                keeper.watch(Note(text=f"site {site} has no local arm: {reason}"))
            found = scored(summaries, alone)
        keeper.watch(RunFinished(rounds=course.state.round, best_round=course.best_round, without=tuple(found["without"]),
                                 stopped_early=course.has_stopped_early(self.design.plan.rounds), seconds=course.seconds,
                                 metrics={name: entry["value"] for name, entry in found["metrics"].items() if entry["value"] is not None}))
        results.write(self.folder, self.design, course, found, self.ready, plan_hash=self.plan_hash)

    def _validated(self, course: Course) -> list[SiteReport]:
        """Sums over the validation rows of every site that answers; TooFewSites if these are fewer than min_sites."""
        temperatures = TEMPERATURES if self.design.plan.evaluation.calibrate and self.design.task != "segmentation" else ()
        order = EvaluateOrder(round=course.best_round, params=course.best, rows="val", is_personal=self._is_personal,
                              temperatures=temperatures)
        replies = list(self.fleet.evaluate(order, list(self.fleet.sites())))
        reports = [reply for reply in replies if isinstance(reply, SiteReport)]
        if len(reports) < self.min_sites:
            causes = "; ".join(f"{reply.site}: {reply.reason}" for reply in replies if isinstance(reply, SiteFailed))
            raise TooFewSites(f"the test waits: {len(reports)} of at least {self.min_sites} sites are there. {causes}")
        return reports

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


def local_deadline_s(plan: Plan) -> float:
    """How long a site's local arm may take."""
    return min(max(LOCAL_ROUNDS * plan.rounds.num * plan.cohort.deadline_s, LOCAL_S[0]), LOCAL_S[1])


def _sifted(summaries: dict[str, SiteSummary], scored: Callable[[Mapping[str, SiteSummary]], object]) -> dict[str, str]:
    """Take out the sites whose summary cannot be used, so that none shuts out the others; returns why. scored: WireError for such a one."""
    spoilt: dict[str, str] = {}
    for site, summary in list(summaries.items()):
        try:
            scored({site: summary})
        except WireError as error:
            spoilt[site] = str(error)
            del summaries[site]
        except NetworkError:  # alone it has no test images
            pass
    return spoilt
