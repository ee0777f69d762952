"""What the code of chapter 2 costs beside other ways to fetch the same pages, from the same server, in one run.

    python tests/benchmarks/http_clients.py [--pages 1000] [--turns 5]

Two servers' worth of waiting: pages answered at once (all is work) and after 0.05 seconds (all is waiting). Every way
has at most 100 requests under way. The first row, aiohttp with a semaphore, is what the others are compared with.
Also: how long the servers of `Services` take to start and to stop.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import httpx  # JupyterLab brings it

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))

import systems
from asynclab import Services, figures

LIMIT = 100
taught = systems.load("02_async_http_requests")
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
        await asyncio.gather(*[taught.safe_fetch(session, url) for url in urls])


async def in_threads(urls: list[str]) -> None:
    """Fetch with urllib in threads."""

    def read(url: str) -> bytes:
        with urlopen(url) as response:
            return response.read()

    with ThreadPoolExecutor(LIMIT) as pool:
        await asyncio.to_thread(list, pool.map(read, urls))


async def with_httpx(urls: list[str]) -> None:
    """Fetch with httpx, a task for each page."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=LIMIT), timeout=60, trust_env=False) as client:
        await asyncio.gather(*[client.get(url) for url in urls])


WAYS: dict[str, Way] = {
    "aiohttp, semaphore": bare,
    "fetch_multiple_urls": lambda urls: taught.fetch_multiple_urls(urls, limit=LIMIT),
    "safe_fetch": safely,
    "urllib in threads": in_threads,
    "httpx": with_httpx,
}


async def seconds(way: Way, urls: list[str]) -> float:
    """Return how long one way takes for all pages, in seconds."""
    began = time.perf_counter()
    await way(urls)
    return time.perf_counter() - began


async def starts(turns: int) -> tuple[float, float]:
    """Return the medians of the time to start and to stop the servers, in seconds."""
    up, down = [], []
    for _ in range(turns):
        began = time.perf_counter()
        web = await Services().start()
        ready = time.perf_counter()
        await web.stop()
        up.append(ready - began)
        down.append(time.perf_counter() - ready)
    return statistics.median(up), statistics.median(down)


async def main(pages: int, turns: int) -> None:
    """Measure by turns, and print."""
    started, stopped = await starts(turns)
    print(f"{platform.python_implementation()} {platform.python_version()}, {pages} pages, median of {turns} turns")
    print(f"servers: {figures.duration(started)} to start, {figures.duration(stopped)} to stop\n")
    async with Services() as web:
        for wait in (0.0, 0.05):
            urls = [web.url("/get", delay=wait)] * pages
            times: dict[str, list[float]] = {name: [] for name in WAYS}
            for _, (name, way) in itertools.product(range(turns), WAYS.items()):
                times[name].append(await seconds(way, urls))
            base = statistics.median(times["aiohttp, semaphore"])
            ideal = math.ceil(pages / LIMIT) * wait
            rows = []
            for name, each in times.items():
                median = statistics.median(each)
                rows.append((name, figures.duration(median), figures.duration(median / pages)))
                rows[-1] += (figures.ratio(base / median), figures.ratio(median / ideal) if ideal else "")
            header = ("way", "in all", "a page", "speed", "over ideal")
            print(figures.table(header, rows, f"answered after {wait:g} s"), "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(main(options.pages, options.turns))
