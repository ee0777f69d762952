"""Record what every asyncio task really did on the running event loop (standard library only).

How it works. While a `Trace` is open on a loop, five functions are replaced (see `replacing`). The loop calls
`asyncio.Handle._run` for each callback it runs, and a step of a task is such a callback. `call_soon` and
`call_soon_threadsafe` of that loop tell when a callback became ready, `create_task` when a task ran eagerly,
`run_in_executor` what a thread did. A task factory would be simpler, but it is blind to eager tasks, to tasks that
are ready while the loop is busy, and to blocking callbacks, and it changes what `Task.get_coro()` returns.

Nothing can be lost by an exception on the way in or out: a replacement whose trace is over passes its calls on.
Traces nest: the functions of an inner one call those of the outer one, and each records for itself.

Tasks are held weakly, and `Task.exception()` is never called: it would silence "exception was never retrieved".
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import re
import sys
import threading
import types
import weakref
from array import array
from asyncio import events
from builtins import getattr, id, isinstance, len, max, type  # noqa: UP029 (code that is traced may rebind them)
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter as clock
from typing import Any, NamedTuple

from .awaiting import Place, Waiting, begin_of, caller, chain, describe, is_library, look_through
from .replacing import Turns, replace, settle

__all__ = ["Callback", "Cancel", "Log", "Span", "Step", "TaskRow", "Trace", "Work"]


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


class Log(NamedTuple):
    """All that the loop ran, in order of its end: a column each, for whoever needs them all at once."""

    ready: array[float]  # "d": seconds since the trace began; that of a callback is its start
    start: array[float]  # "d"
    end: array[float]  # "d"
    owner: array[int]  # "i": the index in `Trace.tasks` of the task whose step it was, -1 for a callback
    place: array[int]  # "i": the index in `names`
    names: list[Waiting]  # what a step then waited for, and where; for a callback, its name


class TaskRow:
    """What one task did. Times are seconds since the trace began."""

    __slots__ = (
        "__weakref__",
        "_cancelling",
        "_cancels",
        "_created",
        "_due",
        "_finished",
        "_last",
        "_open",
        "_ready",
        "_recorder",
        "_task",
        "begins",
        "coro",
        "eager",
        "error",
        "late",
        "made",
        "name",
        "named",
        "number",
        "outcome",
        "parent",
        "root",
    )

    def __init__(self, recorder: _Recorder, name: str, coro: str, created: float, parent: TaskRow | None) -> None:
        self.name = name  # of the task, as `Task.get_name()` last gave it
        self.named = not _DEFAULT_NAME.match(name)  # True if somebody gave it that name
        self.coro = coro  # qualified name of its coroutine function
        self.begins: Place | None = None  # where the code of that is, if it is a plain one of the user's
        self.made: Place | None = None  # the line that created the task, if `create_task()` was seen
        self.number = len(recorder.tasks)  # its index in `Trace.tasks`
        self.parent = parent  # row of the task that created it, if that is recorded too
        self.root = False  # True for the task that opened the trace
        self.eager = False  # True if its first step ran inside its creator's step (Python 3.12+)
        self.late = False  # True if it had begun before it was first seen
        self.outcome = "pending"  # or "done", "cancelled", "raised", "destroyed" (garbage-collected)
        self.error = ""  # name of the exception's class, if it raised
        self._recorder, self._created, self._finished = recorder, created, None
        self._cancels: list[tuple] = []
        self._task: weakref.ref | None = None
        self._cancelling = 0  # Task.cancelling() as last seen
        self._due: float | None = None  # when the step to come became ready, if that was heard of
        self._ready = created  # when the present step became ready
        self._open: float | None = None  # when the step now running began
        self._last = created  # when the last step ended

    @property
    def created(self) -> float:
        """When the task was made."""
        return self._created - self._recorder.began

    @property
    def finished(self) -> float | None:
        """When the task ended; None while it is pending."""
        return None if self._finished is None else self._finished - self._recorder.began

    @property
    def woken(self) -> float | None:
        """When it became ready for a step that has not begun, though the task is pending; None if it is not ready."""
        return None if self._due is None or self._finished is not None else self._due - self._recorder.began

    @property
    def steps(self) -> list[Step]:
        """The task's steps so far, in order."""
        return self._recorder.steps_of(self.number)

    @property
    def cancels(self) -> list[Cancel]:
        """The calls of the task's `cancel()`, in order."""
        return [Cancel(when - self._recorder.began, by) for when, by in self._cancels]

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
        due = end if self.woken is None else min(max(at, self.woken), end)
        if due > at:
            yield Span("waiting", at, due, reason)
        if end > due:
            yield Span("ready", due, end, "")

    def __repr__(self) -> str:
        return f"<TaskRow {self.name!r}: {self.outcome}>"


