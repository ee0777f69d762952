"""Seeded worlds, in each of which a learner's function is tried: what it is given, and what it then did.

A seed below 1,000 makes all that is drawn: durations, lengths, results, who fails. Above, the thousands count the
turns of the loop that the function waits through before it is cancelled from outside: 9003 is 3, cancelled at the 9th.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import linecache
import random
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import virtual_time
from .expect import NotYet, count, held_the_loop, leaves, said
from .run import Run
from .work import JobError, Work

MOST_TASKS = 2_000  # that a run may start
_MOST_TURNS = 20_000  # of the loop that a run may take
_TURNS_TO_END = 500  # that a run may take when it was stopped
_MOST_STOPS = 3  # attempts to end a run that does not end by itself
_LONGEST_THREAD = 20  # seconds of virtual time for which a thread may go on when the function has ended
_GRACE = 3  # turns in which tasks that were cancelled may still end
_LONG = 0.1  # seconds of processor time in one turn: it held the loop

OUT_OF_MEMORY = "Your function asked for more memory than a check may use. Check what it collects."

never_awaited: list[str] = []  # names of coroutine functions that were called in vain, as Python's warnings tell


class Unstoppable(BaseException):
    """The learner's code does not end: its process has to. The message says why."""


class World:
    """One world: it draws what a learner's function is given, runs it, and says what it did."""

    def __init__(
        self,
        function: Callable[..., Any],
        seed: int,
        own_files: Iterable[str] = (),
        error_messages: Mapping[str, str] | None = None,
        make_trace: Callable[[], Any] | None = None,
    ) -> None:
        self.function, self.seed = function, seed
        self.own_files, self.error_messages, self._make_trace = set(own_files), error_messages or {}, make_trace
        self.cancel_at, self.number = divmod(seed, 1000)
        self.rng = random.Random(self.number)
        # Whether something fails here, in a check that lets something fail. Not in the first worlds: what is wrong
        # without a failure is told first.
        self.fails = self.number % 3 == 2 and not self.cancel_at
        self.facts: list[str] = []  # what is special here, in words
        self.turns = 0  # through which a run waited that may be cancelled
        self.trace: Any = None  # of the last run
        self.spoiled = False  # something was left that does not end
        self._stops: list[str] = []
        self._is_to_cancel = False

    # ------------------------------------------------------------ what is drawn

    def pick(self, *values: Any) -> Any:
        """Return one of `values`."""
        return self.rng.choice(values)

    def size(self, first: int, *others: int) -> int:
        """Return a length: the first one in the first worlds, so that their pictures are small; later any."""
        return first if self.number < 6 else self.rng.choice((first, *others))

    def delay(self, low: float = 0.001, high: float = 0.1) -> float:
        """Return a duration in seconds. Half of them are near `low`, and no two are alike."""
        return self.rng.choice((low * (1 + self.rng.random()), self.rng.uniform(low, high)))

    def work(self, name: str, items: Iterable[Any], **options: Any) -> Work:
        """Return work with these items, each of which takes a time of its own. `options` are those of `Work`."""
        return Work(name, {item: self.delay() for item in items}, **options)

    def jobs(self, number: int, name: str = "job") -> Work:
        """Return `number` jobs: 1, 2, …; some give something falsy, and in a world that fails one of them does."""
        items = range(1, number + 1)
        results = {item: self.rng.choice((0, None, "", [], f"result {item}", item / 7)) for item in items}
        failing = {self.rng.choice(items): JobError("this job fails")} if self.fails and number else {}
        self.facts.append(count(number, name))
        self.facts.extend(f"{name} {item} fails" for item in failing)
        return self.work(name, items, results=results, failing=failing)

    # ------------------------------------------------------------ what is run

    async def watch(
        self,
        *arguments: Any,
        function: Callable[..., Any] | None = None,
        may_raise: type[BaseException] | tuple[type[BaseException], ...] = (),
        cancel: bool = True,
        deadline: float = 3600.0,
    ) -> Run:
        """Run the learner's function with these arguments to its end, and return what it did.

        `function` may be another one, which calls it. With `cancel` it is cancelled from outside in some worlds, and
        may then end so. An error raises `NotYet`, unless it is a `may_raise`, or a group of such. So does a run that
        does not end, because it waits for what can never happen, for longer than `deadline` seconds, or never waits.
        """
        loop: virtual_time.Loop = asyncio.get_running_loop()
        called, made, run = function or self.function, len(loop.made), Run()
        self._is_to_cancel, self._stops, self.trace = False, [], self._make_trace() if self._make_trace else None
        virtual_time.blocking.clear()
        gc.collect()  # a coroutine that an earlier world forgot is announced now, and not as one of this world
        never_awaited.clear()
        with self.trace or contextlib.nullcontext():
            began, ended = virtual_time.clock.now, loop.create_future()
            task = loop.create_task(_coroutine(called, arguments), name=getattr(called, "__name__", "your function"))
            task.add_done_callback(lambda _: ended.set_result(None))
            loop.on_turn = self._on_turn(task, run, cancel, began + deadline)
            loop.on_stuck = lambda: self._stop("stuck", task, run)
            await ended
            loop.on_turn = loop.on_stuck = None
            run.duration = virtual_time.clock.now - began
            await self._settle(loop, made, _GRACE)
        run.error = asyncio.CancelledError() if task.cancelled() else task.exception()
        run.value = None if run.error is not None else task.result()
        run.left = [_name(each) for each in loop.made[made:] if not each.done()]
        await self._end_what_is_left(loop, made)
        have_threads_ended = await self._end_threads()
        run.tasks = len(loop.made) - made - 1
        run.lost = [_lost(each) for each in loop.made[made:] if _is_lost(each)]
        gc.collect()
        run.never_awaited = list(never_awaited)
        run.blocking += [f"{each.call}{self.line(each.places)}" for each in virtual_time.blocking]
        if self._stops:
            raise NotYet(self._why_stopped(run))
        if run.error is not None and not (run.cancelled and task.cancelled()) and not _all_are(run.error, may_raise):
            raise NotYet(self.explain(run.error))
        if not have_threads_ended:
            raise NotYet("A thread that your function started goes on without end. Let each of them come to an end.")
        return run

    def cancel(self) -> None:
        """Cancel from outside what is watched, once this turn of the loop is over: for a function that works forever.

        A task that the check starts beforehand may do so when there is nothing left to do.
        """
        self._is_to_cancel = True

    def _on_turn(self, task: asyncio.Task, run: Run, cancel: bool, end: float) -> Callable[[], None]:
        """Return what is called after each turn of the loop, until `task` has ended, or is to, at the time `end`."""
        turns, most, cpu = 0, _MOST_TURNS, time.thread_time()

        def on_turn() -> None:
            nonlocal turns, most, cpu
            turns, before, cpu = turns + 1, cpu, time.thread_time()
            if cpu - before > _LONG:
                run.blocking.append("a single step of your function")
            if task.done():
                return
            if cancel and not run.cancelled:
                self.turns = max(self.turns, turns)
                if turns == self.cancel_at or self._is_to_cancel:
                    run.cancelled, run.cancelled_at = True, virtual_time.clock.now
                    task.cancel()
            if turns >= most or (virtual_time.clock.now > end and not self._stops):
                self._stop("busy" if turns >= most else "late", task, run)
                most = turns + _TURNS_TO_END

        return on_turn

    def _stop(self, why: str, task: asyncio.Task, run: Run) -> None:
        """Cancel a run that does not end by itself. Raises `Unstoppable` if that was tried before, in vain."""
        if len(self._stops) >= _MOST_STOPS:
            raise Unstoppable(self._why_stopped(run))
        if not self._stops:
            # What was begun last is nearest to the cause: the function itself may wait for its tasks.
            pending = [each for each in asyncio.get_running_loop().made if not each.done()]
            self._place = next(filter(None, map(self._where_it_waits, reversed(pending))), "")
        self._stops.append(why)
        task.cancel()

    async def _settle(self, loop: virtual_time.Loop, made: int, turns: int, pause: float = 0.0) -> bool:
        """Let the tasks made since then run on for some turns; return whether all have ended."""
        for _ in range(turns):
            if all(each.done() for each in loop.made[made:]):
                return True
            await asyncio.sleep(pause)
        return all(each.done() for each in loop.made[made:])

    async def _end_what_is_left(self, loop: virtual_time.Loop, made: int) -> None:
        for _ in range(_MOST_STOPS):
            for each in loop.made[made:]:
                if not each.done():
                    each.cancel()
            if await self._settle(loop, made, 20, pause=0.01):
                return
        self.spoiled = True

    async def _end_threads(self) -> bool:
        """Let threads that the function has left come to their end; return whether they have."""
        for _ in range(_LONGEST_THREAD):
            if virtual_time.have_threads_ended():
                return True
            await asyncio.sleep(1.0)
        self.spoiled = True
        return False

    # ------------------------------------------------------------ what is said

    def _why_stopped(self, run: Run) -> str:
        if run.cancelled:
            return (
                f"Your function was cancelled, and ran on{self._place}. "
                "After cleaning up, raise the CancelledError again."
            )
        if self._stops[0] == "busy":
            return (
                f"Your function goes on without end{self._place}. "
                "Check what ends its loop, and await the thing itself instead of asking for it again and again."
            )
        if virtual_time.blocking:
            return held_the_loop(run)
        how = "waits for what can never happen" if self._stops[0] == "stuck" else "was still waiting after its time"
        return f"Your function {how}{self._place}. Check who is to end that wait."

    def explain(self, error: BaseException) -> str:
        """Return what to say of an error that the learner's function raised."""
        errors = leaves(error)
        for each in errors:
            for pattern, message in self.error_messages.items():
                if found := re.search(pattern, f"{type(each).__name__}: {each}"):
                    return " ".join(message.format(*found.groups()).split())
        first = errors[0]
        if isinstance(first, virtual_time.Flood):
            return f"Your function started tasks without end{self._where(first)}. Check what ends that loop."
        if isinstance(first, virtual_time.Deadlock):
            return (
                f"Your function holds the event loop forever{self._where(first)}: it waits there for what only the "
                "loop could do. Await that instead."
            )
        if isinstance(first, MemoryError):
            self.spoiled = True  # what it took is still held
            return OUT_OF_MEMORY
        if isinstance(first, asyncio.CancelledError):
            return (
                f"Your function ended with CancelledError, though it was not cancelled{self._where(first)}. A task "
                "that was cancelled raises it in whoever awaits the task, or asks for its result."
            )
        try:
            text = " ".join(str(first).split())
        except BaseException:  # the learner's own __str__
            text = ""
        told = type(first).__name__ + (f" ({text if len(text) <= 80 else text[:79] + '…'})" if text else "")
        more = f" and {count(len(errors) - 1, 'more error')}" if len(errors) > 1 else ""
        return f"Your function raised {told}{more}{self._where(first) or self._where(error)}. Look there first."

    def _where_it_waits(self, task: asyncio.Task) -> str:
        places, waiting = [], task.get_coro()
        while waiting is not None:
            frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
            if frame is not None:
                places.append((frame.f_code.co_filename, frame.f_lineno))
            waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
        return self.line(reversed(places))

    def _where(self, error: BaseException) -> str:
        walk = traceback.walk_tb(error.__traceback__)
        return self.line(reversed([(frame.f_code.co_filename, number) for frame, number in walk]))

    def line(self, places: Iterable[tuple[str, int]]) -> str:
        """Return the first of `places` (file, line) that is in the learner's code: ", line 3 “…”", or ""."""
        for file, number in places:
            if file in self.own_files:
                text = linecache.getline(file, number).strip()
                return f", line {number}" + (f" {said(text, quotes='“”')}" if text else "")
        return ""


def _coroutine(function: Callable[..., Any], arguments: tuple) -> Any:
    """Return the coroutine that runs `function`."""
    if inspect.iscoroutinefunction(function):
        return function(*arguments)  # no frame of ours in its traceback, nor in its trace

    async def call() -> Any:
        value = function(*arguments)
        return await value if inspect.isawaitable(value) else value

    return call()


def _all_are(error: BaseException, kinds: type | tuple) -> bool:
    return all(isinstance(each, kinds) for each in leaves(error))


def _name(task: asyncio.Task) -> str:
    """Return the name that the learner gave it, or else that of its coroutine: "Task-7" depends on earlier runs."""
    name = task.get_name()
    return getattr(task.get_coro(), "__name__", name) if re.fullmatch(r"Task-\d+", name) else name


def _is_lost(task: asyncio.Task) -> bool:
    return task.done() and not task.cancelled() and getattr(task, "_log_traceback", False)


def _lost(task: asyncio.Task) -> str:
    error = task.exception()  # which also marks it as retrieved
    return f"{type(error).__name__}: {error} (task {said(_name(task), quotes='“”')})"
