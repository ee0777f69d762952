"""What a check says: `expect(condition, message)`, and what several exercises expect of a run.

Each raises `NotYet` with a message for the learner: what is not as it should be, and the next step.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Sequence
from typing import Any

from .run import Run
from .work import Uses, Work

__all__ = [
    "ASYNC_WITH_ERRORS",
    "MANAGER_ERRORS",
    "WAIT_ERRORS",
    "NotYet",
    "count",
    "expect",
    "expect_all_awaited",
    "expect_at_once",
    "expect_cancelled",
    "expect_caught",
    "expect_done_in",
    "expect_each_once",
    "expect_free_loop",
    "expect_no_error_lost",
    "expect_none_twice",
    "expect_nothing_left",
    "expect_results",
    "expect_side_by_side",
    "often",
    "said",
    "without",
]


_SLACK = 0.02  # seconds: for who looks now and then whether something is done


# What is said of the errors that come of a wrong `async with`, for the ERROR_MESSAGES of a check.
ASYNC_WITH_ERRORS = {
    r"(?:TypeError|AttributeError): .*(?:Lock|Semaphore|Condition|TaskGroup)'? object.*(?:context manager|__enter__)": (
        "Whoever enters may have to wait. Write `async with`, not `with`."
    ),
    r"TypeError: 'type' object .*context manager": (
        "What stands after `async with` is a class. Make an object of it, with brackets after its name."
    ),
}

# What is said where what is to be awaited is no coroutine, or no task, for the ERROR_MESSAGES of a check.
WAIT_ERRORS = {
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        "what you start or await here is no coroutine. Call the function, with brackets, as in `job()`."
    ),
    "RuntimeError: (?:cannot reuse already awaited coroutine|coroutine is being awaited already)": (
        "a coroutine can be awaited once. Make a task of it, which many may await."
    ),
    "ValueError: Set of .* is empty": (
        "`asyncio.wait` wants at least one task, and there may be none. Wait only if there is something to wait for."
    ),
}

# What is said where the learner's own async context manager is none, for the ERROR_MESSAGES of a check.
MANAGER_ERRORS = {
    "'async_generator' object does not support the asynchronous context manager": (
        "After `async with` stands a plain generator: write `@contextlib.asynccontextmanager` above its function."
    ),
    "'coroutine' object does not support the asynchronous context manager": (
        "After `async with` stands a coroutine. Define the function that gives the manager with `def`, or write "
        "`@contextlib.asynccontextmanager` above it, and `yield` in it."
    ),
    "'(?:[\\w.]+\\.)?(\\w+)' object does not support the asynchronous context manager": (
        "After `async with` stands a `{0}`, which is no async context manager. Give an object with `__aenter__` and "
        "`__aexit__`, or what a function below `@contextlib.asynccontextmanager` gives when it is called."
    ),
}


class NotYet(Exception):
    """The answer is not right yet; the message says why, and what to do next."""


def expect(condition: object, message: str) -> None:
    """Raise `NotYet(message)` unless `condition` is true."""
    if not condition:
        raise NotYet(message)


def expect_results(run: Run, wanted: Sequence[Any]) -> None:
    """Expect a list or tuple equal to `wanted`: all results, in this order."""
    value, wanted = run.value, list(wanted)
    expect_finished(value)
    if not isinstance(value, list | tuple):
        raise NotYet(
            f"Your function returned {said(value)}, not a list of {len(wanted)} results. Collect them in a list."
        )
    got = list(value)
    if same(got, wanted):
        return
    missing, surplus = without(wanted, got), without(got, wanted)
    if not missing and not surplus:
        raise NotYet(
            "All results are there, but not in the order of the input. "
            "Keep them in that order, whichever is ready first: gather does, so does awaiting the tasks in a row."
        )
    if not surplus:
        are = "1 result is" if len(missing) == 1 else f"{len(missing)} results are"
        keep = "Wait for every one before you return." if any(missing) else "Keep it, though it is falsy."
        raise NotYet(f"{are} missing: {said(missing[0])}. {keep}")
    if not missing:
        raise NotYet(f"There is more than was asked for: {said(surplus[0])}. Return one result for each input.")
    raise NotYet(f"A result is {said(surplus[0])} where {said(missing[0])} is expected. Check each.")


def expect_finished(value: Any) -> None:
    """Expect a value, or a list of values, and not what has yet to run: a coroutine, a task or a generator."""
    many = value if isinstance(value, list | tuple) else [value]
    if any(inspect.iscoroutine(each) for each in many):
        raise NotYet("Your function returned a coroutine, which has not run. Write await before the call that made it.")
    futures = [each for each in many if isinstance(each, asyncio.Future)]
    if futures and not isinstance(futures[0], asyncio.Task):
        raise NotYet(
            "Your function returned a future, not its result. Write await before the call that gave it, such as "
            "`asyncio.gather(…)`."
        )
    if futures:
        raise NotYet("Your function returned a task, not its result. Await the task, and return what that gives.")
    if any(inspect.isgenerator(each) or inspect.isasyncgen(each) for each in many):
        raise NotYet(
            "Your function gave a generator, which has done no work yet. Collect the results, and return those."
        )


def expect_each_once(work: Work, wanted: Sequence[Any]) -> None:
    """Expect that each of `wanted` was called for, to its end: once, or as often as it is there; and nothing else."""
    wanted, begun = list(wanted), [call.item for call in work.calls]
    if missing := [each for each in wanted if each not in begun]:
        raise NotYet(f"{work.call(missing[0])} was never run. Leave none out.")
    if surplus := without(begun, wanted):
        if surplus[0] in wanted:
            times = often(begun.count(surplus[0]))
            raise NotYet(f"{work.call(surplus[0])} was run {times}. Once is enough: keep what it gave.")
        raise NotYet(
            f"{work.call(surplus[0])} was run, which was not asked for. Run what you are given, and nothing else."
        )
    for call in work.calls:
        if call.outcome in ("pending", "cancelled"):
            raise NotYet(f"{work.call(call.item)} was begun but not finished. Wait for all of them before you return.")


def expect_none_twice(work: Work) -> None:
    """Expect that nothing was called for a second time, however the function ended."""
    seen: list[Any] = []
    for call in work.calls:
        if call.item in seen:
            raise NotYet(f"{work.call(call.item)} was run again. Once is enough: keep what it gave.")
        seen.append(call.item)


def expect_side_by_side(work: Work, at_least: int) -> None:
    """Expect that at some moment at least so many calls were under way."""
    expect(work.calls, f"`{work.name}` was never called. Call what you were given, and await it.")
    if work.most < min(2, at_least):
        raise NotYet(
            "Your code runs one after another: no two were ever under way at once. "
            "Start them all before you await the first."
        )
    if work.most < at_least:
        raise NotYet(
            f"At most {work.most} were under way at once, where {at_least} should be. Start them all, then await them."
        )


def expect_done_in(run: Run, seconds: float) -> None:
    """Expect that it took no longer than that: it did not go on waiting when all was ready."""
    if run.duration > seconds + _SLACK:
        raise NotYet(
            f"Your function took {run.duration:.2g} s, where {seconds:.2g} s are enough. "
            "Await the tasks themselves, rather than a length of time."
        )


def expect_at_once(most: int, limit: int, places: Uses, what: str, possible: int) -> None:
    """Expect that `limit` of `what` were under way at once, never more, and no fewer where so many were `possible`.

    `most` is the number seen, `places` tells of the semaphores that were used: why it is not as it should be.
    """
    if most <= 1 < possible:
        one = f"no two {what} were ever under way at once"
        if places.taken > 1:
            raise NotYet(f"{one}: your semaphore lets only one through. Give it {limit} places.")
        raise NotYet(f"{one}. Start all of them, and let {limit} through at a time.")
    if most < min(limit, possible):
        raise NotYet(
            f"never more than {most} {what} were under way at once, where {limit} may be. Start all of them, and let "
            f"{limit} through at a time."
        )
    if most <= limit:
        return
    much = f"{most} {what} were under way at once, where {limit} are allowed"
    if places.made > 1:
        raise NotYet(
            f"{much}. You make {places.made} semaphores, and each lets its own through. Make one, for all of them."
        )
    if places.made and not places.taken:
        raise NotYet(f"{much}. Your semaphore is never acquired: write `async with` and its name where one begins.")
    if places.taken == 1:
        raise NotYet(f"{much}. They share the one place that was taken around all of them. Let each take a place.")
    if places.taken and most == possible:
        raise NotYet(
            f"{much}. Take the place inside the task, before its work begins, and hold it until the work has ended."
        )
    if places.taken:
        raise NotYet(f"{much}. Give your semaphore {limit} places, and hold one until the work has ended.")
    raise NotYet(f"{much}. Let each first take a place in a semaphore that they share.")


def expect_nothing_left(run: Run) -> None:
    """Expect that no task of the function was still running when it ended, however it ended."""
    if not run.left:
        return
    first, more = said(run.left[0], quotes="“”"), len(run.left) - 1
    which = f"{first} and {more} more were" if more else f"task {first} was"
    when = "had been cancelled" if run.cancelled else "had failed" if run.error is not None else "ended"
    raise NotYet(
        f"When your function {when}, {which} still running. Await every task you start, or start it in a TaskGroup."
    )


def expect_all_awaited(run: Run) -> None:
    """Expect that no coroutine was made and then forgotten, or given back instead of its result."""
    expect_finished(run.value)
    if run.never_awaited:
        name = run.never_awaited[0]
        raise NotYet(f"You called {name}() and never awaited it, so it did not run. Write await before the call.")


def expect_no_error_lost(run: Run) -> None:
    """Expect that every error of the function's tasks reached somebody."""
    if run.lost:
        raise NotYet(f"An error was lost: {run.lost[0]}. Await the task that raised it, then it reaches you.")


