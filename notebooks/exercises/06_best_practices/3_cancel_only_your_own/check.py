"""The check of exercise 6.3: helpers that serve, end or fail, early or while cleaning up; and tasks of others."""

import asyncio

from asynclab.checking.expect import WAIT_ERRORS, expect, expect_cancelled, expect_nothing_left, said, same
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, Work

ERROR_MESSAGES = WAIT_ERRORS | {
    "a helper fails": "the error of a helper got out. Catch it where the helper is awaited, and `report` it.",
}
SOON = 0.002  # seconds: a few turns of the loop
SERVES, ENDS, FAILS, FAILS_LATE = "serves", "ends early", "fails", "fails when it is cancelled"


async def check(run_with_helpers, world):
    """The helpers serve as long as `main` runs, and no longer; each error is told at once; others are left alone."""
    names, others = "MAILCHKPUNTERBDFGJOQSVWXYZ"[: world.size(2, 0, 1, 3, 5, 26)], [ENDS, FAILS, FAILS_LATE]
    kinds = {name: world.pick(SERVES, SERVES, *others * (world.number > 0)) for name in names}
    errors = {name: world.pick(TimeoutError, KeyError, OSError)("a helper fails") for name in names}
    seconds, reports = world.delay(0.05, 0.3), []
    main = Work("main", {0: seconds}, {0: world.pick(0, None, "", [], "the result")})
    main.failing, main.closing = {0: JobError("main fails")} if world.fails else {}, world.pick(0.0, 0.02)
    soon = {name: seconds * world.rng.uniform(0.1, 0.9) for name in names}
    helpers = Work("helper", {name: soon[name] if kinds[name] in (ENDS, FAILS) else 30 for name in names})
    helpers.failing = {name: errors[name] for name in names if kinds[name] == FAILS}
    helpers.closing = {name: world.pick(0.0, world.delay(0.01, 0.1)) for name in names}
    world.facts += [f"helper {name} {kinds[name]}" for name in names[:4]] + ["main fails"] * world.fails

    def helper_of(name):
        async def helper():
            try:
                await helpers.function(name)
            except asyncio.CancelledError as error:
                raise (errors[name] if kinds[name] == FAILS_LATE else error) from None

        return helper

    def report(name, error):
        reports.append((name, error, clock.now))

    asyncio._unregister_task(asyncio.current_task())  # this very task: an answer may cancel all that it finds
    theirs, given = [asyncio.Task(asyncio.sleep(1000))], {name: helper_of(name) for name in names}  # not in `run.left`
    loop = asyncio.get_running_loop()
    younger = loop.call_later(seconds / 2, lambda: theirs.append(asyncio.Task(asyncio.sleep(1000))))
    try:
        run = await world.watch(*main.functions(), given, report, may_raise=JobError)
        touched = any(each.done() or each.cancelling() for each in theirs)
    finally:
        for each in (younger, *theirs):
            each.cancel()
    expect(not touched, "you cancelled a task that you have not made. Keep your own, and cancel only those.")
    expect_nothing_left(run)
    expect_cancelled(run)
    if run.cancelled and not main.calls:
        return
    expect(len(main.calls) == 1, f"`main` was called {len(main.calls)} times. Call it once, and await what that gives.")
    if not run.cancelled:
        came, wanted = said(run.error or run.value), main.failing.get(0, main.results[0])
        is_right = run.error is wanted if main.failing else same(run.value, wanted)
        expect(is_right, f"`main` gave {said(wanted)}, and you gave {came}. Return its result, or let its error out.")
    for name in names:
        times = [call.item for call in helpers.calls].count(name)
        expect(times == 1, f"helper {name} was started {times} times. Start each of them once.")
    for call in helpers.calls:
        expect_helper(f"helper {call.item}", call, main.calls[0], run.cancelled_at, helpers.closing[call.item])
        has_failed = {"failed": FAILS, "cancelled": FAILS_LATE}.get(call.outcome) == kinds[call.item]
        how = "was cancelled" if call.outcome == "cancelled" else "ended"
        how = f"raised {said(errors[call.item])}" if has_failed else how
        told = [each[1:] for each in reports if each[0] == call.item]
        came = f"helper {call.item} {how}, and you reported {said(told[0][0]) if told else 'nothing'}"
        are_right = [error for error, _ in told] == [errors[call.item]] * has_failed
        expect(are_right, f"{came}{' twice' * (len(told) > 1)}. Report each error once, itself, and only errors.")
        late = 1000 * (told[0][1] - call.end) if told else 0
        expect(late < 1000 * SOON, f"{came} {late:.0f} ms later. Report it when the helper has raised it.")


def expect_helper(name, call, main, cancelled_at, closing):
    """Expect that it was cancelled when `main` had ended, if it ran until then, and that it cleaned up."""
    early = call.cancelled < min(main.end, cancelled_at) - SOON
    expect(
        not early, f"{name} was cancelled before `main` had ended. Only that, or your own cancellation, is to end it."
    )
    late = 1000 * (min(call.end, call.cancelled) - main.end)
    expect(late < 1000 * SOON, f"{name} went on for {late:.0f} ms after `main` had ended. Cancel all of them then.")
    may_be_short = call.end <= call.cancelled or main.end <= cancelled_at < call.end
    cut = f"{name} was cancelled again while it cleaned up. Cancel each once, and wait."
    expect(may_be_short or call.end > call.cancelled + closing - SOON, cut)
