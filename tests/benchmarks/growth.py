"""Many waits at once: one after another, a thread each, a task each, a process each.

    python tests/benchmarks/growth.py [--effort quick]

A wait lasts 50 ms. A column says by how much the time of so many exceeds these 50 ms, over their number; "memory" is
what one of them holds while all are open, at the most that were measured. Each measurement has a process of its own,
so that none finds the memory of another. Of the times the shortest counts, because other work on
the machine only adds to it, of the memory the median. Where so many would take too long, or hold too much, or cannot
be started, there is no number.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable

import bench
from bench import Column, Row, Section

from asynclab import waits
from asynclab.page.numbers import duration, size
from asynclab.plots.runs import CannotRun
from asynclab.plots.sweep import Point

SECONDS, PATIENCE = 0.05, 30.0
SIZES = {"10 waits": 10, "1,000 waits": 1_000, "10,000 waits": 10_000}
OURS = "asyncio"
ONLY_TEN = ("sequential", "processes")  # more take minutes, or gigabytes
GOAL, GOAL_OF_MEMORY = 20e-6, 2048  # of a task, in seconds and in bytes


def _anyio(number: int, seconds: float, started: list) -> tuple[float, int]:
    import anyio.lowlevel

    async def main() -> tuple[float, int]:
        await anyio.sleep(0.001)
        base, began = waits.resident(), time.perf_counter()
        async with anyio.create_task_group() as group:
            for each in range(number):
                group.start_soon(anyio.sleep, seconds)
                started.append(each)
            await anyio.lowlevel.checkpoint()
            held = waits.resident() - base
        return time.perf_counter() - began, held

    return anyio.run(main)


PEERS: dict[str, Callable] = {"anyio": _anyio}


async def once(way: str, number: int) -> Point:
    """Measure one way and number of waits; a point without runs if it cannot be done."""
    program = [__file__] if way in PEERS else []
    try:
        return await waits.measure_once(way, number, SECONDS, PATIENCE, program)
    except CannotRun:
        return Point(())


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    turns = {"long": 9, "usual": 5, "quick": 3}.get(effort, 1)
    sizes = SIZES if effort in ("long", "usual", "quick") else {"10 waits": 10}
    before = bench.load()
    ways = [OURS, *[name for name in PEERS if bench.peer(name)], *[way for way in waits.WAYS if way != OURS]]
    rows: dict[str, Row] = {way: {} for way in ways}
    for (column, number), way in itertools.product(sizes.items(), ways):
        if number > 10 and way in ONLY_TEN:
            continue
        points = [bench.run(once(way, number)) for _ in range(turns)]
        fastest = min((point.fastest for point in points if point.runs), default=math.nan)
        if not math.isnan(fastest):
            rows[way][column] = max(fastest - SECONDS, 1e-9) / number
            rows[way]["memory"] = bench.median(point.memory for point in points if point.runs) / number
    columns = [
        Column("10 waits", duration, None, log=True),
        *[Column(name, duration, min, ("≤", GOAL), log=True) for name in list(SIZES)[1:]],
        Column("memory", size, min, ("≤", GOAL_OF_MEMORY) if len(sizes) > 1 else None, log=True),
    ]
    title = f"Waits of {duration(SECONDS)}, all at once: what each adds to the time of the longest, and holds"
    notes = [f"Before: {before}; after: {bench.load()}."]
    return Section(title, columns, [OURS], rows, beside=["sequential"], absent=bench.absent(PEERS), notes=notes)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in PEERS:  # the process that measures a peer
        waits.report(PEERS[sys.argv[1]], "tasks", *sys.argv[2:])
    bench.alone(measure)
