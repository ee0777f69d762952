"""Callers that come to a rate limiter all at once: when they went on, and what a server says to it."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Protocol

from .services import Services


class Limiter(Protocol):
    """What is asked of a rate limiter."""

    async def acquire(self) -> object:
        """Wait until the caller may go on."""


async def admissions(limiter: Limiter, callers: int, *, stall: float = 0.0, after: float = 0.25) -> list[float]:
    """Let `callers` tasks acquire `limiter` at once; return when each went on, in that order (time.perf_counter()).

    `after` seconds from the start somebody holds the event loop for `stall` seconds.
    """
    times: list[float] = []

    async def caller() -> None:
        await limiter.acquire()
        times.append(time.perf_counter())

    stalled = asyncio.get_running_loop().call_later(after, time.sleep, stall)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
    finally:
        stalled.cancel()
    return times


async def refused(web: Services, limiter: Limiter, calls: int, *, rate: int, per: float) -> float:
    """Send `calls` requests at once, each as soon as `limiter` lets it; return the share that the server refuses.

    The server, `/limited`, admits `rate` requests in any `per` seconds, by the moments at which they arrive.
    """
    name = f"refused {uuid.uuid4()}"  # a new client: nothing that was admitted before counts
    async with web.asking("/limited", client=name, rate=rate, per=per) as ask:

        async def call(number: int) -> None:
            await limiter.acquire()
            await ask(number)

        await asyncio.gather(*[call(number) for number in range(calls)], return_exceptions=True)
    seen = await web.stats(name, reset=True)
    if seen["requests"] != calls:
        raise RuntimeError(f"the server saw {seen['requests']} of {calls} requests: {seen['statuses']}")
    return seen["violations"] / calls
