"""What a page of another site sends to the servers is refused: they are for programs of this machine.

A browser lets every page that is open send requests to 127.0.0.1. Two headers give it away, which no page can forge:
`Host`, when the page has let a name of its own mean 127.0.0.1 (DNS rebinding), and `Origin`, which comes with every
websocket and with every request of a script that another site could not make without one.
"""

from __future__ import annotations

import re

from aiohttp import web

_OWN_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1])(:[0-9]+)?", re.IGNORECASE)


def complaint(request: web.Request) -> tuple[int, str] | None:
    """Return status and sentence of the refusal; None for a request of a program, or of a page of these servers."""
    host, origin = request.headers.get("Host"), request.headers.get("Origin")
    if host is not None and not _OWN_NAME.fullmatch(host):  # None: a program that speaks HTTP 1.0
        return 421, f"these servers are called 127.0.0.1, not {host!r:.60}: ask at web.api or web.site"
    if origin is not None and origin != f"http://{host}":
        return 403, f"a page of {origin!r:.60} may not ask here: ask from a cell, or without the header Origin"
    return None
