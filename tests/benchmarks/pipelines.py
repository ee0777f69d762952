"""Producer and consumers: the guide's version as it stands beside the one that chapter 3 teaches, and its pipeline.

    python tests/benchmarks/pipelines.py [--effort quick]

The guide's consumers give up when nothing has come for 2 seconds; here that patience is a parameter, and so are the
items, what is done with one, and the producer's pause after each. All else is as the guide has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable

import bench
from bench import Column, Row, Section, count, peer

from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

chapter, deeper = taught(3), taught("03_concurrency_patterns_deeper")
Handle = Callable[[int], Awaitable[object]]
CONSUMERS, GUIDE, OURS, STAGES, STREAM = 2, "the guide's", "producer_consumer_example", "pipeline", "aiostream"


async def as_the_guide_says(items: Iterable, handle: Handle, pause: float, patience: float = 2.0) -> None:
    queue = asyncio.Queue(maxsize=5)

    async def producer() -> None:
        for item in items:
            await queue.put(item)
            await asyncio.sleep(pause)

    async def consumer() -> None:
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), timeout=patience)
                await handle(item)
                queue.task_done()
            except TimeoutError:
                break

    await asyncio.gather(producer(), *[consumer() for _ in range(CONSUMERS)])


async def as_taught(items: Iterable, handle: Handle, pause: float, patience: float = 2.0) -> object:
    return await chapter.producer_consumer_example(items, handle, consumers=CONSUMERS, pause=pause)


async def in_stages(items: Iterable, handle: Handle, pause: float, patience: float = 2.0) -> list:
    """Do `handle` in the second of two stages; its source knows no pause."""
    todo, between, done = asyncio.Queue(), asyncio.Queue(maxsize=5), asyncio.Queue()
    for item in [*items, deeper.DONE]:
        todo.put_nowait(item)
    async with asyncio.TaskGroup() as group:
        group.create_task(deeper.stage("first", deeper.guarded(same), CONSUMERS, todo, between))
        group.create_task(deeper.stage("second", deeper.guarded(handle), CONSUMERS, between, done))
    return [done.get_nowait() for _ in range(done.qsize() - 1)]


async def in_a_stream(items: Iterable, handle: Handle, pause: float, patience: float = 2.0) -> list:
    stream = peer("aiostream").stream
    first = stream.map(stream.iterate(items), same, ordered=False, task_limit=CONSUMERS)
    return await stream.list(stream.map(first, handle, ordered=False, task_limit=CONSUMERS))


async def same(item: int) -> int:
    """Return `item` after a turn of the loop: the cheapest handler."""
    await asyncio.sleep(0)
    return item


PAIRS = {OURS: as_taught, GUIDE: as_the_guide_says}  # a producer that may pause, handlers that may fail
WAYS = {**PAIRS, STAGES: in_stages, STREAM: in_a_stream}


async def seconds(way: Callable, items: int) -> float:
    """Return the processor time of an item, in seconds."""
    began = time.process_time()
    await way(range(items), same, 0, patience=0.05)
    return (time.process_time() - began) / items


async def idle_tail(way: Callable, pause: float) -> float:
    """Return how long it took to come to an end after the last of ten items was done, in seconds.

    The guide's numbers are those of a pause of 0.1 seconds.
    """
    last = 0.0

    async def handle(item: int) -> None:
        nonlocal last
        await asyncio.sleep(2 * pause)
        last = time.perf_counter()

    await way(range(10), handle, pause, patience=20 * pause)
    return time.perf_counter() - last


async def lost(way: Callable, items: int = 20) -> int:
    """Return how many items were neither done nor reported as failed, if the handler fails for two of them."""
    done = []

    async def handle(item: int) -> None:
        await asyncio.sleep(0.001)
        if item in (3, 6):
            raise TimeoutError(f"{item} took too long") if item == 3 else ValueError(f"{item} makes no sense")
        done.append(item)

    reported = 0
    try:
        async with asyncio.timeout(2):
            book = await way(range(items), handle, 0.002, patience=0.05)
            reported = len(book.failed) if book else 0
    except TimeoutError:
        pass
    except ValueError:
        reported = 1
        await asyncio.sleep(0.2)  # what goes on regardless
    return items - len(done) - reported


async def unfinished_after_pauses(way: Callable, items: int = 10) -> int:
    """Return how many items are never done if the producer pauses for longer than the consumers' patience."""
    done = []

    async def handle(item: int) -> None:
        done.append(item)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            await way(range(items), handle, 0.06, patience=0.04)
    return items - len(done)


def measure(effort: str = "usual") -> Section:
    """Measure all of them."""
    items, turns, pause = {"tiny": (50, 1, 0.01), "quick": (2_000, 3, 0.1)}.get(effort, (10_000, 5, 0.1))
    ways = {name: way for name, way in WAYS.items() if name != STREAM or peer(STREAM)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _, (name, way) in itertools.product(range(turns), ways.items()):
        times[name].append(bench.run(seconds(way, items)))
    rows: dict[str, Row] = {name: {"an item": bench.median(each), "idle tail": None} for name, each in times.items()}
    for name, way in ways.items():
        rows[name]["idle tail"] = bench.run(idle_tail(way, pause))
    for name, way in PAIRS.items():
        rows[name]["lost"] = bench.run(lost(way))
        rows[name]["hung"] = bench.run(unfinished_after_pauses(way))
    bench.against(rows, OURS, "an item")
    columns = [
        Column("lost", count, min, ("=", 0)),
        Column("hung", count, min, ("=", 0)),
        Column("idle tail", duration, min, ("<", 0.01), log=True),
        Column("an item", duration, min),
        Column("to ours", ratio, None, drawn=False),
    ]
    title = (
        "Queue pipeline: items lost of 20 when two handlers fail; never done of 10 when the producer pauses; "
        "idle at the end; processor time"
    )
    return Section(title, columns, [OURS, STAGES], rows, absent=bench.absent([STREAM]))


if __name__ == "__main__":
    bench.alone(measure)
