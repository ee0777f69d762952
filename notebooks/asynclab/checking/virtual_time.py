"""Time in which waiting takes none: the clocks skip ahead whenever nothing is left to do but wait.

`install()` replaces the clocks of `time` and `time.sleep` in this process, which is one that only checks. A `Loop`
then goes by them. Whatever it runs takes a few microseconds of that time, always the same, so that a run depends on
nothing but the code: the machine may be as busy as it likes.

Threads wait in this time, too, for it to pass or for each other. It stands still while one of them works: the loop
takes its next turn when all of them wait. Where the loop's own thread waits for another, which holds the loop, that is
noted. Time is real while a socket is open.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import heapq
import itertools
import math
import queue
import selectors
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

_CALL = 1e-6  # seconds that reading a clock takes
_TURN = 2e-5  # seconds that a turn of the loop takes
_EPOCH = 1_700_000_000.0  # what `time.time()` begins with
_LOOK = 0.0002  # real seconds between two looks at threads that work
_STEP = 0.1  # real seconds for which the loop waits for threads or sockets, before it goes on without them
_THREADS = 8  # of `asyncio.to_thread`, on every machine: as many as it has where there are 4 processors
_STACK = 2**20  # bytes for a thread: a learner may start many, and memory is limited

real_clock = time.perf_counter


class Blocking(NamedTuple):
    """A call that held the event loop."""

    call: str  # in words, such as "`time.sleep(0.2)`"
    places: list[tuple[str, int]]  # file and line of the call, of the code that called that, and so on


class Deadlock(BaseException):
    """The loop's thread waits for what only the loop could do."""


class _Clock:
    now = 0.0
    turn = 0.0  # when this turn of the loop began: for threads, which run beside it

    def read(self) -> float:
        self.now += _CALL
        return self.now

    def skip_to(self, moment: float) -> None:
        self.now = self.turn = max(self.now, moment)


clock = _Clock()
_thread_of_loop = threading.get_ident()
blocking: list[Blocking] = []  # what held the loop since somebody cleared the list


def install() -> None:
    """Replace the clocks of this process, whose calling thread is the one that runs the loop."""
    global _thread_of_loop
    _thread_of_loop = threading.get_ident()
    time.monotonic = time.perf_counter = threading._time = queue.time = clock.read
    time.time = lambda: _EPOCH + clock.read()
    time.monotonic_ns = time.perf_counter_ns = lambda: int(clock.read() * 1e9)
    time.time_ns = lambda: int((_EPOCH + clock.read()) * 1e9)
    time.sleep = sleep
    threading.Condition.wait, threading.Thread.join = _wait_for_condition, _join
    queue.SimpleQueue = queue._PySimpleQueue  # which pools are made of: in Python, it waits for a condition
    selectors.DefaultSelector = _SelectorOfThread
    threading.stack_size(_STACK)


def sleep(seconds: float) -> None:
    """Stand in for `time.sleep`: note a call that holds the loop, let a thread sleep in virtual time."""
    seconds = seconds.__index__() if hasattr(seconds, "__index__") else float(seconds)
    if not seconds >= 0:
        raise ValueError("sleep length must be non-negative")
    block(seconds, f"`time.sleep({seconds:g})`")


def block(seconds: float, call: str) -> None:
    """Let the thread that calls this wait for so many seconds of virtual time; `call` says in words what it does."""
    if threading.get_ident() != _thread_of_loop:
        _Wait(seconds).wait()
    elif seconds:
        blocking.append(Blocking(call, _places()))
        clock.skip_to(clock.now + seconds)


def _places() -> list[tuple[str, int]]:
    """Return file and line of the code that runs, of its caller, and so on."""
    found, frame = [], sys._getframe(1)
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return found


# Threads --------------------------------------------------------------------------------------------------------


