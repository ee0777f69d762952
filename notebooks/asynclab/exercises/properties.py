"""Properties of a run: what a learner's function must have done, each with its own message.

A property is a function of a `Run` that returns None if it holds, else one line: what failed, and the next step.
The functions here make properties. Behaviour is what they look at: which tasks and which jobs overlapped, in which
order, how they ended. Where a duration counts, it never counts alone.

`among` selects what counts, by the beginning of its name: jobs of the probe so named or, if no probe has that name,
tasks, by their own name or that of their coroutine; "" selects all tasks.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..page.numbers import duration
from .probes import Interval
from .running import Run
from .stopping import Stopped

__all__ = [
    "Property",
    "at_most",
    "awaited_every_coroutine",
    "cancelled_siblings",
    "changed_nothing",
    "cleaned_up",
    "did_not_block",
    "did_not_poll",
    "each_once",
    "ended_by_itself",
    "explain",
    "happened_in_order",
    "is_coroutine_function",
    "judge",
    "kept_deadline",
    "no_exception_lost",
    "no_task_leaked",
    "passed_cancellation_on",
    "peak",
    "printed_nothing",
    "raised",
    "ran_concurrently",
    "ran_sequentially",
    "rate_at_most",
    "results_in_order",
    "returned",
    "used_one_session",
    "wrote_nothing",
]

Property = Callable[[Run], str | None]


def peak(intervals: Iterable[tuple[float, float]]) -> int:
    """Return the largest number of intervals open at one moment.

    `intervals` are (start, end) pairs in seconds; one that ends as another starts does not overlap it.
    An empty input gives 0. Raises ValueError if an interval ends before it starts.
    """
    changes = []
    for start, end in intervals:
        if end < start:
            raise ValueError(f"an interval ends before it starts: {start} to {end}")
        changes += [(start, 1), (end, -1)] * (end > start)
    return max(itertools.accumulate((change for _, change in sorted(changes)), initial=0))


def judge(run: Run, properties: Iterable[Property]) -> str | None:
    """Return the message of the first property that fails, or None.

    Being stopped is told before any of them, and so is an error, unless one of the properties expects one (`raised`,
    `passed_cancellation_on`, `cancelled_siblings`) or the run was cancelled from outside and ended by that.
    """
    properties = list(properties)
    expected = any(getattr(each, "expects_error", False) for each in properties) or _cancelled(run)
    if run.stopped or not expected:
        message = explain(run)
        if message is not None:
            return message
    for each in properties:
        message = each(run)
        if message is not None:
            return message
    return None


def explain(run: Run) -> str | None:
    """Return what stopped the learner's function or what it raised, in one line; None if it returned."""
    limit = duration(run.deadline)
    if run.stopped == "blocked":
        culprit = f": {run.blocking[-1]}" if run.blocking else ""
        return (
            f"Your function held the event loop until it was stopped after {limit}{_at(run)}{culprit}. "
            "Await whatever waits, such as asyncio.sleep, so that others get their turn."
        )
    if run.stopped == "flood":
        return f"Your function started tasks without end{_at(run)}. Check what ends the loop that starts them."
    if run.stopped and run.cancelled:
        return (
            f"Your function was cancelled, and ran on until it was stopped after {limit}{_at(run)}. "
            "After cleaning up, raise CancelledError again: a bare raise."
        )
    if run.stopped == "busy":
        return (
            f"Your function was still running after {limit}, without ever waiting{_at(run)}. "
            "Check what ends its loop, and await the thing itself instead of asking for it again and again."
        )
    if run.stopped:
        return f"Your function was still waiting after {limit}{_at(run)}. Check who is to end that wait."
    error = run.error
    if error is None:
        return None
    if isinstance(error, Stopped):
        return f"Your function was stopped{_at(run)}. Look at what it did last."
    if not callable(run.function):
        return f"There is no function to check but {_said(run.function)}. Give the function itself, without calling it."
    if isinstance(error, asyncio.CancelledError):
        who = "when it was cancelled from outside" if run.cancelled else "though nobody cancelled it"
        return f"Your function ended with CancelledError, {who}{_at(run)}. Look at what it awaited there."
    if isinstance(error, BaseExceptionGroup):
        return f"Your function raised {_group(error)}{_at(run)}. Look there first: these errors came out of its tasks."
    return f"Your function raised {_error(error)}{_at(run)}. Look there first."


