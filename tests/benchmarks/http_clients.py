"""HTTP clients: the code of chapter 2 beside other ways to fetch the same pages, from the same server, in one run.

    python tests/benchmarks/http_clients.py [--effort quick]

Two servers' worth of waiting: pages answered at once (all is work) and after 0.05 seconds (all is waiting). Every way
has at most 100 requests under way. "To aiohttp" compares with the first row, aiohttp with a semaphore, in each turn of
its own. Also: how long the servers of `Services` take to start and to stop.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import aiohttp
import bench
from bench import Column, Row, Section, peer, share

from asynclab import Services
from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

LIMIT = 100
chapter = taught(2)
Way = Callable[[list[str]], Awaitable[object]]


async def bare(urls: list[str]) -> None:
    """Fetch with aiohttp, a task for each page and a semaphore: what most people write."""
    places = asyncio.Semaphore(LIMIT)

    async def fetch(session: aiohttp.ClientSession, url: str) -> bytes:
        async with places, session.get(url) as response:
            return await response.read()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*[fetch(session, url) for url in urls])


async def safely(urls: list[str]) -> None:
    """Fetch with the taught `safe_fetch`, a task for each page."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=LIMIT)) as session:
        await asyncio.gather(*[chapter.safe_fetch(session, url) for url in urls])


async def in_threads(urls: list[str]) -> None:
    """Fetch with urllib in threads."""

    def read(url: str) -> bytes:
        with urlopen(url) as response:
            return response.read()

    with ThreadPoolExecutor(LIMIT) as pool:
        await asyncio.to_thread(list, pool.map(read, urls))


async def with_httpx(urls: list[str]) -> None:
    """Fetch with httpx, a task for each page."""
    httpx = peer("httpx")
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=LIMIT), timeout=60, trust_env=False) as client:
        await asyncio.gather(*[client.get(url) for url in urls])


BARE, OURS = "aiohttp, semaphore", ("fetch_multiple_urls", "safe_fetch")
WAYS: dict[str, Way] = {
    BARE: bare,
    "fetch_multiple_urls": lambda urls: chapter.fetch_multiple_urls(urls, limit=LIMIT),
    "safe_fetch": safely,
    "urllib in threads": in_threads,
    "httpx": with_httpx,
}


async def seconds(way: Way, urls: list[str]) -> float:
    """Return how long one way takes for all pages, in seconds."""
    began = time.perf_counter()
    await way(urls)
    return time.perf_counter() - began


async def starts(turns: int) -> str:
    """Say how long it takes to start and to stop the servers."""
    up, down = [], []
    for _ in range(turns):
        began = time.perf_counter()
        web = await Services().start()
        ready = time.perf_counter()
        await web.stop()
        up.append(ready - began)
        down.append(time.perf_counter() - ready)
    return f"Servers: {duration(bench.median(up))} to start, {duration(bench.median(down))} to stop."


async def fetched(ways: dict[str, Way], pages: int, turns: int, wait: float) -> dict[str, list[float]]:
    """Return the seconds of each run, by turns; what takes more than 2 seconds has one turn only."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    async with Services() as web:
        urls = [web.url("/get", delay=wait)] * pages
        for _, (name, way) in itertools.product(range(turns), ways.items()):
            if max(times[name], default=0) < 2:
                times[name].append(await seconds(way, urls))
    return times


COLUMNS = [
    Column("a page", duration, min, log=True),
    Column("to aiohttp", share, max, ("≥", 0.95)),
    Column("50 ms each", duration, min, log=True),
    Column("over ideal", ratio, min, ("≤", 1.15), log=True),
]


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    turns, pages = {"long": (9, 1_000), "usual": (5, 200), "quick": (3, 100)}.get(effort, (1, 5))
    ways = {name: way for name, way in WAYS.items() if name != "httpx" or peer(name)}
    work = bench.run(fetched(ways, pages, turns, 0.0))
    slow = [name for name, each in work.items() if each[0] > 2 and effort != "long"]  # httpx: 30 times the ideal
    waits = bench.run(fetched({name: way for name, way in ways.items() if name not in slow}, pages, turns, 0.05))
    ideal = math.ceil(pages / LIMIT) * 0.05
    rows: dict[str, Row] = {}
    for name in ways:
        waited = bench.median(waits.get(name, []))
        rows[name] = {
            "a page": bench.median(work[name]) / pages,
            "to aiohttp": bench.median(base / own for base, own in zip(work[BARE], work[name], strict=False)),
            "50 ms each": waited,
            "over ideal": waited and waited / ideal,
        }
    title = f"HTTP clients: {pages:,} pages from one server, {LIMIT} at a time, answered at once and after 50 ms"
    notes = [bench.run(starts(turns))]
    return Section(title, COLUMNS, OURS, rows, absent=bench.absent(["httpx"]), notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
