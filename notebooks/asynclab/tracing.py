"""Record what every asyncio task really did on the running event loop (standard library only).

How it works. While a `Trace` is open on a loop, `asyncio.Handle._run` is ours: the loop calls it for each
callback it runs, and a step of a task is such a callback. Four methods of that one loop are shadowed by
instance attributes: `call_soon` and `call_soon_threadsafe` tell when a callback became ready, `create_task`
when a task ran eagerly, `run_in_executor` what a thread did. Nothing else is touched and all of it is taken
back on exit. A task factory would be simpler, but it is blind to eager tasks, to tasks that are ready while the
loop is busy, and to blocking callbacks, and it changes what `Task.get_coro()` returns.

Tasks are held weakly, and `Task.exception()` is never called: it would silence "exception was never retrieved".
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import sysconfig
import threading
import types
import weakref
from asyncio import events
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter as clock
from typing import Any, NamedTuple

__all__ = ["Callback", "Cancel", "Span", "Step", "TaskRow", "Trace", "Work"]


class Step(NamedTuple):
    """One uninterrupted run of a task on the loop. Times are seconds since the trace began."""

    ready: float  # when it could have run: from here to `start` the loop was busy with others
    start: float  # when the loop ran it
    end: float  # when it gave the loop back
    awaiting: str | None  # what it then waited for; None if it finished, or was cut by an eager child
    line: int | None  # the line of the user's code that it waits at


class Span(NamedTuple):
    """A stretch of a task's life in one state. Times are seconds since the trace began."""

    state: str  # "running", "ready" (the loop was busy with others) or "waiting" (suspended)
    start: float
    end: float
    reason: str  # what it waited for; "" in other states


class Cancel(NamedTuple):
    """One call of `Task.cancel()`: when, in seconds since the trace began, and which task called it, if any."""

    when: float
    by: TaskRow | None


class Callback(NamedTuple):
    """Anything else the loop ran: when, in seconds since the trace began, and its name."""

    start: float
    end: float
    name: str


class TaskRow:
    """What one task did. Times are seconds since the trace began."""

    __slots__ = (
        "__weakref__",
        "_cancelling",
        "_cancels",
        "_created",
        "_finished",
        "_open",
        "_origin",
        "_ready",
        "_steps",
        "_task",
        "coro",
        "eager",
        "error",
        "late",
        "name",
        "outcome",
        "parent",
        "root",
    )

    def __init__(self, name: str, coro: str, created: float, parent: TaskRow | None, origin: float) -> None:
        self.name = name  # of the task, as `Task.get_name()` last gave it
        self.coro = coro  # qualified name of its coroutine function
        self.parent = parent  # row of the task that created it, if that is recorded too
        self.root = False  # True for the task that opened the trace
        self.eager = False  # True if its first step ran inside its creator's step (Python 3.12+)
        self.late = False  # True if it had begun before it was first seen
        self.outcome = "pending"  # or "done", "cancelled", "raised", "destroyed" (garbage-collected)
        self.error = ""  # name of the exception's class, if it raised
        self._created, self._finished, self._origin = created, None, origin
        self._steps: list[tuple] = []  # plain tuples of clock readings: cheaper to make than Steps
        self._cancels: list[tuple] = []
        self._task: weakref.ref | None = None
        self._cancelling = 0  # Task.cancelling() as last seen
        self._ready = created  # when the step to come became ready
        self._open: float | None = None  # when the step now running began

    @property
    def created(self) -> float:
        """When the task was made."""
        return self._created - self._origin

    @property
    def finished(self) -> float | None:
        """When the task ended; None while it is pending."""
        return None if self._finished is None else self._finished - self._origin

    @property
    def steps(self) -> list[Step]:
        """The task's steps so far, in order."""
        origin = self._origin
        return [Step(a - origin, b - origin, c - origin, *rest) for a, b, c, *rest in self._steps]

    @property
    def cancels(self) -> list[Cancel]:
        """The calls of the task's `cancel()`, in order."""
        return [Cancel(when - self._origin, by) for when, by in self._cancels]

    def spans(self, until: float) -> Iterator[Span]:
        """Yield the task's whole life in order and without gaps; a pending task's lasts `until` then."""
        at, reason = self.created, ""
        for step in self.steps:
            if step.ready > at:
                yield Span("waiting", at, step.ready, reason)
            if step.start > max(at, step.ready):
                yield Span("ready", max(at, step.ready), step.start, "")
            yield Span("running", step.start, step.end, "")
            at, reason = step.end, step.awaiting or ""
        end = until if self.finished is None else self.finished
        if end > at:
            yield Span("waiting", at, end, reason)

    def __repr__(self) -> str:
        return f"<TaskRow {self.name!r}: {self.outcome}, {len(self._steps)} steps>"


