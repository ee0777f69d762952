"""A process that hosts a service which was packed in another one, and says afterwards what it used and left.

It reads a pickle from its standard input: the module path, the packed class, the address to give it. Then it prints
its port, or why there is none, as a line of JSON. It serves until its parent says so, or is gone, and prints a second
line: what the service used, and what it left.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the Stop button signals the whole process group, and means the cell

import asyncio  # noqa: E402
import contextlib  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pickle  # noqa: E402
import sys  # noqa: E402
from collections.abc import Awaitable  # noqa: E402
from typing import Any, TextIO  # noqa: E402

import psutil  # noqa: E402
from aiohttp import web  # noqa: E402

from .descriptors import allow_many_files  # noqa: E402
from .lifeline import end_of_parent  # noqa: E402
from .middleware import Handler  # noqa: E402

_SETTLE = 0.05  # seconds in which what is just ending may end
_ENDING = 1.0  # seconds for the service to close what it has


class _Watch:
    """What the service opens, which requests it serves, and what it raises that aiohttp then answers with 500."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.opened = 0  # connections
        self._connect, loop.create_connection = loop.create_connection, self._count
        self.serving: set[asyncio.Task] = set()
        self.raised: dict[str, None] = {}  # in words, each once

    def _count(self, *args: Any, **options: Any) -> Awaitable[Any]:
        self.opened += 1
        return self._connect(*args, **options)

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.serving.add(task := asyncio.current_task())
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:
            self.raised[f"{type(error).__name__}: {error}"] = None
            raise
        finally:
            self.serving.discard(task)


async def main(packed: bytes, upstream: str, said: TextIO) -> None:
    """Host the service, saying what is to be said to `said`."""
    over, connections = asyncio.create_task(end_of_parent()), _connections()
    watch = _Watch(asyncio.get_running_loop())
    try:
        app = pickle.loads(packed)(upstream).app
        app.middlewares.append(watch.around)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SETTLE)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    except Exception as error:
        said.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return
    gc.collect()
    memory = psutil.Process().memory_info().rss
    said.write(json.dumps({"port": runner.addresses[0][1]}) + "\n")
    await over
    await asyncio.sleep(_SETTLE)
    found = {"opened": watch.opened, "memory": max(0, _peak() - memory), "running": len(watch.serving)}
    for task in watch.serving:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(runner.cleanup(), _ENDING)
    await asyncio.sleep(_SETTLE)
    found |= {"left": _connections() - connections, "raised": list(watch.raised)}
    said.write(json.dumps(found) + "\n")


def _connections() -> int:
    return len(psutil.Process().net_connections("inet"))


def _peak() -> int:
    """Return the most bytes of memory that were ever resident."""
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        # Not `ru_maxrss`: on Linux, it begins with the memory of the parent.
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    said = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what the service prints is none of our lines
    allow_many_files()
    sys.path[:], packed, upstream = pickle.load(sys.stdin.buffer)
    asyncio.run(main(packed, upstream, said))
