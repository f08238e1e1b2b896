"""The averaged global model: what joins it, what is evaluated, and what training goes on from."""

from dataclasses import replace

import pytest
import torch

from wardround.core.params import Layout, Params
from wardround.core.state import State
from wardround.plan.schema import RoundsPlan
from wardround.rounds.course import Course
from wardround.testing import toy_blueprint, toy_run

LAYOUT = Layout.of([("w", torch.zeros(1), True), ("running_mean", torch.zeros(1), False)])


def after(values: list[float], plan: RoundsPlan) -> Course:
    """The course after rounds whose parameters are (value, -value)."""
    course = Course(state=State(round=0, params=Params(torch.zeros(2), LAYOUT), num_sites=1), best=Params(torch.zeros(2), LAYOUT))
    for t, value in enumerate(values, start=1):
        state = replace(course.state, round=t, params=Params(torch.tensor([value, -value]), LAYOUT))
        course = replace(course, state=state).averaged(plan)
    return course


def test_without_an_average_the_answer_is_the_global_model() -> None:
    course = after([1.0, 3.0], RoundsPlan(num=2))
    assert course.average is None
    assert course.answer is course.state.params


def test_swa_is_the_equal_mean_of_the_rounds_after_its_beginning() -> None:
    plan = RoundsPlan(num=5, average="swa", average_from=0.4)  # rounds 3, 4, 5
    assert after([9.0, 9.0], plan).answer.flat.tolist() == [9.0, -9.0]
    assert after([9.0, 9.0, 1.0], plan).answer.flat.tolist() == [1.0, -1.0]
    course = after([9.0, 9.0, 1.0, 4.0, 7.0], plan)
    assert course.num_averaged == 3
    assert course.answer.flat.tolist() == pytest.approx([4.0, -4.0])  # the buffer too
    assert course.state.params.flat.tolist() == [7.0, -7.0]


def test_ema_weighs_rounds_by_powers_of_its_decay_that_sum_to_one() -> None:
    course = after([1.0, 4.0, 8.0], RoundsPlan(num=3, average="ema", ema_decay=0.5))
    assert course.answer.flat.tolist() == pytest.approx([(0.25 * 1 + 0.5 * 4 + 8) / 1.75, -(0.25 * 1 + 0.5 * 4 + 8) / 1.75])


def test_ema_of_the_same_parameters_is_those_parameters_from_the_first_round_on() -> None:
    for rounds in (1, 2, 7):
        assert after([3.0] * rounds, RoundsPlan(num=9, average="ema")).answer.flat.tolist() == [3.0, -3.0]


def test_ema_without_decay_is_the_global_model() -> None:
    course = after([1.0, 4.0, 8.0], RoundsPlan(num=3, average="ema", ema_decay=0.0))
    assert torch.equal(course.answer.flat, course.state.params.flat)


def test_a_mean_does_not_share_memory_with_the_state() -> None:
    course = after([1.0], RoundsPlan(num=1, average="ema"))
    assert course.answer.flat.data_ptr() != course.state.params.flat.data_ptr()


@pytest.mark.parametrize("average", ["swa", "ema"])
def test_the_average_is_evaluated_and_kept_and_training_does_not_notice(average) -> None:
    rounds = RoundsPlan(num=4, metric="loss", average=average, average_from=0.0)
    plain, _ = toy_run(toy_blueprint(rounds=rounds.model_copy(update={"average": "none"})))
    course, _ = toy_run(toy_blueprint(rounds=rounds))
    assert torch.equal(course.state.params.flat, plain.state.params.flat)
    assert not torch.equal(course.answer.flat, plain.answer.flat)
    assert course.best_score != plain.best_score
    assert course.judged(course.best_score + 1).best is course.average
