"""The round loop. Every engine runs it, the network's server too."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from wardround.core.events import RoundFinished, Scores, Watch
from wardround.core.exchange import EvaluateOrder, SiteFailed
from wardround.core.tally import Tally, total
from wardround.errors import TooFewSites
from wardround.evaluation.metrics import from_tally
from wardround.fleet.base import Fleet
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.rounds.arrivals import Arrivals
from wardround.rounds.cohort import choose_cohort
from wardround.rounds.course import Course, is_due, score_of
from wardround.strategies.base import Choosing, Personal, Strategy, Suspecting

Save = Callable[[Course], None]
MAX_TOLD = 100  # sites whose own scores are in every round's event; of more, only the sums


def run_rounds(plan: Plan, strategy: Strategy, fleet: Fleet, course: Course, *, watch: Watch, save: Save) -> Course:
    """Train from `course` until the plan's rounds are done or patience ends; `save` is called after each round."""
    while not course.is_over(plan.rounds):
        t, started = course.state.round + 1, time.perf_counter()
        cohort = choose_cohort(list(fleet.sites()), plan.cohort, stream(plan.seed, "cohort", t))
        if isinstance(strategy, Choosing):
            cohort = list(strategy.asked(course.state, cohort))
        order = strategy.order(course.state)
        arrivals = Arrivals(order=order, sites=fleet.sites(), min_sites=plan.cohort.min_sites)
        state = strategy.aggregate(course.state, arrivals.accepted(fleet.train(order, cohort)))
        fleet.commit()
        bytes_down = order.num_bytes * len(cohort)
        course = replace(course, state=state, bytes_up=course.bytes_up + arrivals.bytes_up, bytes_down=course.bytes_down + bytes_down,
                         train_seconds=course.train_seconds + arrivals.train_seconds).averaged(plan.rounds)
        event = RoundFinished(round=t, lr=order.recipe.lr, train_loss=arrivals.train_loss, train_loss_by_site=arrivals.losses,
                              failed=arrivals.failed, bytes_up=arrivals.bytes_up, bytes_down=bytes_down, update_norms=arrivals.norms,
                              suspicion=suspicion_of(strategy), train_seconds=arrivals.train_seconds)
        if is_due(t, plan.rounds):
            course, event = judge(plan, strategy, fleet, course, event)
        seconds = time.perf_counter() - started
        course = replace(course, seconds=course.seconds + seconds, dropped=tuple(sorted({*course.dropped, *event.failed})))
        watch(replace(event, seconds=seconds))
        save(course)
    return course


def suspicion_of(strategy: Strategy) -> Scores:
    """What the strategy's aggregator found in the round that has just ended; {} for one that looks at no single update."""
    combine = getattr(strategy, "combine", None)
    return combine.suspicion if isinstance(combine, Suspecting) else {}


def judge(plan: Plan, strategy: Strategy, fleet: Fleet, course: Course, event: RoundFinished) -> tuple[Course, RoundFinished]:
    """Evaluate on every site's validation rows, keep the best round, and complete the round's event."""
    course, by_site, failed = assessed(plan, strategy, fleet, course)
    told = {site: from_tally(tally) for site, tally in by_site.items()} if len(by_site) <= MAX_TOLD else {}
    event = replace(event, val=from_tally(total(list(by_site.values()))), val_by_site=told,
                    failed={**failed, **event.failed}, is_best=course.num_waited == 0)
    return course, event


def judge_last(plan: Plan, strategy: Strategy, fleet: Fleet, course: Course) -> Course:
    """The course of a run that ends before its plan says, with its last round evaluated: that was not due, but a last round always is."""
    return course if is_due(course.state.round, plan.rounds) else assessed(plan, strategy, fleet, course)[0]


def assessed(plan: Plan, strategy: Strategy, fleet: Fleet, course: Course) -> tuple[Course, dict[str, Tally], dict[str, str]]:
    """The course after an evaluation on every site's validation rows, with `validate`'s findings.

    Of personal models the last round is kept: what sites remembered in an earlier one is gone."""
    is_personal = isinstance(strategy, Personal)
    by_site, failed = validate(fleet, EvaluateOrder(round=course.state.round, params=course.answer, is_personal=is_personal))
    score = score_of(from_tally(total(list(by_site.values()))), plan.rounds.metric)
    return course.judged(score, keeps_last=is_personal), by_site, failed


def validate(fleet: Fleet, order: EvaluateOrder) -> tuple[dict[str, Tally], dict[str, str]]:
    """Tallies of the order's rows by site, and the sites that failed with the cause."""
    tallies: dict[str, Tally] = {}
    failed: dict[str, str] = {}
    for reply in fleet.evaluate(order, list(fleet.sites())):
        if isinstance(reply, SiteFailed):
            failed[reply.site] = f"evaluation: {reply.reason}"
        else:
            tallies[reply.site] = reply.tally
    if not tallies:
        causes = "; ".join(f"{site}: {reason}" for site, reason in failed.items())
        raise TooFewSites(f"round {order.round}: no site could evaluate the model. {causes}")
    return tallies, failed
