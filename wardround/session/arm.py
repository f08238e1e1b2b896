"""One arm from its first round to its scores."""

from __future__ import annotations

from collections.abc import Mapping

from wardround.attacks.choose import in_words as attack_in_words
from wardround.build import Arm, ArmBlueprint, build, initial_params
from wardround.core.events import Note, RunFinished, RunStarted, Watch
from wardround.core.params import Layout
from wardround.data.prepare import Prepared
from wardround.errors import DataError, PrivacyError, Resumable
from wardround.fleet.base import Fleet, Memories
from wardround.fleet.budget import BudgetedFleet, BudgetSpent
from wardround.fleet.choose import open_fleet
from wardround.fleet.secure import SecureFleet
from wardround.fleet.wrapped import Watched
from wardround.plan.schema import Plan
from wardround.privacy.conflicts import cautions, is_site_level
from wardround.privacy.ledger import Ledger, open_ledgers
from wardround.privacy.site_level import warning
from wardround.privacy.terms import SERVER, promises
from wardround.rounds.arrivals import fault
from wardround.rounds.course import Course
from wardround.rounds.loop import judge_last, run_rounds
from wardround.runs import checkpoint as checkpoints
from wardround.runs.checkpoint import Checkpoint
from wardround.runs.folder import RunFolder, write_json, write_predictions
from wardround.runs.spending import write_spending
from wardround.session import outcome
from wardround.session.keeper import Keeper, unpack
from wardround.session.stop import terminable, uninterrupted


def run_arm(plan: Plan, prepared: Prepared, arm: Arm, site: str | None, folder: RunFolder, watch: Watch) -> RunFolder:
    """Train, or go on from the last checkpoint, test the best round once, and write the run's results.

    Resumable when stopped by Ctrl-C, SIGTERM or a full disk: the last whole round is on disk.
    """
    blueprint = build(plan, prepared, arm, site)
    check_rows(blueprint, arm)
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    course, memories, last = Course(state=start, best=start.params), Memories(), checkpoints.load_last(folder.checkpoints)
    if last is not None:
        course, memories = unpack(last, start)
    ledgers = open_ledgers(folder.path / "privacy", blueprint.plan, blueprint.terms, done=last.round if last else 0)
    fleet = engine(blueprint, start.params.layout, folder, ledgers)
    keeper = Keeper(folder, fleet, watch, every_s=plan.rounds.checkpoint_every_s, last=last)
    fleet.watch = keeper.watch
    try:
        fleet.restore(memories)
        with terminable():
            _announce(blueprint, prepared, arm, course, last, keeper.watch)
            for text in said_before(blueprint, start.params.layout):
                keeper.watch(Note(text=text))
            course = _train(blueprint, fleet, course, keeper)
            if ledgers:
                write_spending(folder, blueprint.terms, ledgers, promises(next(iter(blueprint.terms.values()))))
            finished = _finish(blueprint, prepared, arm, course, fleet, folder)
        keeper.watch(finished)
    finally:
        fleet.close()
        keeper.close()
    return folder


def engine(blueprint: ArmBlueprint, layout: Layout, folder: RunFolder, ledgers: Mapping[str, Ledger]) -> Watched:
    """The plan's engine: from the inside out the sites, what malicious ones change, what secure aggregation hides, who can still pay."""
    plan, fleet = blueprint.plan, open_fleet(blueprint, layout, work=folder.path / "work")
    if plan.aggregation.secure:
        fleet = SecureFleet(fleet, plan=plan.aggregation, layout=layout, strategy=blueprint.strategy, fault=fault)
    if not ledgers:
        return fleet
    return BudgetedFleet(fleet, ledgers, blueprint.terms, folder.name, min_sites=plan.cohort.min_sites)


def said_before(blueprint: ArmBlueprint, layout: Layout) -> list[str]:
    """What must be known before a run's numbers are believed: who is malicious in it, what its protection does not do and costs."""
    told = [attack_in_words(blueprint.plan.attack), *cautions(blueprint.plan), cost_in_words(blueprint, layout)]
    return [text for text in told if text]


