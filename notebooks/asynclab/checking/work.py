"""What is handed to a learner's function, and notes what the function does with it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import virtual_time


class JobError(Exception):
    """What work raises that is to fail."""


@dataclass
class Call:
    """One call of a piece of work. Times are seconds of virtual time."""

    item: Any
    start: float
    task: str  # name of the task that called; "" in a thread
    end: float | None = None
    cancelled: float = math.inf  # when it was; it may take a while more to end
    outcome: str = "pending"  # or "done", "failed", "cancelled"


class Work:
    """Something that takes its time; its `calls` are noted in the order in which they begin.

    `function` is a coroutine function of one item, `blocking` a plain one; both bear the `name` that the learner
    knows. A call for an item takes `seconds[item]` of virtual time, raises `failing[item]` if that is there, and gives
    `results[item]`, or else a text with its name. A call that is cancelled takes `closing` seconds more to end, or
    `closing[item]`.
    """

    def __init__(
        self,
        name: str,
        seconds: Mapping[Any, float],
        results: Mapping[Any, Any] | None = None,
        failing: Mapping[Any, BaseException] | None = None,
    ) -> None:
        self.name, self.seconds, self.results, self.failing = name, seconds, results or {}, failing or {}
        self.calls: list[Call] = []
        self.closing: float | Mapping[Any, float] = 0.0
        self._is_list = False  # the learner knows a list of functions, and not one that takes an item
        self._lock = threading.Lock()  # it may be called in threads
        self.open = self.most = 0  # calls under way now, and the most that ever were

        async def function(item: Any) -> Any:
            with self.noted(item) as call:
                await self.take(call, self.seconds.get(item, 0.01))
                return self.outcome(item)

        def blocking(item: Any) -> Any:
            with self.noted(item):
                virtual_time.block(self.seconds.get(item, 0.01), self.call(item))
                return self.outcome(item)

        self.function, self.blocking = named(function, name), named(blocking, name)

    def functions(self, blocking: Container[Any] = ()) -> list[Callable[[], Any]]:
        """Return a function without parameters for each item, in order: a plain one for those that are to block."""
        self._is_list = True

        def of(item: Any) -> Callable[[], Any]:
            if item in blocking:
                return named(lambda: self.blocking(item), self.name)

            async def job() -> Any:
                with self.noted(item) as call:
                    await self.take(call, self.seconds[item])
                    return self.outcome(item)

            return named(job, self.name)

        return [of(item) for item in self.seconds]

    async def take(self, call: Call, seconds: float) -> None:
        """Let a call take so long, and note when it is cancelled."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            call.cancelled = virtual_time.clock.now
            closing = self.closing[call.item] if isinstance(self.closing, Mapping) else self.closing
            if closing:
                await asyncio.sleep(closing)
            raise

    @contextlib.contextmanager
    def noted(self, item: Any) -> Iterator[Call]:
        """Note a call from its beginning to its end, however it ends."""
        call = Call(item, virtual_time.clock.now, _name_of_task())
        with self._lock:
            self.calls.append(call)
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            yield call
            call.outcome = "done"
        except asyncio.CancelledError:
            call.outcome = "cancelled"
            raise
        except BaseException:
            call.outcome = "failed"
            raise
        finally:
            with self._lock:
                self.open -= 1
            call.end = virtual_time.clock.now

    def outcome(self, item: Any) -> Any:
        """Return what a call for `item` gives, or raise its error."""
        if item in self.failing:
            raise self.failing[item]
        return self.results.get(item, f"{self.name} {item}")

    def call(self, item: Any) -> str:
        """Return a call as the learner would write it, for a message."""
        return f"{self.name} {item}" if self._is_list else f"`{self.name}({item!r})`"


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the same function, called `name`."""
    function.__name__ = function.__qualname__ = name
    return function


def _name_of_task() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread
        return ""
    return task.get_name() if task else ""


class Uses:
    """How many objects of a class were made, and how often one was taken: see `uses`."""

    def __init__(self) -> None:
        self.made = self.taken = 0


_uses: dict[type, Uses] = {}


def uses(kind: type) -> Uses:
    """Count from now on how many objects of `kind` are made, such as `asyncio.Semaphore`, and how often acquired."""
    if kind not in _uses:
        make, acquire = kind.__init__, kind.acquire

        def __init__(self: Any, *args: Any, **options: Any) -> None:
            _uses[kind].made += 1
            make(self, *args, **options)

        def counted(self: Any) -> Any:
            _uses[kind].taken += 1
            return acquire(self)

        kind.__init__, kind.acquire = __init__, counted
    _uses[kind] = Uses()
    return _uses[kind]
