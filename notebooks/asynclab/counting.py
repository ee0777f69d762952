"""What is counted over time: the length of a queue, the callers that a rate limiter lets on, the moments in a window.

Windows are half-open: two moments share a window of `per` seconds if the later comes less than `per` after the
earlier. That is asked of the two as they are, `later - earlier < per`, as a limiter would ask it. Hand the moments
over as the clock gave them: counting them from a start first may round two of them into one window, or out of it.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from .services import Services


class WatchedQueue(asyncio.Queue):
    """An `asyncio.Queue` that notes its length whenever it changes; otherwise it is like any other.

    `lengths` holds (seconds since the queue was made, items in it from then on), beginning with (0.0, 0): what
    `asynclab.plots.history.history` draws.
    """

    # asyncio.Queue marks the next three as the methods that a subclass may override.
    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._made = time.perf_counter()
        self.lengths: list[tuple[float, int]] = [(0.0, 0)]

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._note()

    def _get(self) -> Any:
        item = super()._get()
        self._note()
        return item

    def _note(self) -> None:
        self.lengths.append((time.perf_counter() - self._made, self.qsize()))


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


def most_in_window(times: Iterable[float], per: float) -> int:
    """Return the largest number of `times` (seconds, in any order) that lie in one window of `per` seconds.

    Raises ValueError if `per` is not a finite time above 0, or one of `times` is not finite.
    """
    window: deque[float] = deque()
    most = 0
    for now in _in_order(times, per):
        window.append(now)
        while now - window[0] >= per:
            window.popleft()
        most = max(most, len(window))
    return most


def in_window(times: Iterable[float], per: float) -> list[tuple[float, int]]:
    """Return how many of `times` lie in the last `per` seconds, as steps: (moment, the number from then on).

    The moments are in seconds from the first of `times`, each later than the one before. The number rises at each
    of `times` and falls `per` after it. Its largest value is that of `most_in_window`, which raises the same errors.
    """
    moments = _in_order(times, per)
    steps: list[tuple[float, int]] = []
    window: deque[float] = deque()
    risen = False  # whether the last step counts a moment that came

    def step(moment: float, rises: bool) -> None:
        nonlocal risen
        last = steps[-1][0] if steps else -math.inf
        if risen and not rises:  # the number stood for some time, however little rounding left of that
            moment = max(moment, math.nextafter(last, math.inf))
        if moment <= last:
            moment = steps.pop()[0]  # both at once
        steps.append((moment, len(window)))
        risen = rises

    for now in moments:
        while window and now - window[0] >= per:
            step(window.popleft() - moments[0] + per, rises=False)
        window.append(now)
        step(now - moments[0], rises=True)
    while window:
        step(window.popleft() - moments[0] + per, rises=False)
    return steps


def _in_order(times: Iterable[float], per: float) -> list[float]:
    if not 0 < per < math.inf:
        raise ValueError(f"per must be a time above 0, in seconds, not {per!r}")
    moments = sorted(times)
    if not all(map(math.isfinite, moments)):
        raise ValueError("times must be finite numbers of seconds")
    return moments
