"""The check of exercise 7.2: lists of all lengths, results that are falsy or lists, and a chunk that fails."""

import asyncio
import heapq

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    expect_results,
    said,
)
from asynclab.checking.work import JobError, Work, named, uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | WAIT_ERRORS


async def check(in_chunks, world):
    """Whole chunks in order, so many at a time, flat results, and nothing left, however it ends."""
    places = uses(asyncio.Semaphore)
    size, processes = world.pick(1, 2, 3, 7, 10) if world.number else 3, world.pick(1, 2, 3, 4) if world.number else 2
    items = [world.pick("a", "b", "", None, 7) for _ in range(world.size(10, 0, 1, 2, 3, 12, 100))]
    results = [world.pick(0, None, "", [], f"result {place}") for place in range(len(items))]
    wanted = [items[start : start + size] for start in range(0, len(items), size)]
    takes = [(0.02 if number % 2 else 0.2) * world.rng.uniform(1.0, 1.1) for number in range(len(wanted))]
    calls = Work("work", dict(enumerate(takes)))
    calls.closing = world.pick(0.0, 0.05)
    fails = world.rng.randrange(len(wanted)) if world.fails and wanted else None
    world.facts += [count(len(items), "item"), f"size {size}", f"{processes} at a time"]
    got = []

    async def work(chunk):
        number = len(got)
        got.append(chunk)
        with calls.noted(number) as call:
            await calls.take(call, calls.seconds.get(number, 0.02))
            if number == fails:
                raise JobError("this call fails")
            return results[number * size : (number + 1) * size]

    given = list(items)
    run = await world.watch(given, named(work, "work"), size, processes, may_raise=JobError)
    whole = not run.cancelled and fails is None
    expect_cancelled(run)
    for number, chunk in enumerate(got):
        expect_chunk(chunk, wanted[number] if number < len(wanted) else None, size)
    if whole:
        expect_all_awaited(run)
        expect(
            len(got) == len(wanted), f"{count(len(got), 'call')} of `work`, where {len(wanted)} are needed. Skip none."
        )
    expect_at_once(calls.most, processes, places, "calls", possible=len(wanted) if whole and processes > 1 else 0)
    if whole:
        expect_results(run, results)
        expect_no_error_lost(run)
        expect_kept_busy(calls.calls, processes)
    expect(fails is None or run.error, f"A call raised JobError, and you return {said(run.value)}. Let it get out.")
    expect_nothing_left(run)
    expect(given == items, "Your function changed the list `items`, which its caller may still need. Copy it first.")


def expect_chunk(chunk, wanted, size):
    """Expect a list of the items that come next."""
    expect(isinstance(chunk, list), f"`work` was given {said(chunk)}. It wants a list of items.")
    expect(wanted is not None, f"`work` was called with {said(chunk)} after the last item. Hand each over once.")
    expect(
        len(chunk) == len(wanted),
        f"`work` was given {count(len(chunk), 'item')}, where a list of {len(wanted)} is next: `size` is {size}. "
        "Hand over `size` items in a row; only the last list may be shorter.",
    )
    what = f"`work` was given {said(chunk)} where {said(wanted)} is next."
    expect(chunk == wanted, f"{what} Keep the order of `items`, and hand each over once.")


def expect_kept_busy(calls, processes):
    """Expect that each call began as soon as a process was free."""
    free = [call.start for call in calls[:1]] * processes
    for call in calls:
        idle = call.start - heapq.heapreplace(free, call.end)
        expect(idle < 0.002, f"A process had nothing to do for {idle:.2g} s, while a chunk was waiting. {SLOW}")


SLOW = "Start the next call whenever one has ended."
