"""The check of exercise 1.4: none, one or many names, in no order, some twice; the answers come in any order."""

import math

from asynclab.checking.expect import (
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_done_in,
    expect_each_once,
    expect_free_loop,
    expect_nothing_left,
    expect_results,
    expect_side_by_side,
)

THREADS = 5  # that `asyncio.to_thread` has on any machine, at least
NAMES = [f"{first} {initial}." for first in ("Ada", "Grace", "Joan", "Radia") for initial in "BHKL"]

ERROR_MESSAGES = {
    "TypeError: '\\w+' object is not callable": (
        "you call `query` yourself and hand its *result* to a thread. Write `asyncio.to_thread(query, name)`, with a "
        "comma: then the thread makes the call."
    ),
    "TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required|coroutine was expected)": (
        "what `query` gives cannot be awaited, because it is a plain function. Let a thread run it: "
        "`asyncio.to_thread(query, name)`."
    ),
    "(?:AttributeError|PicklingError): Can't (?:get|pickle)": (
        "another *process* cannot be given this `query`. A thread can: `asyncio.to_thread(query, name)`."
    ),
}


async def check(look_up, world):
    """Side by side in threads, and the loop's own thread never waits for one."""
    names = world.rng.sample(NAMES, world.size(3, 0, 1, 2, 5, 8, 16))
    numbers = {name: world.rng.randrange(10_000) * world.pick(0, 1, 1) for name in names}
    world.facts.append(count(len(names), "name"))
    if names and world.number % 4 == 3:
        names.insert(world.rng.randrange(len(names)), world.pick(*names))
        world.facts.append("one name that stands there twice")
    query, given = world.work("query", numbers, results=numbers), list(names)
    run = await world.watch(query.blocking, given)
    expect_cancelled(run, query)
    if run.cancelled:
        return
    expect_all_awaited(run)
    expect_free_loop(run)
    expect_nothing_left(run)
    expect_each_once(query, names)
    if names:
        expect_side_by_side(query, min(THREADS, len(numbers)))
    expect_results(run, [numbers[name] for name in names])
    expect(given == names, "Your function changes `names`, the list that it was given. Leave it as it is.")
    expect_done_in(run, math.ceil(len(names) / THREADS) * max(query.seconds.values(), default=0))
