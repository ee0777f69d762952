"""The check of exercise 8.4: mails of which some fail once, and some always; cancelled at every await, and again."""

import asyncio
import sqlite3

import aiosmtplib

from asynclab.checking import virtual_time
from asynclab.checking.expect import expect, expect_cancelled, expect_free_loop, expect_nothing_left, leaves
from asynclab.checking.work import Work

SOON = 0.002  # seconds: some turns of the loop
ERRORS = OSError, ConnectionRefusedError, TimeoutError, aiosmtplib.SMTPException, aiosmtplib.SMTPRecipientsRefused
OTHERS = ValueError, KeyError, RuntimeError, sqlite3.OperationalError
ONCE = "Mark each mail as soon as it is sent, and only then."
OFTEN = "Take one mail after another, and try each `tries` times in all."
PAUSE = "Pause only before you try again: for `pause`, then twice as long, and so on."
OWN = "Give it a task of its own, and wait until that has ended, however often you are cancelled."
GAP = "A task that sends may end just when you are cancelled: await `send` itself, in no task of its own."


async def check(deliver, world):
    """Each mail in its order, tried so often, and marked when it is sent, whatever fails, and whenever cancelled."""
    rng, pick, size = world.rng, world.pick, world.size(4, 0, 1, 20)
    options = (pick(1, 2, 3, 5), pick(0, 0.1, 2)) if world.number % 2 else ()
    tries, pause = options or (3, 0.5)
    mails = [(number, pick("", "tea costs 3", f"mail {number}")) for number in rng.sample(range(1, 999), size)]
    place, at = pick("waiting", "send", "mark") if world.fails and mails else "", rng.randrange(size or 1)
    fault = pick(*OTHERS, *[OSError] * 3 * (place != "send"))("another fault")
    outcomes = {text: [] for _, text in mails}  # what each send of this text raises, one after another
    for each, (_, text) in enumerate(mails):
        failures = pick(0, 1, tries - 1, tries) if world.number and not (place and each == at) else 0
        outcomes[text] += [pick(*ERRORS)("not now") for _ in range(failures)]
        outcomes[text] += [fault if place == "send" and each == at else None] if failures < tries else []
    world.facts += [f"{size} mails", f"tries = {tries}", f"pause = {pause}"]
    world.facts += [f"`{place}` raises {type(fault).__name__}"] if place else []
    work, seconds, began, caller = Work("", {}), world.delay(0.003, 0.05), virtual_time.clock.now, None

    async def take(what, item, error):
        with work.noted((what, item)) as call:
            call.error = error
            for _ in range(3):
                await asyncio.sleep(seconds / 3)
                if what == "mark" and world.number % 2 and caller.cancelling():
                    caller.cancel()  # again
            if error:
                raise error

    async def waiting():
        nonlocal caller
        caller = asyncio.current_task()
        await take("waiting", None, fault if place == "waiting" else None)
        return list(mails) if len(work.calls) == 1 else []

    async def send(text):
        await take("send", text, outcomes[text].pop(0) if outcomes.get(text) else None)

    async def mark(number):
        await take("mark", number, fault if place == "mark" and number == mails[at][0] else None)

    run = await world.watch(waiting, send, mark, *options, may_raise=Exception)
    came = leaves(run.error) if run.error and not isinstance(run.error, asyncio.CancelledError) else []
    for call in work.calls:
        got_out = f"{name(*call.item)} raised {type(call.error).__name__}, and that got out"
        expect(call.error is fault or call.error not in came, f"{got_out}. Catch it, also the last time, and go on.")
    expect(not came or fault in came, came and world.explain(run.error))
    expect_free_loop(run)
    expect_nothing_left(run)
    expect_delivered(run, work.calls, due(mails, tries, pause), began, fault)
    is_out = came or not place or run.cancelled
    expect(is_out, f"`{place}` raised {type(fault).__name__}, which did not get out. Let it out.")
    expect_cancelled(run)


def name(what, item):
    """Return a call as the learner writes it."""
    return f"`{what}({'' if item is None else repr(item)})`"


def due(mails, tries, pause):
    """Yield each call that is due, and how long after the one before; it is sent whether that one failed."""
    yield "waiting", None, 0
    for number, text in mails:
        for attempt in range(tries):
            if not (yield "send", text, pause * 2 ** (attempt - 1) if attempt else 0):
                yield "mark", number, 0
                break
    yield "nothing", None, 0


def expect_delivered(run, calls, due, free, fault):
    """Expect the calls that are due, each in its time, until one is cancelled, or raises `fault`."""
    failed, stopped = None, ""
    for call in calls:
        what, item, gap = due.send(failed)
        wanted, called, late = name(what, item), f"{name(*call.item)} was called", call.start - free
        expect(not stopped, f"{called} after {stopped}. Let that end your function.")
        where = f", where {wanted} was due" if what != "nothing" else " when all was done"
        expect(call.item == (what, item), f"{called}{where}. {ONCE if 'mark' in (what, call.item[0]) else OFTEN}")
        after = f"{late:.3g} s after the call before it had ended, where {gap:.3g} s are due"
        expect(abs(late - gap) < SOON, f"{called} {after}. {PAUSE}")
        expect(call.start < run.cancelled_at + SOON, f"{called} after the cancellation. Let that end your function.")
        if what == "mark":
            cut = f"{wanted} was cancelled, though that mail is sent: it would come twice"
            expect(call.outcome != "cancelled", f"{cut}. {OWN}")
        else:
            on = f"{wanted} went on after the cancellation. Only a `mark` runs to its end then."
            expect(call.end < run.cancelled_at + SOON, on)
        failed, free = call.outcome == "failed", call.end
        raised = f"{wanted} had raised {type(fault).__name__}" if failed and call.error is fault else ""
        stopped = "the cancellation" if call.outcome == "cancelled" else raised
    what, item, _ = due.send(failed) if not stopped else ("nothing", None, 0)
    never = f"{name(what, item)} was never called"
    expect(what == "nothing" or run.cancelled, f"{never}. Go on with each mail that `waiting()` gave.")
    expect(what != "mark", f"{never}, though that mail is sent: it would come twice. {GAP}")