# What came of it ------------------------------------------------------------------------------------------------


def is_coroutine_function() -> Property:
    """It is defined with `async def`, and without `yield`."""

    def check(run: Run) -> str | None:
        function = run.function
        if inspect.iscoroutinefunction(function):
            return None
        call = vars(type(function)).get("__call__")  # an object may be called like a function
        if inspect.iscoroutinefunction(inspect.unwrap(function) if callable(function) else function):
            return None
        if not inspect.isclass(function) and inspect.iscoroutinefunction(call):
            return None
        if inspect.isasyncgenfunction(function):
            return "Your function yields, which makes it an asynchronous generator. Use return, once, at the end."
        if inspect.isclass(function):
            return "You gave a class. Give a function that is defined with async def."
        return "Your function is an ordinary one: calling it runs it at once. Define it with async def."

    return check


def returned(expected: Any) -> Property:
    """It returned a value equal to `expected`."""

    def check(run: Run) -> str | None:
        if _same(run.value, expected):
            return None
        if run.value is None and run.error is None:
            return f"Your function returned nothing, where {_said(expected)} is expected. Return the result."
        return _unfit(run.value) or f"Your function returned {_said(run.value)}, not {_said(expected)}. " + (
            "The value is right, its type is not: convert it."
            if _alike(run.value, expected)
            else "Check what you return."
        )

    return check


def results_in_order(expected: Sequence[Any]) -> Property:
    """It returned all results, in the order of the input: a list or tuple equal to `expected`."""
    wanted = list(expected)

    def check(run: Run) -> str | None:
        value = run.value
        if unfit := _unfit(value):
            return unfit
        if not isinstance(value, (list, tuple)):
            return (
                f"Your function returned {_said(value)}, not a list of {len(wanted)} results. Collect them in a list."
            )
        got = list(value)
        if _same(got, wanted):
            return None
        missing, surplus = _without(wanted, got), _without(got, wanted)
        if not missing and not surplus:
            return (
                "All results are there, but not in the order of the input. "
                "Keep them in that order, whichever is ready first: gather does, so does awaiting the tasks in a row."
            )
        if missing and not surplus:
            return (
                f"{_count(len(missing), 'result')} missing: {_said(missing[0])}. Wait for every one before you return."
            )
        if not missing:
            return f"There is more than was asked for: {_said(surplus[0])}. Return one result for each input."
        return f"A result is {_said(surplus[0])} where {_said(missing[0])} is expected. Check each."

    return check


def raised(kind: type[BaseException], match: str = "") -> Property:
    """It raised an error of class `kind` whose message contains `match`; inside a group counts only for a group."""

    def check(run: Run) -> str | None:
        error = run.error
        if error is None:
            return (
                f"Your function raised nothing, where {kind.__name__} is expected. Do not catch it, or raise it again."
            )
        if not isinstance(error, kind):
            what = _group(error) if isinstance(error, BaseExceptionGroup) else _error(error)
            return f"Your function raised {what}{_at(run)}, not {kind.__name__}. Let that one through."
        if match not in str(error):
            return f"The message of your {kind.__name__} is “{_short(str(error))}”: it should say “{match}”. Keep it."
        return None

    check.expects_error = True
    return check


def ended_by_itself() -> Property:
    """It was not stopped, neither at the deadline nor because it held the loop."""

    def check(run: Run) -> str | None:
        return explain(run) if run.stopped else None

    return check


