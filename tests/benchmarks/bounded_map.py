"""Bounded concurrency: the `bounded_map` that chapter 3 teaches beside other ways to do at most 100 things at a time.

`guarded` is what the deeper notebook puts around work that meddles with cancellation.

    python tests/benchmarks/bounded_map.py [--effort quick]

Each item waits for one turn of the loop, and nothing else, so that all the rest is the way's own cost; what the items
cost by themselves is a row. Memory is the peak in a run of its own, without the list of results and its numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import math
import sys
import time
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import bench
from bench import Column, Row, Section, count, peer

from asynclab.page.numbers import duration, ratio, size
from asynclab.taught import taught

chapter, deeper = taught(3), taught("03_concurrency_patterns_deeper")
LIMIT = 100
Function = Callable[[Any], Awaitable]
Map = Callable[[Function, Iterable, int], Awaitable[object]]


async def with_guard(function: Function, items: Iterable, limit: int) -> list:
    return await chapter.bounded_map(deeper.guarded(function), items, limit)


async def gathered(function: Function, items: Iterable, limit: int) -> list:
    places = asyncio.Semaphore(limit)

    async def one(item: Any) -> Any:
        async with places:
            return await function(item)

    return await asyncio.gather(*map(one, items))


async def grouped(function: Function, items: Iterable, limit: int) -> list:
    places = asyncio.Semaphore(limit)

    async def one(item: Any) -> Any:
        async with places:
            return await function(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def acquired_first(function: Function, items: Iterable, limit: int) -> list:
    places, results = asyncio.Semaphore(limit), []

    async def one(position: int, item: Any) -> None:
        try:
            results[position] = await function(item)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for position, item in enumerate(items):
            await places.acquire()
            results.append(None)
            group.create_task(one(position, item))
    return results


async def queued(function: Function, items: Iterable, limit: int) -> list:
    queue, results = asyncio.Queue(limit), []

    async def worker() -> None:
        while (work := await queue.get()) is not None:
            position, item = work
            results[position] = await function(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(worker())
        for position, item in enumerate(items):
            results.append(None)
            await queue.put((position, item))
        for _ in range(limit):
            await queue.put(None)
    return results


async def aiometer(function: Function, items: Iterable, limit: int) -> list:
    return await peer("aiometer").run_all([partial(function, item) for item in items], max_at_once=limit)


async def anyio(function: Function, items: Iterable, limit: int) -> list:
    library, items = peer("anyio"), list(items)
    places, results = library.CapacityLimiter(limit), [None] * len(items)

    async def one(position: int, item: Any) -> None:
        async with places:
            results[position] = await function(item)

    async with library.create_task_group() as group:
        for position, item in enumerate(items):
            group.start_soon(one, position, item)
    return results


async def aioitertools(function: Function, items: Iterable, limit: int) -> list:
    return await peer("aioitertools.asyncio").gather(*map(function, items), limit=limit)


async def aiostream(function: Function, items: Iterable, limit: int) -> list:
    stream = peer("aiostream").stream
    return await stream.list(stream.map(stream.iterate(items), function, task_limit=limit))


async def asyncio_pool(function: Function, items: Iterable, limit: int) -> list:
    async with peer("asyncio_pool").AioPool(size=limit) as pool:
        return await pool.map(function, items)


async def aiojobs(function: Function, items: Iterable, limit: int) -> list:
    results = []

    async def one(position: int, item: Any) -> None:
        results[position] = await function(item)

    async with peer("aiojobs").Scheduler(limit=limit, pending_limit=limit, wait_timeout=None) as scheduler:
        for position, item in enumerate(items):
            results.append(None)
            await scheduler.spawn(one(position, item))
    return results


async def alone(function: Function, items: Iterable, limit: int) -> list:
    """Do the items in `limit` tasks that share nothing and keep no order: what the items cost by themselves."""
    items = list(items)

    async def some(mine: list) -> list:
        return [await function(item) for item in mine]

    parts = await asyncio.gather(*[some(items[start::limit]) for start in range(min(limit, len(items)))])
    return list(itertools.chain(*parts))


OURS, GUARDED, ALONE = "bounded_map", "bounded_map, guarded", "the items alone"
WAYS: dict[str, tuple[str, Map]] = {  # by name: the module that it needs, and the function
    OURS: ("asyncio", chapter.bounded_map),
    GUARDED: ("asyncio", with_guard),
    "Semaphore + gather": ("asyncio", gathered),
    "TaskGroup, semaphore inside": ("asyncio", grouped),
    "TaskGroup, acquire first": ("asyncio", acquired_first),
    "Queue and workers": ("asyncio", queued),
    "aiometer": ("aiometer", aiometer),
    "anyio CapacityLimiter": ("anyio", anyio),
    "aioitertools.gather": ("aioitertools", aioitertools),
    "aiostream": ("aiostream", aiostream),
    "asyncio-pool": ("asyncio_pool", asyncio_pool),
    "aiojobs": ("aiojobs", aiojobs),
    ALONE: ("asyncio", alone),
}


@dataclass(frozen=True)
class Sizes:
    items: tuple[int, ...]
    waits: int  # how many items that wait 20 ms
    turns: int
    patience: float  # seconds: what is expected to take longer is left out; a tenth of it has more turns
    memory: int  # items of the run that measures memory, which takes 3 times as long


SIZES = {
    "long": Sizes(items=(100, 10_000, 100_000), waits=5_000, turns=5, patience=30, memory=100_000),
    "usual": Sizes(items=(100, 10_000, 100_000), waits=5_000, turns=2, patience=2, memory=10_000),
    "quick": Sizes(items=(100, 10_000), waits=2_000, turns=1, patience=1, memory=2_000),
    "tiny": Sizes(items=(10, 100), waits=100, turns=1, patience=1, memory=100),
}


async def turn(item: int) -> None:
    """Wait for one turn of the loop."""
    await asyncio.sleep(0)


async def moment(item: int) -> None:
    """Wait a millisecond, in which as many others as may begin."""
    await asyncio.sleep(0.001)


async def nap(item: int) -> None:
    """Wait 20 milliseconds."""
    await asyncio.sleep(0.02)


async def seconds(way: Map, function: Function, items: int, clock: Callable[[], float]) -> float:
    """Return how long `items` items take by `clock`, in seconds; small numbers of them are done several times."""
    repeats = max(1, 1_000 // items)
    began = clock()
    for _ in range(repeats):
        await way(function, range(items), LIMIT)
    return (clock() - began) / repeats


async def memory(way: Map, items: int) -> int:
    """Return the most bytes held at once for `items` items, without the list of results."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        results = await way(moment, range(items), LIMIT)
        _, peak = tracemalloc.get_traced_memory()
        return max(1, peak - before - sys.getsizeof(results))
    finally:
        tracemalloc.stop()


