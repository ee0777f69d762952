"""What is handed to a learner's function to record what it does with it: the events of a run."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from collections.abc import Callable, Iterable
from time import perf_counter as clock
from typing import Any, NamedTuple, Protocol

__all__ = ["Event", "Interval", "Jobs", "Probe", "Session", "current_run"]

# These must work whatever the learner's code does to the modules they come from.
_pause, _Cancelled, _current_task, _get_ident = (
    asyncio.sleep,
    asyncio.CancelledError,
    asyncio.current_task,
    threading.get_ident,
)


class Event(NamedTuple):
    """Something that a probe saw. `str()` of it is, for example, "start 3"."""

    kind: str  # such as "start", "done", "failed", "cancelled", "open", "close"
    item: Any
    when: float  # seconds since the run began
    probe: str  # name of the probe, such as "job"
    task: str  # name of the task in which it happened
    call: int = 0  # the same number for all events of one call

    def __str__(self) -> str:
        return self.kind if self.item is None else f"{self.kind} {self.item}"


class Interval(NamedTuple):
    """One piece of a probe's work. Times are seconds since the run began; `end` is None if it never ended."""

    item: Any
    start: float
    end: float | None
    outcome: str  # "done", "failed", "cancelled", or "pending" if it never ended
    probe: str
    task: str


class Recorder(Protocol):
    """A run, as a probe sees it."""

    ident: int  # of the thread that it is in
    began: float  # on `clock`

    def note(self, event: Event) -> None:
        """Record `event`."""


# It tells the tasks, callbacks and prints of the learner's code from those of the kernel and of other cells.
current_run: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar("asynclab.run", default=None)
_calls = itertools.count(1)


class Probe:
    """Something handed to a learner's function that records what is done with it, for `Run.events`.

    Outside a run nothing is recorded, so that a probe may be tried out in a cell.
    """

    def __init__(self, name: str = "job") -> None:
        self.name = name

    def note(self, kind: str, item: Any = None, call: int = 0) -> None:
        """Record that `kind` happened to `item`; `call` is the same for all events of one call."""
        run = current_run.get()
        if run is not None:
            task = _current_task() if run.ident == _get_ident() else None
            run.note(Event(kind, item, clock() - run.began, self.name, task.get_name() if task else "", call))


class Jobs(Probe):
    """Work to hand out, which mostly waits: `value = await jobs.fetch(3)`, or `await jobs(3)`.

    `delay` is the time that a job takes in seconds, or a function of the item that gives it. An item in `failing`
    raises `error(f"job 3 failed")` after that time. The value is `result(item)`, or ten times the item if that is a
    number. Each call is an interval of the run: when it started, when and how it ended, in which task.

    `async with jobs.session() as session` notes "open" and "close"; `await session.fetch(3)` works in it only.
    """

    def __init__(
        self,
        delay: float | Callable[[Any], float] = 0.02,
        *,
        name: str = "job",
        failing: Iterable[Any] = (),
        error: type[Exception] = ValueError,
        result: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(name)
        self.delay, self.failing, self.error, self._result = delay, tuple(failing), error, result
        self._sessions = itertools.count(1)

    async def fetch(self, item: Any) -> Any:
        """Wait as long as `item` takes, and return its value or raise its error."""
        call = next(_calls)
        self.note("start", item, call)
        try:
            await _pause(self.delay(item) if callable(self.delay) else self.delay)
            if item in self.failing:
                raise self.error(f"{self.name} {item} failed")
        except _Cancelled:
            self.note("cancelled", item, call)
            raise
        except BaseException:
            self.note("failed", item, call)
            raise
        self.note("done", item, call)
        return self.result(item)

    __call__ = fetch

    def result(self, item: Any) -> Any:
        """Return what fetching `item` returns."""
        if self._result is not None:
            return self._result(item)
        return item * 10 if isinstance(item, (int, float)) else item

    def session(self) -> Session:
        """Return a session to be opened with `async with`, which closes it whatever happens."""
        return Session(self, next(self._sessions))


class Session:
    """What `async with jobs.session() as session` gives: `await session.fetch(3)`."""

    def __init__(self, jobs: Jobs, number: int) -> None:
        self.jobs, self.number, self.is_open = jobs, number, False

    async def __aenter__(self) -> Session:
        self.is_open = True
        self.jobs.note("open", self.number)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.is_open = False
        self.jobs.note("close", self.number)

    async def fetch(self, item: Any) -> Any:
        """Fetch `item` as `Jobs.fetch` does. Raises RuntimeError if the session is not open."""
        if not self.is_open:
            raise RuntimeError("this session is not open: fetch inside its `async with` block")
        return await self.jobs.fetch(item)