class _Wait:
    """A wait of one thread: until it is released, or for so many seconds of virtual time."""

    def __init__(self, seconds: float | None = None) -> None:
        self.until = math.inf if seconds is None else clock.turn + seconds
        self._is_on, self._is_late = True, False
        self._lock = threading.Lock()
        self._lock.acquire()

    def release(self, is_late: bool = False) -> None:
        """End it, because time is up or before. Raises RuntimeError if it has ended: a condition expects that."""
        if not self._is_on:
            raise RuntimeError("this wait has ended")
        self._is_late = is_late
        self._is_on = False  # from now on its thread works, though it may take a moment until it runs
        self._lock.release()

    def is_released(self) -> bool:
        """Return whether it was ended before its time was up."""
        return not (self._is_on or self._is_late)

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Return whether it has ended, after so many real seconds at most. It is not to be asked again then."""
        return self._lock.acquire(timeout=seconds)

    def wait(self, is_over: Callable[[], Any] | None = None) -> None:
        """Let the thread that calls this wait; it ends early if `is_over` gives something true."""
        _sleepers.add(self)
        _now_waits(lambda: self._is_on and not (is_over and is_over()))
        while not self.has_ended(-1 if is_over is None else _LOOK):
            if is_over():
                self._is_on = False
                break
        _sleepers.discard(self)


class _Sleepers:
    """The waits that end with time: when the loop has nothing else to do, it skips to the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, _Wait]] = []
        self._numbers = itertools.count()

    def add(self, wait: _Wait) -> None:
        if wait.until < math.inf:
            with self._lock:
                heapq.heappush(self._heap, (wait.until, next(self._numbers), wait))

    def discard(self, wait: _Wait) -> None:
        if wait.until < math.inf:
            with self._lock:
                self._heap = [each for each in self._heap if each[-1] is not wait]
                heapq.heapify(self._heap)

    def first(self) -> float:
        """Return when the first of them ends; infinity if there is none."""
        with self._lock:
            return self._heap[0][0] if self._heap else math.inf

    def wake_first(self) -> None:
        """Skip to the moment at which the first of them ends, and end it."""
        with self._lock:
            until, _, wait = heapq.heappop(self._heap)
        clock.skip_to(until)
        with contextlib.suppress(RuntimeError):
            wait.release(is_late=True)


class _Nudge:
    """What tells the loop's thread that another one has begun to wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._numbers = itertools.count()
        self.number = 0  # another one whenever a thread begins to wait
        self.loop: asyncio.AbstractEventLoop | None = None  # that waits for a socket meanwhile

    def renumber(self) -> None:
        self.number = next(self._numbers)

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._lock.release()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(int)

    def wait(self, seconds: float) -> None:
        self._lock.acquire(timeout=seconds)


_sleepers, _nudge = _Sleepers(), _Nudge()


def _now_waits(waits: Callable[[], Any]) -> None:
    """Note that the thread that calls this waits as long as `waits` says so."""
    _nudge.renumber()
    threading.current_thread().waits = waits
    _nudge.set()


def is_a_thread_at_work() -> bool:
    """Return whether a thread has something to do but wait, the loop's own aside."""
    while True:
        number = _nudge.number
        others = [thread for thread in threading.enumerate() if thread.ident != _thread_of_loop]
        if not all(getattr(thread, "waits", bool)() for thread in others):
            return True
        if number == _nudge.number:  # otherwise the one that waits now may have woken one that waited before
            return False


def let_threads_work(seconds: float = _STEP) -> bool:
    """Let the other threads work until all of them wait, or for so many real seconds; return whether they wait."""
    if threading.active_count() == 1:
        return True
    end = real_clock() + seconds
    while is_a_thread_at_work():
        if real_clock() > end:
            return False
        _nudge.wait(_LOOK)
    return True


def have_threads_ended() -> bool:
    """Return whether no thread works, nor will when time goes on."""
    return let_threads_work() and _sleepers.first() == math.inf