_DEFAULT_NAME = re.compile(r"(Task-\d+|None)$")  # 3.13.0 calls a task "None" that a factory made and nobody named


class Work:
    """A call handed to a thread or a process. Times are seconds since the trace began; None if not (yet) known."""

    __slots__ = ("_began", "_end", "_start", "_submitted", "error", "lane", "name", "row")

    def __init__(self, name: str, submitted: float, row: TaskRow | None, began: float) -> None:
        self.name = name  # of the function
        self.row = row  # of the task that handed it over
        self.lane = ""  # name of the thread, or of the executor's class where there is no thread to see
        self.error = ""  # name of the exception's class, if it raised
        self._began, self._submitted = began, submitted
        self._start: float | None = None
        self._end: float | None = None

    @property
    def submitted(self) -> float:
        """When it was handed over."""
        return self._submitted - self._began

    @property
    def start(self) -> float | None:
        """When the thread began it; for a process, when it was handed over."""
        return None if self._start is None else self._start - self._began

    @property
    def end(self) -> float | None:
        """When it returned; for a process, when the loop heard of it."""
        return None if self._end is None else self._end - self._began

    def __repr__(self) -> str:
        return f"<Work {self.name!r} in {self.lane!r}>"


class Trace:
    """Context manager: record the tasks that its block starts on the running event loop.

    After (and during) the block, `tasks` lists a `TaskRow` for each task in order of creation, the first being
    the task that opened the block; `work` lists the `Work` given to threads and processes, `callbacks` whatever
    else the loop ran. Only tasks begun inside the block are recorded, and calls made on their behalf;
    `everything=True` also records tasks that were already there, such as a Jupyter kernel's own.

    Traces nest, and several may be open on one loop: each records the tasks begun inside its own block.

    At most `limit` steps and callbacks are kept; `truncated` tells if there were more. A step costs 32 bytes and
    one or two microseconds (tests/benchmarks/trace_overhead.py).

    Entering raises RuntimeError where no event loop runs, and on a loop that is not asyncio's own (uvloop's steps
    cannot be seen).
    """

    opener = "this cell"  # what the task that opened it is called in a picture

    def __init__(self, *, everything: bool = False, limit: int = 500_000) -> None:
        if limit < 1:
            raise ValueError(f"limit must be a positive number of steps, not {limit!r}")
        self.everything, self.limit = everything, limit
        self._recorder = _Recorder(limit)
        # Dropped while it is open, because an interrupt came between its entry and its block: it ends then.
        self._dropped = weakref.finalize(self, self._recorder.stop)
        self._dropped.atexit = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy in another process is made of; the trace must have ended."""
        state = vars(self).copy()
        del state["_dropped"]
        return state

    @property
    def tasks(self) -> list[TaskRow]:
        """The tasks, in order of creation."""
        return self._recorder.tasks

    @property
    def work(self) -> list[Work]:
        """The calls handed to threads and processes, in order."""
        return self._recorder.work

    @property
    def callbacks(self) -> list[Callback]:
        """Whatever else the loop ran, in order."""
        return self._recorder.callbacks()

    @property
    def truncated(self) -> bool:
        """Whether there were more steps and callbacks than `limit`."""
        return self._recorder.truncated

    @property
    def began(self) -> float | None:
        """When the block began, as a reading of `time.perf_counter()`; None before it."""
        return self._recorder.began

    @property
    def duration(self) -> float:
        """Seconds from the block's beginning to its end, or to now while it is open; 0 before it began."""
        recorder = self._recorder
        if recorder.began is None:
            return 0.0
        return (clock() if recorder.ended is None else recorder.ended) - recorder.began

    @property
    def finished_order(self) -> list[str]:
        """The names of the tasks that ended inside the block, in the order in which they ended."""
        ended = [row for row in self.tasks if row._finished is not None and not row.root]
        return [row.name for row in sorted(ended, key=lambda row: row._finished)]

    def log(self) -> Log:
        """Return all that the loop ran so far."""
        return self._recorder.log()

    def __enter__(self) -> Trace:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("a trace needs a running event loop: open it inside a coroutine or a cell") from None
        if self._recorder.began is not None:
            raise RuntimeError("a trace records one block only: make a new one")
        if not isinstance(loop, asyncio.BaseEventLoop):
            kind = f"{type(loop).__module__}.{type(loop).__name__}"
            raise RuntimeError(f"cannot trace {kind}: only asyncio's own event loop shows its steps")
        try:
            self._recorder.start(loop, asyncio.current_task(), self.everything, caller(sys._getframe(1)))
            return self
        except BaseException:
            self._recorder.stop()
            raise

    def __exit__(self, *exc: object) -> None:
        try:
            self._recorder.stop()
        except BaseException:  # an interrupt: what it cut short is done now
            self._recorder.stop()
            raise
        finally:
            self._dropped.detach()


