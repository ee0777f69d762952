"""Answers put together: the `AsyncAPIAggregator` that chapter 5 teaches beside the guide's and one call after another.

    python tests/benchmarks/aggregator.py [--effort quick]

Three services answer for each user, after 0.3, 0.4 and 0.2 seconds, as those of the guide pretend to. The time of one
user, and of four, is a multiple of the slowest call's. "A user" is what one takes of the client's processor when the
API of `Services` answers at once.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import bench
from aiohttp import web
from bench import Column, Row, Section

from asynclab import Services
from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

chapter = taught(5)
DELAYS = {"": 0.3, "/orders": 0.4, "/preferences": 0.2}  # of each service, in seconds
SLOWEST = max(DELAYS.values())
ANSWERS = {
    "": {"user_id": 101, "name": "User-101"},
    "/orders": [{"order_id": "ORD-101-001", "amount": 99.99}],
    "/preferences": {"theme": "dark", "notifications": True},
}
Aggregate = Callable[[list[int]], Awaitable[list]]


@asynccontextmanager
async def as_taught(base_url: str) -> AsyncIterator[Aggregate]:
    async with chapter.AsyncAPIAggregator(base_url) as aggregator:
        yield aggregator.aggregate_users


@asynccontextmanager
async def session_of(base_url: str) -> AsyncIterator[Callable[[int, str], Awaitable]]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

        async def ask(user: int, service: str) -> object:
            async with session.get(f"{base_url}/users/{user}{service}") as response:
                return await response.json()

        yield ask


@asynccontextmanager
async def as_the_guide_says(base_url: str) -> AsyncIterator[Aggregate]:
    """Aggregate as the guide does, its calls being real."""
    async with session_of(base_url) as ask:

        async def one(user_id: int) -> dict:
            user_data, orders, preferences = await asyncio.gather(
                *[ask(user_id, service) for service in DELAYS], return_exceptions=True
            )
            return {
                "user": user_data if not isinstance(user_data, Exception) else None,
                "orders": orders if not isinstance(orders, Exception) else [],
                "preferences": preferences if not isinstance(preferences, Exception) else {},
            }

        async def all_of(users: list[int]) -> list[dict]:
            return await asyncio.gather(*map(one, users))

        yield all_of


@asynccontextmanager
async def sequential(base_url: str) -> AsyncIterator[Aggregate]:
    async with session_of(base_url) as ask:

        async def all_of(users: list[int]) -> list[list]:
            return [[await ask(user, service) for service in DELAYS] for user in users]

        yield all_of


OURS = "AsyncAPIAggregator"
WAYS: dict[str, Callable[[str], AbstractAsyncContextManager[Aggregate]]] = {
    OURS: as_taught,
    "the guide's": as_the_guide_says,
    "sequential": sequential,
}


@asynccontextmanager
async def slow_services() -> AsyncIterator[str]:
    """Serve the three services on a free port; give their base URL."""

    async def answer(request: web.Request) -> web.Response:
        service = request.match_info["service"]
        await asyncio.sleep(DELAYS[service])
        return web.json_response(ANSWERS[service])

    app = web.Application()
    app.router.add_get(r"/users/{user:\d+}{service:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def seconds(way: Callable, base_url: str, users: list[int], clock: Callable[[], float]) -> float:
    """Return how long it takes to aggregate `users` by `clock`, the session being there."""
    async with way(base_url) as aggregate:
        began = clock()
        await aggregate(users)
        return clock() - began


async def waited(turns: int) -> dict[str, Row]:
    """Measure one user and four, by turns, as multiples of the slowest call."""
    numbers = {"one user": [101], "four users": [101, 102, 103, 104]}
    times: dict[tuple[str, str], list[float]] = {}
    async with slow_services() as base_url:
        for _, (name, way), (column, users) in itertools.product(range(turns), WAYS.items(), numbers.items()):
            times.setdefault((name, column), []).append(await seconds(way, base_url, users, time.perf_counter))
    return {name: {column: bench.median(times[name, column]) / SLOWEST for column in numbers} for name in WAYS}


async def worked(turns: int, number: int) -> dict[str, float]:
    """Return what a user takes of the processor, by turns."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    users = [101 + each % 100 for each in range(number)]
    async with Services() as services:
        for _, (name, way) in itertools.product(range(turns), WAYS.items()):
            times[name].append(await seconds(way, services.api, users, time.process_time) / number)
    return {name: bench.median(each) for name, each in times.items()}


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    turns, users = {"long": (7, 200), "usual": (3, 100), "quick": (1, 50)}.get(effort, (1, 5))
    rows = bench.run(waited(turns))
    for name, each in bench.run(worked(2 * turns + 1, users)).items():
        rows[name]["a user"] = each
    columns = [
        Column("one user", ratio, min, ("≤", 1.05), log=True),
        Column("four users", ratio, min, ("≤", 1.05), log=True),
        Column("a user", duration, min, log=True),
    ]
    calls = ", ".join(f"{each:g}" for each in DELAYS.values())
    title = f"Answers put together: calls of {calls} s for a user; time as a multiple of the slowest; processor time"
    return Section(title, columns, [OURS], rows)


if __name__ == "__main__":
    bench.alone(measure)