def cost_in_words(blueprint: ArmBlueprint, layout: Layout) -> str | None:
    """What hiding whole sites does to a model of this size; None where it does little."""
    plan, num = blueprint.plan, len(blueprint.rows)
    if not is_site_level(plan):
        return None
    return warning(plan.cohort.asked(num), plan.privacy.epsilon, plan.rounds.num, layout.num_trainable, delta=blueprint.terms[SERVER].delta)


def check_rows(blueprint: ArmBlueprint, arm: Arm) -> None:
    """Refuse an arm that could not be judged; every site of it has training images, the partition saw to that."""
    if arm != "local" and not any(len(rows.val) for rows in blueprint.rows.values()):
        raise DataError("no validation images: the best round could not be chosen honestly. "
                        "Raise split.val, or choose another split.policy.")
    if not any(len(rows.test) for rows in blueprint.rows.values()):
        raise DataError("no test images: nothing could be measured. Raise split.test, or choose another split.policy.")


def _train(blueprint: ArmBlueprint, fleet: Fleet, course: Course, keeper: Keeper) -> Course:
    """Run the rounds; a stop by the user saves the last whole round first."""
    try:
        course = run_rounds(blueprint.plan, blueprint.strategy, fleet, course, watch=keeper.watch, save=keeper.after_round)
    except KeyboardInterrupt:
        with uninterrupted():
            keeper.save()
        done = keeper.course.state.round if keeper.course else course.state.round
        raise Resumable(f"stopped after round {done} of {blueprint.plan.rounds.num}; nothing is lost. "
                        f"Continue: wardround run --resume {keeper.folder.path}") from None
    except BudgetSpent as error:
        course = _ended(blueprint, fleet, keeper.course or course, keeper, error)
    keeper.save()
    return course


def _ended(blueprint: ArmBlueprint, fleet: Fleet, course: Course, keeper: Keeper, spent: BudgetSpent) -> Course:
    """The course of a run whose privacy budget is spent: its last round is saved and judged. PrivacyError if no round is done.

    A run that is resumed after that has no budget either, and ends here again."""
    done = course.state.round
    if not done:
        raise PrivacyError(str(spent)) from spent
    keeper.save()
    keeper.watch(Note(text=f"privacy budget is spent: training ends after round {done} of {blueprint.plan.rounds.num}; the best round so "
                           f"far is tested. {spent}"))
    return judge_last(blueprint.plan, blueprint.strategy, fleet, course)


def _finish(blueprint: ArmBlueprint, prepared: Prepared, arm: Arm, course: Course, fleet: Fleet, folder: RunFolder) -> RunFinished:
    """Test the best round once; scores.json is written last and marks the run as finished."""
    judged = outcome.test(blueprint, prepared, course, fleet)
    outcome.write_model(folder.path, blueprint, prepared, course, judged)
    outcome.write_gallery(folder.path / "figures", judged, blueprint, prepared, course)
    write_predictions(folder.path / "predictions.csv", judged.tested)
    scores = outcome.scores(blueprint, prepared, arm, course, judged)
    write_json(folder.path / "scores.json", scores)
    return RunFinished(rounds=course.state.round, best_round=course.best_round,
                       stopped_early=course.has_stopped_early(blueprint.plan.rounds), seconds=course.seconds, without=course.dropped,
                       metrics={name: entry["value"] for name, entry in scores["metrics"].items() if entry["value"] is not None})


def _announce(blueprint: ArmBlueprint, prepared: Prepared, arm: Arm, course: Course, last: Checkpoint | None, watch: Watch) -> None:
    watch(RunStarted(arm=arm, num_rounds=blueprint.plan.rounds.num, num_sites=len(blueprint.rows),
                     num_train=sum(len(rows.train) for rows in blueprint.rows.values()),
                     num_parameters=course.state.params.layout.num_trainable, phantom=prepared.catalogue.phantom,
                     metric=blueprint.plan.rounds.metric, resumed_from=last.round if last else 0))
