"""Run a learner's function on the running loop, under a trace, and say all that it did; nothing stays behind.

Three things may go wrong with code that nobody has read yet, and each has its remedy here.

It raises, whatever it likes. The function runs in a task of its own, and `asyncio.Handle._run` is shadowed for
the time of the run: SystemExit or KeyboardInterrupt out of any of its tasks would otherwise end the event loop.

It does not end. At the deadline its task is cancelled; one that swallows the cancellation is cancelled again, then
`Stopped` is thrown into its coroutine, and if even that is swallowed the task is taken off the loop. Code that holds
the loop (`time.sleep(60)`, `while True: pass`) is interrupted by a watchdog thread: it sends SIGINT, whose handler,
ours for the time of the run, raises `Stopped` inside the learner's code and nowhere else. The Stop button still
reaches its usual handler. Outside the main thread there are no signals; there `Stopped` is raised between two
bytecodes. What cannot be stopped is one long call into C that looks at no signal, such as `sum(range(10**12))`,
outside the main thread any long call into C but `time.sleep`; anywhere a loop that blocks and catches every error,
BaseException included, unless a signal happens to meet it outside its `try`; and `os._exit`.

It changes the world. Output, lost exceptions, forgotten coroutines are recorded instead of shown. What it rebinds
in builtins, asyncio, time and others is put back, in the first three after each step: the loop itself needs them.

A context variable tells the learner's tasks, callbacks and prints from those of the kernel and of other cells.
"""

from __future__ import annotations

import _thread
import asyncio
import builtins
import contextlib
import contextvars
import ctypes
import functools
import gc
import inspect
import itertools
import linecache
import os
import signal
import sys
import threading
import time
import traceback
import types
import warnings
import weakref
from asyncio import events as asyncio_events
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter as clock
from typing import Any, NamedTuple

from .. import tracing
from ..timeline import Timeline
from ..tracing import TaskRow

__all__ = ["Event", "Interval", "Jobs", "Probe", "Run", "Stopped", "run"]

_GRACE = 0.1  # seconds beyond the deadline after which a step that still runs is said to hold the loop
_MOST_TASKS = 50_000  # that one run may start: more would take longer to cancel than a learner waits
_MOST_TEXT = 100_000  # characters of output that are kept
_MOST_EVENTS = 100_000  # that are kept of the probes'
_MOST_STEPS = 200_000  # that are kept of the trace
_BUSY = 1_000  # callbacks a second from which a run that does not end is busy rather than waiting

# These must work whatever the learner's code does to the modules they come from.
_pause, _sleep, _Task, _Cancelled = asyncio.sleep, time.sleep, asyncio.Task, asyncio.CancelledError
_AnyError = BaseException
_BUILTINS = vars(builtins)
_current_task, _all_tasks, _get_ident = asyncio.current_task, asyncio.all_tasks, threading.get_ident


class Stopped(BaseException):
    """Raised inside a learner's code to end it. Not an Exception: `except Exception` must not catch it."""


# What probes record ---------------------------------------------------------------------------------------------


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


_current: contextvars.ContextVar[_Guard | None] = contextvars.ContextVar("asynclab.run", default=None)
_calls = itertools.count(1)


class Probe:
    """Something handed to a learner's function that records what is done with it, for `Run.events`.

    Outside a run nothing is recorded, so that a probe may be tried out in a cell.
    """

    def __init__(self, name: str = "job") -> None:
        self.name = name

    def note(self, kind: str, item: Any = None, call: int = 0) -> None:
        """Record that `kind` happened to `item`; `call` is the same for all events of one call."""
        guard = _current.get()
        if guard is not None:
            task = _current_task() if guard.ident == _get_ident() else None
            guard.note(Event(kind, item, clock() - guard.began, self.name, task.get_name() if task else "", call))


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