# What ran when --------------------------------------------------------------------------------------------------


def ran_concurrently(at_least: int = 2, among: str = "job") -> Property:
    """At some moment, at least so many were under way."""

    def check(run: Run) -> str | None:
        spans = _spans(run, among)
        if not spans:
            return _none_began(among)
        most = peak(spans)
        if most >= at_least:
            return None
        if most <= 1:
            return (
                "Your code runs one after another: no two were ever under way at once. "
                "Start them all before you await the first."
            )
        return f"At most {most} were under way at once, where {at_least} should be. Start them all, then await them."

    return check


def at_most(n: int, among: str = "job") -> Property:
    """At no moment were more than `n` under way, and some were."""

    def check(run: Run) -> str | None:
        spans = _spans(run, among)
        if not spans:
            return _none_began(among)
        most = peak(spans)
        if most <= n:
            return None
        return f"{most} were under way at once, where {n} are allowed. Let each first take a place in a semaphore."

    return check


def ran_sequentially(among: str = "job") -> Property:
    """Each began only after the one before had ended."""

    def check(run: Run) -> str | None:
        spans = _spans(run, among)
        if not spans:
            return _none_began(among)
        most = peak(spans)
        if most <= 1:
            return None
        return f"{most} were under way at once, where each must wait for the last. Await each before the next."

    return check


def did_not_block(longest: float = 0.1) -> Property:
    """No step held the loop: no blocking call, and none of `longest` seconds of work, or while others were ready."""

    def check(run: Run) -> str | None:
        if run.stopped == "blocked":
            return explain(run)
        calls = [call for call in run.blocking if call != "input()"]
        if calls:
            return f"{calls[0]} held the event loop: meanwhile nobody else could run. Await asyncio.sleep instead."
        if run.blocking:
            return "input() holds the event loop until somebody answers. Take what you need as an argument."
        rows = [row for row in run.trace.tasks if not row.root]
        steps = [(step.end - step.start, step, row) for row in rows for step in row.steps]
        seconds, step, row = max(steps, key=lambda each: each[0], default=(0.0, None, None))
        if seconds < longest:
            return None
        starved = any(
            other is not row
            and each.ready < step.end
            and each.start >= step.end
            and each.ready < step.end - longest / 2
            for other in rows
            for each in other.steps
        )
        # A machine that pauses makes a step long, too: then no work was done in it, and it kept nobody waiting.
        if run.cpu >= seconds / 2 or starved or seconds >= 4 * longest:
            return (
                f"One step held the event loop for {duration(seconds)}: meanwhile nobody else could run. "
                "Hand blocking work to asyncio.to_thread, or await often."
            )
        return None

    return check


def happened_in_order(*events: str) -> Property:
    """These events of probes, such as "start 1", happened in this order, others perhaps between them."""

    def check(run: Run) -> str | None:
        seen = [str(event) for event in run.events]
        at, before = -1, ""
        for event in events:
            later = next((i for i in range(at + 1, len(seen)) if seen[i] == event), None)
            if later is None and event in seen:
                return f"“{event}” came before “{before}”, not after it. Await what must come first."
            if later is None:
                return f"“{event}” never happened. Check that this part of your code is reached, and awaited."
            at, before = later, event
        return None

    return check


def did_not_poll(among: str = "", wakeups: int = 10) -> Property:
    """No task woke up more than `wakeups` times from a sleep: it awaited the thing itself."""

    def check(run: Run) -> str | None:
        if run.stopped == "busy":
            return explain(run)
        rows = [row for row in run.trace.tasks if not row.root and (not among or _named(row, among))]
        for row in rows:
            naps = sum(1 for step in row.steps if step.awaiting in ("sleep", "sleep(0)"))
            jobs = sum(1 for each in run.intervals if each.task == row.name)  # a job sleeps, but that is its work
            if naps - jobs > wakeups:
                return (
                    f"A task of yours woke up {naps - jobs} times to look whether something had happened. "
                    "Await the thing itself: a task, an Event or a Queue wakes you when it is time."
                )
        return None

    return check


