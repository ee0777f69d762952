"""End code that holds the event loop, whatever it catches: the watchdog of one run.

A thread looks at the learner's step now running. From the deadline on it interrupts it again and again until it ends.

The first time, `Stopped` is raised where the code stands. In the main thread SIGINT does that, which also ends a call
into the system such as `time.sleep(60)`; its handler is ours for the time of the run, raises in the learner's code
and nowhere else, and leaves the Stop button to its usual handler.

Code that catches every error, and goes on, is pursued: from then on `Stopped` is raised at every line of it that the
interpreter reaches, the lines of its handlers included, so that no handler gets anything done. See `Pursuit`.

What nothing can end: one long call into C that looks at no signal, such as `sum(range(10**12))`; outside the main
thread, where there are no signals, any long call into C.
"""

from __future__ import annotations

import _thread
import asyncio
import ctypes
import linecache
import os
import signal
import sys
import threading
import time
import types
from asyncio import events as asyncio_events
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from time import perf_counter as clock
from typing import Protocol

from ..tracing import awaiting, recorder

__all__ = ["Pursuit", "Stopped", "Watchdog"]

_GRACE = 0.1  # seconds beyond the deadline after which a step that still runs is said to hold the loop
_PERIOD = 0.02  # seconds between two looks of the watchdog
_PATIENCE = 0.2  # seconds after which a signal that was not dealt with is sent again
_DEPTH = 300  # calls by which the recursion limit is raised: code that is at the limit leaves a handler no room

_sleep, _set_signal, _get_ident, _getframe = time.sleep, signal.signal, threading.get_ident, sys._getframe
_genuine_handle_run = asyncio_events.Handle._run.__code__
_HERE = os.path.dirname(__file__)
_OURS = {os.path.join(_HERE, name) for name in ("running.py", "stopping.py", "world.py", "probes.py")}
_OURS |= {recorder.__file__}
_LOOPS = {asyncio_events.__file__, asyncio.base_events.__file__}
_LIBRARY = (*awaiting.LIBRARY, "<frozen")


class Stopped(BaseException):
    """Raised inside a learner's code to end it. Not an Exception: `except Exception` must not catch it."""


class Pursuit:
    """Raises `Stopped` at every line of the learner's code, in this thread, from `begin` to `end`.

    A function given to `sys.settrace` cannot do this: the interpreter takes it away when it raises, so that a loop
    need only catch twice. What takes it away is the C function that calls it. Ours is another, `PyObject_IsTrue`,
    which fits: called with an object and three things more, it calls the object's `__bool__` and returns -1 if that
    raises. (CPython, Python/sysmodule.c, `trace_trampoline`, and the C API's `PyEval_SetTrace`.)
    """

    def __init__(self) -> None:
        self._is_on, self._before = False, None

    def begin(self) -> None:
        """Begin, in the thread that calls this."""
        if not self._is_on:
            self._is_on, self._before = True, sys.gettrace()
            _set_trace(_is_true, self)

    def end(self) -> None:
        """Let the interpreter be as it was. It does no harm where nothing was begun."""
        if self._is_on:
            _unset_trace(None, None)
            sys.settrace(self._before if callable(self._before) else None)  # a debugger's
            self._is_on = False

    def __bool__(self) -> bool:
        if _is_theirs(_getframe(1)):
            raise Stopped
        return False


_set_trace = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.py_object)(("PyEval_SetTrace", ctypes.pythonapi))
_unset_trace = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(("PyEval_SetTrace", ctypes.pythonapi))
_is_true = ctypes.cast(ctypes.pythonapi.PyObject_IsTrue, ctypes.c_void_p)


class Watched(Protocol):
    """What the watchdog needs to know of the run, and tells it."""

    deadline: float  # seconds
    stopped: str  # "", or why the run is ended
    interrupt: BaseException | None  # the Stop button, or a cancellation of the check itself
    place: tuple[int | None, str]  # the line at which the learner's code was stopped

    def restore_builtins(self) -> None:
        """Put back what the learner's code may have rebound and everybody needs."""


