"""Databases: the connection that chapter 4 teaches beside aiosqlite, threads and asyncpg, against plain `sqlite3`.

    python tests/benchmarks/databases.py [--effort quick]

Little queries, 1 of 100 people by key: 100 in one transaction (batch), one after another (each), and in 100 tasks
(gathered), at their best of some turns, taken in rotation; all as a share of the speed that plain `sqlite3` has one
after another. How late the loop is at worst while a table is searched, in the best and in the median turn. And how many
times as fast as on one connection are 100 queries of 20 ms in PostgreSQL?
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import bench
from bench import Column, Row, Section, share

from asynclab.page.numbers import duration, ratio
from asynclab.people import build_database
from asynclab.services.postgresql import PostgreSQL
from asynclab.taught import taught

chapter, deeper = taught(4), taught("04_database_servers_deeper")
OURS, AIOSQLITE, THREADS, PLAIN = "AsyncDatabaseConnection", "aiosqlite", "to_thread", "sqlite3, no loop"
POOL, ASYNCPG, ONE = "ConnectionPool, 20", "asyncpg's pool, 20", "one connection"
KINDS = ("batch", "each", "gathered")
POINT = "SELECT * FROM people WHERE user_id = ?"
SCAN = "SELECT count(*) FROM lines WHERE text LIKE '%needle%'"
KEYS = range(101, 201)
SLEEP = "SELECT pg_sleep(0.02)"


@dataclass(frozen=True)
class Sizes:
    rounds: int  # of 100 little queries
    lines: int  # of the table that is searched
    turns: int
    naps: int  # queries of 20 ms


SIZES = {
    "long": Sizes(10, 400_000, 15, 100),
    "usual": Sizes(5, 400_000, 9, 100),
    "quick": Sizes(3, 200_000, 5, 100),
    "tiny": Sizes(1, 1_000, 1, 5),
}


class Way:
    """How little queries are asked, and how a large one."""

    def __init__(self, db: Any) -> None:
        self.db = db

    async def each(self) -> None:
        for key in KEYS:
            await self.ask(POINT, key)

    async def gathered(self) -> None:
        await asyncio.gather(*[self.ask(POINT, key) for key in KEYS])


class Ours(Way):
    async def ask(self, sql: str, *parameters: object) -> list:
        return await self.db.query(sql, *parameters)

    async def batch(self) -> None:
        await self.db.query_many([(POINT, (key,)) for key in KEYS])


class Aiosqlite(Way):
    batch = None

    async def ask(self, sql: str, *parameters: object) -> list:
        return await self.db.execute_fetchall(sql, parameters)


class Plain(Way):
    def now(self, sql: str, *parameters: object) -> list:
        return self.db.execute(sql, parameters).fetchall()

    def all_now(self) -> None:
        with self.db:
            self.now("BEGIN")
            for key in KEYS:
                self.now(POINT, key)

    async def ask(self, sql: str, *parameters: object) -> list:
        return self.now(sql, *parameters)

    async def batch(self) -> None:
        self.all_now()

    async def each(self) -> None:
        for key in KEYS:
            self.now(POINT, key)

    gathered = each


class Threads(Plain):
    async def ask(self, sql: str, *parameters: object) -> list:
        return await asyncio.to_thread(self.now, sql, *parameters)

    async def batch(self) -> None:
        await asyncio.to_thread(self.all_now)

    each, gathered = Way.each, Way.gathered


@contextlib.asynccontextmanager
async def opened(address: str) -> AsyncIterator[dict[str, Way]]:
    """Open a database in every way."""
    path = address.removeprefix("sqlite:///")
    async with chapter.AsyncDatabaseConnection(address) as ours, aiosqlite.connect(path) as theirs:
        with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as plain:
            yield {OURS: Ours(ours), AIOSQLITE: Aiosqlite(theirs), THREADS: Threads(plain), PLAIN: Plain(plain)}


async def seconds(ask: Callable[[], Awaitable[object]], times: int = 1) -> float:
    """Return how long it takes to ask `times` times."""
    began = time.perf_counter()
    for _ in range(times):
        await ask()
    return time.perf_counter() - began


async def lag(work: Awaitable[object]) -> float:
    """Return the longest time that another task, due every millisecond, was late, in seconds."""
    working, worst = asyncio.ensure_future(work), 0.0
    while not working.done():
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - due)
    await working
    return worst


async def with_sqlite(address: str, sizes: Sizes) -> dict[str, Row]:
    """Measure the little queries as shares of the speed of plain `sqlite3`, and the lag of a search."""
    async with opened(address) as ways:
        rows: dict[str, Row] = {name: {} for name in ways}
        best: dict[tuple[str, str], float] = {}
        for _, kind, (name, way) in itertools.product(range(sizes.turns), KINDS, ways.items()):
            if ask := getattr(way, kind):
                best[kind, name] = min(best.get((kind, name), math.inf), await seconds(ask, sizes.rounds))
        for (kind, name), taken in best.items():
            rows[name][kind] = best["each", PLAIN] / taken
        for name, way in ways.items():
            late = [await lag(way.ask(SCAN)) for _ in range(sizes.turns)]
            rows[name] |= {"late": min(late), "late, median": statistics.median(late)}
    return rows


async def with_postgresql(sizes: Sizes) -> dict[str, Row]:
    """Measure how many times as fast as one connection the pools are; nothing where there is no server."""
    if not PostgreSQL.available():
        return {}
    async with PostgreSQL() as address, contextlib.AsyncExitStack() as stack:
        one = await stack.enter_async_context(deeper.AsyncDatabaseConnection(address))
        ours = await stack.enter_async_context(deeper.ConnectionPool(address, 20, timeout=60))
        theirs = await stack.enter_async_context(asyncpg.create_pool(address, min_size=20, max_size=20))

        async def borrowed() -> None:
            async with ours.connection() as db:
                await db.query(SLEEP)

        async def on_one() -> None:
            await one.query(SLEEP)

        async def on_theirs() -> None:
            await theirs.fetch(SLEEP)

        ways = {POOL: borrowed, ASYNCPG: on_theirs, ONE: on_one}

        async def all_of(ask: Callable[[], Awaitable[object]]) -> None:
            await asyncio.gather(*[ask() for _ in range(sizes.naps)])

        await all_of(borrowed)  # a pool connects when it is first asked
        times = {name: [await seconds(partial(all_of, ask)) for _ in range(3)] for name, ask in ways.items()}
    return {name: {"100 x 20 ms": min(times[ONE]) / statistics.median(each)} for name, each in times.items()}


async def large(address: str, lines: int) -> None:
    """Add the table that is searched."""
    async with chapter.AsyncDatabaseConnection(address) as db:
        await db.query("CREATE TABLE lines (number integer, text text)")
        numbers = f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT {lines}) SELECT i FROM n"
        await db.query(f"INSERT INTO lines SELECT i, hex(randomblob(40)) FROM ({numbers})")


def measure(effort: str = "usual") -> Section:
    """Measure all of them."""
    sizes = SIZES[effort]
    with tempfile.TemporaryDirectory() as folder:
        address = build_database(Path(folder) / "people.db")
        bench.run(large(address, sizes.lines))
        rows = bench.run(with_sqlite(address, sizes))
    rows |= bench.run(with_postgresql(sizes))
    columns = [
        Column("batch", share, max, ("≥", 0.85)),
        Column("each", share, max),
        Column("gathered", share, max),
        Column("late", duration, min, ("≤", 0.002), log=True),
        Column("late, median", duration, min, log=True),
        Column("100 x 20 ms", ratio, max, ("≥", 12.0)),
    ]
    title = (
        "Databases: 100 little queries as a share of the speed of plain sqlite3, each; how late the loop is while "
        f"{sizes.lines:,} lines are searched; {sizes.naps} queries of 20 ms in PostgreSQL, times as fast as on one "
        "connection"
    )
    ours = [name for name in (OURS, POOL) if name in rows]
    notes = [f"A batch of ours has {share(rows[OURS]['batch'] / rows[PLAIN]['batch'])} of the speed of sqlite3's own."]
    if POOL not in rows:
        notes.append("This machine has no PostgreSQL server.")
    return Section(title, columns, ours, rows, beside=[PLAIN, ONE], notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
