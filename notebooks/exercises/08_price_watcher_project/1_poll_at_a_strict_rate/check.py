"""The check of exercise 8.1: sources that answer, fail, are slow or hang; a busy loop; and errors that end it."""

import asyncio
import itertools

import aiohttp

from asynclab.checking.expect import WAIT_ERRORS, expect, expect_cancelled, expect_free_loop, expect_nothing_left
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, Work

ERROR_MESSAGES = WAIT_ERRORS | {
    "this source fails|TimeoutError: $": (
        "a source that is to be skipped ended everything. Around its `fetch`, catch `aiohttp.ClientError`, `OSError` "
        "(of which `TimeoutError` is one) and `ValueError`."
    ),
}
SOON = 0.001  # seconds: some turns of the loop
SKIPPED = aiohttp.ClientError, aiohttp.ServerDisconnectedError, OSError, TimeoutError, ValueError, UnicodeError


async def check(poll, world):
    """Each visit in its turn and on time, each price passed on, and the end that the task asks for."""
    draw, pick, number = world.rng.uniform, world.pick, world.number
    sources = ["tea", "milk", "rice", "salt", "oats", "figs", "soap", "corn"][: world.size(3, 1, 2, 8)]
    every = 1 / (rate := pick(0.5, 4, 5, 8, 20) if number > 5 else 5)
    patience = pick(0.4 * every, 1.5 * every, 4 * every, 1.0) if number else 1.0
    is_busy = number % 4 == 3 and not (world.fails or world.cancel_at)
    slow = [(0.5, 0.9), (1.1, 3.0), (1000, 1000)] if number and not is_busy else []  # times the patience
    most = 2 * len(sources) + 3 + round(1.5 * patience / every)
    visits = [(sources[i % len(sources)], i) for i in range(most + 1)]  # source and price: the first price is 0
    fetched, reported = Work("fetch", {}, {visit: visit[1] for visit in visits}), Work("report", {})
    reported.closing = pick(0.0, 0.7 * every)
    for visit in visits:
        quick = min(every, patience) * draw(0.05, 0.4)
        fetched.seconds[visit] = pick(quick, *[patience * draw(*times) for times in slow])
        reported.seconds[visit] = pick(0.1 * every, 1.3 * every, 1.3 * patience)
        if number > 1 and pick(True, False):
            fetched.failing[visit] = pick(*SKIPPED)("this source fails")
    culprit = pick(fetched, reported)
    kind = pick(JobError, KeyError, AttributeError, *SKIPPED * (culprit is reported))
    fatal = type(kind.__name__, (kind,), {})("it is broken")  # of a class of its own: no source raises that
    if world.fails:
        culprit.failing |= dict.fromkeys(visits[world.rng.randrange(6) :], fatal)
    world.facts += [f"sources={sources}", f"rate={rate}", f"patience={patience:.2g}"] + ["a busy loop"] * is_busy

    async def fetch(source):
        return await fetched.function((source, len(fetched.calls)))

    async def report(source, price):
        clock.now += every * pick(0, 0.9, 2.3) * is_busy
        await reported.function((source, price))

    timer = asyncio.get_running_loop().call_later((most + 0.6) * every, world.cancel)
    began, given = clock.now, (sources, fetch, report, rate) + (patience,) * (patience != 1)
    run = await world.watch(*given, may_raise=type(fatal))
    timer.cancel()
    expect_free_loop(run)
    failed = [call.end for call in culprit.calls if call.outcome == "failed" and culprit.failing[call.item] is fatal]
    expect(run.cancelled or failed, "`poll` ended by itself. Go on until you are cancelled.")
    over, what = min([run.cancelled_at, *failed]), "you were cancelled"
    if failed:
        what = f"`{culprit.name}` raised {kind.__name__}"
        is_out = isinstance(run.error, Exception) or run.cancelled_at < over + reported.closing + SOON
        expect(is_out, f"{what}, and `poll` did not. Skip nothing but what the task names.")
    else:
        expect_cancelled(run)
    starts = [began - every, *(call.start for call in fetched.calls)]
    starts.append(max(over, starts[-1] + every))
    for (source, _), (before, start) in zip(visits, itertools.pairwise(starts), strict=False):
        late = start - before - every
        wrong = f"`fetch({source!r})` was {abs(late):.2g} s too {'late' if late > 0 else 'early'}"
        how = f"Begin one every {every:.2g} s, in a task of its own, and do not catch up after a delay."
        expect(-SOON < late < (1000 if is_busy else SOON), f"{wrong}. {how}")
    prices = [call.item for call in fetched.calls if call.outcome == "done"]
    for call, (source, _) in zip(fetched.calls, visits, strict=False):
        name, spent = f"`fetch({call.item[0]!r})`", min(call.end or over, call.cancelled) - call.start
        expect(call.item[0] == source, f"{name} came where {source!r} was due. Take all in turn, skipped or not.")
        is_right = spent < patience + SOON and call.cancelled > min(call.start + patience, over) - SOON
        expect(is_right, f"{name} had {spent:.2g} s. Give it {patience:.2g} s, and cancel it then.")
        if call.item in prices and call.end < over - SOON:
            told = [each.start - call.end for each in reported.calls if each.item == call.item]
            came = " and ".join(f"a report came {late:.2g} s later" for late in told[:2]) or "no report came"
            is_right = len(told) == 1 and (told[0] < SOON or is_busy)
            expect(is_right, f"{name} gave {call.item[1]}, and {came}. Report each price once, and at once.")
    for call in reported.calls:
        name = f"`report{call.item!r}`"
        expect(call.item in prices, f"{name} came, and no `fetch` gave that. Report nothing for who is skipped.")
        expect(call.cancelled > over - SOON, f"{name} was cancelled. The patience is for `fetch` alone.")
    expect_nothing_left(run)
    late, last = began + run.duration - over - reported.closing, reported.calls[-1:]
    is_in_time = late < SOON or (last and last[0].start > over - SOON)  # in 3.11 `wait_for` may miss the cancellation
    expect(is_in_time, f"{what}, and `poll` went on for {late:.2g} s. Cancel the visits that are under way then.")
