"""A server that cannot be reached: it listens, and never accepts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["nobody_accepts"]


@contextlib.contextmanager
def nobody_accepts() -> Iterator[str]:
    """Give the URL of a port on which, during the block, a connection is neither made nor refused.

    Its queue is full of connections that nobody accepts. That is how Linux behaves; other systems may refuse.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as queue:
        for _ in range(3):
            client = queue.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
        yield "http://{}:{}/".format(*deaf.getsockname())
