"""Exercises that judge what a learner's code does, and the record of what is done.

ex = exercise("1.1")
await ex.check(my_function)
ex.hint()
ex.solution()

Nothing is registered: a folder in `notebooks/exercises` is an exercise.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from .checking.card import Outcome
from .checking.exercise import Exercise
from .checking.progress import Report, status_of, store

__all__ = ["Exercise", "Outcome", "all_exercises", "exercise", "progress"]

_NOTEBOOKS = Path(__file__).parents[1]


@functools.cache
def _chapters() -> dict[str, list[Exercise]]:
    """Return the exercises of each chapter, in order, by the chapter's name."""
    folders = sorted(path for path in (_NOTEBOOKS / "exercises").iterdir() if path.name[:2].isdigit())
    return {each.name: sorted(map(Exercise, each.glob("[0-9]*_*")), key=lambda ex: int(ex.id[2:])) for each in folders}


def all_exercises() -> list[Exercise]:
    """Return every exercise of the guide, in order."""
    return [each for exercises in _chapters().values() for each in exercises]


def exercise(identifier: str) -> Exercise:
    """Return the exercise with this identifier, such as "1.2". Raises KeyError, naming those there are, for others."""
    known = {each.id: each for each in all_exercises()}
    if identifier not in known:
        raise _Unknown(f"there is no exercise {identifier!r}; there are {', '.join(known)}")
    return known[identifier]


def progress(*, reset: bool = False) -> Report:
    """Return what you have done in all chapters, to be shown as a cell's last line; `reset=True` forgets it all.

    It is kept in one file on this machine, in your data folder (or the one that the environment variable
    ASYNCIO_GUIDE_DATA names), and nowhere else.
    """
    kept = store()
    if reset:
        kept.reset()
    records = kept.records()
    chapters = [
        (_title(name), {each.id: status_of(records.get(each.id)) for each in exercises})
        for name, exercises in _chapters().items()
    ]
    return Report(chapters, kept.news())


def _title(chapter: str) -> str:
    """Return the heading of a chapter's notebook."""
    cells = json.loads((_NOTEBOOKS / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    return "".join(cells[0]["source"]).partition("\n")[0].removeprefix("# ")


class _Unknown(KeyError):
    """A KeyError whose message is shown as it is, not as the repr of a key."""

    def __str__(self) -> str:
        return str(self.args[0])
