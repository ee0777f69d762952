"""What notebook 01 (deeper) and 00 (deeper) say of loops without showing it: the messages, and who wakes a loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest


async def short() -> None:
    pass


def add_with_create_task(loop: asyncio.AbstractEventLoop) -> None:
    """Leave no coroutine behind if that raises, as it does in debug mode."""
    coro = short()
    try:
        loop.create_task(coro)
    finally:
        coro.close()


def test_debug_mode_says_that_create_task_is_called_in_another_thread():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)  # the task that was half made is lost, too
        with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
            await asyncio.to_thread(add_with_create_task, loop)

    asyncio.run(main(), debug=True)


def test_run_coroutine_threadsafe_wakes_a_loop_that_sleeps():
    async def started() -> float:
        return time.perf_counter()

    def add(loop: asyncio.AbstractEventLoop) -> float:
        time.sleep(0.05)
        called = time.perf_counter()
        return asyncio.run_coroutine_threadsafe(started(), loop).result(30) - called

    async def main() -> float:
        return await asyncio.to_thread(add, asyncio.get_running_loop())

    assert asyncio.run(main()) < 15  # nothing else would ever wake it


async def contend(lock: asyncio.Lock) -> None:
    async def hold() -> None:
        async with lock:
            await asyncio.sleep(0)

    await asyncio.gather(hold(), hold())


async def wait_for(future: asyncio.Future) -> None:
    await future


async def make_lock() -> asyncio.Lock:
    lock = asyncio.Lock()
    await contend(lock)
    return lock


async def make_future() -> asyncio.Future:
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("make", "use", "message"),
    [
        (make_lock, contend, "is bound to a different event loop"),
        (make_future, wait_for, "attached to a different loop"),
    ],
)
def test_what_one_loop_made_does_not_serve_another(
    make: Callable[[], Coroutine], use: Callable[[Any], Coroutine], message: str
) -> None:
    thing = asyncio.run(make())
    with pytest.raises(RuntimeError, match=message):
        asyncio.run(use(thing))