# What a run did -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What one run of a learner's function did."""

    function: Callable
    value: object  # what it returned; None if it did not return
    error: BaseException | None  # what it raised; also `Stopped` or CancelledError if that ended it
    stopped: str  # "", or why it was ended: "deadline" (it waited), "busy" (it ran all the time, giving turns),
    # "blocked" (it held the loop), "flood" (it started more tasks than anything could need)
    trace: Timeline
    output: str  # what it printed
    leaked: tuple[str, ...]  # names of the tasks that it left running; they are cancelled by now
    lost: tuple[str, ...]  # exceptions that nobody retrieved, such as "ValueError: no (task 'a')"
    never_awaited: tuple[str, ...]  # names of the coroutine functions that it called and never awaited
    events: tuple[Event, ...]  # what probes recorded, in order
    deadline: float  # seconds
    cancelled: bool = False  # `run` cancelled it from outside, as `cancel_after` says
    blocking: tuple[str, ...] = ()  # blocking calls made on the loop, such as "time.sleep(0.2)"
    changed: tuple[str, ...] = ()  # what it rebound outside itself, such as "builtins.len"; it is put back by now
    written: tuple[str, ...] = ()  # names of the files it made or changed in the working directory
    cpu: float = 0.0  # seconds of processor time that the loop's thread used
    line: int | None = None  # the line of the learner's code at which it raised, or was when it was stopped
    source: str = ""  # the text of that line, if it is known
    main: TaskRow | None = None  # the row of the function's own task

    @property
    def rows(self) -> tuple[TaskRow, ...]:
        """The rows of the tasks that the function started, without the one it ran in."""
        return tuple(row for row in self.trace.tasks if not row.root and row is not self.main)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The pieces of work that probes saw begin, in that order."""
        ends: dict[tuple[str, int], Event] = {}
        for event in self.events:
            if event.kind in ("done", "failed", "cancelled"):
                ends.setdefault((event.probe, event.call), event)
        found = []
        for event in self.events:
            if event.kind == "start":
                end = ends.get((event.probe, event.call))
                when, outcome = (end.when, end.kind) if end else (None, "pending")
                found.append(Interval(event.item, event.when, when, outcome, event.probe, event.task))
        return tuple(found)

    @property
    def duration(self) -> float:
        """Seconds from the function's first step to its end."""
        if self.main is None or self.main.finished is None:
            return self.trace.duration
        return self.main.finished - self.main.created


async def run(
    function: Callable,
    *args: Any,
    deadline: float = 2.0,
    cancel_after: float | str | None = None,
    title: str = "Your code",
    **kwargs: Any,
) -> Run:
    """Call `function(*args, **kwargs)` on the running loop, await what can be awaited, and return what it did.

    It is stopped if it has not ended after `deadline` seconds. `cancel_after` cancels it from outside: after that
    many seconds, or at a probe's event, such as "start 3". `title` heads the trace.

    Nothing that the function raises comes out of here, and nothing it does is left: no task, no rebound builtin, no
    handler. Cancelling the task that awaits this ends the function and passes through, as does an interrupt.

    Raises ValueError if `deadline` or `cancel_after` is no time above 0, and RuntimeError where `asynclab.trace`
    would: no loop, a loop that is being traced already, or one that is not asyncio's own.
    """
    for name, value in (("deadline", deadline), ("cancel_after", cancel_after)):
        if isinstance(value, (int, float)) and not 0 < value < float("inf"):
            raise ValueError(f"{name} must be a time above 0, in seconds, not {value!r}")
    gc.collect()  # what was lost before is not this run's fault: it is reported now, where it always is
    for _ in range(2):
        await _pause(0)
    guard = _Guard(function, title, deadline, cancel_after)
    try:
        guard.install()
        with guard.trace:
            guard.start(args, kwargs)
            await guard.wait([guard.task], deadline)
            await guard.finish()
            guard.trace_is_open = False
        await guard.end_tasks()
        await guard.close_generators()
        guard.collect()
    finally:
        guard.remove()
    if guard.interrupt is not None:
        raise guard.interrupt
    return guard.result()


