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
from itertools import groupby
from pathlib import Path

from .checking.card import Outcome
from .checking.exercise import Exercise
from .checking.progress import Report, status_of, store
from .taught import BESIDE

__all__ = ["Exercise", "Outcome", "all_exercises", "exercise", "progress"]

_NOTEBOOKS = Path(__file__).parents[1]


@functools.cache
def _exercises() -> list[Exercise]:
    found = map(Exercise, (_NOTEBOOKS / "exercises").glob("[0-9][0-9]_*/[0-9]*_*"))
    return sorted(found, key=lambda ex: (ex.chapter, int(ex.id.partition(".")[2])))


def all_exercises() -> list[Exercise]:
    """Return every exercise of the guide, in order, whether its chapter shows it or the notebook that goes deeper."""
    return list(_exercises())


def exercise(identifier: str) -> Exercise:
    """Return the exercise with this identifier, such as "1.2". Raises KeyError, naming those there are, for others."""
    known = {each.id: each for each in all_exercises()}
    if identifier not in known:
        raise UnknownExercise(f"there is no exercise {identifier!r}; there are {', '.join(known)}")
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
        (_title(number), {each.id: status_of(records.get(each.id)) for each in exercises})
        for number, exercises in groupby(all_exercises(), lambda ex: ex.chapter)
    ]
    return Report(chapters, kept.news())


def _title(chapter: int) -> str:
    """Return the heading of a chapter's notebook."""
    [path] = (path for path in _NOTEBOOKS.glob(f"{chapter:02}_*.ipynb") if not path.stem.endswith(BESIDE))
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "".join(cells[0]["source"]).partition("\n")[0].removeprefix("# ")


class UnknownExercise(KeyError):
    """A KeyError whose message is shown as it is, not as the repr of a key."""

    def __str__(self) -> str:
        return str(self.args[0])