def _wait_for_condition(self: threading.Condition, timeout: float | None = None) -> bool:
    """Stand in for `Condition.wait`, on which futures, queues, events and semaphores of threads are built."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    wait = _Wait(timeout)
    self._waiters.append(wait)
    lock = self._release_save()
    try:
        if threading.get_ident() == _thread_of_loop:
            _hold_loop(wait.has_ended, timeout)
        elif timeout is None or timeout > 0:
            wait.wait()
    finally:
        self._acquire_restore(lock)
        with contextlib.suppress(ValueError):
            self._waiters.remove(wait)
    return wait.is_released()


def _join(self: threading.Thread, timeout: float | None = None) -> None:
    """Stand in for `Thread.join`."""
    if threading.get_ident() == _thread_of_loop:
        return _hold_loop(lambda seconds: _real_join(self, seconds) or not self.is_alive(), timeout)
    _now_waits(lambda: threading._active.get(self.ident) is self)
    try:
        _real_join(self, timeout)
    finally:
        threading.current_thread().waits = bool


_real_join = threading.Thread.join


def _hold_loop(has_ended: Callable[[float], bool], timeout: float | None) -> None:
    """Let the loop's own thread wait for another one. Only threads go on meanwhile, and time goes with them.

    Raises `Deadlock` if nothing will ever end it.
    """
    has_skipped, end = False, math.inf if timeout is None else clock.now + timeout
    while not has_ended(0.0):
        if timeout is not None and timeout <= 0:
            break
        if is_a_thread_at_work():
            if has_ended(_LOOK):
                break
        elif has_ended(0.0):  # while they were counted
            break
        elif (first := _sleepers.first()) == end == math.inf:
            if has_ended(_STEP):  # a thread is off the list a moment before `join` sees its end
                break
            raise Deadlock
        else:
            has_skipped = True
            if first > end:
                clock.skip_to(end)
                break
            _sleepers.wake_first()
    if has_skipped:  # it took time: not so the start of a thread, or the end of an idle pool
        blocking.append(Blocking("a wait for a thread", _places()))


class _SelectorOfThread(selectors.DefaultSelector):
    """What an event loop in another thread waits with."""

    def select(self, timeout: float | None = None) -> list:
        look = super().select
        if not (ready := look(0)) and (timeout is None or timeout > 0):

            def is_over() -> bool:
                try:
                    return bool(look(0))
                except (OSError, ValueError):  # its thread works again, and has closed it
                    return True

            _Wait(timeout).wait(is_over)
            ready = look(0)
        return ready


# The loop -------------------------------------------------------------------------------------------------------


class _Selector(selectors.DefaultSelector):
    stuck: Callable[[], None]  # is called when nothing is left that could happen
    loop: asyncio.AbstractEventLoop

    def select(self, timeout: float | None = None) -> list:
        others = len(self.get_map()) > 1  # a socket beside the loop's own: others are at work, and time is real
        at_once = timeout is not None and timeout <= 0
        do_all_wait = others or let_threads_work()
        ready = super().select(0)
        while not (do_all_wait or ready or at_once):
            do_all_wait = let_threads_work()
            ready = super().select(0)
        clock.skip_to(clock.now + _TURN)
        if ready or at_once:
            return ready
        if others:
            return self._wait(timeout)
        end = math.inf if timeout is None else clock.now + timeout
        if _sleepers.first() < end:
            _sleepers.wake_first()
        elif timeout is None:
            self.stuck()
        else:
            clock.skip_to(end)
        return []

    def _wait(self, timeout: float | None) -> list:
        began, _nudge.loop = real_clock(), self.loop
        least = min(_sleepers.first() - clock.now, math.inf if timeout is None else timeout)
        ready = super().select(min(max(0.0, least), _STEP))  # and not longer: `on_turn` may end what waits in vain
        _nudge.loop = None
        clock.skip_to(clock.now + real_clock() - began)
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
        selector.stuck, selector.loop = self._stuck, self
        super().__init__(selector)
        self.set_default_executor(concurrent.futures.ThreadPoolExecutor(_THREADS, "asyncio"))
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
