"""The check of exercise 8.1: sources that answer, fail, are slow or hang; a busy loop; and errors that end it."""

import asyncio
import itertools
import math

import aiohttp

from asynclab.checking.expect import (
    WAIT_ERRORS,
    expect,
    expect_cancelled,
    expect_free_loop,
    expect_nothing_left,
    leaves,
    often,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, Work

SKIP = (
    "A source that is to be skipped ended everything. Around its `fetch`, catch `aiohttp.ClientError`, `OSError` (of "
    "which `TimeoutError` is one) and `ValueError`."
)
ERROR_MESSAGES = WAIT_ERRORS | {"this source fails|TimeoutError: $": SKIP}
SOON = 0.001  # seconds: some turns of the loop
SKIPPED = aiohttp.ClientError, aiohttp.ServerDisconnectedError, OSError, TimeoutError, ValueError, UnicodeError
OTHERS = JobError, KeyError, AttributeError, ZeroDivisionError


async def check(poll, world):
    """Each visit in its turn and on time, each price passed on, and the end that the task asks for."""
    sources = ["tea", "milk", "rice", "salt", "oats", "figs", "soap", "corn"][: world.size(3, 1, 2, 8)]
    every = 1 / (rate := world.pick(0.5, 4, 5, 8, 20) if world.number > 5 else 5)
    patience = world.pick(0.4 * every, 1.5 * every, 4 * every, 1.0) if world.number else 1.0
    is_busy = world.number % 4 == 3 and not (world.fails or world.cancel_at)
    slow = [(0.5, 0.9), (1.1, 3.0), (1000, 1000)] if world.number and not is_busy else []  # times the patience
    culprit = world.pick("fetch", "report") if world.fails else ""
    fatal = world.pick(*OTHERS, *SKIPPED * (culprit == "report"))("it is broken")
    visits, failed = 2 * len(sources) + 3, []
    fatal_call = culprit, world.rng.randrange(1, visits)
    world.facts += [f"sources={sources}", f"rate={rate}", f"patience={patience:.2g}"]
    world.facts += ["`report` holds the loop up"] * is_busy
    fetched, reported = Work("fetch", {}), Work("report", {})
    reported.closing = world.pick(0.0, 0.7 * every)

    def may_fail(*this_call):
        if this_call == fatal_call:
            failed.append(clock.now)
            raise fatal

    async def fetch(source):
        with fetched.noted(source) as call:
            number, seconds = len(fetched.calls), min(every, patience) * world.rng.uniform(0.05, 0.4)
            call.price = number + 0.5 if number != 2 else 0
            await fetched.take(call, world.pick(seconds, *[patience * world.rng.uniform(*each) for each in slow]))
            may_fail("fetch", number)
            if world.number > 1 and world.pick(True, False):
                raise world.pick(*SKIPPED)("this source fails")
            return call.price

    async def report(source, price):
        with reported.noted((source, price)) as call:
            number = len(reported.calls)
            clock.now += every * world.pick(0, 0.9, 2.3) * is_busy
            await reported.take(call, world.pick(0.1 * every, 1.3 * every, 1.3 * patience))
            may_fail("report", number)

    timer = asyncio.get_running_loop().call_later((visits + 0.6) * every + 1.5 * patience, world.cancel)
    began, given = clock.now, (sources, fetch, report, rate) + (patience,) * (patience != 1)
    run = await world.watch(*given, may_raise=type(fatal) if culprit else ())
    timer.cancel()
    expect_free_loop(run)
    over, what = min([run.cancelled_at, *failed]), "You were cancelled"
    if failed:
        what = f"`{culprit}` raised {type(fatal).__name__}"
        out = f"{what}, and `poll` did not. Skip nothing but what the task names."
        expect(run.error and fatal in leaves(run.error), out)
    else:
        why = world.explain(run.error) if run.error else "`poll` ended by itself. Go on until you are cancelled."
        expect(run.cancelled, why)
        expect_cancelled(run)
    expect_visits(fetched, itertools.cycle(sources), began, every, over, is_busy)
    expect_passed_on(fetched, reported, patience, over)
    expect_nothing_left(run)
    late, last = began + run.duration - over - reported.closing, reported.calls[-1:]
    is_in_time = late < SOON or (last and last[0].start > over - SOON)  # in 3.11 `wait_for` may miss the cancellation
    expect(is_in_time, f"{what}, and `poll` went on for {late:.2g} s. Cancel the visits that are under way then.")


def expect_visits(fetched, sources, due, every, over, is_busy):
    """Expect a visit to each source in its turn, when the one before is long enough ago, and not later."""
    starts = [*(call.start for call in fetched.calls), over]
    for start, call, source in zip(starts, [*fetched.calls, None], sources, strict=False):
        name = fetched.call(source)
        slow = f"{name} was due, and {start - due:.2g} s later it had not begun. Begin each visit in a task of its own."
        expect(start < due + SOON or is_busy, slow)
        if call is None:
            return
        why = "After the loop was held up, make up for nothing." if is_busy else "Keep the rate, whatever comes of it."
        apart, other = f"two visits begin {every:.2g} s apart, or more", fetched.call(call.item)
        expect(start > due - SOON, f"{other} began {due - start:.2g} s too soon: {apart}. {why}")
        turn = f"{other} was begun where {name} was due. Take all in turn, also those that were skipped."
        expect(call.item == source, turn)
        due = start + every


def expect_passed_on(fetched, reported, patience, over):
    """Expect that each fetch had its `patience`, and no more, and that its price was reported, at once."""
    prices = [(call.item, call.price) for call in fetched.calls if call.outcome == "done"]
    for call in fetched.calls:
        name, spent = fetched.call(call.item), min(call.end or over, call.cancelled) - call.start
        short = f"{name} was cancelled after {spent:.2g} s. Give it {patience:.2g} s."
        expect(call.cancelled == math.inf or spent > min(patience, over - call.start) - SOON, short)
        long = f"{name} went on for {spent:.2g} s. Cancel it after its {patience:.2g} s."
        expect(spent < patience + SOON, long)
        told = [each.start for each in reported.calls if each.item == (call.item, call.price)]
        if call.outcome == "done" and call.end < over - SOON:
            gave = f"{name} gave {call.price}, and you reported that"
            expect(len(told) == 1, f"{gave} {often(len(told))}. Report each price once, whatever it is.")
            expect(told[0] < call.end + SOON, f"{gave} {told[0] - call.end:.2g} s later. Report it at once.")
    for call in reported.calls:
        name = f"`report{call.item!r}`"
        expect(call.item in prices, f"{name} was called, and no `fetch` gave that. Report nothing for who is skipped.")
        expect(call.cancelled > over - SOON, f"{name} was cancelled. The patience is for `fetch` alone.")