def expect_cancelled(run: Run, work: Work | None = None) -> None:
    """Expect that a function that was cancelled from outside ended as cancelled, if not all of `work` was done by then.

    (In Python 3.11 `asyncio.wait_for` returns what is ready, although it is cancelled.)
    """
    if not run.cancelled or isinstance(run.error, asyncio.CancelledError):
        return
    if work is not None and work.calls and all((call.end or math.inf) <= run.cancelled_at for call in work.calls):
        return
    if run.error is not None:
        kind = type(run.error).__name__
        raise NotYet(f"Cancelled from outside, your function raised {kind} instead. Let CancelledError through.")
    raise NotYet(
        "Your function caught its cancellation and returned as if done. Raise the CancelledError again, at the latest "
        "when all is cleaned up."
    )


def expect_caught(run: Run, work: Work, advice: str) -> None:
    """Expect that no error of `work` got out of the function, alone or in a group."""
    errors = leaves(run.error) if run.error is not None else []
    for item, error in work.failing.items():
        if any(each is error for each in errors):
            raise NotYet(f"{work.call(item)} raised {type(error).__name__}, which ended everything. {advice}")


def expect_free_loop(run: Run) -> None:
    """Expect that nothing held the event loop."""
    if run.blocking:
        raise NotYet(held_the_loop(run))


