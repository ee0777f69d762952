"""Time in which waiting takes none: the clocks skip ahead whenever nothing is left to do but wait.

`install()` replaces the clocks of `time` and `time.sleep` in this process, which is one that only checks. A `Loop`
then goes by them. Whatever it runs takes a few microseconds of that time, always the same, so that a run depends on
nothing but the code: the machine may be as busy as it likes.

Threads sleep in this time, too. It does not skip while a thread works, and it is real while a socket is open.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pool_threads
import heapq
import itertools
import math
import selectors
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

_CALL = 1e-6  # seconds that reading a clock takes
_TURN = 2e-5  # seconds that a turn of the loop takes
_LOOK = 0.02  # real seconds between two looks at threads that work
_BLOCKED = 5  # looks in a row at which the loop's thread waits for a lock, before it counts as blocked
_EPOCH = 1_700_000_000.0  # what `time.time()` begins with

real_clock, _real_sleep = time.perf_counter, time.sleep


class Blocking(NamedTuple):
    """A call that held the event loop."""

    call: str  # such as "time.sleep(0.2)"; "" for a wait for a thread
    seconds: float
    places: list[tuple[str, int]]  # file and line of the call, of the code that called that, and so on


class _Clock:
    now = 0.0

    def read(self) -> float:
        self.now += _CALL
        return self.now


clock = _Clock()
_thread_of_loop = threading.get_ident()
blocking: list[Blocking] = []  # what held the loop since somebody cleared the list


def install() -> None:
    """Replace the clocks of this process, whose calling thread is the one that runs the loop."""
    global _thread_of_loop
    _thread_of_loop = threading.get_ident()
    time.monotonic = time.perf_counter = clock.read
    time.time = lambda: _EPOCH + clock.read()
    time.monotonic_ns = time.perf_counter_ns = lambda: int(clock.read() * 1e9)
    time.time_ns = lambda: int((_EPOCH + clock.read()) * 1e9)
    time.sleep = sleep
    pool_threads.ThreadPoolExecutor.submit = _noted_submit
    pool_threads._WorkItem.run = _noted_run


def sleep(seconds: float) -> None:
    """Stand in for `time.sleep`: note a call that holds the loop, let a thread sleep in virtual time."""
    seconds = seconds.__index__() if hasattr(seconds, "__index__") else float(seconds)
    if not seconds >= 0:
        raise ValueError("sleep length must be non-negative")
    if threading.get_ident() == _thread_of_loop:
        if seconds:
            blocking.append(Blocking(f"time.sleep({seconds:g})", seconds, _places(sys._getframe(1))))
        clock.now += seconds
    else:
        _sleepers.sleep(seconds)


# Threads --------------------------------------------------------------------------------------------------------


class _Sleepers:
    """Threads that sleep, until the loop has nothing else to do and skips to the moment at which the first wakes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self.loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def sleep(self, seconds: float) -> None:
        awake, blocked = threading.Event(), 0
        with self._lock:
            entry = (clock.now + seconds, next(self._numbers), awake)
            heapq.heappush(self._heap, entry)
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(int)  # it may have waited for this thread to work, or to sleep
        while not awake.wait(_LOOK / 2):
            blocked = blocked + 1 if (places := _waits_for_a_lock()) else 0
            if blocked >= _BLOCKED and self.first() == entry[0]:
                blocking.append(Blocking("", max(0.0, entry[0] - clock.now), places))
                self.wake_first()  # the loop waits for a thread that waits for the loop

    def first(self) -> float:
        """Return when the first of them wakes; infinity if there is none."""
        with self._lock:
            return self._heap[0][0] if self._heap else math.inf

    def wake_first(self) -> None:
        """Skip to the moment at which the first of them wakes, and wake it."""
        with self._lock:
            if self._heap:
                at, _, awake = heapq.heappop(self._heap)
                clock.now = max(clock.now, at)
                awake.set()


_sleepers = _Sleepers()


