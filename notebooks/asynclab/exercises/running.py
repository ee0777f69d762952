"""Run a learner's function on the running loop, under a trace, and say all that it did; nothing stays behind.

Three things may go wrong with code that nobody has read yet, and each has its remedy.

It raises, whatever it likes. The function runs in a task of its own, and `asyncio.Handle._run` is shadowed for
the time of the run: SystemExit or KeyboardInterrupt out of any of its tasks would otherwise end the event loop.

It does not end. At the deadline its task is cancelled; one that swallows the cancellation is cancelled again, then
`Stopped` is thrown into its coroutine, and if even that is swallowed the task is taken off the loop. Code that holds
the loop (`time.sleep(60)`, `while True: pass`) is interrupted by a watchdog thread: see `stopping.py`, which also
says the little that cannot be stopped. (`os._exit` ends the kernel, and is not kept from it.)

It changes the world. Output, lost exceptions, forgotten coroutines are recorded instead of shown. What it rebinds
in builtins, asyncio, time and others is put back, in the first three after each step: see `world.py`.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import contextvars
import functools
import gc
import inspect
import signal
import sys
import threading
import time
import traceback
import types
import warnings
import weakref
from asyncio import events as asyncio_events
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter as clock
from typing import Any

from ..tracing.awaiting import chain
from ..tracing.recorder import TaskRow
from ..tracing.timeline import Timeline
from .probes import Event, Interval, current_run
from .stopping import Stopped, Watchdog, their_place
from .world import HOOKS, NEEDED, Names, World, files

__all__ = ["Run", "run"]

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
    would: no loop, or one that is not asyncio's own.
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
        self.watchdog = Watchdog(self)
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
        self.files_before = files()
        self.cpu_began = time.thread_time()
        self.world = World(loop)
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
        self.watchdog.install(stack)

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
        self.during = Names(NEEDED)  # what the loop must find after each step
        self.builtins_during = self.during.dicts[0]
        self.loop_names = len(self.loop.__dict__)
        self.trace_is_open = True
        self.hooks = {name: self.loop.__dict__[name] for name in HOOKS}
        self.began = self.trace.began
        self.context = contextvars.copy_context()
        self.context.run(current_run.set, self)
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
            self.watchdog.begin_step(pursue=True)  # an `except BaseException` in a loop would catch one error
            try:
                self.context.copy().run(coro.throw, Stopped())
            except BaseException:
                if inspect.iscoroutine(coro) and inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED:
                    return
            finally:
                self.end_step()

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
        after = files()
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
        if handle._context is not None and handle._context.get(current_run) is self:
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
                    self.watchdog.begin_step()
                    genuine(handle)
                finally:
                    self.end_step()
            except Stopped:  # arrived too late, by the way that threads have
                self.end_step()
            except _AnyError as error:
                # SystemExit, KeyboardInterrupt: its task has it too, and the loop would end. Any other comes of
                # Handle._run itself, when what it needs was rebound.
                if error is self.interrupt:
                    raise
            if self.during.differs() or self._loop_differs():
                self.protect()
            if self.stopped and not self.ending:
                self.wake()

        self.stack.callback(_put_back_run, _run, genuine)
        asyncio_events.Handle._run = _run

    def end_step(self) -> None:
        """Leave the learner's code: what every step needs is put back."""
        self.watchdog.end_step()
        self.restore_builtins()

    def restore_builtins(self) -> None:
        """Put back the builtins that the learner's code rebound."""
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
            self.changed |= dict.fromkeys(self.world.restore_loop(keep=HOOKS))

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
            if current_run.get() is self and not self.ending:
                self.made += 1
                if self.made > _MOST_TASKS:
                    self.stopped = self.stopped or "flood"
                    if inspect.iscoroutine(coro):
                        coro.close()
                    raise Stopped(f"more than {_MOST_TASKS} tasks")
            task = create_task(coro, **options)
            if current_run.get() is self:
                self.tasks.add(task)
            return task

        return counted

    def _no_stop(self, stop: Callable) -> Callable:
        def stop_unless_mine() -> None:
            if current_run.get() is not self:
                stop()
            else:
                self.changed["the event loop, which it stopped"] = None

        return stop_unless_mine

    def _no_input(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def no_input(*args: Any, **kwargs: Any) -> str:
            if current_run.get() is not self:
                return genuine(*args, **kwargs)
            self.blocking.append("input()")
            raise RuntimeError("input() waits for a person, and nobody is asked during a check")

        return no_input

    def _spied_sleep(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def sleep(seconds: float, /) -> None:
            ours = current_run.get() is self and _get_ident() == self.ident
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

        self.watchdog.interruptible = {_call.__code__, sleep.__code__}
        return sleep

    def _kept_signal(self, genuine: Callable) -> Callable:
        @functools.wraps(genuine)
        def set_signal(number: int, handler: Any) -> Any:
            if current_run.get() is not self:
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


def _line(text: str, most: int = 200) -> str:
    """Return `text` on one line, and not longer than `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _where(coro: Any) -> tuple[int | None, str]:
    """Return line and text of the innermost line of the user's code at which a coroutine is suspended."""
    return their_place((link.frame, link.frame.f_lineno) for link in reversed(list(chain(coro))))


def _where_raised(error: BaseException) -> tuple[int | None, str]:
    """Return line and text of the innermost line of the user's code in the traceback of `error`."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    steps = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return their_place(reversed(steps))


def _forget_frames(error: BaseException | None, seen: set[int] | None = None) -> None:
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    traceback.clear_frames(error.__traceback__)
    for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        _forget_frames(other, seen)


class _Captured:
    """Stands in for `sys.stdout`: keeps what the learner's code prints, and passes on what others print."""

    def __init__(self, guard: _Guard, genuine: Any) -> None:
        self._guard, self._genuine = guard, genuine

    def write(self, text: str) -> int:
        guard = self._guard
        if current_run.get() is not guard:
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
        if self._genuine is not None and current_run.get() is not self._guard:
            self._genuine.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)
