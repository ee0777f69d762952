"""A small exercise of which nobody has tried anything yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynclab.checking.card import Outcome
from asynclab.checking.exercise import Exercise
from asynclab.checking.progress import VARIABLE

FILES = {
    "task.md": """# Double ★ 2 minutes

Write `double`, which waits a little and returns twice its number.

## To do

Replace the `...`.

## Hints

1. What is twice <three>?
2. `2`,
   really.

## Praise

Doubled.

## Why

Two times.
""",
    "stub.py": "async def double(number):\n    return ... * number\n",
    "solution.py": '''"""Our way."""


async def double(number):
    """Return twice the number."""
    return 2 * number
''',
    "check.py": """
from asynclab.checking.expect import expect, expect_cancelled, expect_free_loop, expect_nothing_left, said

ERROR_MESSAGES = {r"NameError: name '(\\w+)'": "there is no `{0}` here. Look for a slip."}


async def check(double, world):
    number = world.size(3, 4, 5, 1000)
    world.facts.append(f"the number {number}")
    run = await world.watch(number, deadline=60)
    expect_cancelled(run)
    expect_free_loop(run)
    expect_nothing_left(run)
    if not run.cancelled:
        expect(run.value == 2 * number, f"it is {said(run.value)}. Return {2 * number}.")
""",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the learner's data that is nobody's; it does not exist yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def ex(tmp_path: Path) -> Exercise:
    """The exercise, made anew."""
    return make(tmp_path)


def make(parent: Path, **files: str) -> Exercise:
    """Return the exercise with other texts in some of its files: `make(tmp_path, task="…")`."""
    place = parent / "09_numbers" / "1_double"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (place / name).write_text(files.get(name.partition(".")[0], text), "utf-8")
    return Exercise(place)


@pytest.fixture
def check(ex: Exercise) -> Callable[..., Outcome]:
    """Check an answer to the exercise on a loop of its own, on which nothing may be left."""

    def checked(*answer: Any, **options: Any) -> Outcome:
        async def main() -> Outcome:
            outcome = await ex.check(*answer, **options)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return outcome

        return asyncio.run(main())

    return checked
