"""Exercises that judge what a learner's code does, and the record of what is done.

ex = exercise("1.1")
await ex.check(my_function)
ex.hint()
ex.solution()
"""

from __future__ import annotations

import functools
import types

from .exercise import Exercise, Outcome
from .learner import Report, status_of, store

__all__ = ["Exercise", "Outcome", "all_exercises", "exercise", "progress"]


@functools.cache
def _chapters() -> tuple[types.ModuleType, ...]:
    """Return the chapters' modules: each has a TITLE and its EXERCISES, in order."""
    # Not before they are asked for: they import what they teach, such as aiohttp.
    from . import chapter_01, chapter_02, chapter_03

    return chapter_01, chapter_02, chapter_03


def all_exercises() -> list[Exercise]:
    """Return every exercise of the guide, in order."""
    return [each for chapter in _chapters() for each in chapter.EXERCISES]


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
    chapters = [(c.TITLE, {each.id: status_of(records.get(each.id)) for each in c.EXERCISES}) for c in _chapters()]
    return Report(chapters, kept.news())


class _Unknown(KeyError):
    """A KeyError whose message is shown as it is, not as the repr of a key."""

    def __str__(self) -> str:
        return str(self.args[0])