class Watchdog:
    """Ends the learner's steps that hold the loop after the run's deadline."""

    def __init__(self, run: Watched) -> None:
        self.run, self.ident = run, _get_ident()
        self.interruptible: set[types.CodeType] = set()  # of ours, in which `Stopped` may be raised all the same
        self.pursuit = Pursuit()
        self.step: float | None = None  # when the learner's step now running began
        self.pings = 0  # how often this step was interrupted
        self.ping_sent = False  # a signal is on its way
        self.has_raised = False  # by way of the thread's state
        self.limit: int | None = None  # the recursion limit, while it is raised
        self.lock, self.finished = threading.Lock(), threading.Event()

    def install(self, stack: ExitStack) -> None:
        """Begin to watch the present thread; closing `stack` ends it."""
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.getsignal(signal.SIGINT)
            stack.callback(_set_signal, signal.SIGINT, self.previous)
            _set_signal(signal.SIGINT, self._on_signal)
            ping = self._send_signal
        else:
            ping = self._raise_in_thread
        thread = threading.Thread(target=self._watch, args=(ping,), name="asynclab watchdog", daemon=True)
        stack.callback(self._finish, thread)
        thread.start()

    def _finish(self, thread: threading.Thread) -> None:
        with self.lock:
            self.finished.set()
        thread.join()
        until = clock() + 0.5
        while self.ping_sent and clock() < until:  # on its way: it must not reach the handler that comes after ours
            _sleep(0.001)
        if self.has_raised:  # the last may be on its way, too. Taking it back leaves the interpreter's flag set, and
            with suppress(Stopped):  # every loop slower for ever (CPython 3.11, `_PyEval_SignalAsyncExc`): catch it
                self._raise(Stopped)
                while True:
                    _sleep(0)

    # Called before and after each step of the learner's; no builtin may be relied on here ---------------------

    def begin_step(self, pursue: bool = False) -> None:
        """Say that the learner's code begins to run; `pursue` is for code that is already known to catch all."""
        self.step, self.pings = clock(), 0
        if pursue:
            self.pursuit.begin()

    def end_step(self) -> None:
        """Say that the learner's code has returned."""
        self.step = None
        self.pursuit.end()
        if self.limit is not None:
            with self.lock:
                limit, self.limit = self.limit, None
            sys.setrecursionlimit(limit)

    # In the watchdog's thread -----------------------------------------------------------------------------------

    def _watch(self, ping: Callable[[], None]) -> None:
        late_from, pinged = clock() + self.run.deadline + _GRACE, 0.0
        while not self.finished.wait(_PERIOD):
            self.run.restore_builtins()
            step = self.step
            late = clock() > late_from or self.run.interrupt is not None or bool(self.run.stopped)
            if step is None or not late or not (self.pings or clock() - step > _GRACE):
                continue
            with self.lock:
                if self.finished.is_set() or self.step != step or (self.ping_sent and clock() - pinged < _PATIENCE):
                    continue
                self.run.stopped = self.run.stopped or "blocked"
                self.pings, pinged = self.pings + 1, clock()
                self.limit = self.limit or sys.getrecursionlimit()
                sys.setrecursionlimit(self.limit + _DEPTH * min(self.pings, 5))
                ping()

    def _send_signal(self) -> None:
        self.ping_sent = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self.ident, signal.SIGINT)  # ends a call into the system, too, such as time.sleep
        else:
            _thread.interrupt_main()

    def _raise_in_thread(self) -> None:
        frame = sys._current_frames().get(self.ident)
        if frame is None or not self._may_stop(frame):
            return
        error: type[Stopped] = Stopped
        if self.pings > 1:
            pursuit = self.pursuit

            class error(Stopped):
                def __init__(self) -> None:  # called in the thread in which it is raised
                    pursuit.begin()

        self._raise(error)

    def _raise(self, error: type[Stopped]) -> None:
        self.has_raised = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(error))

    # In the main thread -------------------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        self.run.restore_builtins()
        if self.ping_sent:
            self.ping_sent = False
        else:
            try:
                self._real_interrupt(number, frame)
            except BaseException as error:
                self.run.interrupt = self.run.interrupt or error
                if self.step is None:
                    raise
        if self.step is None or frame is None:
            return
        if self.run.place == (None, ""):
            self.run.place = their_place((each, each.f_lineno) for each in _outwards(frame))
        if self.pings > 1:  # it catches everything and goes on, or is always found where our own code runs
            self.pursuit.begin()
        if self._may_stop(frame):
            raise Stopped

    def _real_interrupt(self, number: int, frame: types.FrameType | None) -> None:
        """Pass the Stop button on to whoever handled it before."""
        if callable(self.previous):
            self.previous(number, frame)
        elif self.previous != signal.SIG_IGN:
            raise KeyboardInterrupt
        if self.step is not None and self.run.interrupt is None:
            self.run.stopped = self.run.stopped or "blocked"  # so that the watchdog, too, ends what holds the loop

    def _may_stop(self, frame: types.FrameType) -> bool:
        """Say whether `Stopped` may be raised here: not in our own code, nor in what it or the loop calls."""
        for each in _outwards(frame):
            code = each.f_code
            if code in self.interruptible or (code is _genuine_handle_run and each is not frame):
                return True
            if code.co_filename in _OURS or code.co_filename in _LOOPS:
                return False
            if _is_theirs(each):
                return True
        return False


def _is_theirs(frame: types.FrameType) -> bool:
    name = frame.f_code.co_filename
    return name not in _OURS and not name.startswith(_LIBRARY)


def _outwards(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def their_place(places: Iterable[tuple[types.FrameType, int]]) -> tuple[int | None, str]:
    """Return line and text of the first of `places` (a frame and a line) that is in the learner's code."""
    for frame, line in places:
        if line is not None and _is_theirs(frame):
            return line, linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()
    return None, ""
