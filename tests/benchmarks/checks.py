"""What a check costs: the first one, every answer to every exercise, and how many worlds a right one sees a second.

    python tests/benchmarks/checks.py

There are no peers to measure beside: the goals are a first check within a second, later ones within 0.3 seconds (the
median of chapters 1 and 3), and 200 worlds a second in virtual time.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import tempfile
import time
from typing import Any

from bench import conditions

from asynclab.checking.card import Outcome
from asynclab.checking.exercise import Exercise
from asynclab.exercises import all_exercises
from asynclab.page.numbers import duration
from asynclab.page.table import table


async def timed(ex: Exercise, answer: Any) -> tuple[float, Outcome]:
    """Return how many seconds a check took, and its outcome."""
    began = time.perf_counter()
    outcome = await ex.check(answer)
    return time.perf_counter() - began, outcome


async def main() -> None:
    """Check every answer, one after the other, and print a row for each exercise."""
    exercises = all_exercises()
    first, _ = await timed(exercises[0], exercises[0].solution_function)
    rows = []
    for ex in exercises:
        checks = [await timed(ex, answer) for answer in (ex.solution_function, *ex.answers().values())]
        seconds, solved = checks[0]
        worlds = int(re.search(r"\d+", solved.evidence or solved.message)[0])
        median, longest = statistics.median(s for s, _ in checks), max(s for s, _ in checks)
        speed = f"{worlds / seconds:,.0f}"
        rows.append([ex.id, f"{len(checks)}", duration(median), duration(longest), f"{worlds}", speed])
    print(f"The first check: {duration(first)}.\n")
    print(table(["exercise", "answers", "median", "longest", "worlds of a right one", "worlds a second"], rows))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASYNCIO_GUIDE_DATA"] = folder
        print(conditions())
        asyncio.run(main())