def held_the_loop(run: Run) -> str:
    """Return what to say of the first call that held the event loop."""
    call = run.blocking[0]
    instead = "Hand it to `asyncio.to_thread` instead."
    if call.startswith("`time.sleep"):
        instead = "Await `asyncio.sleep` instead."
    elif call.startswith("a wait for a thread"):
        instead = "Await what the thread gives, as `asyncio.to_thread` and `loop.run_in_executor` let you."
    return f"{call[0].upper()}{call[1:]} held the event loop: no other task could run meanwhile. {instead}"


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, in groups in it, and so on; of another error a list of it alone."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


# Words ----------------------------------------------------------------------------------------------------------


def said(value: Any, most: int = 60, quotes: str = "``") -> str:
    """Return how a value is quoted in a message: on one line, and not all of it if it is long."""
    try:
        text = value if quotes == "“”" and isinstance(value, str) else repr(value)
    except BaseException:  # the learner's own __repr__
        text = "<"
    if text.startswith("<") or " at 0x" in text:
        text = getattr(value, "__name__", None) if callable(value) else None
        text = text or type(value).__name__
    text = " ".join(text.split()).replace("`", "'")
    return quotes[0] + (text if len(text) <= most else text[: most - 1] + "…") + quotes[1]


def often(times: int) -> str:
    """Return a count in words: "never", "once", "twice", "3 times"."""
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 job", "3 jobs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def same(value: Any, wanted: Any) -> bool:
    """Return whether two values are equal; True is not 1, and what raises when compared is equal to nothing."""
    try:
        if isinstance(value, list) and isinstance(wanted, list):
            return len(value) == len(wanted) and all(map(same, value, wanted))
        return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    except Exception:
        return False


def without(these: Sequence[Any], those: Sequence[Any]) -> list[Any]:
    """Return what remains of `these` when each of `those` is taken away once; hashable or not."""
    rest, left = list(those), []
    for each in these:
        at = next((i for i, other in enumerate(rest) if same(each, other)), None)
        if at is None:
            left.append(each)
        else:
            del rest[at]
    return left
