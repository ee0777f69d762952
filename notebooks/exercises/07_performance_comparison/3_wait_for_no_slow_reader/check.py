"""The check of exercise 7.3: readers of all speeds, of whom one may fail."""

import asyncio
import itertools

from asynclab.checking import virtual_time
from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    said,
)
from asynclab.checking.work import JobError, named

ERROR_MESSAGES = ASYNC_WITH_ERRORS | WAIT_ERRORS
_CLOSE = 0.0005  # seconds, for some turns of the loop: what is closer happens at the same time


async def check(broadcast, world):
    """To each reader what it can take, at once and in order, and nothing left, however it ends."""
    number, most = world.size(12, 0, 1, 30), world.pick(1, 2, 5) if world.number else 2
    pauses = [world.rng.uniform(0.01, 0.03) for _ in range(number)]
    messages = [world.pick("", None, 0, f"message {place}", f"message {place}") for place in range(number)]
    seconds = [0.05 + world.rng.random() / 10 for _ in range(world.size(1, 0, 2))]  # of slow readers
    seconds += [0.001 + world.rng.random() / 500 for _ in range(world.size(2, 0, 1, 10))]
    world.rng.shuffle(seconds)
    fails = world.rng.randrange(len(seconds)) if world.fails and seconds and number else None
    world.facts += [count(number, "message"), f"most = {most}", count(len(seconds), "reader")]
    came, sent = [], [[] for _ in seconds]  # the moments of messages; to each reader, (when, message)

    async def arriving():
        due = virtual_time.clock.now
        for pause, message in zip(pauses, messages, strict=True):
            due += pause  # whether or not it is asked for by then
            came.append(due)
            await asyncio.sleep(due - virtual_time.clock.now)
            yield message

    def reader(place):
        async def send(message):
            sent[place].append((virtual_time.clock.now, message))
            await asyncio.sleep(seconds[place])
            if place == fails:
                raise JobError("this reader is gone")

        return named(send, "send")

    run = await world.watch(arriving(), [reader(place) for place in range(len(seconds))], most, may_raise=JobError)
    expect_cancelled(run)
    if fails is not None and not run.cancelled:
        expect(run.error, f"A `send` raised JobError, and you return {said(run.value)}. Let it get out.")
    elif not run.cancelled:
        expect_all_awaited(run)
        missed = []
        for place, each in enumerate(seconds):
            expect_sent(f"Reader {place}", sent[place], to_send(came, messages, each, most), each)
            missed.append(number - len(sent[place]))
        what = f"You return {said(run.value)}, where {said(missed)} were dropped, in the order of `readers`."
        expect(run.value == missed, what)
        expect_no_error_lost(run)
    expect_nothing_left(run)


def to_send(came, messages, seconds, most):
    """Return what a reader is to be sent, (when, message); None if it is ready in the very moment of a message."""
    sent, waiting, ready = [], [], 0.0
    for when, message in [*zip(came, messages, strict=True), (float("inf"), None)]:
        while waiting and max(ready, waiting[0][0]) < when:
            sent.append((max(ready, waiting[0][0]), waiting.pop(0)[1]))
            ready = sent[-1][0] + seconds
        if abs(ready - when) < _CLOSE:
            return None
        waiting = [*waiting, (when, message)][-most:]
    return sent


def expect_sent(who, got, due, seconds):
    """Expect that a reader was sent what it could take, when it could, one at a time."""
    for (one, _), (other, message) in itertools.pairwise(got):
        two = f"{who} was sent {said(message)} while it was busy with another message. Send one at a time."
        expect(other - one > seconds - _CLOSE, two)
    for (when, message), (ready, right) in zip(got, due or (), strict=False):
        expect(
            message is right,
            f"{who} was sent {said(message)} where {said(right)} was due. Drop the oldest that waits, and only if "
            "`most` wait already.",
        )
        late = f"{who} was ready for {said(right)}, and got it {when - ready:.3f} s later."
        expect(when - ready < 0.005, f"{late} Let it wait for no other reader.")
    if due is not None:
        were = f"{who} was sent {count(len(got), 'message')}, where {len(due)} were due."
        expect(len(got) == len(due), f"{were} Send what still waits, and nothing that was dropped.")