class Work:
    """A call handed to a thread or a process. Times are seconds since the trace began; None if not (yet) known."""

    __slots__ = ("_end", "_origin", "_start", "_submitted", "error", "lane", "name", "row")

    def __init__(self, name: str, submitted: float, row: TaskRow | None, origin: float) -> None:
        self.name = name  # of the function
        self.row = row  # of the task that handed it over
        self.lane = ""  # name of the thread, or of the executor's class where there is no thread to see
        self.error = ""  # name of the exception's class, if it raised
        self._origin, self._submitted = origin, submitted
        self._start: float | None = None
        self._end: float | None = None

    @property
    def submitted(self) -> float:
        """When it was handed over."""
        return self._submitted - self._origin

    @property
    def start(self) -> float | None:
        """When the thread began it; for a process, when it was handed over."""
        return None if self._start is None else self._start - self._origin

    @property
    def end(self) -> float | None:
        """When it returned; for a process, when the loop heard of it."""
        return None if self._end is None else self._end - self._origin

    def __repr__(self) -> str:
        return f"<Work {self.name!r} in {self.lane!r}>"


class Trace:
    """Context manager: record the tasks that its block starts on the running event loop.

    After (and during) the block, `tasks` lists a `TaskRow` for each task in order of creation, the first being
    the task that opened the block; `work` lists the `Work` given to threads and processes, `callbacks` whatever
    else the loop ran. Only tasks begun inside the block are recorded, and calls made on their behalf;
    `everything=True` also records tasks that were already there, such as a Jupyter kernel's own.

    At most `limit` steps are kept; `truncated` tells if there were more. A step costs about 150 bytes and a few
    microseconds (tests/benchmarks/trace_overhead.py).

    Entering raises RuntimeError where no event loop runs, where the loop is already being traced, and on a loop
    that is not asyncio's own (uvloop's steps cannot be seen).
    """

    def __init__(self, *, everything: bool = False, limit: int = 500_000) -> None:
        if limit < 1:
            raise ValueError(f"limit must be a positive number of steps, not {limit!r}")
        self.everything, self.limit = everything, limit
        self.tasks: list[TaskRow] = []
        self.work: list[Work] = []
        self.callbacks: list[Callback] = []
        self.truncated = False
        self._began: float | None = None
        self._ended: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def duration(self) -> float:
        """Seconds from the block's beginning to its end, or to now while it is open; 0 before it began."""
        if self._began is None:
            return 0.0
        return (clock() if self._ended is None else self._ended) - self._began

    @property
    def finished_order(self) -> list[str]:
        """The names of the tasks that ended inside the block, in the order in which they ended."""
        ended = [row for row in self.tasks if row._finished is not None and not row.root]
        return [row.name for row in sorted(ended, key=lambda row: row._finished)]

    def __enter__(self) -> Trace:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("a trace needs a running event loop: open it inside a coroutine or a cell") from None
        if self._began is not None:
            raise RuntimeError("a trace records one block only: make a new one")
        if not isinstance(loop, asyncio.BaseEventLoop):
            kind = f"{type(loop).__module__}.{type(loop).__name__}"
            raise RuntimeError(f"cannot trace {kind}: only asyncio's own event loop shows its steps")
        with _lock:
            if loop in _recorders:
                raise RuntimeError(
                    "this event loop is already being traced: close that trace first, traces do not nest"
                )
            self._loop = loop
            self._began = clock()
            self._token = _inside.set(self)
            _recorders[loop] = _Recorder(self, loop)
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended = clock()
        with _lock:
            _recorders.pop(self._loop).remove()
        with contextlib.suppress(ValueError):  # closed in another context than it was opened in: it ends with that
            _inside.reset(self._token)
        self._loop = self._token = None


_inside: contextvars.ContextVar[Trace] = contextvars.ContextVar("asynclab.trace")  # what marks a task as begun inside
_recorders: dict[asyncio.AbstractEventLoop, _Recorder] = {}  # the traced loops; several threads may have one each
_lock = threading.Lock()
_genuine_run = events.Handle._run  # replaced by what stands there whenever the first trace opens

_SLEPT = 1e-4  # seconds between two callbacks that are too many for the loop's bookkeeping: it had nothing to do
_STEPS = {"task_wakeup", "__step", "__wakeup"}  # names of a task's own callbacks; in C, the first step has none


