"""An event loop whose clock is made up: an hour of waiting takes no time, and every run is the same.

    clock = Clock(resolution=1 / 64)
    result = play(main, clock)                   # main: a coroutine function

When nothing is ready, the clock jumps to the next timer. The clock can be read in ticks (`resolution`, 15.625 ms on
older Windows), the loop can stall between any two callbacks (`stalls`), and timers can fire early, by less than a tick.
`play` fails if the program waits for something that cannot happen (`Hangs`), if it spins (`Spins`), if it leaves a task
or a timer behind (`Untidy`), and if an exception was left to the loop's exception handler (`Unheard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import math
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

STEP = 1e-6  # seconds that a round of the loop takes
MANY = 1_000_000  # rounds after which a program is taken to spin


class Hangs(Exception):
    """The program waits, and no timer is set."""


class Spins(Exception):
    """The program never comes to an end, although it does not wait."""


class Untidy(Exception):
    """A task or a timer outlived the program."""


class Unheard(Exception):
    """An exception reached nobody but the loop's exception handler."""


class Clock:
    """The time of a virtual loop. Calling it reads it, in whole ticks of `resolution` seconds (0: exact).

    `stalls` are seconds by which the clock jumps before each callback, one after the other, then none; `step` is what
    a round of the loop takes. Only `now`, the true time, may be set; `stalled` is when the loop stalled, and how long.
    """

    def __init__(
        self, resolution: float = 0.0, stalls: Iterable[float] = (), start: float = 1000.0, step: float = STEP
    ):
        self.resolution, self.now, self.step = resolution, start, step
        self._stalls: Iterator[float] = iter(stalls)
        self.stalled: list[tuple[float, float]] = []
        self.rounds = 0

    def __call__(self) -> float:
        return math.floor(self.now / self.resolution) * self.resolution if self.resolution else self.now

    def stall(self, seconds: float | None = None) -> None:
        """Let time pass in which the loop runs nothing: `seconds`, or the next of the stalls that were given."""
        if seconds is None:
            seconds = next(self._stalls, 0.0)
        if seconds:
            self.stalled.append((self.now, seconds))
            self.now += seconds

    def lost(self, begin: float, end: float) -> float:
        """Return the seconds of all stalls that touch the time from `begin` to `end`."""
        return sum(seconds for at, seconds in self.stalled if at <= end and at + seconds >= begin)

    def module(self) -> SimpleNamespace:
        """Return what stands in for the module `time` in a program."""
        return SimpleNamespace(perf_counter=self, monotonic=self, time=self, sleep=self.stall)


class _Ready(deque):
    """The callbacks that are ready: before each of them the loop may stall."""

    clock: Clock

    def popleft(self):
        self.clock.stall()
        return super().popleft()


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock. `early` yields, for each wait, the share of a tick by which it ends too soon."""

    def __init__(self, clock: Clock, early: Iterable[float]):
        super().__init__()
        self.clock, self.early = clock, iter(early)

    def select(self, timeout: float | None = None) -> list:
        self.clock.rounds += 1
        if timeout is None:
            raise Hangs("everybody waits, and nothing is left that could happen")
        if self.clock.rounds > MANY:
            raise Spins(f"the loop went round {MANY:,} times")
        wait = timeout - next(self.early, 0.0) * self.clock.resolution
        self.clock.now += max(wait, self.clock.step)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on a `Clock`. It knows no other events than timers and callbacks: no sockets, no threads."""

    def __init__(self, clock: Clock, early: Iterable[float] = ()):
        self.clock = clock
        super().__init__(_Selector(clock, early))
        self._clock_resolution = clock.resolution or 1e-9
        self._ready = _Ready()
        self._ready.clock = clock
        self.unheard: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, context: self.unheard.append(context))

    def time(self) -> float:
        return self.clock()

    def timers(self) -> list[asyncio.TimerHandle]:
        """Return the timers that are set."""
        return [handle for handle in self._scheduled if not handle.cancelled()]


def play(
    main: Callable[[], Coroutine],
    clock: Clock | None = None,
    early: Iterable[float] = (),
    eager: bool = False,
) -> Any:
    """Run `main()` on a new virtual loop and return its result.

    Whatever it raises gets out. After a success, a task or a timer that is left raises Untidy; an exception that
    nobody heard raises Unheard.
    """
    loop = VirtualLoop(clock or Clock(), early)
    if eager:
        loop.set_task_factory(asyncio.eager_task_factory)
    try:
        result = loop.run_until_complete(main())
        if tasks := asyncio.all_tasks(loop):
            raise Untidy(f"tasks were left: {tasks}")
        if timers := loop.timers():
            raise Untidy(f"timers were left: {timers}")
        if loop.unheard:
            raise Unheard(loop.unheard)
        return result
    finally:
        _end(loop)


def _end(loop: VirtualLoop) -> None:
    """Cancel what is left, give it an hour to end, and close the loop."""
    loop.clock.rounds = 0
    for _ in range(5):
        if not (tasks := asyncio.all_tasks(loop)):
            break
        for task in tasks:
            task.cancel()
        loop.call_later(3600, loop.stop)
        with contextlib.suppress(BaseException):  # a SystemExit goes through each task that waits for another
            loop.run_forever()
    loop.close()


def virtual(test: Callable[..., Coroutine]) -> Callable[..., None]:
    """Play an asynchronous test, which may forget no coroutine: that is a warning, and so an error."""

    @functools.wraps(test)
    def played(**arguments: Any) -> None:
        play(functools.partial(test, **arguments))
        gc.collect()

    return played
