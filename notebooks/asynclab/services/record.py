"""What the servers saw of each client, and what it remembers of it."""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Client:
    """What was seen of one client since its record began."""

    requests: int = 0
    connections: int = 0
    serving: int = 0
    peak: int = 0
    violations: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)
    # Weak: a connection that is closed is to be forgotten, not kept.
    transports: weakref.WeakSet[asyncio.BaseTransport] = field(default_factory=weakref.WeakSet)
    # How often the client asked for (path, key); and what the paths that change with time remember of it, by key.
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    refused: dict[str, float] = field(default_factory=dict)  # key: when it may come again, by the loop's clock
    admitted: dict[tuple[str, int, float], deque[float]] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return the record in the form of `/stats`."""
        return {
            "requests": self.requests,
            "connections": self.connections,
            "peak": self.peak,
            "statuses": dict(sorted(self.statuses.items())),
            "violations": self.violations,
            "by_path": dict(sorted(self.by_path.items())),
            "open_connections": sum(not transport.is_closing() for transport in self.transports),
        }


class Visit:
    """One request, from its arrival until its answer is on the way."""

    def __init__(self, client: Client, path: str, transport: asyncio.BaseTransport | None) -> None:
        self.client, self.path = client, path
        self.open, self.pause = True, 0.0
        client.requests += 1
        client.by_path[path] += 1
        client.serving += 1
        client.peak = max(client.peak, client.serving)
        if transport is not None and transport not in client.transports:
            client.connections += 1
            client.transports.add(transport)

    async def wait(self) -> None:
        """Sleep for the time that this request is to be delayed, once."""
        pause, self.pause = self.pause, 0.0
        if pause:
            await asyncio.sleep(pause)

    def end(self, outcome: int | str) -> None:
        """Note the status that was answered, or in a word what happened instead; only the first call counts.

        To be called before the last byte is written: a client that has its answer may send its next request at
        once, which must not be seen beside this one.
        """
        if self.open:
            self.open = False
            self.client.serving -= 1
            self.client.statuses[str(outcome)] += 1


class Record:
    """The records of all clients, by name."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}

    def client(self, name: str) -> Client:
        """Return the record of a client, which begins here if there is none."""
        return self.clients.setdefault(name, Client())

    def forget(self, name: str) -> None:
        """Begin the record of a client anew. Requests that are being served still count in the old one."""
        self.clients.pop(name, None)
