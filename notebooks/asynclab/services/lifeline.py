"""How a child process learns that it is to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

_CHECK = 0.5  # seconds between two looks at the parent


async def end_of_parent() -> None:
    """Return when the parent says so, by a byte on the standard input, or is gone."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    threading.Thread(target=_listen, args=(loop, over), daemon=True).start()
    if sys.platform == "win32":
        await over.wait()  # there a child keeps its parent's number, and nothing is forked
        return
    parent = os.getppid()
    while os.getppid() == parent and not over.is_set():  # gone, although a forked worker of its own holds the pipe
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _CHECK)


def _listen(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    """Wait for a word from the parent, or for the end of the pipe: both mean the end."""
    # Not sys.stdin: the interpreter cannot end while a thread holds that file's lock.
    with contextlib.suppress(OSError):
        os.read(0, 1)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(over.set)
