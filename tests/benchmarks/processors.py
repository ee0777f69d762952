"""Jobs in the background: the `AsyncTaskProcessor` that chapter 5 teaches beside the guide's, and beside its peers.

    python tests/benchmarks/processors.py [--effort quick]

A job does nothing, so that all of its time is the way's own cost; "over bare" is how much more that is than in workers
that take jobs from a queue and keep nothing, in the same turn. "At once" is how many jobs of a millisecond were running
at most. Memory is the peak in a run of its own, with the results.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
import tracemalloc
from collections.abc import Awaitable, Callable

import bench
from bench import Column, Row, Section, count, peer

from asynclab.page.numbers import duration, ratio, size
from asynclab.taught import taught

chapter = taught(5)
WORKERS, WAITING = 5, 100
Job = Callable[[], Awaitable[object]]
Way = Callable[[Job, int], Awaitable[object]]


class guide_AsyncTaskProcessor:
    """The guide's, as it stands."""

    def __init__(self, max_workers: int = 5) -> None:
        self.max_workers = max_workers
        self.semaphore = asyncio.Semaphore(max_workers)
        self.tasks = []

    async def add_task(self, coro: Awaitable) -> asyncio.Task:
        async with self.semaphore:
            task = asyncio.create_task(coro)
            self.tasks.append(task)
            return task

    async def process_all_tasks(self) -> list:
        if not self.tasks:
            return []
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        return results


async def as_taught(job: Job, number: int) -> list:
    async with chapter.AsyncTaskProcessor(WORKERS, WAITING) as processor:
        for _ in range(number):
            await processor.add_task(job)
        return await processor.process_all_tasks()


async def as_the_guide_says(job: Job, number: int) -> list:
    processor = guide_AsyncTaskProcessor(WORKERS)
    for _ in range(number):
        await processor.add_task(job())
    return await processor.process_all_tasks()


async def grouped(job: Job, number: int) -> list:
    places = asyncio.Semaphore(WORKERS)

    async def one() -> object:
        async with places:
            return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(number)]
    return [task.result() for task in tasks]


async def aiometer(job: Job, number: int) -> list:
    return await peer("aiometer").run_all([job] * number, max_at_once=WORKERS)


async def anyio(job: Job, number: int) -> list:
    places, results = peer("anyio").CapacityLimiter(WORKERS), [None] * number

    async def one(position: int) -> None:
        async with places:
            results[position] = await job()

    async with peer("anyio").create_task_group() as group:
        for position in range(number):
            group.start_soon(one, position)
    return results


async def aiojobs(job: Job, number: int) -> list:
    results = [None] * number

    async def one(position: int) -> None:
        results[position] = await job()

    async with peer("aiojobs").Scheduler(limit=WORKERS, pending_limit=WAITING, wait_timeout=None) as scheduler:
        for position in range(number):
            await scheduler.spawn(one(position))
        await scheduler.wait_and_close()
    return results


async def alone(job: Job, number: int) -> list:
    """Let workers take the jobs from a queue, keep nothing and forgive nothing: what any other way adds to."""
    queue = asyncio.Queue(WAITING)

    async def worker() -> None:
        while mine := await queue.get():
            await mine()

    workers = [asyncio.create_task(worker()) for _ in range(WORKERS)]
    for _ in range(number):
        await queue.put(job)
    for _ in range(WORKERS):
        await queue.put(None)
    await asyncio.gather(*workers)
    return []


OURS, BARE = "AsyncTaskProcessor", "bare workers"
WAYS: dict[str, tuple[str, Way]] = {  # by name: the module that it needs, and the function
    OURS: ("asyncio", as_taught),
    "the guide's": ("asyncio", as_the_guide_says),
    "TaskGroup, semaphore inside": ("asyncio", grouped),
    "aiometer": ("aiometer", aiometer),
    "anyio CapacityLimiter": ("anyio", anyio),
    "aiojobs": ("aiojobs", aiojobs),
    BARE: ("asyncio", alone),
}
SIZES = {  # jobs that do nothing, jobs that wait, turns
    "long": (10_000, 500, 15),
    "usual": (10_000, 200, 7),
    "quick": (10_000, 100, 3),
    "tiny": (100, 10, 1),
}


async def nothing() -> None:
    """Do nothing."""


async def nap() -> None:
    """Wait 20 milliseconds."""
    await asyncio.sleep(0.02)


async def seconds(way: Way, job: Job, number: int, clock: Callable[[], float]) -> float:
    """Return how long `number` jobs take by `clock`, in seconds."""
    began = clock()
    await way(job, number)
    return clock() - began


async def memory(way: Way, number: int) -> int:
    """Return the most bytes held at once for `number` jobs."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await way(nothing, number)
        _, peak = tracemalloc.get_traced_memory()
        return peak - before
    finally:
        tracemalloc.stop()


async def most_at_once(way: Way, number: int = 100) -> int:
    """Return how many jobs were running at once, at most."""
    running, most = 0, 0

    async def job() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    await way(job, number)
    return most


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    number, naps, turns = SIZES[effort]
    ways = {name: way for name, (module, way) in WAYS.items() if peer(module)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    waits: dict[str, list[float]] = {name: [] for name in ways}
    for turn, (name, way) in itertools.product(range(turns), ways.items()):
        times[name].append(bench.run(seconds(way, nothing, number, time.process_time)) / number)
        if turn < 3:
            waits[name].append(bench.run(seconds(way, nap, naps, time.perf_counter)))
    ideal = math.ceil(naps / WORKERS) * 0.02
    rows: dict[str, Row] = {
        name: {
            "a job": bench.median(times[name]),
            "over bare": bench.median(mine - base for mine, base in zip(times[name], times[BARE], strict=True)),
            "memory": bench.run(memory(way, number)),
            "over ideal": bench.median(waits[name]) / ideal,
            "at once": bench.run(most_at_once(way)),
        }
        for name, way in ways.items()
    }
    rows[BARE]["over bare"] = None
    bench.against(rows, OURS, "a job")
    columns = [
        Column("a job", duration, min, log=True),
        Column("over bare", duration, min, ("≤", 3e-6), log=True),
        Column("to ours", ratio, None, drawn=False),
        Column("memory", size, min, log=True),
        Column("over ideal", ratio, min, ("≤", 1.1), log=True),
        Column("at once", count, None, ("≤", WORKERS), log=True),
    ]
    title = (
        f"Background jobs: processor time of each of {number:,} that do nothing, with {WORKERS} workers; memory; "
        f"{naps:,} x 20 ms; how many run at once"
    )
    absent = bench.absent(module for module, _ in WAYS.values())
    return Section(title, columns, [OURS], rows, beside=[BARE], absent=absent)


if __name__ == "__main__":
    bench.alone(measure)
