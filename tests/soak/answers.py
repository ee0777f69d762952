"""Every answer to every exercise, twenty times in a row, with eight busy loops beside it: no verdict ever differs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from load import busy_loops

from asynclab.checking.exercise import Exercise
from asynclab.exercises import all_exercises

TIMES = 20
_AT_ONCE = 4  # checks
_BUSY = 8  # loops that only compute


async def verdicts(ex: Exercise, answers: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return the status, the message and the evidence that each answer gets."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def verdict(answer: Any) -> tuple[str, str, str]:
        async with places:
            outcome = await ex.check(answer)
        return outcome.status, outcome.message, outcome.evidence

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(verdict(answer)) for name, answer in answers.items()}
    return {name: task.result() for name, task in tasks.items()}


@pytest.mark.parametrize("ex", all_exercises(), ids=repr)
def test_no_verdict_flickers(ex: Exercise) -> None:
    answers = {"our solution": ex.solution_function, **ex.answers()}
    with busy_loops(_BUSY):
        for _ in range(TIMES):
            for name, (status, message, evidence) in asyncio.run(verdicts(ex, answers)).items():
                wanted = "" if name == "our solution" else (answers[name].__doc__ or "").strip().partition("\n")[0]
                assert status == ("not yet" if wanted else "correct"), (name, message, evidence)
                assert wanted in message, (name, message, evidence)
