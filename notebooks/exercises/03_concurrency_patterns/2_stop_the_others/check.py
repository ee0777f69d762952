"""The check of exercise 3.2: parts of a page, some of which raise: one alone, or two in the same moment."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_each_once,
    expect_none_twice,
    expect_nothing_left,
    expect_results,
    expect_side_by_side,
    said,
)

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "TypeError: a coroutine was expected, got <(?:function|bound method|generator)": (
        "`create_task` got the function itself. Call it, `part()`: the call gives the coroutine that the task runs."
    ),
    "TypeError: a coroutine was expected, got '": (
        "`create_task` got a text, because you awaited too early. Give it the coroutine, without `await`: the task "
        "awaits it."
    ),
    "InvalidStateError": (
        "you asked a task for its result before it was done. Do so after the `async with` block: indent that line less."
    ),
}

CONNECTION = ConnectionError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError
OTHER = TimeoutError, ValueError, OSError, KeyError
FAILURES = (CONNECTION,), (OTHER,), (CONNECTION, OTHER), (CONNECTION, CONNECTION)  # the kinds of those that fail


async def check(load_page, world):
    """All parts side by side, their texts in order; one failure stops the others, and only some are "unavailable"."""
    number = world.size(3, 1, 2, 8, 100)
    parts = world.work("part", range(1, number + 1))
    parts.results = {part: world.pick("", "a line", f"the text of part {part}") for part in parts.seconds}
    parts.closing = world.pick(0.0, world.delay(0.01, 0.1))
    world.facts.append(count(number, "part"))
    if world.fails:
        failures = FAILURES[world.number // 3 % len(FAILURES)]
        by_time = sorted(parts.seconds, key=parts.seconds.get)
        failing = by_time if world.number < 6 else world.rng.sample(by_time, min(number, len(failures)))
        for part, kinds in zip(failing, failures, strict=False):
            parts.failing[part] = (kinds[0] if world.number < 6 else world.pick(*kinds))("gone")
            world.facts.append(f"part {part} raises {type(parts.failing[part]).__name__}")
        if len(parts.failing) > 1:
            parts.seconds |= dict.fromkeys(parts.failing, 0)  # so soon that nobody can cancel the second one

    functions, raised = parts.functions(), [type(error) for error in parts.failing.values()]
    slowest, when_cancelled = max(parts.seconds, key=parts.seconds.get), None  # what it raises when it is cancelled
    if world.number > 5 and raised and set(raised) <= set(CONNECTION) and slowest not in parts.failing:
        when_cancelled = world.pick(None, *OTHER)
    if when_cancelled:
        parts.seconds[slowest] = 1.0
        raised.append(when_cancelled)
        world.facts.append(f"part {slowest} raises {when_cancelled.__name__} when it is cancelled")
    functions[slowest - 1] = ending_late(functions[slowest - 1], parts.closing, when_cancelled)
    run = await world.watch(functions, may_raise=tuple(raised))
    expect_cancelled(run)
    if raised:
        expect_fitting_end(run, raised, when_cancelled)
        expect_others_stopped(run, parts)
    elif not run.cancelled:
        expect_all_awaited(run)
        expect_side_by_side(parts, number)
        expect_each_once(parts, parts.seconds)
        expect_results(run, parts.results.values())
    expect_none_twice(parts)
    expect_nothing_left(run)


def ending_late(function, seconds, kind):
    """Return the same part, which takes so many seconds more to end when it is cancelled, and may raise an error then.

    So one part ends after the others, and whoever waits for the first to end does not wait for all.
    """

    async def part():
        try:
            return await function()
        except asyncio.CancelledError:
            await asyncio.sleep(seconds)
            if kind:
                raise kind("gone") from None
            raise

    return part


def expect_fitting_end(run, raised, when_cancelled):
    """Expect "unavailable" if only connections failed, and else that the other error got out."""
    connection = [kind.__name__ for kind in raised if issubclass(kind, ConnectionError)]
    others = [kind.__name__ for kind in raised if not issubclass(kind, ConnectionError)]
    if others:
        what = f"one part raised `{connection[0]}` and another" if connection else "a part raised"
        got_out = [type(each).__name__ for each in getattr(run.error, "exceptions", [run.error])]
        came = f"only `{got_out[0]}` got out" if run.error else f"you return {said(run.value)}"
        too = ""
        if when_cancelled:
            what, too = f"{what}, when it was cancelled,", ", also of one that you cancel"
        advice = f"Take `ConnectionError` alone, and let every other error get out{too}."
        expect(others[0] in got_out, f"{what} `{others[0]}`, and {came}. {advice}")
        return
    name = type(run.error).__name__ if isinstance(run.error, ConnectionError) else connection[0]
    what = f"a part raised `{name}`, {'' if name == 'ConnectionError' else 'which is a `ConnectionError`, '}and"
    expect(
        not isinstance(run.error, ExceptionGroup),
        f"{what} a group of errors got out. A `TaskGroup` raises groups; `except*` takes what it names out of them.",
    )
    expect(not run.error, f"{what} it got out. Catch it, around all that waits for the parts.")
    expect(run.value == "unavailable", f'{what} you return {said(run.value)}. Return `"unavailable"` then.')


def expect_others_stopped(run, parts):
    """Expect that no part went on when a connection had failed."""
    failed = [call for call in parts.calls if isinstance(parts.failing.get(call.item), ConnectionError)]
    late = [call for call in parts.calls for one in failed if call.outcome == "done" and call.end > one.end + 0.002]
    others = "the others ran on" if late else "when your function ended, others were still running"
    expect(
        not failed or not (late or run.left),
        f"one part raised `ConnectionError`, and {others}. Start them in a `TaskGroup`: it cancels the others and "
        "waits until they have ended.",
    )