def _waits_for_a_lock() -> list[tuple[str, int]]:
    """Return where the loop's thread waits for another thread; nothing if it does not."""
    frame = sys._current_frames().get(_thread_of_loop)
    if frame is None or frame.f_code.co_filename != threading.__file__:
        return []
    return _places(frame) if frame.f_code.co_name in ("wait", "join", "_wait_for_tstate_lock") else []


def _places(frame: types.FrameType | None) -> list[tuple[str, int]]:
    """Return file and line of a frame, of its caller, and so on."""
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return found


class _Pool:
    """How many calls one pool of threads was given, has begun, and has ended."""

    submitted = begun = ended = 0


_pools: weakref.WeakKeyDictionary[Any, _Pool] = weakref.WeakKeyDictionary()
_pool_of_future: weakref.WeakKeyDictionary[Any, _Pool] = weakref.WeakKeyDictionary()
_submit, _run = pool_threads.ThreadPoolExecutor.submit, pool_threads._WorkItem.run


def _noted_submit(self: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    pool = _pools.setdefault(self, _Pool())
    pool.submitted += 1
    try:
        future = _submit(self, function, *args, **kwargs)
    except BaseException:
        pool.submitted -= 1
        raise
    _pool_of_future[future] = pool
    return future


def _noted_run(self: Any, *args: Any) -> None:
    # The thread may be here before `submit` has returned, and before the future is in the table.
    while (pool := _pool_of_future.get(self.future)) is None:
        _real_sleep(0)
    pool.begun += 1
    try:
        _run(self, *args)
    finally:
        pool.ended += 1  # the loop has been told of the result by now


def threads_at_work() -> int:
    """Return how many threads have something to do that is not sleeping."""
    count = 0
    for executor, pool in list(_pools.items()):
        running = pool.begun - pool.ended
        free = max(0, executor._max_workers - running)
        count += running + min(free, pool.submitted - pool.begun)
    if threading.active_count() > 1:
        count += sum(
            getattr(thread, "_target", None) not in (pool_threads._worker, None) and not getattr(thread, "ours", False)
            for thread in threading.enumerate()
        )
    return count - len(_sleepers)


# The loop -------------------------------------------------------------------------------------------------------


class _Selector(selectors.DefaultSelector):
    stuck: Callable[[], None]  # is called when nothing is left that could happen

    def select(self, timeout: float | None = None) -> list:
        clock.now += _TURN
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        wakes = _sleepers.first() - clock.now
        if len(self.get_map()) > 1:  # a socket beside the loop's own: others are at work
            return self._wait(timeout, wakes)
        if threading.active_count() > 1 and threads_at_work() > 0:
            return super().select(_LOOK)
        if wakes <= (math.inf if timeout is None else timeout) and wakes < math.inf:
            _sleepers.wake_first()
        elif timeout is None:
            self.stuck()
        else:
            clock.now += timeout
        return []

    def _wait(self, timeout: float | None, wakes: float) -> list:
        began = real_clock()
        least = min(wakes, math.inf if timeout is None else timeout)
        ready = super().select(None if least == math.inf else max(0.0, least))
        clock.now += real_clock() - began
        if clock.now >= _sleepers.first():
            _sleepers.wake_first()
        return ready


class Flood(BaseException):
    """More tasks were started than anything could need."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which also counts: its turns, and the tasks that are made on it.

    `on_turn` is called after each turn, `on_stuck` when nothing is left that could happen.
    """

    def __init__(self, most_tasks: int) -> None:
        selector = _Selector()
        selector.stuck = self._stuck
        super().__init__(selector)
        _sleepers.loop = self
        self.most_tasks = most_tasks
        self.made: list[asyncio.Task] = []
        self.on_turn: Callable[[], None] | None = None
        self.on_stuck: Callable[[], None] | None = None

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task:
        """Make a task, and note it. Raises `Flood` if there are too many."""
        if len(self.made) >= self.most_tasks:
            coro.close()
            raise Flood
        task = super().create_task(coro, **options)
        self.made.append(task)
        return task

    def _run_once(self) -> None:
        super()._run_once()
        if self.on_turn is not None:
            self.on_turn()

    def _stuck(self) -> None:
        if self.on_stuck is None:
            raise RuntimeError("nothing is left that could happen")
        self.on_stuck()
