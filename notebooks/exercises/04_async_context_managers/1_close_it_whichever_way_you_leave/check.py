"""The check of exercise 4.1: a block that is left in every way, and cancelled at every await, even while closing."""

import asyncio

from asynclab.checking.expect import (
    MANAGER_ERRORS,
    NotYet,
    expect,
    expect_all_awaited,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import Work

ERROR_MESSAGES = MANAGER_ERRORS | {
    "(?:UnboundLocalError|NameError): cannot access|AttributeError: 'NoneType' object has no attribute 'close'": (
        "your function closes a connection that it does not have. If `connect` raises or is cancelled, there is "
        "nothing to close: let it stand before the `try`."
    ),
    "AttributeError: 'coroutine' object has no attribute 'done'": (
        "`finish` takes a task: `finish(asyncio.create_task(connection.close()))`."
    ),
    "TypeError: 'coroutine' object is not an async iterator": (
        "Below `@contextlib.asynccontextmanager` the function needs a `yield`: the block runs there."
    ),
    "RuntimeError: generator didn't stop": (
        "your function comes to a second `yield`. It runs once: up to `yield` when the block is entered, and on from "
        "there when the block is left."
    ),
    "TypeError: .*(?:NoneType|Connection).*(?:'await'|can't be awaited)": (
        "what is awaited there is no coroutine. Both `connect()` and `connection.close()` give one, to await once."
    ),
}
END, ERROR, RETURN, LATE, NO_CONNECTION = "at its end", "by an error", "with `return`", "by a time-out", ""
ERRORS = ValueError, KeyError, OSError, TimeoutError, RuntimeError, ZeroDivisionError
FINALLY = "Close in a `finally`, or in `__aexit__`: it is reached whichever way the block is left."
ITSELF = "Let `close()` run in a task of its own, and wait until that has ended, even if you are cancelled meanwhile."
AGAIN = "cancelled again while it closes"
NOTHING_TRUE = "and `__aexit__` returns nothing true"


class Connection:
    """It is open until it is closed, which takes a while."""

    def __init__(self, close):
        self.is_open, self._close = True, close

    async def close(self):
        """Close the connection."""
        await self._close()
        self.is_open = False


async def check(connected, world):
    """One connection, closed once, before the block has ended; and what ends the block gets out as it is."""
    way = (END, ERROR, RETURN, LATE, NO_CONNECTION)[world.number % 5]
    opening, used, closing = world.delay(), world.delay(), world.delay()
    error = world.pick(*ERRORS)("gone") if way in (ERROR, NO_CONNECTION) else None
    patience = None
    if way == LATE:
        patience = world.pick(opening / 2, opening + used / 2, opening + used + closing / 2)
        patience = patience if world.number > 5 else opening + used / 2
    world.facts.append(f"the block is left {way}" if way else "`connect` raises")
    connects, closes, opened, given, open_then, left_open = Work("connect", {}), Work("close", {}), [], [], [], []
    caller, was_cancelled = None, False

    async def connect():
        with connects.noted(None):
            await asyncio.sleep(opening)
            if way == NO_CONNECTION:
                raise error
            opened.append(Connection(close))
            return opened[-1]

    async def close():
        with closes.noted(None):
            if was_cancelled and world.cancel_at and world.number % 2:
                world.facts.append(AGAIN)
                asyncio.get_running_loop().call_later(closing / 2, caller.cancel)
            await asyncio.sleep(closing)

    async def use():
        nonlocal caller, was_cancelled
        caller = asyncio.current_task()
        try:
            async with asyncio.timeout(patience), connected(connect) as connection:
                given.append(connection)
                open_then.extend(each.is_open for each in opened)
                try:
                    await asyncio.sleep(used)
                except asyncio.CancelledError:
                    was_cancelled = True
                    raise
                open_then.extend(each.is_open for each in opened)
                if error:
                    raise error
                if way == RETURN:
                    return
        finally:
            left_open.extend(closes.calls[-1].outcome if closes.calls else "" for each in opened if each.is_open)

    began = clock.now
    run = await world.watch(function=use, may_raise=ERRORS, cancel=way != LATE)
    expect_all_awaited(run)
    expect_connection(connects, opened, given, open_then)
    expect(opened or not given, "`connect` raised, and the block ran without a connection. Let the error out.")
    what = f"the block was left {way}" if way else "`connect` raised"
    if run.cancelled or way == LATE:
        moment = run.cancelled_at if run.cancelled else began + patience
        amid = any(call.start <= moment for call in closes.calls) and not was_cancelled
        where = "closing" if amid else "in the block" if given else "connecting"
        where += " and again while closing" if AGAIN in world.facts else ""
        what = f"{'cancelled' if run.cancelled else 'the time was up'} while {where}"
    expect_closed(run, opened, given, closes, left_open, what)
    expect_same_end(world, run, TimeoutError if way == LATE else error, what)
    expect_nothing_left(run)


def expect_connection(connects, opened, given, open_then):
    """Expect that the block ran with the one connection that was opened, while that was open."""
    times = len(connects.calls)
    expect(times < 2, f"`connect` was called {often(times)}. Once is enough: keep the connection that it gives.")
    if opened and given and given[0] not in opened:
        how = "give the block what `connect()` gives, by `yield` or as the result of `__aenter__`"
        raise NotYet(f"after `as`, the block had {said(given[0])} and no connection: {how}.")
    expect(times or not given, "the block ran, and `connect()` was never awaited. Await it before the block begins.")
    expect(all(open_then), "the connection was closed while the block used it. Close it when the block has been left.")


def expect_closed(run, opened, given, closes, left_open, what):
    """Expect that what was opened was closed once, to its end, before the block had ended."""
    times = len(closes.calls)
    if opened and not times:
        expect(given, f"{what}, and the connection was opened and never closed. Await `connect()` itself, in no task.")
        raise NotYet(f"{what}, and `close` was never called: the connection stayed open. {FINALLY}")
    twice = f"{what}, and `close` was called {often(times)}. Call it in one place, which is reached in every way."
    expect(times <= 1, twice)
    if "cancelled" in left_open:
        raise NotYet(f"{what}, `close` was cut short, and the connection stayed open. {ITSELF}")
    shield = "Your wait was cut short, and the task goes on: await it again, in a `finally` or a loop."
    ended = f"{what}, `async with` ended while `close` was still under way. "
    expect(not left_open, ended + (shield if what.endswith("closing") else "Await it to its end."))


def expect_same_end(world, run, error, what):
    """Expect that what ended the block got out, and nothing else; `error` is one, or a class of errors, or None."""
    came = run.error is error or (error is TimeoutError and isinstance(run.error, error))
    if run.cancelled:
        came = isinstance(run.error, asyncio.CancelledError) or (run.error and came)
    if came:
        return
    thing = "`CancelledError`" if run.cancelled else "the error"
    expect(run.error, f"{what}, and {thing} was swallowed. Let it out: an `except` ends with `raise`, {NOTHING_TRUE}.")
    other = f"{what}, and another error got out. " if error or run.cancelled else ""
    raise NotYet(other + world.explain(run.error))