def rate_at_most(n: int, per: float, among: str = "job") -> Property:
    """In no window of `per` seconds did more than `n` begin; some did."""

    def check(run: Run) -> str | None:
        starts = sorted(start for start, _ in _spans(run, among))
        if not starts:
            return _none_began(among)
        window = per * 0.98  # the clock of the loop ticks: a timer may be early by that much
        most, first = 0, 0
        for last, start in enumerate(starts):
            while start - starts[first] >= window:
                first += 1
            most = max(most, last - first + 1)
        if most <= n:
            return None
        return (
            f"{most} began within {duration(per)}, where {n} are allowed in any such window. "
            "Count those of the last window before each begins, and wait until one has left it."
        )

    return check


def kept_deadline(seconds: float, among: str = "job") -> Property:
    """It ended in time, and by ending what was still under way, not by leaving it behind or finishing it late."""

    def check(run: Run) -> str | None:
        if run.stopped:
            return explain(run)
        late = [
            each for each in _intervals(run, among) if each.outcome == "done" and each.end - _began(run) > seconds * 1.5
        ]
        if late and run.duration > seconds * 1.5:
            return (
                f"Job {late[0].item} ran on to its end, beyond your limit of {duration(seconds)}. "
                "Put the wait inside asyncio.timeout, which cancels it."
            )
        if run.leaked or any(each.outcome == "pending" for each in _intervals(run, among)):
            return "You stopped waiting in time, but the work itself runs on. Cancel it, and await its end."
        return None

    return check


# What was left --------------------------------------------------------------------------------------------------


def cleaned_up(opened: str = "open", closed: str = "close") -> Property:
    """Whatever was opened was closed, once: also when it failed, or was cancelled."""

    def check(run: Run) -> str | None:
        opens = Counter(repr(event.item) for event in run.events if event.kind == opened)
        closes = Counter(repr(event.item) for event in run.events if event.kind == closed)
        if not opens:
            return f"Nothing was ever seen to {opened}. Use what you were given, in an async with block."
        for item, count in opens.items():
            if closes[item] < count:
                how = "when it was cancelled" if run.cancelled else "when it failed" if _failed(run) else "at the end"
                return f"What you {opened} was not {_past(closed)} {how}. Clean up in a finally or async with block."
            if closes[item] > count:
                return (
                    f"It was {_past(closed)} {closes[item]} times but {_past(opened)} {count}. Clean up once for each."
                )
        return None

    return check


def passed_cancellation_on() -> Property:
    """Cancelled from outside, it ended with CancelledError. The run must be given `cancel_after`."""

    def check(run: Run) -> str | None:
        if not run.cancelled:
            return "Your function had ended before it could be cancelled. Wait for the work before you return."
        if isinstance(run.error, asyncio.CancelledError):
            return None
        if run.stopped:
            return (
                "Your function was cancelled and ran on. After cleaning up, raise CancelledError again: a bare raise."
            )
        if run.error is not None:
            return f"Cancelled, your function raised {_error(run.error)} instead. Let CancelledError through."
        return (
            "Your function caught its cancellation and returned as if done. Raise CancelledError again: a bare raise."
        )

    check.expects_error = True
    return check


def cancelled_siblings(among: str = "job") -> Property:
    """When one failed, those under way were cancelled, and none began."""

    def check(run: Run) -> str | None:
        jobs = _intervals(run, among)
        failures = [each.end for each in jobs if each.outcome == "failed"]
        if not failures:
            return "Nothing failed, though one was to fail. Start all of them, and await them together."
        when = min(failures)
        on = [each for each in jobs if each.outcome in ("done", "pending") and (each.end is None or each.end > when)]
        if not on:
            return None
        if any(each.start > when for each in on):
            return (
                "One failed, and another was begun after that. Start them in a TaskGroup: it ends at the first failure."
            )
        return (
            "One failed, and the others ran on. Start them in a TaskGroup: it cancels the others at the first failure."
        )

    check.expects_error = True
    return check


