"""The check of exercise 8.4: mails of which some fail once, and some always; and a cancellation at every await."""

import asyncio
import sqlite3

import aiosmtplib

from asynclab.checking import virtual_time
from asynclab.checking.expect import expect, expect_cancelled, expect_free_loop, expect_nothing_left
from asynclab.checking.work import Work

ERROR_MESSAGES = {
    r"(\w+): not now": "`send` raised {0}, and that got out. Catch each OSError and SMTPException, also that of the "
    "last try, and go on.",
}
ERRORS = OSError, ConnectionRefusedError, TimeoutError, aiosmtplib.SMTPException, aiosmtplib.SMTPRecipientsRefused
OTHERS = ValueError, KeyError, RuntimeError, sqlite3.OperationalError
SOON = 0.002  # seconds: some turns of the loop
IN_TURN = "Take one mail after another, try each `tries` times in all, and mark it as soon as it is sent, only then."
GAP = "A task that sends may end just when you are cancelled: await `send` itself, in no task of its own."


async def check(deliver, world):
    """Each mail in its order, tried so often, and marked when it is sent, whatever fails, and whenever cancelled."""
    pick, size = world.pick, world.size(4, 0, 1, 20)
    options = (pick(1, 2, 3, 5), pick(0, 0.1, 2)) if world.number % 2 else ()
    tries, pause = options or (3, 0.5)
    mails, due, fault = [], [("`waiting()`", 0, None)], None  # each call, how long after the one before, its error
    for number in world.rng.sample(range(1, 999), size):
        mails.append((number, pick("", "tea costs 3", f"mail {number}")))
        failures = pick(0, 1, tries - 1, tries) if world.number else 0
        for attempt in range(min(failures + 1, tries)):
            error = pick(*ERRORS)("not now") if attempt < failures else None
            due.append((f"`send({mails[-1][1]!r})`", pause * 2 ** (attempt - 1) if attempt else 0, error))
        due += [(f"`mark({number})`", 0, None)] * (failures < tries)
    world.facts += [f"{size} mails", f"tries = {tries}", f"pause = {pause}"]
    if world.fails:
        del due[world.rng.randint(1, len(due)) :]
        wanted, gap, _ = due.pop()
        fault = pick(*OTHERS, *[FileNotFoundError] * 4 * ("send" not in wanted))("another fault")
        due.append((wanted, gap, fault))
        world.facts.append(f"{wanted} raises {type(fault).__name__}")
    work, seconds, began = Work("", {}), world.delay(0.003, 0.05), virtual_time.clock.now

    async def take(called):
        wanted, _, error = due[len(work.calls)] if len(work.calls) < len(due) else ("", 0, None)
        with work.noted(called):
            await asyncio.sleep(seconds)
            if error and called == wanted:
                raise error

    async def waiting():
        await take("`waiting()`")
        return mails

    async def send(text):
        await take(f"`send({text!r})`")

    async def mark(number):
        await take(f"`mark({number})`")

    run = await world.watch(waiting, send, mark, *options, may_raise=type(fault))
    expect_free_loop(run)
    expect_nothing_left(run)
    ended, outcome = began, ""
    for call, (wanted, gap, error) in zip(work.calls, [*due, *[("nothing", 0, None)] * len(work.calls)], strict=False):
        is_mark = wanted == call.item and "mark" in wanted
        is_late = outcome == "cancelled" or (call.start if is_mark else call.end) > run.cancelled_at + SOON
        late = f"{call.item} was under way after the cancellation"
        expect(not is_late, f"{late}. Let that end your function: only a `mark` that is due goes on then.")
        expect(call.item == wanted, f"{call.item} was called, where {wanted} was due. {IN_TURN}")
        paused = f"{call.item} was called {call.start - ended:.3g} s after the call before it had ended"
        rule = "Pause only before you try again: for `pause`, then twice as long, and so on."
        expect(abs(call.start - ended - gap) < SOON, f"{paused}, where {gap:.3g} s are due. {rule}")
        raised = f"{wanted} raised {type(error).__name__}, which did not get out"
        expect(run.error or not fault or error is not fault, f"{raised}. Let that end your function.")
        ended, outcome = call.end, call.outcome
        cut = f"{wanted} was cancelled, though that mail is sent: it would come twice"
        expect(not is_mark or outcome != "cancelled", f"{cut}. Give it a task of its own, and wait until it has ended.")
    for wanted, *_ in due[len(work.calls) :][:1]:
        is_cut = run.cancelled and ("mark" not in wanted or outcome == "cancelled")
        expect(is_cut, f"{wanted} was never called. {GAP if run.cancelled else 'Go on with each mail, unsent or not.'}")
    expect_cancelled(run)
