"""A coroutine whose every wait is seen, so that it can be cancelled at each of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass


@dataclass
class Watched:
    """Awaits `coroutine`, and calls `on_pause(future)` whenever that is about to wait for one."""

    coroutine: Coroutine
    on_pause: Callable

    def __await__(self):
        step, value = self.coroutine.send, None
        while True:
            try:
                future = step(value)
            except StopIteration as stop:
                return stop.value
            self.on_pause(future)
            try:
                step, value = self.coroutine.send, (yield future)
            except BaseException as error:
                step, value = self.coroutine.throw, error


async def outcome(task: asyncio.Future) -> BaseException | None:
    """Wait until `task` has ended; return what it raised, a `CancelledError` if it was cancelled, or None."""
    await asyncio.wait([task])
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def at_every_await(
    scene: Callable[[], Coroutine], times: int = 1
) -> AsyncIterator[tuple[BaseException | None, bool]]:
    """Yield the error of each run of `scene()`, and whether it was cut, each time later: at `times` awaits in a row.

    The last run is not cut.
    """
    loop = asyncio.get_running_loop()
    for first in itertools.count(1):
        pauses, cancels = itertools.count(1), []

        def on_pause(future: object, first=first, pauses=pauses, cancels=cancels) -> None:
            if first <= next(pauses) < first + times:
                cancels.append(loop.call_soon(asyncio.current_task().cancel))

        error = await outcome(asyncio.ensure_future(Watched(scene(), on_pause)))
        yield error, bool(cancels)
        if not cancels:
            return
