"""The check of exercise 7.3: readers of all speeds, of whom one may fail, and messages that may break off."""

import asyncio
import math

from asynclab.checking import virtual_time
from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_nothing_left,
    said,
)
from asynclab.checking.work import JobError, Work, named

ERROR_MESSAGES = ASYNC_WITH_ERRORS | WAIT_ERRORS


async def check(broadcast, world):
    """To each reader what it can take, at once and in order, and nothing left, however it ends."""
    number, most = world.size(12, 0, 1, 30), world.pick(1, 2, 5) if world.number else 2
    began = virtual_time.clock.now
    came = [began + 0.02 * place + world.rng.uniform(0.01, 0.02) for place in range(number)]
    messages = [world.pick("", None, 0, f"message {place}", f"message {place}") for place in range(number)]
    seconds = [0.05 + world.rng.random() / 10 for _ in range(world.size(1, 0, 2))]  # of slow readers
    seconds += [0.001 + world.rng.random() / 500 for _ in range(world.size(2, 0, 1, 10))]
    world.rng.shuffle(seconds)
    fails = world.rng.randrange(-1, len(seconds)) if world.fails and number else None  # -1: the messages
    fails_at, closing = world.pick(*came[:1], *came[-1:], 0.0), world.pick(0.0, 0.05)
    world.facts += [count(number, "message"), f"most = {most}", count(len(seconds), "reader")]
    failed, sends = [], [Work("send", {}) for _ in seconds]

    def may_fail(place):
        if place == fails and virtual_time.clock.now >= fails_at:
            failed.append(virtual_time.clock.now)
            raise JobError("this one is gone")

    async def arriving():
        for when, message in zip(came, messages, strict=True):
            await asyncio.sleep(when - virtual_time.clock.now)  # it comes then, whether or not it is asked for by then
            may_fail(-1)
            yield message

    def reader(place, work):
        async def send(message):
            with work.noted(message) as call:
                work.closing = closing
                await work.take(call, seconds[place])
                may_fail(place)

        return named(send, "send")

    run = await world.watch(arriving(), [reader(*each) for each in enumerate(sends)], most, may_raise=JobError)
    expect_cancelled(run)
    for moment in failed[:1] if not run.cancelled else ():
        what = "`messages`" if fails == -1 else "A `send`"
        expect(run.error, f"{what} raised JobError, and you return {said(run.value)}. Let it get out.")
        late = began + run.duration - moment - closing
        expect(late < 0.002, f"{what} raised JobError, and it got out {late:.2g} s later. Let it end all else at once.")
    expect_nothing_left(run)
    if fails is None and not run.cancelled:
        expect_all_awaited(run)
        for place, work in enumerate(sends):
            expect_sent(f"Reader {place}", work.calls, came, messages, most)
        missed = [number - len(work.calls) for work in sends]
        dropped = f"{said(missed)} were dropped, in the order of `readers`"
        expect(run.value == missed, f"{dropped}. You return {said(run.value)}. Count them for each reader.")


def expect_sent(who, calls, came, messages, most):
    """Expect that a reader was sent what it could take, when it could, one at a time."""
    waiting, begun, ready = [], iter(calls), 0.0
    for when, message in [*zip(came, messages, strict=True), (math.inf, None)]:
        while waiting and (due := max(ready, waiting[0][0])) < when:
            right, call = waiting.pop(0)[1], next(begun, None)
            expect(call, f"{who} was never sent {said(right)}, which waited for it. Send what still waits.")
            expect(call.start >= ready, f"{who} was sent {said(call.item)} while it was busy. Send one at a time.")
            why = f"{who} was sent {said(call.item)} where {said(right)} was due."
            expect(call.item is right, f"{why} Drop the oldest that waits, and only if `most` wait already.")
            late = f"{who} was ready for {said(right)}, and got it {call.start - due:.3f} s later."
            expect(call.start - due < 0.002, f"{late} Let it wait for no other reader.")
            expect(call.outcome == "done", f"{who} was getting {said(right)}, and you cancelled that. Let it end.")
            ready = call.end
        if abs(ready - when) < 0.001:
            return  # in the same moment: either may be first, and what comes after depends on it
        waiting = [*waiting, (when, message)][-most:]
    expect(next(begun, None) is None, f"{who} was sent more messages than there were. Send each once.")
