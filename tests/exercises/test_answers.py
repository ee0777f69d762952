"""Every exercise there is, found by its folder: its solution and each right answer are correct, its stub is not
attempted, each wrong answer gets the message that is meant for it, and what the learner reads is whole.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynclab.checking.exercise import Exercise, functions_in
from asynclab.exercises import Outcome, all_exercises, exercise
from asynclab.taught import taught

EXERCISES = all_exercises()
ANSWERS = [
    pytest.param(ex, answer, id=f"{ex.id}-{answer.__name__}")
    for ex in EXERCISES
    for answer in [ex.solution_function, *ex.answers().values()]
]
each_exercise = pytest.mark.parametrize("ex", EXERCISES, ids=[ex.id for ex in EXERCISES])


def check(ex: Exercise, answer: Any, **options: Any) -> Outcome:
    """Check an answer on a loop of its own, on which nothing may be left."""

    async def main() -> Outcome:
        outcome = await ex.check(answer, **options)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    return asyncio.run(main())


@pytest.mark.parametrize(("ex", "answer"), ANSWERS)
def test_an_answer_gets_its_verdict(ex: Exercise, answer: Any) -> None:
    is_solution = answer is ex.solution_function
    message = "" if is_solution else (answer.__doc__ or "").strip().partition("\n")[0]
    outcome = check(ex, answer)
    if message:
        assert outcome.status == "not yet" and message in outcome.message, outcome
    else:
        assert outcome.status == "correct", outcome


@each_exercise
def test_a_stub_is_not_attempted(ex: Exercise) -> None:
    outcome = check(ex, functions_in(ex.folder / "stub.py")[ex.name])
    assert outcome.status == "not attempted"


@each_exercise
def test_an_exercise_is_complete(ex: Exercise) -> None:
    texts = [ex.title, ex.task, *ex.hints, *ex.sections.values()]
    for text in texts:
        assert text.strip() and text.count("`") % 2 == 0, text
    assert len(set(ex.hints)) == len(ex.hints) >= 2
    assert f"`{ex.name}" in ex.task or ex.name in ex.stub
    lines = [line for line in ex.stub.splitlines() if line.strip()]
    assert len(lines) <= 12 and max(map(len, lines)) <= 100
    assert ex.solution_function.__doc__, "a learner reads the solution"
    wrong = [answer for answer in ex.answers().values() if answer.__doc__]
    assert len(wrong) >= 5 and len(wrong) < len(ex.answers()), "five mistakes or more, and another way to be right"


def test_what_chapter_3_teaches_solves_its_exercises() -> None:
    chapter = taught(3)

    def make_limiter(rate, per):
        return chapter.AsyncRateLimiter(rate, per).acquire

    async def run_bounded(jobs):
        return await chapter.bounded_map(lambda job: job(), jobs, 5)

    for identifier, answer in (("3.1", run_bounded), ("3.5", make_limiter)):
        outcome = check(exercise(identifier), answer)
        assert outcome.status == "correct", outcome


def test_a_class_may_make_what_a_function_was_to_make() -> None:
    function = exercise("4.1").answers()["class_outside"]
    outcome = check(exercise("4.1"), function.__globals__["_Connected"])
    assert outcome.status == "correct", outcome


def test_ids_are_in_order_and_unique() -> None:
    ids = [(ex.chapter, int(ex.id.partition(".")[2])) for ex in EXERCISES]
    assert ids == sorted(set(ids))
    assert {1, 2, 3} <= {chapter for chapter, _ in ids}
