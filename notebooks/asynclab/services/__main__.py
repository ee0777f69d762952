"""The child process: three servers in one event loop.

It prints their ports as one line of JSON, and ends with its parent.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the Stop button signals the whole process group, and means the cell

import asyncio  # noqa: E402
import json  # noqa: E402

from aiohttp import web  # noqa: E402

from . import api, mail, website  # noqa: E402
from .descriptors import allow_many_files  # noqa: E402
from .lifeline import end_of_parent  # noqa: E402
from .record import Record  # noqa: E402

_BACKLOG = 4096  # connections that wait to be accepted: a thousand clients come at once
_IDLE = 3600.0  # seconds that a connection may be kept and not used: learners think between two cells


async def main() -> None:
    """Serve until the parent says so, or is gone."""
    over = asyncio.create_task(end_of_parent())
    record, mailbox = Record(), mail.Mailbox()
    ports = {
        "api": await _serve(api.application(record, mailbox)),
        "site": await _serve(website.application(record)),
        "mail": await mail.serve(mailbox, _BACKLOG),
    }
    print(json.dumps(ports), flush=True)
    await over


async def _serve(app: web.Application) -> int:
    # handler_cancellation: a request whose client has gone is not served to its end. auto_decompress: a body is taken
    # as it was sent; a thousand times as much could come out of it.
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, keepalive_timeout=_IDLE, auto_decompress=False
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=_BACKLOG).start()
    return runner.addresses[0][1]


allow_many_files()
asyncio.run(main())