def _run(handle: events.Handle) -> None:
    """Stands in for `asyncio.Handle._run` while any trace is open."""
    recorder = _recorders.get(handle._loop)
    if recorder is None:
        _genuine_run(handle)
    else:
        recorder.run(handle)


class _Recorder:
    """The hooks on one loop. They are closures: local names are the fastest that Python has."""

    def __init__(self, trace: Trace, loop: asyncio.BaseEventLoop) -> None:
        global _genuine_run
        if not _recorders:
            _genuine_run, events.Handle._run = events.Handle._run, _run
        self._trace, self._loop = trace, loop
        hooks = self._hooks(trace, loop)
        self.run = hooks.pop("run")
        self._shadowed = {name: loop.__dict__.get(name) for name in hooks}
        loop.__dict__.update(hooks)
        # The next callback the loop runs marks the end of the step in which the trace was opened.
        loop.call_soon(_end_of_step)

    def remove(self) -> None:
        """Take everything back, and close what is still open. The recorder is no longer in `_recorders`."""
        for name, old in self._shadowed.items():
            if old is None:
                del self._loop.__dict__[name]
            else:
                self._loop.__dict__[name] = old
        if not _recorders:
            events.Handle._run = _genuine_run
        for row in self._trace.tasks:
            if row._open is not None:
                row._steps.append((row._ready, row._open, self._trace._ended, None, None))
                row._open = None
            task = row._task() if row._task else None
            if task is not None:
                row.name = task.get_name()
            row._task = None

    @staticmethod
    def _hooks(trace: Trace, loop: asyncio.BaseEventLoop) -> dict[str, Callable]:
        """Return the function that runs a handle (`run`), and those that shadow the loop's methods, by name."""
        genuine_call_soon, genuine_threadsafe = loop.call_soon, loop.call_soon_threadsafe
        genuine_create_task, genuine_run_in_executor = loop.create_task, loop.run_in_executor
        origin, everything = trace._began, trace.everything
        tasks, callbacks = trace.tasks, trace.callbacks
        awaiting_of = _awaiting()
        rows: dict[int, TaskRow] = {}  # the unfinished tasks, by id(task)
        due: dict[events.Handle, float] = {}  # when each scheduled callback was asked for
        unnamed: list[TaskRow] = []  # 3.11 and 3.12.1 name a task after making it: look again after this callback
        now: TaskRow | None = None  # the task whose step is running
        opener: TaskRow | None = None  # now, until the step that opened the trace ends
        relayed: float | None = None  # when the plain callback now running was due: what it wakes was due then
        asleep = awake = idle_since = origin  # the loop's last sleep, from-to; the end of its last callback
        left = trace.limit
        nameless: set[type] = set()  # what a task's first step is: looking for a name it lacks takes long

        def add(task: asyncio.Task, coro: Any, created: float, parent: TaskRow | None) -> TaskRow:
            name = getattr(coro, "__qualname__", type(coro).__qualname__)
            row = TaskRow(task.get_name(), name, created, parent, origin)
            row._cancelling = task.cancelling()
            key = id(task)

            def collected(_: weakref.ref) -> None:
                if rows.get(key) is row:
                    del rows[key]
                    if trace._ended is None:
                        row._finished, row.outcome = clock(), "destroyed"

            row._task = weakref.ref(task, collected)
            rows[key] = row
            tasks.append(row)
            unnamed.append(row)
            return row

        def is_ours(context: contextvars.Context | None) -> bool:
            if everything or now is not None:
                return True
            return (_inside.get(None) if context is None else context.get(_inside)) is trace

        def note_cancels(task: asyncio.Task, row: TaskRow, when: float) -> None:
            count = task.cancelling()
            if count > row._cancelling:
                row._cancels.append((when, now))
            row._cancelling = count  # uncancel() lowers it

        def end_step(row: TaskRow, task: asyncio.Task, end: float) -> None:
            nonlocal left
            if task.cancelling() != row._cancelling:  # the task cancelled, or uncancelled, itself
                note_cancels(task, row, end)
            awaiting = line = None
            if task.done():
                del rows[id(task)]
                row._finished, row.name = end, task.get_name()
                if task.cancelled():
                    row.outcome = "cancelled"
                elif task._exception is None:
                    row.outcome = "done"
                else:
                    row.outcome, row.error = "raised", type(task._exception).__name__
            else:
                awaiting, line = awaiting_of(task)
            if left:
                left -= 1
                row._steps.append((row._ready, row._open, end, awaiting, line))
            else:
                trace.truncated = True
            row._open = None

        def call_soon(callback: Callable, *args: Any, context: contextvars.Context | None = None) -> events.Handle:
            handle = genuine_call_soon(callback, *args, context=context)
            when = clock()
            due[handle] = when if relayed is None else relayed
            task = getattr(callback, "__self__", None)
            row = rows.get(id(task))
            if row is None:
                if task is not None and hasattr(task, "get_coro") and not task.done() and is_ours(handle._context):
                    row = add(task, task.get_coro(), when, now)
                    row.late = bool(args)  # a first step has no arguments, a wake-up has: the future awaited
            elif row._cancelling != task.cancelling():
                note_cancels(task, row, when)
            return handle

        def call_soon_threadsafe(callback: Callable, *args: Any, context: contextvars.Context | None = None) -> Any:
            when = clock()
            handle = genuine_threadsafe(callback, *args, context=context)
            due.setdefault(handle, when)
            return handle

        def create_task(coro: Any, **options: Any) -> asyncio.Task:
            nonlocal now
            creator, began = now, clock()
            task = genuine_create_task(coro, **options)
            # As a rule its first call_soon has made its row by now. If not, it ran at once, inside its creator's step.
            if id(task) in rows or not hasattr(task, "get_coro") or not is_ours(None):
                return task
            row = add(task, coro, began, creator)  # 3.12.1 crashes on get_coro() of a task that finished eagerly
            row.eager, row._open = True, began
            end_step(row, task, clock())
            if creator is not None and creator._open is not None:  # cut the creator's step in two around it
                creator._steps.append((creator._ready, creator._open, began, None, None))
                creator._open = creator._ready = clock()
            return task

        def run_in_executor(executor: Any, func: Callable, *args: Any) -> asyncio.Future:
            if not is_ours(None):
                return genuine_run_in_executor(executor, func, *args)
            work = Work(_name(func), clock(), now, origin)
            trace.work.append(work)
            if executor is not None and not isinstance(executor, ThreadPoolExecutor):
                work.lane, work._start = type(executor).__name__, work._submitted
                future = genuine_run_in_executor(executor, func, *args)
                future.add_done_callback(lambda _: setattr(work, "_end", clock()))
                return future

            def timed(*args: Any) -> Any:
                work.lane, work._start = threading.current_thread().name, clock()
                try:
                    return func(*args)
                except BaseException as error:
                    work.error = type(error).__name__
                    raise
                finally:
                    work._end = clock()

            return genuine_run_in_executor(executor, timed, *args)

        def run(handle: events.Handle) -> None:
            nonlocal now, opener, relayed, asleep, awake, idle_since
            start = clock()
            if start - idle_since > _SLEPT:
                asleep, awake = idle_since, start
            if opener is not None:
                task = opener._task()
                if task is not None and opener._open is not None:
                    end_step(opener, task, start)
                opener = now = None
                asleep = awake = start
            callback = handle._callback
            task = getattr(callback, "__self__", None)
            row = rows.get(id(task))
            if row is not None:
                if type(callback) not in nameless:
                    name = getattr(callback, "__name__", None)
                    if name is None:
                        nameless.add(type(callback))
                    elif name not in _STEPS:
                        row = None  # such as call_later(1, task.cancel)
            elif hasattr(task, "get_coro") and is_ours(handle._context) and not task.done():
                row = add(task, task.get_coro(), start, None)  # begun before the trace, or woken unseen
                row.late = True
            if type(handle) is events.TimerHandle:
                when = start - max(0.0, loop.time() - handle._when)
            else:
                when = due.pop(handle, start)
            if asleep <= when < awake:
                when = awake  # due while the loop slept: it was ready only when the loop woke up
            if row is None:
                relayed = when
            else:
                now = row
                if row._cancelling != task.cancelling():
                    note_cancels(task, row, start)
                # sleep(0) asks for the next step within the present one
                earliest = row._steps[-1][2] if row._steps else row._created
                row._ready = when if when > earliest else earliest
                row._open = start
            try:
                _genuine_run(handle)
            finally:
                # Closed within this very callback? Then all is written already.
                if trace._ended is None:
                    end = idle_since = clock()
                    now = relayed = None
                    if row is not None:
                        if row._open is not None:
                            end_step(row, task, end)
                    elif len(callbacks) < trace.limit and not getattr(callback, "unseen_by_traces", False):
                        callbacks.append(Callback(start - origin, end - origin, _name(callback)))
                    if unnamed:
                        for new in unnamed:
                            made = new._task() if new._task else None
                            if made is not None:
                                new.name = made.get_name()
                        unnamed.clear()
                handle = task = callback = None  # an exception's traceback must not keep a task alive

        task = asyncio.current_task()
        if task is not None:
            now = opener = add(task, task.get_coro(), origin, None)
            now.root, now._open = True, origin
        return {
            "run": run,
            "call_soon": call_soon,
            "call_soon_threadsafe": call_soon_threadsafe,
            "create_task": create_task,
            "run_in_executor": run_in_executor,
        }


