"""The check of exercise 8.5: stopped, cancelled or failed at any moment; then hangs, errors, a second cancellation."""

import asyncio
import math

from asynclab.checking.expect import WAIT_ERRORS, expect, expect_cancelled, expect_nothing_left, leaves, often, said
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, Work, named

ERROR_MESSAGES = WAIT_ERRORS | {"TimeoutError: $": "the grace ran out, and you raised TimeoutError. That is no error."}
SOON = 0.002  # seconds: a few turns of the loop
STOP, CANCEL = "`stop` was set", "you were cancelled"
WATCH, LAST, CLOSE = "`watch_prices`", "the last `send_mails`", "`close`"
MAILS = [f"call {i} of `send_mails`" for i in range(1, 99)]


async def check(run, world):
    """Both run until the end begins, in whichever way; then come the last mails; then `close`, always."""
    draw, pick, number = world.rng.uniform, world.pick, world.number
    ways = (STOP, STOP, STOP, CANCEL, WATCH, pick(*MAILS[:4])) if world.fails else (STOP, CANCEL)
    way = pick(*ways) if number > 2 else (STOP, CANCEL, WATCH)[number]
    pause, grace = (draw(0.05, 2), draw(0.1, 3)) if number % 4 == 3 else (1.0, 5.0)
    is_told, is_early = way in (STOP, CANCEL), way == STOP and number % 6 == 4
    at = 0 if is_early else pause * draw(0.2, 4)
    also, error = pick(LAST, CLOSE, *["", ""] * (not is_told)), pick(JobError, OSError, TimeoutError)("it is broken")
    failing = {name: error for name in (way, also) if world.fails and name not in (STOP, CANCEL, "")}
    lasting = grace * (10 if number > 2 and LAST not in failing and pick(0, 1) else draw(0.1, 0.9))
    watched = Work("watch_prices", {WATCH: at if way == WATCH else 1000}, {}, failing)
    sent = Work("send_mails", {name: pause * draw(0.1, 1.5) for name in MAILS} | {LAST: lasting}, {}, failing)
    closed = Work("close", {CLOSE: grace / 2}, {CLOSE: None}, failing)
    watched.closing = closing = pick(0.0, draw(0.01, 0.1))
    # In 3.11, `wait_for` leaves a task if it is cancelled while that cleans up, after the grace
    sent.closing = dict.fromkeys(MAILS, closing) | {LAST: 0.0 if world.cancel_at else closing}
    is_again = way == CANCEL and number % 2 == 1 and not world.cancel_at  # for a second time, during the last mails
    world.facts += [f"{name} raises {error!r}" for name in failing] + [way] * is_told + ["twice"] * is_again
    world.facts += [f"pause={pause:.2g}, grace={grace:.2g}, the last mails take {lasting:.2g} s"]
    stop, loop, began = asyncio.Event(), asyncio.get_running_loop(), clock.now
    again = at + closing + min(lasting, grace) / 2 if is_again else math.inf
    timers = [loop.call_later(at * is_told or 90, world.cancel if way == CANCEL else stop.set)]
    if is_early:
        stop.set()
    [watch_prices], [close] = watched.functions(), closed.functions()

    async def send_mails():
        await sent.function(LAST if any(call.end for call in watched.calls) else MAILS[len(sent.calls)])

    async def use():
        if is_again:
            timers.append(loop.call_later(again, asyncio.current_task().cancel))
        return await run(stop, watch_prices, send_mails, close, *((pause, grace) if number % 4 == 3 else ()))

    seen = await world.watch(function=named(use, "run"), may_raise=type(error) if failing else ())
    for timer in timers:
        timer.cancel()
    calls, ended = [*watched.calls, *sent.calls, *closed.calls], began + seen.duration
    failed = [(call.end, f"{call.item} raised {said(error)}") for call in calls if call.outcome == "failed"]
    over, what = min([(seen.cancelled_at, CANCEL), *[(began + at, STOP)] * (way == STOP), *failed])
    if not calls and over < began + SOON:
        return  # it was cancelled before it had begun
    times, mails, due = len(watched.calls), sent.calls[:-1], began
    expect(times == 1 or over < began + SOON, f"`watch_prices` was called {often(times)}. Call it once, at the start.")
    for name, call in [(WATCH, each) for each in watched.calls] + [("`send_mails`", each) for each in mails]:
        late = min(call.end, call.cancelled) - over
        wrong = f"{name} was stopped {abs(late):.2g} s {'after' if late > 0 else 'before'} {what}"
        expect(late < closing + SOON and call.cancelled > over - SOON, f"{wrong}. Cancel it then, not before.")
    last = sent.calls[-1] if sent.calls else None
    expect(last and last.start >= over, f"{what}, and then `send_mails` was not called a last time. Call it, always.")
    for call in sent.calls:
        late = min(call.start, over) - due
        wrong = f"a call of `send_mails` was {abs(late):.2g} s too {'late' if late > 0 else 'early'}"
        how = f"Call it at once, and then {pause:.2g} s after the end of each call, whatever else goes on."
        expect(late < SOON and (late > -SOON or call is last), f"{wrong}. {how}")
        due = call.end + pause
    times, free = len(closed.calls), max([over, *(call.end for call in [*watched.calls, *mails])])
    expect(times == 1, f"{what}, and `close` was called {often(times)}. Call it once, in any case: in a `finally`.")
    shut, how = closed.calls[0], "Await each step, then begin the next at once"
    steps = [(LAST, last.start, "both", free), (CLOSE, shut.start, LAST, last.end), ("the end", ended, CLOSE, shut.end)]
    for name, start, before, end in steps:
        when = "before" if start < end else f"{start - end:.2g} s after"
        expect(0 <= start - end < SOON, f"{what}, and {name} came {when} {before} had ended. {how}.")
    hit, had = began + again if what == CANCEL else seen.cancelled_at, min(last.end, last.cancelled) - last.start
    is_right = last.cancelled > last.start + grace - SOON or last.start - SOON < hit < last.end + SOON
    expect(is_right and had < grace + SOON, f"{LAST} had {had:.2g} s. Give it {grace:.2g} s, and cancel it then.")
    expect(shut.cancelled > shut.end or shut.start - SOON < hit < shut.end, "`close` was cut short. Await its end.")
    expect_nothing_left(seen)
    did = f"you {'raised' if seen.error else 'returned'} {said(seen.error or seen.value)}"
    if failed:
        is_out = error in leaves(seen.error) or isinstance(seen.error, asyncio.CancelledError)
        expect(is_out, f"{failed[-1][1]}, and {did}. Let the error out, when all is done.")
    elif abs(last.end - seen.cancelled_at) > SOON:  # in 3.11, `wait_for` may miss a cancellation then
        expect_cancelled(seen, closed)
    expect(seen.value is None, f"{did}. Return nothing.")
