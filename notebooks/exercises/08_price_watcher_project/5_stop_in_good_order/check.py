"""The check of exercise 8.5: stopped, cancelled or failed at any moment; then hangs, errors, a second cancellation."""

import asyncio

from asynclab.checking.expect import WAIT_ERRORS, expect, expect_cancelled, expect_nothing_left, leaves, often, said
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, Work, named

ERROR_MESSAGES = WAIT_ERRORS | {
    "TimeoutError: $": "The grace ran out, and `run` raised TimeoutError. That is no error: go on, and return.",
}
SOON = 0.002  # seconds: a few turns of the loop
KINDS = JobError, OSError, TimeoutError
STOPPED, CANCELLED, EARLY = "`stop` is set", "you are cancelled", "`stop` was set before"
WATCH, MAIL, LAST, CLOSE = "`watch_prices`", "`send_mails`", "the last `send_mails`", "`close`"


async def check(run, world):
    """Both run until the end begins, in whichever way; then come the last mails; then `close`, always."""
    draw, number, kind = world.rng.uniform, world.number, world.pick(*KINDS)
    pause, grace = (draw(0.05, 2), draw(0.1, 3)) if number % 4 == 3 else (1.0, 5.0)
    ways = (WATCH, MAIL, STOPPED, CANCELLED) if world.fails else (STOPPED, CANCELLED, EARLY)
    way, at = world.pick(*ways) if number > 2 else (STOPPED, CANCELLED, WATCH)[number], pause * draw(0.2, 4)
    failing = [way, world.pick(LAST, CLOSE, *[""] * (way in (WATCH, MAIL) and 2))] if world.fails else []
    lasting = grace * world.pick(draw(0.1, 0.9), draw(0.1, 0.9) if LAST in failing or number < 3 else 10)
    watched, sent, closed = Work("watch_prices", {}), Work("send_mails", {}), Work("close", {})
    watched.closing = closing = world.pick(0.0, draw(0.01, 0.1))
    sent.closing = {MAIL: closing, "mails": closing, LAST: closing * (not world.cancel_at)}
    stop, loop, causes, errors, callers = asyncio.Event(), asyncio.get_running_loop(), [], [], []
    is_again = way == CANCELLED and number % 2
    world.facts += [f"{each} raises {kind.__name__}" for each in failing if each in (WATCH, MAIL, LAST, CLOSE)]
    world.facts += [way] * (way in (STOPPED, CANCELLED, EARLY)) + ["and then again"] * is_again
    world.facts += [f"pause={pause:.2g}", f"grace={grace:.2g}", f"the last mails take {lasting:.2g} s"]

    def begin_the_end():
        causes.append((clock.now, "you were cancelled" if way == CANCELLED else "`stop` was set"))
        (world.cancel if way == CANCELLED else stop.set)()

    async def play(work, name, seconds):
        with work.noted(name) as call:
            await work.take(call, seconds)
            if name in failing:
                errors.append(kind(f"{name} is broken"))
                causes.append((clock.now, f"{name} raised {kind.__name__}"))
                raise errors[-1]

    async def watch_prices():
        await play(watched, WATCH, at if way == WATCH else 1000)

    async def send_mails():
        is_last = causes or callers[0].cancelling()
        if causes and is_again and len(timers) == 1:
            timers.append(loop.call_later(min(lasting, grace) / 2, callers[0].cancel))
        seconds = lasting if is_last else pause * draw(0.1, 1.5)
        await play(sent, LAST if is_last else world.pick(MAIL, "mails"), seconds)

    async def close():
        await play(closed, CLOSE, grace / 2)

    async def use():
        callers.append(asyncio.current_task())
        return await run(stop, watch_prices, send_mails, close, *((pause, grace) if number % 4 == 3 else ()))

    timers = [loop.call_later(at if way in (STOPPED, CANCELLED) else 500, begin_the_end)]
    if way == EARLY:
        begin_the_end()
    began = clock.now
    seen = await world.watch(function=named(use, "run"), may_raise=KINDS if failing else ())
    for timer in timers:
        timer.cancel()
    if seen.cancelled_at < began + SOON and not (watched.calls or sent.calls or closed.calls):
        return  # it had not begun
    over, what = min([(seen.cancelled_at, "you were cancelled"), *causes])
    expect(causes or seen.cancelled, "your function ended by itself. Let both go on until `stop` is set.")
    expect_running(watched, sent, began, over, pause, what)
    expect_order(watched, sent, closed, over, grace, seen.cancelled_at, is_again, what)
    late, last = began + seen.duration - closed.calls[0].end, sent.calls[-1]
    expect(late < SOON, f"`close` had ended, and your function went on for {late:.2g} s. Return then.")
    expect_nothing_left(seen)
    if errors and not isinstance(seen.error, asyncio.CancelledError):
        did = f"you {'raised' if seen.error else 'returned'} {said(seen.error or seen.value)}"
        is_out = seen.error and set(errors) & set(leaves(seen.error))
        expect(is_out, f"{causes[-1][1]}, and {did}. Let the error out, when all is done.")
    elif not errors and abs(last.end - seen.cancelled_at) > SOON:  # in 3.11, `wait_for` may miss a cancellation then
        expect_cancelled(seen, closed)
    expect(seen.value is None, f"your function returned {said(seen.value)}. Return nothing.")