def _end_of_step() -> None:
    """The callback that marks the end of the step in which a trace was opened."""


_end_of_step.unseen_by_traces = True  # a function so marked is no part of what the user's code did


def _name(func: Any) -> str:
    """Return a readable name for a callback or a function given to an executor."""
    while isinstance(func, functools.partial):
        # asyncio.to_thread hands over partial(context.run, func, ...)
        through_context = func.args and getattr(func.func, "__name__", "") == "run"
        func = func.args[0] if through_context else func.func
    owner = getattr(func, "__self__", None)
    if hasattr(owner, "get_coro"):
        return f"{owner.get_name()}.{getattr(func, '__name__', 'step')}"
    return getattr(func, "__qualname__", None) or type(func).__qualname__


# What "library" means: frames in these folders are not the user's code.
_LIBRARY = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_GatheringFuture = asyncio.tasks._GatheringFuture


def _awaiting() -> Callable[[asyncio.Task], tuple[str, int | None]]:
    """Return a function that tells what a suspended task waits for, and at which line of the user's code.

    The places in the code at which the task and all it awaits are suspended determine the answer, so each
    such chain of places is looked at closely only once per trace.
    """
    known: dict[tuple, tuple[str, int | None, list]] = {}
    coroutine, generator, ends = types.CoroutineType, types.GeneratorType, {type(None)}
    tasks = asyncio.Task, asyncio.tasks._PyTask

    def awaiting(task: asyncio.Task) -> tuple[str, int | None]:
        coro = task.get_coro()
        places = []
        while type(coro) not in ends:
            if type(coro) is coroutine:
                frame, inner = coro.cr_frame, coro.cr_await
            elif type(coro) is generator:
                frame, inner = coro.gi_frame, coro.gi_yieldfrom
            else:
                coro, frame, inner = _peek(coro)
                if frame is None:
                    ends.add(type(coro))
            if frame is None:
                break
            places += (id(frame.f_code), frame.f_lasti)
            coro = inner
        key = tuple(places)
        found = known.get(key)
        if found is None:
            found = known[key] = _describe(task.get_coro())
        waiter = task._fut_waiter
        if waiter is None:
            return "sleep(0)", found[1]
        if isinstance(waiter, tasks):
            return f"task {waiter.get_name()}", found[1]
        return "gather" if type(waiter) is _GatheringFuture else found[0], found[1]

    return awaiting


