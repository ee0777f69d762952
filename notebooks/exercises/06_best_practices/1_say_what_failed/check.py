"""The check of exercise 6.1: results of all kinds, exceptions among them; errors of all kinds, cancellations too."""

import asyncio
import math

from asynclab.checking.expect import (
    WAIT_ERRORS,
    count,
    expect,
    expect_cancelled,
    expect_none_twice,
    expect_nothing_left,
    expect_side_by_side,
    said,
    same,
)
from asynclab.checking.work import JobError

ERROR_MESSAGES = WAIT_ERRORS | {
    "this operation fails": "the error of an operation got out, and all else is lost. It belongs in `errors`.",
    "CancelledError:": (
        "`run_all` was not cancelled, but the `CancelledError` of an operation got out. It belongs in `errors`. "
        "(`task.result()` and `task.exception()` raise it: ask `task.cancelled()` first.)"
    ),
}
VALUES = 0, None, "", [], ("a", "pair"), {"a": 1}, True, "fine"
KINDS = JobError, ValueError, KeyError, TimeoutError, OSError, lambda text: ExceptionGroup(text, [ValueError(text)])


async def check(run_all, world):
    """All side by side, to their end; each in the dict where it belongs; and all stopped by a cancellation."""
    number = world.size(4, 0, 1, 2, 3, 12, 60)
    names = [f"{letter}{i or ''}" for i in range(3) for letter in "KADMGCXBTEWFQHUIVJRLYNSOPZ"][:number]
    failing = {name: world.pick(*KINDS)("this operation fails") for name in names if world.fails and world.pick(0, 1)}
    results = {name: world.pick(*VALUES) for name in names}
    if names and world.number % 6 in (1, 5):
        failing[world.pick(*names)] = asyncio.CancelledError()
    if names and world.number % 6 == 3:
        results[world.pick(*names)] = ValueError("this was returned")
    work = world.work("operation", names, results=results, failing=failing)
    work.closing = {name: world.pick(0.0, world.delay(0.005, 0.03)) for name in names}
    operations = dict(zip(names, work.functions(), strict=True))
    given = dict(operations)
    world.facts += [count(number, "operation"), *(f"{work.call(name)} fails" for name in list(failing)[:3])]

    run = await world.watch(given)
    expect_cancelled(run, work)
    expect_nothing_left(run)
    expect_none_twice(work)
    if run.cancelled:
        late = [each for each in work.calls if min(each.end, each.cancelled) > run.cancelled_at + 0.035]
        expect(not late, "cancelled from outside, your function let an operation go on. Cancel all of them then.")
        return
    if names:
        expect_side_by_side(work, number)
    for call in work.calls:
        stopped = (
            f"{work.call(call.item)} was cancelled, though nobody cancelled `run_all`. An error ends nothing else."
        )
        expect(call.cancelled == math.inf, stopped)
    expect_dicts(run.value, work, names)
    expect(list(given.items()) == list(operations.items()), "your function changed the dict `operations`. Leave it.")


def expect_dicts(value, work, names):
    """Expect the results and the errors, each in its dict, and in order."""
    is_pair = isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, dict) for each in value)
    expect(is_pair, f"your function returned {said(value)}, not two dicts. Return `(results, errors)`.")
    for name in names:
        did, right, wrong, given, wanted = "returned", "results", "errors", value[0], work.results[name]
        if name in work.failing:
            did, right, wrong, given, wanted = "raised", "errors", "results", value[1], work.failing[name]
        told = f"{work.call(name)} {did} {said(wanted)}, and"
        expect(name in value[0] or name in value[1], f"{told} is missing in `{right}`. Leave nothing out, be it falsy.")
        is_alone = not (name in value[0] and name in value[1]) and name in given
        expect(is_alone, f"{told} stands in `{wrong}`. It belongs in `{right}`.")
        is_it = given[name] is wanted if isinstance(wanted, Exception) else same(given[name], wanted)
        is_it = is_it or (isinstance(wanted, asyncio.CancelledError) and isinstance(given[name], type(wanted)))
        expect(is_it, f"{told} `{right}` has {said(given[name])} for it. Keep what it {did} itself.")
    for entries, kind in zip(value, ("results", "errors"), strict=True):
        in_order = list(entries) == [name for name in names if name in entries]
        expect(in_order, f"`{kind}` is in the order of ending. Keep the order of `operations`, and no other names.")