def expect_running(watched, sent, began, over, pause, what):
    """Expect that both ran until it was `over`, with a pause after each `send_mails`, and were cancelled then."""
    times, due = len(watched.calls), began
    expect(times == 1 or over < began + SOON, f"`watch_prices` was called {often(times)}. Call it once, at the start.")
    is_there = sent.calls and sent.calls[-1].start >= over
    expect(is_there, f"{what}, and then `send_mails` was not called a last time. Call it, whatever ended the rest.")
    for call in [*watched.calls, *sent.calls[:-1]]:
        name, stopped = "`watch_prices`" if call in watched.calls else "`send_mails`", min(call.end, call.cancelled)
        expect(
            stopped < over + watched.closing + SOON,
            f"{what}, and {name} went on for {stopped - over:.2g} s. Cancel it then.",
        )
        expect(call.cancelled > over - SOON, f"{name} was cancelled, and nothing had ended it yet. Let it go on.")
    for call in sent.calls[:-1]:
        wrong = f"`send_mails` was due after {due - began:.2g} s, and called {abs(call.start - due):.2g} s"
        expect(call.start > due - SOON, f"{wrong} too soon. Leave `pause` seconds between two calls.")
        expect(
            call.start < due + SOON,
            f"{wrong} too late. Leave `pause` seconds between two calls, and wait for no other.",
        )
        due = call.end + pause
    expect(due > over - SOON, f"`send_mails` was due {over - due:.2g} s before {what}, and not called. Call it again.")


def expect_order(watched, sent, closed, over, grace, cancelled_at, is_again, what):
    """Expect that both had ended before the last `send_mails`, that it had its grace, and that `close` came then."""
    last, times = sent.calls[-1], len(closed.calls)
    free = max([over, *(call.end for call in [*watched.calls, *sent.calls[:-1]])])
    spent, late = min(last.end, last.cancelled) - last.start, last.start - free
    early = f"{what}, and the last `send_mails` began {-late:.2g} s before the others had ended. Await them first."
    expect(late >= 0, early)
    expect(times == 1, f"{what}, and `close` was called {often(times)}. Call it once, in any case: in a `finally`.")
    [call] = closed.calls
    expect(call.start >= last.end, "`close` was called before the last `send_mails` had ended. Await its end.")
    expect(late < SOON, f"{what}, and the last `send_mails` began {late:.2g} s after the others had ended.")
    expect(spent < grace + SOON, f"the last `send_mails` went on for {spent:.2g} s. Cancel it after {grace:.2g} s.")
    is_hit = cancelled_at < last.end + SOON and (is_again or what != "you were cancelled")
    cut = f"the last `send_mails` was cancelled after {spent:.2g} s. Give it {grace:.2g} s."
    expect(last.cancelled > last.start + grace - SOON or is_hit, cut)
    expect(call.start < last.end + SOON, f"`close` came {call.start - last.end:.2g} s after the last `send_mails`.")
    is_hit = call.start - SOON < cancelled_at < call.end
    expect(call.outcome != "cancelled" or is_hit, "`close` was cut short. Await it to its end.")
