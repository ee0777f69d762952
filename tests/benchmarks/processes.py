"""Work that computes, out of asyncio: on the loop, in threads, in interpreters, and in the processes of a pool.

    python tests/benchmarks/processes.py [--effort quick]

A job counts primes in plain Python, up to a limit that makes it last 0.05, 0.4 or 5 ms. A column says how many times as
fast as one after another the same jobs are done. The ways take turns, and of each the fastest turn counts: other work
on the machine only adds to a time. The workers, one for each of two processors, are started before the clock. "In
chunks": `pool.map` hands over eight packets, each with an eighth of the jobs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import math
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

import bench
from bench import Column, Row, Section

from asynclab.page.numbers import duration, ratio
from asynclab.work import count_primes, processors

WORKERS, CHUNKS = 2, 8
LENGTHS = (0.00005, 0.0004, 0.005)  # of a job, in seconds
GOAL = 1.6  # of the longest jobs, in chunks
Way = Callable[[int, int], Awaitable[list]]  # takes the number of jobs and the limit of each


async def one_after_another(jobs: int, limit: int) -> list:
    return [count_primes(limit) for _ in range(jobs)]


async def coroutines(jobs: int, limit: int) -> list:
    async def job() -> int:
        return count_primes(limit)

    return await asyncio.gather(*[job() for _ in range(jobs)])


async def threads(jobs: int, limit: int) -> list:
    return await asyncio.gather(*[asyncio.to_thread(count_primes, limit) for _ in range(jobs)])


def one_by_one(pool: Executor) -> Way:
    async def way(jobs: int, limit: int) -> list:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*[loop.run_in_executor(pool, count_primes, limit) for _ in range(jobs)])

    return way


def in_chunks(pool: Executor) -> Way:
    async def way(jobs: int, limit: int) -> list:
        size = math.ceil(jobs / CHUNKS)
        return await asyncio.to_thread(lambda: list(pool.map(count_primes, [limit] * jobs, chunksize=size)))

    return way


OURS, SEQUENTIAL = "a pool, in chunks", "one after another"


@contextlib.contextmanager
def started() -> Iterator[dict[str, Way]]:
    """Give all ways, by name, their workers being ready."""
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")))
        ways = {
            OURS: in_chunks(pool),
            "a pool, job by job": one_by_one(pool),
            "gather of coroutines": coroutines,
            "to_thread": threads,
            SEQUENTIAL: one_after_another,
        }
        pools = [pool]
        if hasattr(concurrent.futures, "InterpreterPoolExecutor"):  # from 3.14 on
            pools.append(stack.enter_context(concurrent.futures.InterpreterPoolExecutor(WORKERS)))
            ways["interpreters, job by job"] = one_by_one(pools[-1])
        for each in pools:
            # A job that lasts, for each worker: so that none of them is started within a measurement.
            concurrent.futures.wait([each.submit(count_primes, 50_000) for _ in range(WORKERS)])
        yield ways


def limit_for(seconds: float) -> int:
    """Return the limit that makes a job last `seconds`, found by trying."""
    limit = 20
    while (took := min(_seconds_of(limit) for _ in range(5))) < seconds:
        limit = max(limit + 1, math.ceil(limit * min(2, (seconds / took) ** 0.6)))
    return limit


def _seconds_of(limit: int) -> float:
    began = time.perf_counter()
    count_primes(limit)
    return time.perf_counter() - began


async def seconds(way: Way, jobs: int, limit: int) -> float:
    """Return how long `jobs` jobs take."""
    began = time.perf_counter()
    results = await way(jobs, limit)
    took = time.perf_counter() - began
    assert results == [count_primes(limit)] * jobs
    return took


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    work, turns = {"long": (1.0, 9), "usual": (0.4, 7), "quick": (0.2, 5)}.get(effort, (0.01, 1))
    before, names = bench.load(), {each: f"jobs of {duration(each)}" for each in LENGTHS}
    with started() as ways:
        rows: dict[str, Row] = {name: {} for name in ways}
        for length, column in names.items():
            jobs, limit = math.ceil(work / length), limit_for(length)
            times: dict[str, list[float]] = {name: [] for name in ways}
            for _, (name, way) in itertools.product(range(turns), ways.items()):
                times[name].append(bench.run(seconds(way, jobs, limit)))
            for name in ways:
                rows[name][column] = min(times[SEQUENTIAL]) / min(times[name])
    goals = [None, None, ("≥", GOAL) if processors() >= WORKERS else None]
    columns = [Column(name, ratio, max, goal) for name, goal in zip(names.values(), goals, strict=True)]
    title = f"Work that computes: {duration(work)} of it, {WORKERS} workers; times as fast as one after another"
    notes = [f"Before: {before}; after: {bench.load()}; {processors()} processors. The goal is for a quiet machine."]
    return Section(title, columns, [OURS], rows, beside=[SEQUENTIAL], notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
