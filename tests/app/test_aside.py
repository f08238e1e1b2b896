"""The second process answers in order, says what goes wrong, and can be lost without loss."""

from collections.abc import Iterator

import asked
import pytest
from pytestqt.qtbot import QtBot

from wardround.app.aside import Aside, Request
from wardround.core.events import Event


class Answers:
    """Collects what comes back."""

    def __init__(self, aside: Aside, qtbot: QtBot) -> None:
        self.aside, self.qtbot = aside, qtbot
        self.done: list[object] = []
        self.failed: list[str] = []
        self.told: list[Event] = []

    def ask(self, function: object, *arguments: object, key: str = "", is_told: bool = False) -> None:
        self.aside.ask(Request(function=function, arguments=arguments, named={}, done=self.done.append, failed=self.failed.append,
                               told=self.told.append if is_told else None, key=key))

    def wait(self, number: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.done) + len(self.failed) == number, timeout=60_000)


@pytest.fixture
def answers(asides: tuple[Aside, Aside], qtbot: QtBot) -> Iterator[Answers]:
    asides[0].mute(lambda request: True)
    yield Answers(asides[0], qtbot)
    asides[0].mute(lambda request: True)


def test_answers_come_in_the_order_of_the_questions(answers: Answers) -> None:
    for number in range(5):
        answers.ask(asked.doubled, number)
    answers.wait(5)
    assert answers.done == [0, 2, 4, 6, 8]


def test_a_newer_question_of_the_same_key_takes_the_place_of_older_ones(answers: Answers) -> None:
    for number in range(5):
        answers.ask(asked.doubled, number, key="alpha")
    answers.wait(1)
    assert answers.done == [8]


@pytest.mark.parametrize(("function", "arguments", "said"), [
    (asked.refused, ("scan.png",), "scan.png is no image. Choose another."),
    (asked.absent, (), "/no/such/file: No such file or directory. Check that the place exists and may be read."),
    (asked.broken, (), "This is a fault of wardround")])
def test_an_error_comes_back_as_a_sentence(answers: Answers, function: object, arguments: tuple[object, ...], said: str) -> None:
    answers.ask(function, *arguments)
    answers.wait(1)
    assert said in answers.failed[0]


def test_progress_is_told_before_the_answer(answers: Answers) -> None:
    answers.ask(asked.told, is_told=True)
    answers.wait(1)
    assert [event.done for event in answers.told] == [1] and answers.done == ["done"]


def test_a_process_that_dies_is_told_and_replaced(answers: Answers) -> None:
    answers.ask(asked.killed)
    answers.ask(asked.doubled, 21)
    answers.wait(2)
    assert "ended before it had an answer" in answers.failed[0] and answers.done == [42]


def test_what_takes_too_long_is_cancelled_and_the_next_question_answered(answers: Answers) -> None:
    answers.ask(asked.slowly, is_told=True)
    answers.qtbot.waitUntil(lambda: bool(answers.told), timeout=60_000)
    answers.ask(asked.doubled, 4)
    answers.aside.cancel()
    answers.wait(1)
    assert answers.done == [8] and answers.failed == []
