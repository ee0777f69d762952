"""The check of exercise 5.4: callers ask for a few keys, alone and together, again and again; some are cancelled."""

import asyncio
import gc
import math
import weakref
from dataclasses import dataclass

from asynclab.checking.expect import (
    WAIT_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_finished,
    expect_no_error_lost,
    expect_nothing_left,
    said,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import Call, Work

ERROR_MESSAGES = {
    "TypeError: 'coroutine' object is not callable": (
        "what `ask_once` gives is a coroutine. Define it with `def`, and let it return the function `ask` itself."
    ),
    "TypeError: 'NoneType' object is not callable": "`ask_once` returns nothing. Let it return the function `ask`.",
    "^Failure: ": "A call raised an error, and a *group* of errors reached its caller. Let out the error itself.",
} | WAIT_ERRORS
WORLDS = 400
AT_END = -1  # cancelled within some turns of the end of a call
SOON, PATIENCE = 0.0005, 60.0  # seconds: more than some turns of the loop; until all must be served
STORIES = (  # when each caller asks, for which key, and how long after that it is cancelled (in ms)
    [(0, "ada"), (11, "ada"), (23, "ada"), (217, "ada")],
    [(0, "ada"), (11, "ada"), (23, "ada"), (217, "ada")],  # the first call fails
    [(0, "ada", 17), (11, "ada"), (23, "ada")],
    [(0, "ada"), (11, "ada", 17), (23, "ada")],
    [(0, "ada", 20), (11, "ada", 21), (117, "ada")],
    [(0, "ada", 20), (11, "ada", 21), (41, "ada")],
    [(0, "ada"), (11, "bob"), (23, "ada")],
    [(0, "ada"), (11, "ada"), (23, "ada"), (217, "ada")],  # each asks again as soon as it has its answer
)


class Key(str):
    """A key, of which one can see whether it is kept."""


class Answer(list):
    """What a call gives; in some worlds it is empty. Its `call` is the one that gave it."""


class Failure(Exception):
    """What a call raises. Its `call` is the one that raised it."""


@dataclass
class Ask:
    """One `await ask(key)` of a caller, and what came of it."""

    who: str
    key: str
    leaves: float | None  # after how many ms it is cancelled
    task: asyncio.Task
    after: Call | None  # the call whose answer this caller has only now got
    asked: float
    cancelled: float = math.inf
    ended: float = math.inf
    came: object = None
    got: Call | None = None  # the call whose answer or error came

    def cancel(self, turns=0):
        """Cancel the caller, in so many turns of the loop, unless it has what it asked for."""
        if turns:
            asyncio.get_running_loop().call_soon(self.cancel, turns - 1)
        elif self.ended == math.inf and self.task.cancel():
            self.cancelled = clock.now


class Scene:
    """Callers, what they ask and when, and what came of it."""

    def __init__(self, world):
        self.rng, number = world.rng, world.number
        self.asks, self.keys, self.calls = [], [], Work("fetch", {})
        if number < len(STORIES):
            self.plan, self.seconds, self.calls.closing = STORIES[number], (0.05, 0.05), 0.02
            self.failing, self.again = {1} if number == 1 else (), number == 7
        else:
            keys = ["ada", "bob", "eve", "dan", "kim"][: world.pick(1, 1, 2, 5)]
            ends = [AT_END, AT_END, *[self.rng.uniform(0, 60) for _ in range(4)], *[None] * world.pick(1, 12, 1000)]
            asks = range(world.pick(1, 2, 4, 8, 30))
            self.plan = [(self.rng.uniform(0, 150), world.pick(*keys), world.pick(*ends)) for _ in asks]
            self.seconds, self.calls.closing = (0.005, 0.08), world.pick(0, 0.02)
            self.failing, self.again = self.rng.choices(range(1, 40), k=world.pick(0, 8)), 0.3
        world.facts.append(count(len(self.plan), "caller"))

    async def fetch(self, key):
        """Give an answer, or raise an error, after a while."""
        with self.calls.noted(str(key)) as call:
            number = len(self.calls.calls)
            await self.calls.take(call, self.rng.uniform(*self.seconds))
            for one in self.asks:
                if one.key == call.item and one.leaves == AT_END:
                    one.cancel(self.rng.randint(0, 5))
            came = Failure("a call failed") if number in self.failing else Answer(self.rng.choice(([], [number])))
            came.call = call
            if number in self.failing:
                raise came
            return came

    async def caller(self, who, when, text, leaves=None):
        """Ask, once or twice, and note what comes of it."""
        await asyncio.sleep(when / 1000)
        after = None
        for _ in range(1 + (self.rng.random() < self.again)):
            one, key = Ask(who, text, leaves, asyncio.current_task(), after, clock.now), Key(text)
            self.asks.append(one)
            self.keys.append(weakref.ref(key))
            if leaves and leaves != AT_END:
                asyncio.get_running_loop().call_later(leaves / 1000, one.cancel)
            try:
                one.came = await self.ask(key)
            except (Exception, asyncio.CancelledError) as error:
                one.came = error
            one.ended, one.got = clock.now, getattr(one.came, "call", None)
            if not one.got:
                return
            after = one.got if one.asked < one.got.end else None

    async def callers(self, ask_once):
        """Let all callers ask, and wait for them, and for a call that is left."""
        self.ask = ask_once(self.fetch)  # what it keeps is looked for
        names = [f"caller {i + 1}" for i in range(len(self.plan))]
        coming = {who: self.caller(who, *each) for who, each in zip(names, self.plan, strict=True)}
        await asyncio.wait([asyncio.create_task(each, name=who) for who, each in coming.items()], timeout=PATIENCE)
        await asyncio.sleep(1)


async def check(ask_once, world):
    """One call for all who wait; nobody is hurt by the end of another; no call is left, or remembered."""
    scene = Scene(world)
    run = await world.watch(ask_once, function=scene.callers, cancel=False)
    expect_all_awaited(run)
    for key in dict.fromkeys(one.key for one in scene.asks):
        asks = [one for one in scene.asks if one.key == key]
        calls = [call for call in scene.calls.calls if call.item == key]
        for one in asks:
            expect_what_is_due(one, asks, calls, world)
        if is_clear(asks, calls):
            expect_stopped_in_time(scene.calls.call(key), asks, calls)
            expect_one_for_all(scene.calls.call(key), asks, calls)
    expect(
        all(call.end < max(one.ended for one in scene.asks) + SOON for call in scene.calls.calls),
        "All callers had ended, and a call was still under way. The last one to leave has to cancel it, and to wait "
        "until it has ended.",
    )
    expect_nothing_left(run)
    if any(one.cancelled < math.inf for one in scene.asks):
        return
    expect_no_error_lost(run)
    gc.collect()
    kept = [said(str(key())) for key in scene.keys if key() is not None]
    expect(  # it is told last; an error would keep what its traceback shows
        world.number <= WORLDS // 2 or scene.failing or not kept,
        f"No call is under way any more, and the key {' '.join(kept[:1])} is still kept. Remove it from every dict "
        "when its call has ended.",
    )


def expect_what_is_due(one, asks, calls, world):
    """Expect that a caller got what a call for its key gave, at once; or that it was cancelled, and ended so."""
    who, got, is_free = f"{one.who} asked for {one.key!r}", one.got, one.cancelled == math.inf
    held_on = f"{one.who} was cancelled, and was given {said(one.came)}. Let `CancelledError` out."
    expect(one.ended < one.asked + PATIENCE / 2, f"{who}, and waited forever. Check who tells it what came.")
    if got:
        expect(got in calls, f"{who}, and was given an answer to {got.item!r}. Keep the keys apart.")
        again = f"again for {one.key!r}, as soon as it had its answer"
        when = again if one.after is got else f"for {one.key!r} after a call had ended"
        old = "and was given what that call gave. A call that has ended is not joined any more: begin a new one."
        expect(one.after is not got and one.asked < got.end + SOON, f"{one.who} asked {when}, {old}")
        late = one.ended - got.end
        expect(late < SOON, f"{who}, and waited for {1000 * late:.0f} ms after the call had ended. Await its task.")
        expect(one.cancelled > one.ended - SOON, held_on)
    elif isinstance(one.came, asyncio.CancelledError):
        expect(not is_free, hurt(one, asks, calls))
    elif isinstance(one.came, Exception):
        raise NotYet(world.explain(one.came))
    else:
        expect(is_free, held_on)
        expect_finished(one.came)
        raise NotYet(f"{who}, and was given {said(one.came)}, not what `fetch` gave. Return that, whatever it is.")


def hurt(one, asks, calls):
    """Return what to say of a caller that was not cancelled, and ended so."""
    if any(call.cancelled < one.asked < call.end for call in calls):
        return (
            f"{one.who} asked for {one.key!r} while a call was being stopped, joined it, and got its `CancelledError`. "
            "Remove the task from your dict *before* you cancel it: then whoever asks begins a new call."
        )
    others = ["Nobody", *(each.who for each in asks if each.cancelled <= one.ended)]
    return (
        f"{others[-1]} was cancelled, and {one.who}, who waited for the same key, got a `CancelledError`, too. "
        "Keep the cancellation of a caller from the call: `await asyncio.shield(task)`, or `asyncio.wait([task])`."
    )


def is_clear(asks, calls):
    """Return whether nothing happened at the same time: then it is clear who waits for which call."""
    pairs = [(one.asked, call.end) for one in asks for call in calls if one.after is not call]
    pairs += [(one.cancelled, call.end) for one in asks for call in calls]
    pairs += [(one.asked, other.cancelled) for one in asks for other in asks]
    return all(abs(moment - other) > SOON for moment, other in pairs)


def under_way(one, calls):
    """Return the calls that a caller might join when it asks, or begin."""
    begun = [call for call in calls if call.start < one.asked + SOON and call is not one.after]
    return [call for call in begun if one.asked < min(call.end, call.cancelled)]


def expect_stopped_in_time(name, asks, calls):
    """Expect that a call was stopped, and waited for, as soon as nobody waited for its answer."""
    for call in calls:
        waiting = [one for one in asks if call is (one.got or next(iter(under_way(one, calls)), None))]
        last = max([one.cancelled for one in waiting], default=math.inf)
        all_gone = f"All who waited for {name} had been cancelled"
        expect(
            last > call.end or call.cancelled < last + SOON,
            f"{all_gone}, and it went on. The last one to leave has to cancel it: `task.cancel()`.",
        )
        for one in waiting:
            late = one.ended - one.cancelled
            expect(
                one.cancelled == last or late < SOON,
                f"{one.who} was cancelled, and went on for {1000 * late:.0f} ms, though others still waited.",
            )
        expect(
            call.outcome != "cancelled" or not waiting or max(one.ended for one in waiting) >= call.end,
            f"{all_gone}, and it was stopped, but the last of them did not wait until it had ended. After "
            "`task.cancel()`, await `asyncio.wait([task])`.",
        )


def expect_one_for_all(name, asks, calls):
    """Expect that whoever asked joined the call that was under way, or else began one, at once."""
    for one in asks:
        joined = under_way(one, calls)
        is_late = one.got and one.got.start > one.asked + SOON
        late = f"only {1000 * (one.got.start - one.asked):.0f} ms later" if is_late else "not called then"
        expect(
            joined,
            f"{one.who} asked, and {name} was called {late}. Begin a call at once, whatever is under way for other "
            "keys, or is being stopped.",
        )
        how = "Let it join the one under way, and let no caller's cancellation end that"
        if joined[0].outcome == "failed":
            how = "Let the error of the one under way reach whoever joined it"
        expect(
            not is_late,
            f"{one.who} asked while {name} was under way, and was given what another call gave, begun {late}. {how}.",
        )
        expect(len(joined) == 1, f"{name} was called again while a call was under way. Let whoever asks then join it.")