_inside: contextvars.ContextVar[tuple] = contextvars.ContextVar("asynclab.trace", default=())  # marks of open traces
_turns = Turns()  # loops in several threads share `Handle._run`

_SLEPT = 1e-4  # seconds between two callbacks that are too many for the loop's bookkeeping: it had nothing to do
_STEPS = {"task_wakeup", "__step", "__wakeup"}  # names of a task's own callbacks; in C, the first step has none
_TASKS = (asyncio.Task, asyncio.tasks._PyTask)
_HOOKS = ("call_soon", "call_soon_threadsafe", "create_task", "run_in_executor")  # of a loop
_GatheringFuture = asyncio.tasks._GatheringFuture
_CHUNK = 4096  # steps that the log grows by at first
_ENDED, _NESTED = Waiting(None, None), Waiting("a nested event loop", None)


class _Making:
    """One call of `create_task()`: since when, the name it gives, and the task's row if it runs in it."""

    __slots__ = ("name", "row", "since")

    def __init__(self, since: float, name: str | None) -> None:
        self.since, self.name, self.row = since, name, None


class _Recorder:
    """What one trace records, and the functions that record it."""

    def __init__(self, limit: int) -> None:
        self.tasks: list[TaskRow] = []
        self.work: list[Work] = []
        self.truncated = False
        self.began: float | None = None
        self.ended: float | None = None
        self.over = False  # from then on, its functions pass every call on
        self.count = 0  # entries of the log; its columns are longer: an entry counts when it is written whole
        self._limit = limit
        self._times = array("d"), array("d"), array("d")  # ready, start, end: clock readings
        self._numbers = array("i"), array("i")  # owner, place
        self._names: list[Waiting] = [_ENDED, _NESTED]
        self._known: dict[Waiting, int] = {_ENDED: 0, _NESTED: 1}
        self._sorted: tuple[int, dict[int, array]] = 0, {}
        self._loop: asyncio.BaseEventLoop | None = None
        self._mark = object()

    # ------------------------------------------------------------ its life

    def start(
        self,
        loop: asyncio.BaseEventLoop,
        task: asyncio.Task | None,
        everything: bool = False,
        place: Place | None = None,
    ) -> None:
        """Record from now on what `loop` runs; `task` is the one that is running, if any, at that `place`."""
        with _turns:
            self._loop = loop
            self.began = clock()
            for name in _HOOKS:
                settle(loop, name)
            settle(events.Handle, "_run")
            run, hooks = self._functions(loop, task, everything, place)
            for name, function in zip(_HOOKS, hooks, strict=True):
                function.__qualname__ = f"BaseEventLoop.{name}"  # the loop calls back its own create_task at times
                replace(loop, name, function, self)
            replace(events.Handle, "_run", run, self)
        _inside.set((*_inside.get(), self._mark))
        if task is not None:
            # The next callback that the loop runs marks the end of the step in which the trace was opened.
            loop.call_soon(_end_of_step)

    def stop(self) -> None:
        """Record no more, and take everything back. However far it came, it may be done again."""
        if self._loop is None:
            return
        with _turns:
            if self.ended is None:
                self.ended = clock()
            self.over = True
            for name in _HOOKS:
                settle(self._loop, name)
            settle(events.Handle, "_run")
        marks = _inside.get()
        if self._mark in marks:  # not so in another context than it was opened in: the mark ends with that
            _inside.set(tuple(mark for mark in marks if mark is not self._mark))
        for row in self.tasks:
            if row._open is not None:
                began, row._open = row._open, None
                self.write(row._ready, began, self.ended, row.number, 0)
            task = row._task() if row._task else None
            if task is not None:
                _rename(row, task)
            row._task = None
        self._loop = None  # it holds whatever is scheduled on it

    # ------------------------------------------------------------ its log

    def write(self, ready: float, start: float, end: float, owner: int, place: int) -> None:
        """Add an entry to the log: clock readings, a row's number or -1, and the number of a name."""
        count = self.count
        if count >= self._limit:
            self.truncated = True
            return
        (readies, starts, ends), (owners, places) = self._times, self._numbers
        if count >= len(places):
            size = min(self._limit, count + max(_CHUNK, count // 8))
            for column in (readies, starts, ends, owners, places):
                column.frombytes(bytes((size - len(column)) * column.itemsize))
        readies[count], starts[count], ends[count] = ready, start, end
        owners[count], places[count] = owner, place
        self.count = count + 1

    def place(self, waiting: Waiting) -> int:
        """Return the number that stands for `waiting` in the log."""
        number = self._known.get(waiting)
        if number is None:
            self._names.append(waiting)
            number = self._known[waiting] = len(self._names) - 1
        return number

    def log(self) -> Log:
        count, began = self.count, self.began
        times = [array("d", [reading - began for reading in column[:count]]) for column in self._times]
        return Log(*times, *(column[:count] for column in self._numbers), list(self._names))

    def steps_of(self, number: int) -> list[Step]:
        """Return the steps of the task of that number."""
        (readies, starts, ends), (owners, places) = self._times, self._numbers
        count, began = self.count, self.began
        upto, entries = self._sorted
        if upto != count:
            entries = {}
            for entry in range(count):
                if (owner := owners[entry]) in entries:
                    entries[owner].append(entry)
                else:
                    entries[owner] = array("i", [entry])
            self._sorted = count, entries
        return [
            Step(readies[i] - began, starts[i] - began, ends[i] - began, *self._names[places[i]][:2])
            for i in entries.get(number, ())
        ]

    def callbacks(self) -> list[Callback]:
        """Return whatever else the loop ran."""
        return [Callback(step.start, step.end, step.awaiting) for step in self.steps_of(-1)]

    # ------------------------------------------------------------ what it puts in the place of others

    def _functions(
        self, loop: asyncio.BaseEventLoop, opening: asyncio.Task | None, everything: bool, opened_at: Place | None
    ) -> tuple[Callable, tuple[Callable, ...]]:
        """Return what runs a handle, and what stands in for the methods of `loop` named in `_HOOKS`.

        They are closures: local names are the fastest that Python has.
        """
        below_run = events.Handle._run
        below_call_soon, below_threadsafe, below_create_task, below_run_in_executor = (
            getattr(loop, name) for name in _HOOKS
        )
        recorder, began, write = self, self.began, self.write
        tasks, mark = self.tasks, self._mark
        awaiting_of = _awaiting(self.place)
        rows: dict[int, TaskRow] = {}  # the unfinished tasks, by id(task)
        # When callbacks other than steps became due, by id(handle). A handle would keep its task alive, and that its
        # trace. One that is cancelled stays here; the worst that comes of it is a wrong time for another's.
        due: dict[int, float] = {}
        fresh: list[TaskRow] = []  # 3.11 names a task after making it: look again after this callback
        now: TaskRow | None = None  # the task whose step is running
        opener: TaskRow | None = None  # now, until the step that opened the trace ends
        called: str | None = None  # the name of the plain callback that is running
        opened = began  # since when it runs, or runs on
        making: list[_Making] = []  # calls of create_task(): an eager task runs inside of them
        relayed: float | None = None  # when the plain callback now running was due: what it wakes was due then
        asleep = awake = idle_since = began  # the loop's last sleep, from-to; the end of its last callback
        nameless: set[type] = set()  # the type of a task's first step

        def add(task: asyncio.Task, coro: Any, created: float, parent: TaskRow | None) -> TaskRow:
            name = getattr(coro, "__qualname__", type(coro).__qualname__)
            row = TaskRow(recorder, _name_of(task), name, created, parent)
            row._cancelling = task.cancelling()
            row.begins = begin_of(coro)
            key = id(task)

            def collected(_: weakref.ref) -> None:
                if rows.get(key) is row:
                    del rows[key]
                    if not recorder.over:
                        row._finished, row.outcome = clock(), "destroyed"

            row._task = weakref.ref(task, collected)
            rows[key] = row
            tasks.append(row)
            fresh.append(row)
            return row

        def is_ours(context: contextvars.Context | None) -> bool:
            if everything or now is not None:
                return True
            return mark in (_inside.get() if context is None else context.get(_inside, ()))

        def is_step(callback: Any) -> bool:
            """Return whether a callback that belongs to a task is its step; `task.cancel` is none."""
            name = getattr(callback, "__name__", None)
            if name is None:
                nameless.add(type(callback))  # looking for a name that is not there takes long
            return name is None or name in _STEPS

        def running() -> TaskRow | None:
            """Return the task that is running; make its row, if it runs eagerly and nothing was heard of it yet."""
            nonlocal now
            task = asyncio.current_task(loop)
            while now is not None and (last := now._task()) is not task and not _runs(last):
                back_to(now.parent)  # it ran eagerly, and has given back what it interrupted
            if task is not None and id(task) not in rows and is_ours(None):
                made_by = making[-1] if making and making[-1].row is None else _Making(clock(), None)
                row = made_by.row = add(task, task.get_coro(), made_by.since, now)
                _rename(row, task, made_by.name)
                row.eager = True
                row._open = row._last = row._ready = suspend(now, made_by.since)
                now = row
            return now

        def back_to(row: TaskRow | None) -> None:
            """End the steps of the eager tasks that ran inside `row` or (None) inside a callback."""
            nonlocal now
            while now is not row and now is not None:
                inner, now = now, now.parent
                task = inner._task()
                if inner._open is not None and task is not None:
                    end_step(inner, task, clock())
                resume(now)

        def suspend(row: TaskRow | None, when: float, place: int = 0) -> float:
            """Cut what runs, a task or (None) a callback, because a task runs inside of it; return since when."""
            nonlocal opened
            if row is None:
                if called is not None:
                    when = max(when, opened)
                    write(opened, opened, when, -1, recorder.place(Waiting(called, None)))
                    opened = when
            elif row._open is not None:
                when = max(when, row._open)
                start, row._open, row._last = row._open, None, when
                write(row._ready, start, when, row.number, place)
            return when

        def resume(row: TaskRow | None) -> None:
            nonlocal opened
            if row is None:
                opened = clock()
            elif row._finished is None:
                row._open = row._ready = clock()

        def note_cancels(task: asyncio.Task, row: TaskRow, when: float) -> None:
            count = task.cancelling()
            if count > row._cancelling:
                row._cancels.append((when, now))
            row._cancelling = count  # uncancel() lowers it

        def end_step(row: TaskRow, task: asyncio.Task, end: float) -> None:
            if row._cancelling != task.cancelling():  # the task cancelled, or uncancelled, itself
                note_cancels(task, row, end)
            place = 0
            if task.done():
                del rows[id(task)]
                row._finished = end
                _rename(row, task)
                if task.cancelled():
                    row.outcome = "cancelled"
                elif task._exception is None:
                    row.outcome = "done"
                else:
                    row.outcome, row.error = "raised", type(task._exception).__name__
            else:
                place = awaiting_of(task)
            write(row._ready, row._open, end, row.number, place)
            row._open, row._last = None, end

        def call_soon(callback: Callable, *args: Any, context: contextvars.Context | None = None) -> events.Handle:
            if args:
                handle = below_call_soon(callback, *args, context=context)
            else:
                handle = below_call_soon(callback, context=context)
            if recorder.over:
                settle(loop, "call_soon")
                return handle
            when = clock()
            try:
                task = getattr(callback, "__self__", None)
            except Exception:  # of an object that answers strangely
                task = None
            row = rows.get(id(task))
            if row is not None and (type(callback) in nameless or is_step(callback)):
                if row._cancelling != task.cancelling():
                    note_cancels(task, row, when)
                row._due = when if relayed is None else relayed
                return handle
            due[id(handle)] = when if relayed is None else relayed
            _leave_source(handle)
            if row is None and isinstance(task, _TASKS) and not task.done() and is_ours(handle._context):
                parent = running()
                if id(task) not in rows:
                    row = add(task, task.get_coro(), when, parent)
                    row.late = bool(args)  # a first step has no arguments, a wake-up has: the future awaited
                    row._due = due.pop(id(handle))
            return handle

        def call_soon_threadsafe(callback: Callable, *args: Any, context: contextvars.Context | None = None) -> Any:
            when = clock()
            handle = below_threadsafe(callback, *args, context=context)
            if recorder.over:
                settle(loop, "call_soon_threadsafe")
            else:
                due[id(handle)] = when
                _leave_source(handle)
            return handle

        def create_task(coro: Any, **options: Any) -> asyncio.Task:
            if recorder.over:
                settle(loop, "create_task")
                return below_create_task(coro, **options)
            name = options.get("name") or _name_given_later(sys._getframe(1))
            creator, making_it = running(), _Making(clock(), name)
            making.append(making_it)
            try:
                task = below_create_task(coro, **options)
            finally:
                making.pop()
                if not recorder.over:
                    back_to(creator)
            if recorder.over or not isinstance(task, _TASKS):
                return task
            _leave_source(task)
            row = rows.get(id(task)) or making_it.row
            if row is not None and row._task() is task:
                _rename(row, task, name)
            elif is_ours(None):
                # Nothing has been heard of it, so it ran at once, inside its creator's step.
                row = add(task, coro, making_it.since, creator)  # 3.12.1 crashes on get_coro() of one that has finished
                row.eager = True
                row._open = row._last = row._ready = suspend(creator, making_it.since)
                end_step(row, task, clock())
                _rename(row, task, name)
                resume(creator)
            if row is not None:
                row.made = caller(sys._getframe(1))
            return task

        def run_in_executor(executor: Any, func: Callable, *args: Any) -> asyncio.Future:
            if recorder.over:
                settle(loop, "run_in_executor")
                return below_run_in_executor(executor, func, *args)
            if not is_ours(None):
                return below_run_in_executor(executor, func, *args)
            work = Work(_name(func), clock(), running(), began)
            recorder.work.append(work)
            if executor is not None and not isinstance(executor, ThreadPoolExecutor):
                work.lane, work._start = type(executor).__name__, work._submitted
                future = below_run_in_executor(executor, func, *args)
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

            timed.__qualname__ = work.name  # for a trace around this one
            return below_run_in_executor(executor, timed, *args)

        def run(handle: events.Handle) -> None:
            nonlocal now, opener, relayed, asleep, awake, idle_since, called, opened
            if handle._loop is not loop or recorder.over:
                try:
                    if recorder.over or loop.is_closed():
                        recorder.over = True  # be it that its end was cut short: on a closed loop there is no more
                        settle(events.Handle, "_run")
                finally:
                    below_run(handle)
                return
            row = task = callback = outer = None
            try:
                start = clock()
                if start - idle_since > _SLEPT:
                    asleep, awake = idle_since, start
                if now is not None:
                    if opener is not None and not _runs(task := opener._task()):
                        if task is not None and opener._open is not None:
                            end_step(opener, task, start)
                        opener = now = None
                        asleep = awake = start
                    else:  # a loop inside a step, as nest_asyncio makes it
                        outer = now
                        suspend(outer, start, 1)
                callback = handle._callback
                try:
                    task = getattr(callback, "__self__", None)
                except Exception:
                    task = None
                row = rows.get(id(task))
                if row is not None and (type(callback) in nameless or is_step(callback)):
                    when, row._due = row._due, None
                    if when is None:  # nobody heard of its wake-up
                        when = start
                else:
                    row = None
                    if type(handle) is events.TimerHandle:
                        when = start - max(0.0, loop.time() - handle._when)
                    else:
                        when = due.pop(id(handle), start)
                    known = not isinstance(task, _TASKS) or id(task) in rows or task.done()
                    if not known and is_step(callback) and is_ours(handle._context):
                        row = add(task, task.get_coro(), start, None)  # begun before the trace, or woken unseen
                        row.late = True
                if asleep <= when < awake:
                    when = awake  # due while the loop slept: it was ready only when the loop woke up
                if row is None:
                    relayed, opened = when, start
                    called = None if _is_unseen(callback) else _name(callback)
                else:
                    if row._cancelling != task.cancelling():
                        note_cancels(task, row, start)
                    now = row
                    # sleep(0) asks for the next step within the present one
                    row._ready = when if when > row._last else row._last
                    row._open = start
            except BaseException:  # an interrupt: whoever waits for this callback must not wait for ever
                now = outer
                if row is not None:
                    row._open = None
                below_run(handle)
                raise
            try:
                below_run(handle)
            finally:
                # Closed within this very callback? Then all is written already.
                if not recorder.over:
                    if now is not row:
                        back_to(row)
                    end = idle_since = clock()
                    if row is None:
                        suspend(None, end)
                        relayed = called = None
                    elif row._open is not None:
                        end_step(row, task, end)
                    now = outer
                    if fresh:
                        for new in fresh:
                            made = new._task() if new._task else None
                            if made is not None:
                                _rename(new, made)
                        fresh.clear()
                    if outer is not None:
                        resume(outer)
                handle = task = callback = None  # an exception's traceback must not keep a task alive

        if opening is not None:
            now = opener = add(opening, opening.get_coro(), began, None)
            now.root, now._open, now.begins = True, began, opened_at
        return run, (call_soon, call_soon_threadsafe, create_task, run_in_executor)


def _end_of_step() -> None:
    """The callback that marks the end of the step in which a trace was opened."""


_end_of_step.unseen_by_traces = True  # a function so marked is no part of what the user's code did


def _runs(task: asyncio.Task | None) -> bool:
    """Return whether a step of `task` is being run, be it by a loop that has begun another one inside of it."""
    return task is not None and not task.done() and getattr(task.get_coro(), "cr_running", False)


def _leave_source(made: Any) -> None:
    """Let debug mode say that the caller of a replacement made a handle or task, as asyncio does for its functions."""
    frames = getattr(made, "_source_traceback", None)
    if frames and isinstance(frames, list) and frames[-1].filename == __file__:
        del frames[-1]


def _name_of(task: asyncio.Task) -> str:
    try:
        return str(task.get_name())
    except Exception:  # of a class of the user's own; its fault must not become the loop's
        return type(task).__qualname__


def _rename(row: TaskRow, task: asyncio.Task, given: str | None = None) -> None:
    """Bring the row's name up to date; `given` is a name that the task is yet to get."""
    name = _name_of(task) if given is None else str(given)
    if name != row.name or given is not None:
        row.name, row.named = name, given is not None or name != "None"  # as in _DEFAULT_NAME


def _name_given_later(caller: types.FrameType) -> str | None:
    """Return the name that the function which now calls `loop.create_task()` will give, on 3.11 and 3.12.1."""
    return caller.f_locals["name"] if any(caller.f_code is code for code in _NAMERS) else None


_NAMERS = [
    function.__code__
    for function in (asyncio.create_task, asyncio.TaskGroup.create_task)
    if "_set_task_name" in function.__code__.co_names
]


def _is_unseen(callback: Any) -> bool:
    try:
        return callback.unseen_by_traces is True  # a mock has every attribute, none of them True
    except Exception:
        return False


def _name(func: Any) -> str:
    """Return a readable name for a callback or a function given to an executor."""
    try:
        while isinstance(func, functools.partial):
            # asyncio.to_thread hands over partial(context.run, func, ...)
            through_context = func.args and getattr(func.func, "__name__", "") == "run"
            func = func.args[0] if through_context else func.func
        owner = getattr(func, "__self__", None)
        if isinstance(owner, _TASKS):
            return f"{owner.get_name()}.{getattr(func, '__name__', 'step')}"
        name = getattr(func, "__qualname__", None)
        return name if isinstance(name, str) else type(func).__qualname__
    except Exception:  # of an object that answers strangely; its fault must not become the loop's
        return type(func).__qualname__


def _awaiting(place: Callable[[Waiting], int]) -> Callable[[asyncio.Task], int]:
    """Return a function that tells what a suspended task waits for, as the number that `place` gives it.

    The places in the code at which the task and all that it awaits are suspended determine the answer, so each such
    chain of places is looked at closely only once: `known` is a tree with a branch for each, from the task inwards.
    """
    coroutine, generator, nothing, future = types.CoroutineType, types.GeneratorType, type(None), asyncio.Future
    known: dict = {}
    library: set[int] = set()  # ids of code in which the exact place does not matter
    kept: list[types.CodeType] = []  # lest other code gets such an id
    ends: set[type] = {nothing, future, asyncio.Task}

    def awaiting_of(task: asyncio.Task) -> int:
        coro, branch = task.get_coro(), known
        while True:
            kind = type(coro)
            if kind is coroutine:
                key = id(coro.cr_code)
                if key not in library:
                    key += coro.cr_frame.f_lasti  # as an instruction's address: a code object is longer than its code
                coro = coro.cr_await
            elif kind is generator:
                key = id(coro.gi_code)
                if key not in library:
                    key += coro.gi_frame.f_lasti
                coro = coro.gi_yieldfrom
            elif kind in ends:
                break
            else:
                hidden = look_through(coro)
                if hidden is None:
                    ends.add(kind)
                    break
                if type(hidden) is coroutine:
                    coro = hidden
                    continue
                key = id(hidden.ag_code)
                if key not in library:
                    key += hidden.ag_frame.f_lasti
                coro = hidden.ag_await
            branch = branch.get(key)
            if branch is None:
                return learn(task)
        found = branch.get(None)
        if found is None:
            return learn(task)
        waiting, number, bare = found
        waiter = task._fut_waiter
        if waiter is None:
            return bare if kind is nothing else number
        if type(waiter) is not future:
            if isinstance(waiter, _TASKS):
                return place(Waiting(f"task {_name_of(waiter)}", waiting.line, waiting.places))
            if isinstance(waiter, _GatheringFuture):
                return place(Waiting("gather", waiting.line, waiting.places))
        return number

    def learn(task: asyncio.Task) -> int:
        """Grow the tree by a branch for the place at which `task` is suspended."""
        coro = task.get_coro()
        waiting, branch = describe(coro), known
        for link in chain(coro):
            key = id(link.code)
            if is_library(link.code):
                library.add(key)
            else:
                key += link.frame.f_lasti
            kept.append(link.code)
            branch = branch.setdefault(key, {})
        branch[None] = waiting, place(waiting), place(Waiting("sleep(0)", waiting.line, waiting.places))
        return awaiting_of(task)

    return awaiting_of
