"""The check of exercise 6.2: an operation that ends in time or late, with time-outs in it and around it."""

import asyncio

from asynclab.checking.expect import WAIT_ERRORS, expect, expect_all_awaited, expect_nothing_left, often, said, same
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import Work

ERROR_MESSAGES = WAIT_ERRORS
SOON = 0.002  # seconds: a few turns of the loop
IN_TIME, LATE, OWN, INNER, OTHER, OUTER, RESULT, ERROR = WAYS = (
    "the operation ended in time",
    "the operation was late",
    "the operation raised a TimeoutError",
    "a time-out in the operation ran out",
    "the operation raised an error",
    "a time-out around `with_timeout` ran out",
    "the operation was late, and gave a result when it was cancelled",
    "the operation was late, and raised an error when it was cancelled",
)


async def check(with_timeout, world):
    """What the operation gives or raises, or that the clock ran out; and the operation has ended, whatever happens."""
    way, seconds, steps = WAYS[world.number % len(WAYS)], world.delay(0.05, 0.3), world.pick(1, 2, 7)
    early, late = seconds * world.rng.uniform(0.1, 0.9), seconds * world.rng.uniform(1.1, 5)
    closing, result = world.pick(0.0, world.delay(0.01, 0.1)), world.pick(0, None, "", "fine", ("a", "pair"))
    kinds = (TimeoutError, type("SlowDatabase", (TimeoutError,), {})) if way == OWN else (OSError, ValueError)
    error, work, seen, ended = world.pick(*kinds)("it failed"), Work("operation", {}), [], []
    world.facts += [way, f"seconds={seconds:.2g}"]

    async def operation():
        with work.noted(None) as call:
            try:
                async with asyncio.timeout(early if way == INNER else None):
                    for _ in range(steps):
                        await asyncio.sleep((early if way in (IN_TIME, OWN, OTHER) else late) / steps)
            except TimeoutError as inner:
                seen.append(inner)
                raise
            except asyncio.CancelledError:
                call.cancelled = clock.now
                await asyncio.sleep(closing)
                if way not in (RESULT, ERROR):
                    raise
            if way in (OWN, OTHER, ERROR):
                raise error
            return result

    async def use():
        async with asyncio.timeout(early if way == OUTER else None):
            try:
                return await with_timeout(operation, seconds)
            except BaseException as got_out:
                ended.append(got_out)
                raise
            finally:
                ended.append(clock.now)

    began, can_cancel = clock.now, way in (IN_TIME, OWN, INNER, OTHER)
    run = await world.watch(function=use, may_raise=(TimeoutError, OSError, ValueError), cancel=can_cancel)
    expect_all_awaited(run)
    what = "you were cancelled" if run.cancelled else way
    if run.cancelled and not work.calls:
        return
    expect(work.calls, "`operation` was never called. Call it, and await what that gives.")
    expect(len(work.calls) == 1, f"`operation` was called {often(len(work.calls))}. Once is enough.")
    [call], got = work.calls, ended[0] if len(ended) == 2 else run.value
    due = run.cancelled_at if run.cancelled else began + (early if way == OUTER else seconds)
    stopped, ms = min(call.end or clock.now, call.cancelled), 1000
    expect(
        call.end and call.end <= ended[-1], f"{what}, and you returned before the operation had ended. Await its end."
    )
    expect_nothing_left(run)
    too_late = f"{what}, and the operation went on for {ms * (stopped - due):.0f} ms. Cancel it when that happens."
    expect(stopped < due + SOON, too_late)
    too_soon = f"the operation was cancelled {ms * (due - stopped):.0f} ms too soon. Let it have all of its `seconds`."
    expect(stopped < call.cancelled or stopped > due - SOON, too_soon)
    idle = f"{what}, and you returned {ms * (ended[-1] - call.end):.0f} ms after that. Return as soon as it has ended."
    expect(ended[-1] < call.end + SOON, idle)
    came = f"{what}, and you {'raised' if isinstance(got, BaseException) else 'returned'} {said(got)}"
    if way == OUTER or (run.cancelled and call.outcome == "cancelled"):
        expect(isinstance(got, asyncio.CancelledError), f"{came}. Let the CancelledError pass, always.")
    elif way in (IN_TIME, RESULT, LATE):
        wanted = (False, "Operation timed out") if way == LATE else (True, result)
        expect(same(got, wanted) or run.cancelled, f"{came}. Return {said(wanted)}.")
    else:
        clock_says = "Your clock had not run out. " if way in (OWN, INNER) else ""
        expect(got is (seen or [error])[0] or run.cancelled, f"{came}. {clock_says}Let the error out as it is.")