async def went_on(way: Map, others: int = 200) -> int:
    """Return how many others ended their work after one has failed."""
    failed, ended = asyncio.Event(), 0

    async def work(item: int) -> None:
        nonlocal ended
        if item == 0:
            await asyncio.sleep(0.001)
            failed.set()
            raise OSError("the first one fails")
        await asyncio.sleep(0.01)
        ended += failed.is_set()

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # some of the ways lose exceptions
    with warnings.catch_warnings(action="ignore"):  # … and others the coroutines that they did not come to
        with contextlib.suppress(Exception):
            await way(work, range(others + 1), LIMIT)
        await asyncio.sleep(0.1)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        gc.collect()
    return ended


def columns(sizes: Sizes) -> list[Column]:
    many = sizes.items[1:]
    return [
        *[Column(f"{n:,} items", duration, min, ("≤", 2e-6) if n in many else None, True) for n in sizes.items],
        Column("to ours", ratio, None, drawn=False),
        Column("memory", size, min, ("<", 2**20), True),
        Column("over ideal", ratio, min, ("≤", 1.07)),
        Column("went on", count, min, ("=", 0)),
    ]


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    sizes = SIZES[effort]
    ways = {name: way for name, (module, way) in WAYS.items() if peer(module)}
    times: dict[tuple[str, int], list[float]] = {}
    for attempt, n, (name, way) in itertools.product(range(2 * sizes.turns + 1), sizes.items, ways.items()):
        known = [max(each) for (other, _), each in times.items() if other == name]
        once = n * max(known[-1:], default=0)  # seconds that a run is expected to take
        if once < sizes.patience and (once < 0.1 * sizes.patience or attempt < sizes.turns):
            each = bench.run(seconds(way, turn, n, time.process_time)) / n
            times.setdefault((name, n), []).append(each)
    waits: dict[str, list[float]] = {}
    for _, (name, way) in itertools.product(range(sizes.turns), ways.items()):
        waits.setdefault(name, []).append(bench.run(seconds(way, nap, sizes.waits, time.perf_counter)))
    ideal = math.ceil(sizes.waits / LIMIT) * 0.02

    rows: dict[str, Row] = {name: {} for name in ways}
    for (name, n), each in times.items():
        rows[name][f"{n:,} items"] = bench.median(each)
    for name, way in ways.items():
        rows[name]["memory"] = bench.run(memory(way, sizes.memory))
        rows[name]["over ideal"] = bench.median(waits[name]) / ideal
        rows[name]["went on"] = bench.run(went_on(way)) if name != ALONE else None
    bench.against(rows, OURS, f"{sizes.items[1]:,} items")
    title = (
        f"Bounded map: processor time an item, {LIMIT} at a time; memory at {sizes.memory:,} items; "
        f"{sizes.waits:,} x 20 ms; how many went on after an error"
    )
    missing = bench.absent(module for module, _ in WAYS.values())
    slow = "aiostream needs so little memory because it has only about 36 of such items under way at a time."
    notes = [slow] if "aiostream" in rows else []
    return Section(title, columns(sizes), [OURS, GUARDED], rows, beside=[ALONE], absent=missing, notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
