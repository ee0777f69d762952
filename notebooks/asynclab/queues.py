"""A queue that remembers how long it has been."""

from __future__ import annotations

import asyncio
import time
from typing import Any


class WatchedQueue(asyncio.Queue):
    """An `asyncio.Queue` that notes its length whenever it changes; otherwise it is like any other.

    `lengths` holds (seconds since the queue was made, items in it from then on), beginning with (0.0, 0): what
    `asynclab.plots.history.history` draws.
    """

    # asyncio.Queue marks the next three as the methods that a subclass may override.
    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._made = time.perf_counter()
        self.lengths: list[tuple[float, int]] = [(0.0, 0)]

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._note()

    def _get(self) -> Any:
        item = super()._get()
        self._note()
        return item

    def _note(self) -> None:
        self.lengths.append((time.perf_counter() - self._made, self.qsize()))
