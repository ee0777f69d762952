"""A coroutine whose every wait is seen, so that it can be cancelled at each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
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