def _call(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Call the learner's function: in a frame of its own, in which `Stopped` may be raised."""
    return function(*args, **kwargs)


class _Guard:
    """One run: all that is shadowed meanwhile, what is recorded, and the way back."""

    def __init__(self, function: Callable, title: str, deadline: float, cancel_after: float | str | None) -> None:
        self.function, self.deadline, self.cancel_after = function, deadline, cancel_after
        self.loop = asyncio.get_running_loop()
        self.ident = _get_ident()
        self.trace = Timeline(title, limit=_MOST_STEPS)
        self.began = clock()
        self.value: Any = None
        self.error: BaseException | None = None
        self.interrupt: BaseException | None = None  # an interrupt or a cancellation of the check itself
        self.stopped, self.cancelled, self.main = "", False, None
        self.builtins_during = dict(_BUILTINS)
        self.task: asyncio.Task | None = None
        self.tasks: weakref.WeakSet[asyncio.Task] = weakref.WeakSet()
        self.made = self.steps = self.written_text = 0
        self.events: list[Event] = []
        self.output: list[str] = []
        self.lost: list[str] = []
        self.forgotten: list[str] = []
        self.leaked: list[str] = []
        self.blocking: list[str] = []
        self.changed: dict[str, None] = {}
        self.waiter: asyncio.Future | None = None
        self.over = False  # the function has ended: its probes are heard no longer
        self.ending = False  # the run is over: whatever still runs is to stop
        self.place: tuple[int | None, str] = (None, "")
        self.step: float | None = None  # when the learner's step now running began
        self.pings = 0  # how often the watchdog has interrupted the present step
        self.ping_sent = self.handling = False
        self.stack = contextlib.ExitStack()

    def note(self, event: Event) -> None:
        if len(self.events) < _MOST_EVENTS and not self.over:
            self.events.append(event)
            if isinstance(self.cancel_after, str) and str(event) == self.cancel_after:
                self.loop.call_soon_threadsafe(self.cancel_now)

    # Before and after ---------------------------------------------------------------------------------------

    def install(self) -> None:
        """Shadow and watch everything; `remove` takes it back, also if this fails halfway."""
        loop, stack = self.loop, self.stack
        # Held so that none of them is collected during the run: a coroutine that is, is then the learner's.
        self.coroutines_before = _unstarted()
        gc.freeze()  # the search for what it leaves then need not look at all that was there before
        stack.callback(gc.unfreeze)
        self.tasks_before = _all_tasks(loop)
        self.generators_before = set(loop._asyncgens)
        self.files_before = _files()
        self.cpu_began = time.thread_time()
        self.world = _World(loop)
        stack.callback(self._restore)
        stack.enter_context(warnings.catch_warnings())

        self._shadow(sys, "stdout", _Captured(self, sys.stdout))
        self._shadow(sys, "stderr", _Captured(self, sys.stderr))
        self._shadow(sys, "unraisablehook", self._on_unraisable)
        self._shadow(warnings, "_warn_unawaited_coroutine", self._on_forgotten)
        self._shadow(builtins, "input", self._no_input(builtins.input))
        self._shadow(time, "sleep", self._spied_sleep(time.sleep))
        self._shadow(signal, "signal", self._kept_signal(signal.signal))

        self.handler_before = loop.get_exception_handler()
        stack.callback(loop.set_exception_handler, self.handler_before)
        loop.set_exception_handler(self._on_exception)
        self._shadow_loop("stop", self._no_stop(loop.stop))
        self._shadow_loop("create_task", self._counted(loop.create_task))
        self.builtins_during = dict(_BUILTINS)
        self._install_run()
        self._install_watchdog()

    def remove(self) -> None:
        """Take everything back."""
        self.ending = True
        self.stack.close()
        # They may now be collected, and what they have to say is heard by whom it concerns.
        self.coroutines_before = self.tasks_before = self.generators_before = None

    def _restore(self) -> None:
        self.changed |= dict.fromkeys(self.world.restore())

    def _shadow(self, module: Any, name: str, value: Any) -> None:
        self.stack.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, value)

    def _shadow_loop(self, name: str, value: Any) -> None:
        before = self.loop.__dict__.get(name)
        if before is None:
            self.stack.callback(self.loop.__dict__.pop, name, None)
        else:
            self.stack.callback(self.loop.__dict__.__setitem__, name, before)
        self.loop.__dict__[name] = value

    # While it runs ------------------------------------------------------------------------------------------

    def start(self, args: tuple, kwargs: dict) -> None:
        """Begin the learner's function in a task of its own."""
        self.during = _Names(_NEEDED)  # what the loop must find after each step
        self.builtins_during = self.during.dicts[0]
        self.loop_names = len(self.loop.__dict__)
        self.trace_is_open = True
        self.hooks = {name: self.loop.__dict__[name] for name in _HOOKS}
        self.began = self.trace._began
        self.context = contextvars.copy_context()
        self.context.run(_current.set, self)
        name = getattr(self.function, "__name__", None)
        name = name if isinstance(name, str) else type(self.function).__name__
        coro = self._main(args, kwargs)
        coro.__qualname__ = name
        self.task = self.loop.create_task(coro, name=name, context=self.context)
        self.tasks.add(self.task)
        self.main = next(row for row in self.trace.tasks if row._task is not None and row._task() is self.task)
        if isinstance(self.cancel_after, (int, float)):
            timer = self.loop.call_later(self.cancel_after, self.cancel_now)
            self.task.add_done_callback(_unseen(lambda _: timer.cancel()))

    async def _main(self, args: tuple, kwargs: dict) -> None:
        try:
            value = _call(self.function, args, kwargs)
            if inspect.isawaitable(value):
                value = await value
            self.value = value
        except _AnyError as error:
            self.error = error
            raise

    def cancel_now(self) -> None:
        """Cancel the learner's function from outside, unless it has ended."""
        if self.task is not None and not self.task.done() and not self.ending and not self.cancelled:
            self.cancelled = True
            self.task.cancel()

    cancel_now.unseen_by_traces = True

    async def wait(self, tasks: Iterable[asyncio.Task], seconds: float) -> None:
        """Wait until all of `tasks` are done, but no longer than `seconds`, nor when the check itself is cancelled."""
        waiting = {task for task in tasks if not task.done()}
        if not waiting or (self.interrupt is not None and seconds > 0.5):
            return
        self.waiter = waiter = self.loop.create_future()

        @_unseen
        def release(task: asyncio.Task | None = None) -> None:
            waiting.discard(task)
            if (task is None or not waiting) and not waiter.done():
                waiter.set_result(None)

        for task in list(waiting):
            task.add_done_callback(release)
        timer = self.loop.call_later(seconds, release)
        try:
            await waiter
        except _Cancelled as error:
            self.interrupt = self.interrupt or error
        finally:
            timer.cancel()
            for task in list(waiting):
                task.remove_done_callback(release)

    def wake(self) -> None:
        """Let `wait` return: the run is to be ended now."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def finish(self) -> None:
        """See the learner's own task to its end, and note the tasks that it leaves."""
        if not self.task.done():
            self.place = _where(self.task.get_coro())
            if not self.stopped:
                busy = self.steps > _BUSY * max(0.2, clock() - self.began)
                self.stopped = "busy" if busy else "deadline"
            await self.end([self.task])
        self.protect()
        for _ in range(3):  # what has been cancelled, or is due, may end by itself
            await self.rest()
        left = sorted(task.get_name() for task in self.tasks if not task.done())
        self.over = True  # what is cancelled from here on did not cancel itself
        self.leaked = left + sorted(f"{work.name} in a thread" for work in self.trace.work if work.end is None)

    async def rest(self) -> None:
        """Give the loop one turn, whatever is thrown at us."""
        try:
            await _pause(0)
        except _Cancelled as error:
            self.interrupt = self.interrupt or error

    async def end_tasks(self) -> None:
        """End what the run left behind, and what that starts in its last moments."""
        for _ in range(5):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                break
            await self.end(left)

    async def end(self, tasks: list[asyncio.Task]) -> None:
        """Cancel `tasks` and wait for them; the stubborn are thrown at, and at last taken off the loop."""
        for patience in (0.15, 0.05, 0.05):
            for task in tasks:
                task.cancel()
            await self.wait(tasks, patience)
            self.protect()
            tasks = [task for task in tasks if not task.done()]
            if not tasks:
                return
        for task in tasks:
            self._throw_at(task)
            task.cancel()  # its coroutine has ended, which the task is to notice
        await self.wait(tasks, 0.1)
        for task in tasks:
            if not task.done():
                _abandon(task, self.loop)
                self.tasks.discard(task)

    def _throw_at(self, task: asyncio.Task) -> None:
        coro = task.get_coro()
        for _ in range(5):
            if not hasattr(coro, "throw") or getattr(coro, "cr_running", False):
                return
            frames = list(_frames(coro))

            def insist(frames: list[types.FrameType] = frames, coro: Any = coro) -> None:
                # An `except BaseException` inside a loop would catch one error: in it, the tracer raises the next.
                for frame in frames:
                    frame.f_trace = self._raise_on_line
                sys.settrace(self._raise_on_line)
                coro.throw(Stopped())

            tracer = sys.gettrace()
            self.step, self.pings = clock(), 0
            try:
                self.context.copy().run(insist)
            except BaseException:
                if inspect.iscoroutine(coro) and inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED:
                    return
            finally:
                self.step = None
                sys.settrace(tracer)

    async def close_generators(self) -> None:
        """Close the asynchronous generators that were left open."""
        for generator in set(self.loop._asyncgens) - self.generators_before:
            if generator.ag_frame is None:
                continue
            task = self.loop.create_task(_close(generator), context=self.context.copy())
            await self.end_if_late(task)

    async def end_if_late(self, task: asyncio.Task) -> None:
        """Wait for `task` a little, and end it if that is not enough."""
        await self.wait([task], 0.1)
        if not task.done():
            await self.end([task])

    def collect(self) -> None:
        """Find what was lost or forgotten; nothing of it is held by us afterwards."""
        self.ending = True
        if self.error is not None:
            if self.place == (None, ""):
                self.place = _where_raised(self.error)
            _forget_frames(self.error)  # else all that its frames hold would live as long as this run's record
        for task in list(self.tasks):
            if task.done() and task is not self.task and getattr(task, "_log_traceback", False):
                self._lose(task._exception, task)
                task._log_traceback = False
        if self.task is not None and self.task.done() and not self.task.cancelled():
            self.task.exception()  # retrieved: it is in our record
        self.task = None
        gc.collect()
        known = {id(coro) for coro in self.coroutines_before}
        for coro in _unstarted():
            if id(coro) not in known:
                self._on_forgotten(coro)
                coro.close()
        if inspect.isgenerator(self.value) or inspect.iscoroutine(self.value):
            with contextlib.suppress(BaseException):
                self.value.close()
        after = _files()
        self.written = sorted(name for name, stamp in after.items() if self.files_before.get(name, stamp) != stamp)
        self.written += sorted(set(after) - set(self.files_before))
        self.cpu = time.thread_time() - self.cpu_began

    def result(self) -> Run:
        """Return the record."""
        return Run(
            function=self.function,
            value=self.value,
            error=self.error,
            stopped=self.stopped,
            trace=self.trace,
            output="".join(self.output),
            leaked=tuple(self.leaked),
            lost=tuple(self.lost),
            never_awaited=tuple(self.forgotten),
            events=tuple(self.events),
            deadline=self.deadline,
            cancelled=self.cancelled,
            blocking=tuple(self.blocking),
            changed=tuple(self.changed),
            written=tuple(self.written),
            cpu=self.cpu,
            line=self.place[0],
            source=self.place[1],
            main=self.main,
        )

    # Each step of the learner's --------------------------------------------------------------------------------

    def is_mine(self, handle: asyncio.Handle) -> bool:
        """Say whether a callback belongs to this run."""
        if handle._context is not None and handle._context.get(_current) is self:
            return True
        task = getattr(handle._callback, "__self__", None)  # a task may have been given another context
        return isinstance(task, _Task) and task in self.tasks

    def _install_run(self) -> None:
        genuine = asyncio_events.Handle._run
        loop = self.loop

        def _run(handle: asyncio.Handle) -> None:
            if handle._loop is not loop or not self.is_mine(handle):
                genuine(handle)
                return
            task = getattr(handle._callback, "__self__", None)
            if isinstance(task, _Task) and task not in self.tasks:
                self.tasks.add(task)
            del task
            self.steps += 1
            # From here to the end of the step nothing may rely on a builtin: the learner's code may rebind any.
            try:
                try:
                    self.step, self.pings = clock(), 0
                    genuine(handle)
                finally:
                    self._end_step()
            except Stopped:  # arrived too late, by the way that threads have
                self._end_step()
            except _AnyError as error:
                # SystemExit, KeyboardInterrupt: its task has it too, and the loop would end. Any other comes of
                # Handle._run itself, when what it needs was rebound.
                if error is self.interrupt:
                    raise
            if self.tracing:
                self.tracing = False
                sys.settrace(self.tracer_before)
            if self.during.differs() or self._loop_differs():
                self.protect()
            if self.stopped and not self.ending:
                self.wake()

        self.tracing, self.tracer_before = False, sys.gettrace()
        self.stack.callback(sys.settrace, self.tracer_before)
        self.stack.callback(_put_back_run, _run, genuine)
        asyncio_events.Handle._run = _run

    def _end_step(self) -> None:
        self.step = None
        self._restore_builtins()

    def _restore_builtins(self) -> None:
        now, then = _BUILTINS, self.builtins_during
        if now != then:
            was = now.copy()
            now.update(then)
            names = [name for name in then if was.get(name) is not then[name] and name != "_"]
            self.changed |= dict.fromkeys(f"builtins.{name}" for name in names)

    def protect(self) -> None:
        """Put back at once what the loop and we ourselves need."""
        self.changed |= dict.fromkeys(self.during.restore())
        if self._loop_differs() and not self.ending:
            for name, hook in self.hooks.items():
                if self.loop.__dict__.get(name) is not hook:
                    self.changed[f"loop.{name}"] = None
                    self.loop.__dict__[name] = hook
            self.changed |= dict.fromkeys(self.world.restore_loop(keep=_HOOKS))

    def _loop_differs(self) -> bool:
        now = self.loop.__dict__
        if not self.trace_is_open:
            return False
        if len(now) != self.loop_names or now["_task_factory"] is not self.world.loop_dict["_task_factory"]:
            return True
        return any(now.get(name) is not hook for name, hook in self.hooks.items())

    # What is shadowed -------------------------------------------------------------------------------------------

    def _counted(self, create_task: Callable) -> Callable:
        def counted(coro: Any, **options: Any) -> asyncio.Task:
            if _current.get() is self and not self.ending:
                self.made += 1
                if self.made > _MOST_TASKS:
                    self.stopped = self.stopped or "flood"
                    if inspect.iscoroutine(coro):
                        coro.close()
                    raise Stopped(f"more than {_MOST_TASKS} tasks")
            task = create_task(coro, **options)
            if _current.get() is self:
                self.tasks.add(task)
            return task

        return counted

    def _no_stop(self, stop: Callable) -> Callable:
        def stop_unless_mine() -> None:
            if _current.get() is not self:
                stop()
            else:
                self.changed["the event loop, which it stopped"] = None

        return stop_unless_mine

    def _no_input(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def no_input(*args: Any, **kwargs: Any) -> str:
            if _current.get() is not self:
                return genuine(*args, **kwargs)
            self.blocking.append("input()")
            raise RuntimeError("input() waits for a person, and nobody is asked during a check")

        return no_input

    def _spied_sleep(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def sleep(seconds: float, /) -> None:
            ours = _current.get() is self and _get_ident() == self.ident
            if not ours or not isinstance(seconds, (int, float)) or not seconds > 0:
                return genuine(seconds)
            if self.stopped:
                raise Stopped  # at once: one that catches it and sleeps again is easier to hit awake
            if len(self.blocking) < 100:
                self.blocking.append(f"time.sleep({seconds:g})")
            end = clock() + seconds
            while (left := end - clock()) > 0:  # in slices: outside the main thread only these can be stopped
                _sleep(min(left, 0.05))
            return None

        self.interruptible = {_call.__code__, sleep.__code__}
        return sleep

    def _kept_signal(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def set_signal(number: int, handler: Any) -> Any:
            if _current.get() is not self:
                return genuine(number, handler)
            self.changed[f"the handler of signal {int(number)}"] = None
            return signal.getsignal(number)  # the Stop button and the watchdog need theirs

        return set_signal

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        source = context.get("future") or context.get("task")
        handle = context.get("handle")
        if source in self.tasks_before or (handle is not None and not self.is_mine(handle)):
            if self.handler_before is not None:
                self.handler_before(loop, context)
            else:
                loop.default_exception_handler(context)
            return
        self._lose(context.get("exception") or context.get("message", "an error"), source)

    def _lose(self, error: Any, source: Any = None) -> None:
        if isinstance(error, Stopped) or self.stopped or len(self.lost) >= 100:
            return
        text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        name = f" (task {source.get_name()!r})" if hasattr(source, "get_name") else ""
        self.lost.append(f"{_line(text)}{name}")

    def _on_unraisable(self, unraisable: Any) -> None:
        if "ignored GeneratorExit" not in str(unraisable.exc_value):
            self._lose(unraisable.exc_value)

    def _on_forgotten(self, coro: Any) -> None:
        name = getattr(coro, "__qualname__", type(coro).__qualname__).rpartition(".")[2]
        code = getattr(coro, "cr_code", None)
        if code is not None and code.co_filename == __file__ and name == "_main":
            return
        if not self.stopped and len(self.forgotten) < 100:
            self.forgotten.append(name)
        elif not self.over:
            # A loop that forgets one after another would spend its time here, where nothing can stop it.
            warnings._warn_unawaited_coroutine = id

    # The watchdog ---------------------------------------------------------------------------------------------

    def _install_watchdog(self) -> None:
        self.lock, self.finished = threading.Lock(), threading.Event()
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.getsignal(signal.SIGINT)
            self.stack.callback(_set_signal, signal.SIGINT, self.previous)
            _set_signal(signal.SIGINT, self._on_signal)
            ping = self._send_signal
        else:
            ping = self._raise_in_thread
        watchdog = threading.Thread(target=self._watch, args=(ping,), name="asynclab watchdog", daemon=True)
        self.stack.callback(self._end_watchdog, watchdog)
        watchdog.start()

    def _end_watchdog(self, watchdog: threading.Thread) -> None:
        with self.lock:
            self.finished.set()
        watchdog.join()
        until = clock() + 0.5
        while self.ping_sent and clock() < until:  # on its way: it must not reach the handler that comes after ours
            _sleep(0.001)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), None)

    def _watch(self, ping: Callable[[], None]) -> None:
        """Interrupt every step of the learner's that still holds the loop after the deadline, again and again."""
        limit = clock() + self.deadline + _GRACE
        while not self.finished.wait(0.02):
            self._restore_builtins()
            step = self.step
            late = clock() > limit or self.interrupt is not None or bool(self.stopped)
            if step is None or not late or not (self.pings or clock() - step > _GRACE):
                continue
            # One that catches each error, in loops within loops, is hit wherever it stands, again and again.
            storm = self.pings > 6
            if storm:
                sys.setswitchinterval(1e-6)  # else it would always be found at the same place
            for _ in range(300 if storm else 1):
                with self.lock:
                    if self.finished.is_set() or self.step != step:
                        break
                    if not self.ping_sent:
                        self.stopped = self.stopped or "blocked"
                        self.pings += 1
                        ping()
                if storm:
                    _sleep(0)
            if storm:
                sys.setswitchinterval(self.world.interval)

    def _send_signal(self) -> None:
        self.ping_sent = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self.ident, signal.SIGINT)  # ends a call into the system, too, such as time.sleep
        else:
            _thread.interrupt_main()

    def _raise_in_thread(self) -> None:
        frame = sys._current_frames().get(self.ident)
        if frame is not None and self._may_stop(frame):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(Stopped))

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        if self.handling and self.ping_sent:  # another while we deal with one: else they would pile up
            self.ping_sent = False
            return
        self.handling = True
        try:
            self._deal_with_signal(number, frame)
        finally:
            self.handling = False

    def _deal_with_signal(self, number: int, frame: types.FrameType | None) -> None:
        self._restore_builtins()
        if self.ping_sent:
            self.ping_sent = False
        else:
            try:
                self._real_interrupt(number, frame)
            except BaseException as error:
                self.interrupt = self.interrupt or error
                if self.step is None:
                    raise
        if self.step is None or frame is None or _current.get() is not self:
            return  # not the learner's code: the watchdog will try again
        if self.place == (None, ""):
            self.place = _theirs((each, each.f_lineno) for each in _outwards(frame))
        if self.pings > 3:  # it catches everything and goes on, or is always found where our own code runs
            for each in _outwards(frame):
                if each.f_code is _genuine_handle_run:
                    break
                if self._may_stop(each):
                    each.f_trace = self._raise_on_line
            self.tracing = True
            sys.settrace(self._raise_on_line)
        if self._may_stop(frame):
            raise Stopped

    def _real_interrupt(self, number: int, frame: types.FrameType | None) -> None:
        """Pass the Stop button on to whoever handled it before."""
        if callable(self.previous):
            self.previous(number, frame)
        elif self.previous != signal.SIG_IGN:
            raise KeyboardInterrupt
        if self.step is not None and self.interrupt is None:
            self.stopped = self.stopped or "blocked"  # so that the watchdog, too, ends what holds the loop

    def _may_stop(self, frame: types.FrameType) -> bool:
        """Say whether `Stopped` may be raised here: not in our own code, nor while the trace writes."""
        code = frame.f_code
        return code in self.interruptible or code.co_filename not in _OURS

    def _raise_on_line(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        if event == "line" and self._may_stop(frame):
            raise Stopped
        return self._raise_on_line


_set_signal = signal.signal
_genuine_handle_run = asyncio_events.Handle._run.__code__
_OURS = {__file__, tracing.__file__}
_abandoned: list[Any] = []  # coroutines that nothing could end: held, because their end would only print


def _put_back_run(ours: Callable, genuine: Callable) -> None:
    if asyncio_events.Handle._run is ours:  # else a trace in another thread has put its own in front
        asyncio_events.Handle._run = genuine


def _unseen(function: Callable) -> Callable:
    function.unseen_by_traces = True
    return function


async def _close(generator: types.AsyncGeneratorType) -> None:
    with contextlib.suppress(BaseException):
        await generator.aclose()


def _abandon(task: asyncio.Task, loop: asyncio.AbstractEventLoop) -> None:
    """Take off the loop a task that nothing can end: it will never run again, and nobody will hear of it."""
    _abandoned.append(task.get_coro())
    waiter = task._fut_waiter
    for callback, *_ in list(getattr(waiter, "_callbacks", None) or ()):
        if getattr(callback, "__self__", None) is task:
            waiter.remove_done_callback(callback)
    for handle in list(loop._ready):
        if getattr(handle._callback, "__self__", None) is task:
            handle.cancel()
    task._log_destroy_pending = False
    asyncio.tasks._unregister_task(task)
    _abandoned.append(task)


def _unstarted() -> list[types.CoroutineType]:
    """Return the coroutines that have been made, not begun, and that no task is about to begin."""
    scheduled = {id(task.get_coro()) for task in _all_tasks()}
    return [
        each
        for each in gc.get_objects()
        if type(each) is types.CoroutineType
        and inspect.getcoroutinestate(each) == inspect.CORO_CREATED
        and id(each) not in scheduled
    ]


def _files() -> dict[str, tuple[int, int]]:
    """Return size and time of change of the files in the working directory, but for what Jupyter writes there."""
    found = {}
    with contextlib.suppress(OSError), os.scandir() as entries:
        for entry in itertools.islice(entries, 2000):
            if not entry.name.startswith((".", "__")) and not entry.name.endswith(".ipynb"):
                with contextlib.suppress(OSError):
                    stat = entry.stat()
                    found[entry.name] = (0, 0) if entry.is_dir() else (stat.st_mtime_ns, stat.st_size)
    return found


def _line(text: str, most: int = 200) -> str:
    """Return `text` on one line, and not longer than `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _outwards(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frames(coro: Any) -> Iterator[types.FrameType]:
    """Yield the frames of a suspended coroutine and of all it awaits, outermost first."""
    while coro is not None:
        coro, frame, inner = tracing._peek(coro)
        if frame is None:
            return
        yield frame
        coro = inner


def _where(coro: Any) -> tuple[int | None, str]:
    """Return line and text of the innermost line of the user's code at which a coroutine is suspended."""
    return _theirs((frame, frame.f_lineno) for frame in reversed(list(_frames(coro))))


def _where_raised(error: BaseException) -> tuple[int | None, str]:
    """Return line and text of the innermost line of the user's code in the traceback of `error`."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    steps = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return _theirs(reversed(steps))


def _theirs(places: Iterable[tuple[types.FrameType, int]]) -> tuple[int | None, str]:
    for frame, line in places:
        name = frame.f_code.co_filename
        if line is not None and name not in _OURS and not name.startswith((*tracing._LIBRARY, "<frozen")):
            return line, linecache.getline(name, line, frame.f_globals).strip()
    return None, ""


def _forget_frames(error: BaseException | None, seen: set[int] | None = None) -> None:
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    traceback.clear_frames(error.__traceback__)
    for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        _forget_frames(other, seen)


# What a learner's code may rebind -------------------------------------------------------------------------------

_NEEDED = (builtins, time, asyncio)  # by every step of every task
_MISSING = object()


def _is_watched(module: types.ModuleType, name: str) -> bool:
    # A kernel puts `_`, the last result, among the builtins; private names are caches, elsewhere.
    return name != "_" if module is builtins else not name.startswith("_")


class _Names:
    """The names of some modules, as they were."""

    def __init__(self, modules: Iterable[types.ModuleType]) -> None:
        self.modules = list(modules)
        self.dicts = [dict(vars(module)) for module in self.modules]

    def differs(self) -> bool:
        """Say whether anything was rebound, by a private name or not."""
        return any(vars(module) != then for module, then in zip(self.modules, self.dicts, strict=True))

    def restore(self) -> list[str]:
        """Put back what was rebound, and return the names."""
        found = []
        for module, then in zip(self.modules, self.dicts, strict=True):
            now = vars(module)
            for name, value in then.items():
                if now.get(name, _MISSING) is not value and _is_watched(module, name):
                    found.append(f"{module.__name__}.{name}")
                    now[name] = value
            for name in [name for name in now if name not in then and _is_watched(module, name)]:
                if not isinstance(now[name], types.ModuleType):
                    found.append(f"{module.__name__}.{name}")
                    del now[name]
        return found


class _World:
    """What must be after a run as it was before."""

    def __init__(self, loop: asyncio.BaseEventLoop) -> None:
        self.loop = loop
        modules = [module for name, module in list(sys.modules.items()) if name.startswith("asyncio.")]
        self.names = _Names([*_NEEDED, *modules, *_OTHERS])
        self.classes = {
            value: dict(vars(value))
            for module in modules
            for value in vars(module).values()
            if isinstance(value, type) and value.__flags__ & (1 << 9) and value.__module__.startswith("asyncio")
        }
        self.loop_dict = dict(loop.__dict__)
        self.loop_debug = loop.get_debug()
        self.system = {name: getattr(sys, name) for name in _SYSTEM if hasattr(sys, name)}
        self.path = list(sys.path)
        self.modules = {
            name: sys.modules[name] for name in ("builtins", "time", "asyncio", "sys") if name in sys.modules
        }
        self.limit, self.interval, self.profile = sys.getrecursionlimit(), sys.getswitchinterval(), sys.getprofile()
        self.hooks = sys.get_asyncgen_hooks()
        self.gc = gc.isenabled(), gc.get_threshold(), gc.get_debug()
        self.environ = dict(os.environ)
        try:
            self.directory = os.getcwd()
        except OSError:
            self.directory = None

    def restore(self) -> list[str]:
        """Put everything back, and return the names of what was changed."""
        found = [*self.names.restore(), *self.restore_loop()]
        for kind, then in self.classes.items():
            now = vars(kind)
            for name, value in then.items():
                if now.get(name, _MISSING) is not value:
                    found.append(f"{kind.__name__}.{name}")
                    setattr(kind, name, value)
            for name in [name for name in now if name not in then and not name.startswith("__")]:
                found.append(f"{kind.__name__}.{name}")
                delattr(kind, name)
        for name, value in self.system.items():
            if getattr(sys, name, None) is not value:
                found.append(f"sys.{name}")
                setattr(sys, name, value)
        if sys.path != self.path:
            sys.path[:] = self.path
        sys.modules.update(self.modules)
        if sys.getrecursionlimit() != self.limit:
            found.append("the recursion limit")
            sys.setrecursionlimit(self.limit)
        sys.setswitchinterval(self.interval)
        sys.setprofile(self.profile)
        sys.set_asyncgen_hooks(*self.hooks)
        enabled, threshold, debug = self.gc
        if gc.isenabled() != enabled:
            found.append("garbage collection")
        (gc.enable if enabled else gc.disable)()
        gc.set_threshold(*threshold)
        gc.set_debug(debug)
        if dict(os.environ) != self.environ:
            found.append("os.environ")
            os.environ.clear()
            os.environ.update(self.environ)
        if self.directory is not None and _directory() != self.directory:
            found.append("the working directory")
            os.chdir(self.directory)
        return found

    def restore_loop(self, keep: Iterable[str] = ()) -> list[str]:
        """Put back the loop's settings, and the methods of it that were shadowed but for those to `keep`."""
        found, now, then = [], self.loop.__dict__, self.loop_dict
        for name in [name for name in now if name not in then or name in _LOOP_SETTINGS]:
            if name in keep or (name not in _LOOP_SETTINGS and not hasattr(type(self.loop), name)):
                continue
            if name not in then:
                del now[name]
            elif now[name] is then[name]:
                continue
            else:
                now[name] = then[name]
            found.append(f"loop.{name.lstrip('_')}")
        if self.loop.get_debug() != self.loop_debug:
            self.loop.set_debug(self.loop_debug)
        return found


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


_OTHERS = (contextlib, functools, inspect, itertools, os, signal, threading, weakref)
_SYSTEM = ("stdout", "stderr", "stdin", "displayhook", "excepthook", "breakpointhook", "unraisablehook")
_HOOKS = ("call_soon", "call_soon_threadsafe", "create_task", "run_in_executor", "stop")  # the trace's and ours
_LOOP_SETTINGS = ("_task_factory", "_default_executor", "slow_callback_duration")


class _Captured:
    """Stands in for `sys.stdout`: keeps what the learner's code prints, and passes on what others print."""

    def __init__(self, guard: _Guard, genuine: Any) -> None:
        self._guard, self._genuine = guard, genuine

    def write(self, text: str) -> int:
        guard = self._guard
        if _current.get() is not guard:
            return self._genuine.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        room = _MOST_TEXT - guard.written_text
        if room > 0 and not guard.ending:
            guard.output.append(text[:room])
            guard.written_text += len(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._genuine is not None and _current.get() is not self._guard:
            self._genuine.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)
