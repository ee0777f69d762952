"""Reading files: the `process_files` that chapter 4 teaches beside other ways, all against a plain `open`.

    python tests/benchmarks/files.py [--effort quick]

All files are in memory, so that a thread has no wait to shorten. Each figure of time is the median of the times as a
multiple of what `open` took in the same round. `size_of` is what ours does in a thread, here without any.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiofiles
import bench
from bench import Column, Row, Section, count, peer

from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

chapter = taught(4)
OURS, PLAIN, BARE, LIMIT = "process_files", "open", "size_of, no thread", 2  # the limit is that of process_files
DESCRIPTORS = "/dev/fd" if os.path.isdir("/dev/fd") else None
Way = Callable[[list[str]], Awaitable[object]]


def read(name: str) -> int:
    with open(name) as file:
        return len(file.read())


async def read_async(name: str) -> int:
    async with aiofiles.open(name) as file:
        return len(await file.read())


async def plain(names: list[str]) -> list[int]:
    return [read(name) for name in names]


async def bare(names: list[str]) -> list[dict]:
    return [chapter.size_of(name) for name in names]


async def gathered(names: list[str]) -> list[int]:
    return await asyncio.gather(*map(read_async, names))


async def bounded(names: list[str]) -> list[int]:
    return await chapter.bounded_map(read_async, names, 20)


async def a_thread_each(names: list[str]) -> list[int]:
    return await asyncio.gather(*[asyncio.to_thread(read, name) for name in names])


async def anyio(names: list[str]) -> list[int]:
    path = peer("anyio").Path
    return [len(text) for text in await asyncio.gather(*[path(name).read_text() for name in names])]


WAYS: dict[str, tuple[str, Way]] = {  # the module that a way needs
    OURS: ("asyncio", chapter.process_files),
    "aiofiles, gathered": ("asyncio", gathered),  # the guide's
    "aiofiles, 20 at once": ("asyncio", bounded),
    "to_thread each": ("asyncio", a_thread_each),
    "anyio.Path": ("anyio", anyio),
    BARE: ("asyncio", bare),
    PLAIN: ("asyncio", plain),
}


@dataclass(frozen=True)
class Sizes:
    small: int  # files of 2,000 bytes
    large: int  # bytes of each of 8 files
    turns: int


SIZES = {
    "long": Sizes(2_000, 2**26, 15),
    "usual": Sizes(2_000, 2**26, 7),
    "quick": Sizes(1_000, 2**24, 3),
    "tiny": Sizes(40, 2**16, 1),
}


async def seconds(way: Way, names: list[str]) -> float:
    """Return how long it takes to read `names`, with the loop's threads started."""
    await asyncio.gather(*[asyncio.to_thread(time.sleep, 0.001) for _ in range(40)])
    began = time.perf_counter()
    await way(names)
    return time.perf_counter() - began


async def lag(way: Way, names: list[str]) -> float:
    """Return the longest time that another task, due every millisecond, was late, in seconds."""
    reading, worst = asyncio.create_task(way(names)), 0.0
    while not reading.done():
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - due)
    await reading
    return worst


async def most_open(way: Way, names: list[str]) -> int | None:
    """Return the most files open at once, as often as a thread can look; None where the system does not tell."""
    if not DESCRIPTORS:
        return None
    await seconds(way, names[:1])
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(len(os.listdir(DESCRIPTORS)))

    before = len(os.listdir(DESCRIPTORS))
    looking = threading.Thread(target=look)
    looking.start()
    try:
        await way(names)
    finally:
        done.set()
        looking.join()
    return max([before, *seen]) - before


@contextlib.contextmanager
def files(number: int, size: int) -> Iterator[list[str]]:
    """Make `number` files of `size` bytes in lines of 64; yield their names, delete them at the end."""
    line = b"x" * 63 + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{each}.txt") for each in range(number)]
        for path in paths:
            path.write_bytes((line * (size // 64 + 1))[:size])
        yield [str(path) for path in paths]


@contextlib.contextmanager
def many_descriptors() -> Iterator[None]:
    """Let this process open as many files as it may: what is gathered opens them all."""
    if not (resource := peer("resource")):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 4_096 if hard == resource.RLIM_INFINITY else min(4_096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough) if soft >= 0 else soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def measured(ways: dict[str, Way], names: list[str], turns: int) -> dict[str, float]:
    """Return for each way the median of its times as a multiple of what `open` took in the same turn."""
    times = {name: [] for name in ways}
    for _, (name, way) in itertools.product(range(turns), ways.items()):
        times[name].append(bench.run(seconds(way, names)))
    return {
        name: statistics.median(mine / base for mine, base in zip(each, times[PLAIN], strict=True))
        for name, each in times.items()
    }


def measure(effort: str = "usual") -> Section:
    """Measure all of them."""
    sizes = SIZES[effort]
    ways = {name: way for name, (module, way) in WAYS.items() if peer(module)}
    rows: dict[str, Row] = {name: {} for name in ways}
    with many_descriptors():
        with files(sizes.small, 2_000) as names:
            for name, value in measured(ways, names, sizes.turns).items():
                rows[name]["small"] = value
            for name, way in ways.items():
                rows[name]["loop late"] = bench.median(bench.run(lag(way, names)) for _ in range(sizes.turns))
                rows[name]["open at once"] = bench.run(most_open(way, names))
        with files(8, sizes.large) as names:
            for name, value in measured(ways, names, min(sizes.turns, 3)).items():
                rows[name]["large"] = value
            for name, way in ways.items():
                rows[name]["late, large"] = bench.run(lag(way, names))
    columns = [
        Column("small", ratio, min, ("≤", 1.2), log=True),
        Column("large", ratio, min, ("≤", 1.0), log=True),
        Column("open at once", count, min, ("≤", LIMIT), log=True),
        Column("loop late", duration, min, log=True),
        Column("late, large", duration, min, log=True),
    ]
    title = (
        f"Files in memory, {sizes.small:,} of 2 kB and 8 of {sizes.large / 2**20:g} MiB: the time as a multiple of "
        "a plain open; the most that are open at once; how late the loop is at worst"
    )
    absent = bench.absent(module for module, _ in WAYS.values())
    return Section(title, columns, [OURS], rows, beside=[BARE, PLAIN], absent=absent)


if __name__ == "__main__":
    bench.alone(measure)