def no_task_leaked() -> Property:
    """When it returned, no task of its own was still running."""

    def check(run: Run) -> str | None:
        if not run.leaked:
            return None
        more = f" and {len(run.leaked) - 1} more" if len(run.leaked) > 1 else ""
        which = f"task “{_short(run.leaked[0])}”{more} was" if not more else f"“{_short(run.leaked[0])}”{more} were"
        return (
            f"When your function ended, {which} still running. Await every task you start, or start it in a TaskGroup."
        )

    return check


def no_exception_lost() -> Property:
    """Every error of its tasks reached somebody."""

    def check(run: Run) -> str | None:
        if not run.lost:
            return None
        return f"An error was lost: {_short(run.lost[0])}. Await the task that raised it, then it reaches you."

    return check


def awaited_every_coroutine() -> Property:
    """No coroutine was made and then forgotten."""

    def check(run: Run) -> str | None:
        if not run.never_awaited:
            return None
        return (
            f"You called {run.never_awaited[0]}() and never awaited it, so it did not run. Write await before the call."
        )

    return check


def each_once(items: Iterable[Any], among: str = "job") -> Property:
    """Each of `items` was worked on, once, to its end, and nothing else was."""
    wanted = list(items)

    def check(run: Run) -> str | None:
        jobs = _intervals(run, among)
        begun = [each.item for each in jobs]
        if missing := _without(wanted, begun):
            return f"{_count(len(missing), 'item')} never worked on: {_said(missing[0])}. Check that none is lost."
        if surplus := _without(begun, wanted):
            if surplus[0] in wanted:
                return (
                    f"Item {_said(surplus[0])} was worked on {begun.count(surplus[0])} times. Hand out each item once."
                )
            return (
                f"{_said(surplus[0])} was worked on, which nobody asked for. Work on the items given, and on no others."
            )
        left = next((each for each in jobs if each.outcome in ("pending", "cancelled")), None)
        if left is not None:
            return f"Item {_said(left.item)} was begun but not finished. Wait for all of them before you return."
        return None

    return check


def used_one_session() -> Property:
    """All work went through one session, opened once and closed once."""

    def check(run: Run) -> str | None:
        opens = sum(event.kind == "open" for event in run.events)
        closes = sum(event.kind == "close" for event in run.events)
        if opens == 0:
            return "You opened no session. Open one with async with, and fetch through it."
        if opens > 1:
            return f"You opened {opens} sessions. Open one before the loop, and share it: opening is the slow part."
        if closes != 1:
            return "Your session was never closed. Open it with async with, which closes it whatever happens."
        first = next(event.when for event in run.events if event.kind == "open")
        if any(each.start < first for each in run.intervals):
            return "Some work began before the session was open. Do all of it inside the async with block."
        return None

    return check


def printed_nothing() -> Property:
    """It printed nothing."""

    def check(run: Run) -> str | None:
        if not run.output:
            return None
        return f"Your function printed “{_short(run.output, 40)}”. Return the result, and leave printing to the caller."

    return check


def wrote_nothing() -> Property:
    """It made or changed no file in the working directory."""

    def check(run: Run) -> str | None:
        if not run.written:
            return None
        return f"Your function wrote the file {_short(run.written[0])}. Write into a temporary directory, or nowhere."

    return check


def changed_nothing() -> Property:
    """It rebound nothing that belongs to others, such as a builtin or `asyncio.sleep`."""

    def check(run: Run) -> str | None:
        if not run.changed:
            return None
        return f"Your function changed {_short(run.changed[0])}, which others rely on (it is put back). Leave it alone."

    return check


# Words and selections -------------------------------------------------------------------------------------------


