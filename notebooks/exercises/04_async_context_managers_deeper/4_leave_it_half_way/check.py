"""The check of exercise 4.4: few rows, many or no end of them; something may raise, and anything may be cancelled."""

import asyncio
import itertools

from asynclab.checking.expect import (
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_nothing_left,
    often,
    said,
    same,
)
from asynclab.checking.work import JobError

ERROR_MESSAGES = {
    "got aclosing|'(?:contextlib[.])?aclosing' object does not support the context manager": (
        "`aclosing` is an async context manager: `async with aclosing(rows()) as found:`, and in it a loop over"
        " `found`."
    ),
    "'async_generator' object does not support the asynchronous context manager": (
        "an async generator is no context manager. `contextlib.aclosing(rows())` makes one of it."
    ),
    "'async_generator' object has no attribute 'close'": (
        "an async generator has no `close`: that takes time. Await `aclose()`, or use `aclosing` for `closing`."
    ),
    "'(?:function|method)' object has no|got (?:function|method)": (
        "`rows` is a function. Call it: `rows()` gives the generator."
    ),
    "'async_generator' object is not iterable": "rows come one by one, and each takes a while. Write `async for`.",
    "TypeError: .*async_generator.*(?:'await'|can't be awaited)": (
        "an async generator cannot be awaited. Go through it with `async for`."
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable '(\\w+)'": (
        "`{0}` is used before it was set: there may be no row at all."
    ),
    "StopAsyncIteration": "`anext` raises `StopAsyncIteration` when there is no further row. Return `None` then.",
}


class Table:
    """Rows, of which one may be wanted, another may not be had; and how often its cursor was opened and closed."""

    def __init__(self, world):
        number = world.size(5, 0, 1, 2, 30)
        first = [world.pick(i, f"row {i}", (i, "Ada")) for i in range(number)]
        self.all = first if world.number else [1, 2, 3, 4, 5]
        self.wanted = world.rng.randrange(-1, number) if world.number > 2 else 2  # its place; -1: there is none
        self.to_read = self.all[: self.wanted + 1] if self.wanted >= 0 else self.all
        self.breaks_at = (
            world.rng.randrange(len(self.to_read)) if world.fails and number and world.pick(True, False) else None
        )
        self.is_endless = self.wanted >= 0 and world.number % 5 == 4
        self.closing_takes, self.given, self.cursors = world.delay(), [], []
        known = f"{said(self.all[self.wanted])} is wanted" if self.wanted >= 0 else "none is wanted"
        world.facts += ["no end of rows" if self.is_endless else count(number, "row"), known]

    async def rows(self):
        """Yield the rows, while a cursor is open."""
        self.cursors.append("open")
        try:
            for row in itertools.chain(self.all, itertools.repeat("and so on") if self.is_endless else ()):
                await asyncio.sleep(0.01)
                if len(self.given) == self.breaks_at:
                    raise JobError("the cursor fails")
                self.given.append(row)
                yield row
        finally:
            try:
                await asyncio.sleep(self.closing_takes)
            finally:
                self.cursors[-1] = "closed"


async def check(first, world):
    """The right row, no row in vain, and no cursor open when the function ends, whichever way."""
    table = Table(world)
    is_wanted = world.work("is_wanted", table.all, results={row: world.pick(False, 0, None) for row in table.all})
    if table.wanted >= 0:
        is_wanted.results[table.all[table.wanted]] = world.pick(True, 1, "yes")
    if world.fails and table.to_read and table.breaks_at is None:
        is_wanted.failing = {table.to_read[-1]: JobError("this row fails")}
    open_then = []

    async def use():
        try:
            return await first(table.rows, is_wanted.function)
        finally:
            open_then.extend(table.cursors)

    run = await world.watch(function=use, may_raise=JobError)
    expect_all_awaited(run)
    expect_rows(run, table, is_wanted)
    what = f"your function returned {said(run.value)}"
    if run.cancelled:
        cut = [call.item for call in is_wanted.calls if call.outcome == "cancelled"]
        what = f"cancelled during {is_wanted.call(cut[0])}" if cut else "cancelled"
    elif run.error:
        what = f"{is_wanted.call(table.to_read[-1])} raised an error" if is_wanted.failing else "the generator raised"
    advice = "Await the generator's `aclose()` whichever way you leave it: `contextlib.aclosing` sees to that."
    expect("open" not in open_then, f"{what}, and the cursor was still open. {advice}")
    expect_cancelled(run)
    expect_nothing_left(run)


def expect_rows(run, table, is_wanted):
    """Expect that the rows were looked at in turn up to the one that is wanted, and that this was returned."""
    times = len(table.cursors)
    expect(times < 2, f"`rows` was gone through {often(times)}. Once is enough: keep what it gives.")
    looked = [call.item for call in is_wanted.calls]
    expect(is_wanted.most < 2, "two rows were looked at at once. Await `is_wanted(row)` before you go on to the next.")
    due = table.to_read[: table.breaks_at]
    for row, wanted in zip(looked, due, strict=False):
        expect(
            same(row, wanted),
            f"{is_wanted.call(row)} was called, where {said(wanted)} is the next row. Look at each, once.",
        )
    for row in looked[len(due) :]:
        raise NotYet(f"{is_wanted.call(row)} was called after the row that is wanted. Stop there.")
    for row in table.given[len(looked) + run.cancelled :]:
        raise NotYet(
            f"{said(row)} was read in vain: nothing more was wanted. Look at each row as it comes, and stop in time."
        )
    if run.cancelled:
        return
    if table.breaks_at is not None or is_wanted.failing:
        expect(run.error, f"an error was swallowed, and your function returned {said(run.value)}. Let it out.")
        return
    for row in due[len(looked) :]:
        raise NotYet(f"{is_wanted.call(row)} was never called. Go on until a row is wanted, or there are no more.")
    wanted = table.all[table.wanted] if table.wanted >= 0 else None
    which = f"{said(wanted)} is the first row that is wanted" if table.wanted >= 0 else "no row is wanted"
    expect(
        same(run.value, wanted), f"{which}, and your function returned {said(run.value)}. Return the row, or `None`."
    )