def _describe(coro: Any) -> tuple[str, int | None, list[types.CodeType]]:
    """Return what the innermost of the user's coroutines awaits, its line, and the code of the chain below `coro`.

    What is awaited is named as the user's code called it: the outermost public function of a library below it,
    such as `Queue.get`; "future" if there is none. Holding the code keeps its id from being given to other code.
    """
    label, line, codes, named = "future", None, [], False
    while coro is not None:
        coro, frame, inner = _peek(coro)
        if frame is None:
            break
        codes.append(frame.f_code)
        if not frame.f_code.co_filename.startswith(_LIBRARY):
            label, line, named = "future", frame.f_lineno, False
        elif not named:
            label, named = coro.__qualname__, not coro.__name__.startswith("_")
        coro = inner
    return label, line, codes


def _peek(coro: Any) -> tuple[Any, types.FrameType | None, Any]:
    """Return a link of a chain of awaits, its frame, and the next link; the frame is None where the chain ends."""
    if type(coro).__name__.startswith("async_generator_"):  # asend() and the like hide their generator
        coro = next(filter(inspect.isasyncgen, gc.get_referents(coro)), None)
    for kind, frame, inner in (
        (types.CoroutineType, "cr_frame", "cr_await"),
        (types.GeneratorType, "gi_frame", "gi_yieldfrom"),
        (types.AsyncGeneratorType, "ag_frame", "ag_await"),
    ):
        if isinstance(coro, kind):
            return coro, getattr(coro, frame), getattr(coro, inner)
    return coro, None, None