def _named(row: Any, among: str) -> bool:
    return row.name.startswith(among) or row.coro.rsplit(".", 1)[-1].startswith(among)


def _intervals(run: Run, among: str) -> list[Interval]:
    return [each for each in run.intervals if among and each.probe.startswith(among)]


def _spans(run: Run, among: str) -> list[tuple[float, float]]:
    """Return when each of those selected began and ended; a task begins with its first step, not when it is made."""
    end = run.trace.duration
    jobs = _intervals(run, among)
    if jobs:
        return [(each.start, end if each.end is None else each.end) for each in jobs]
    rows = [row for row in run.rows if row.steps and (not among or _named(row, among))]
    return [
        (row.steps[0].start, max(row.steps[0].start, end if row.finished is None else row.finished)) for row in rows
    ]


def _began(run: Run) -> float:
    return run.main.created if run.main is not None else 0.0


def _none_began(among: str) -> str:
    what = "task of yours" if among in ("", "job") else f"“{among}”"
    if among == "job":
        what = "job"
    return f"No {what} ever began. Call what you were given, and await it."


def _cancelled(run: Run) -> bool:
    return run.cancelled and isinstance(run.error, asyncio.CancelledError)


def _failed(run: Run) -> bool:
    return run.error is not None or any(event.kind == "failed" for event in run.events)


def _past(word: str) -> str:
    return {"open": "opened", "close": "closed", "acquire": "acquired", "release": "released"}.get(word, word)


def _unfit(value: Any) -> str | None:
    """Say what is wrong with a value that is nobody's result: a coroutine, a task, a generator; else None."""
    many = value if isinstance(value, (list, tuple)) else [value]
    if any(inspect.iscoroutine(each) for each in many):
        return "Your function returned a coroutine, which has not run. Write await before the call that made it."
    if any(isinstance(each, asyncio.Future) for each in many):
        return "Your function returned a task, not its result. Await the task, and return what that gives."
    if any(inspect.isgenerator(each) or inspect.isasyncgen(each) for each in many):
        return "Your function gave a generator, which has done no work yet. Collect the results, and return those."
    return None


def _same(value: Any, expected: Any) -> bool:
    try:
        return bool(value == expected) and (type(value) is type(expected) or not isinstance(value, bool))
    except Exception:  # the learner's own __eq__
        return False


def _alike(value: Any, expected: Any) -> bool:
    try:
        return isinstance(value, (list, tuple, set, str, int, float)) and (
            str(value) == str(expected) or list(value) == list(expected)
        )
    except Exception:
        return False


def _without(these: list, those: list) -> list:
    """Return what remains of `these` when each of `those` is taken away once; hashable or not."""
    rest = list(those)
    left = []
    for each in these:
        at = next((i for i, other in enumerate(rest) if _same(each, other)), None)
        if at is None:
            left.append(each)
        else:
            del rest[at]
    return left


def _short(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _said(value: Any) -> str:
    """Return a value as one would write it, short; objects without a form of their own by their type."""
    try:
        text = repr(value)
    except BaseException:  # the learner's own __repr__
        text = "<"
    if text.startswith("<") or " at 0x" in text:
        kind = type(value).__name__ if not callable(value) else getattr(value, "__name__", type(value).__name__)
        return f"“{kind}”"
    return _short(text)


def _error(error: BaseException) -> str:
    try:
        text = _short(str(error), 80)
    except BaseException:  # the learner's own __str__
        text = ""
    return type(error).__name__ + (f" ({text})" if text else "")


def _group(error: BaseExceptionGroup) -> str:
    names = [type(each).__name__ for each in error.exceptions]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"a group of errors: {', '.join(names[:3])}{more}"


def _count(n: int, what: str) -> str:
    return f"1 {what} is" if n == 1 else f"{n} {what}s are"


def _at(run: Run) -> str:
    if run.line is None:
        return ""
    return f", line {run.line}" + (f" “{_short(run.source)}”" if run.source else "")
