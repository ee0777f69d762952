"""A server that cannot be reached: a connection to it begins, and is never complete."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["nobody_accepts"]


@contextlib.contextmanager
def nobody_accepts() -> Iterator[str]:
    """Give the URL of a port at which, during the block, connecting neither succeeds nor fails: it lasts.

    The port listens, and nobody accepts. How many connections a system completes and queues meanwhile differs from
    system to system, and so does what becomes of the next one. Hence the URL is one of https: a TLS handshake needs an
    answer from the program itself, and that never comes, on any system.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "https://{}:{}/".format(*listener.getsockname())
