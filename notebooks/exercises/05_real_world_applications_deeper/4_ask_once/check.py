"""The check of exercise 5.4: callers ask for a few keys, alone and together, again and again; some are cancelled."""

import asyncio
import gc
import math
import weakref
from dataclasses import dataclass

from asynclab.checking.expect import (
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
from asynclab.checking.work import Work

ERROR_MESSAGES = {
    "TypeError: 'coroutine' object is not callable": (
        "what `ask_once` gives is a coroutine. Define it with `def`, and let it return the function `ask` itself."
    ),
    "TypeError: 'NoneType' object is not callable": "`ask_once` returns nothing. Let it return the function `ask`.",
    "TypeError: .*(?:'await'|can't be awaited|awaitable is required|coroutine was expected)": (
        "what you await there cannot be awaited. `fetch(key)` gives a coroutine, and `create_task` a task."
    ),
    "RuntimeError: (?:cannot reuse already awaited coroutine|coroutine is being awaited already)": (
        "a coroutine can be awaited once. Make a task of it, which many may await."
    ),
    "InvalidStateError": "a future was asked for its result too early, or set twice. Look whether it is `done()`.",
}
WORLDS = 400
SOON, TURN, PATIENCE = 0.0005, 2e-5, 60.0  # seconds: more than some turns of the loop; one; until all must be served
STORIES = (  # in ms: when each caller asks, for which key, and how long after that it is cancelled
    [(0, "ada"), (11, "ada"), (23, "ada"), (217, "ada")],
    [(0, "ada"), (11, "ada"), (23, "ada"), (217, "ada")],  # the first call fails
    [(0, "ada", 17), (11, "ada"), (23, "ada")],
    [(0, "ada"), (11, "ada", 17), (23, "ada")],
    [(0, "ada", 20), (11, "ada", 21), (117, "ada")],
    [(0, "ada", 20), (11, "ada", 21), (41, "ada")],
    [(0, "ada"), (11, "bob"), (23, "ada")],
)
AGAIN = 7  # the world in which each asks again as soon as it has its answer


class Key(str):
    """A key, of which one can see whether it is kept."""


class Answer(list):
    """What a call gives; in some worlds it is empty."""


class Failure(Exception):
    """What a call raises."""


@dataclass
class Ask:
    """One `await ask(key)` of a caller. `got` is the number of the call whose answer or error came."""

    who: str
    key: str
    asked: float
    after: int  # the call of which this caller has only now got the answer; 0 is none
    cancelled: float = math.inf
    ended: float = math.inf
    got: int = 0
    came: object = None  # anything else that came


class Scene:
    """Callers, what they ask and when, and what came of it."""

    def __init__(self, world):
        rng, number = world.rng, world.number
        self.plain, self.rng = number <= AGAIN, rng
        if self.plain:
            self.plan = [(*each, None)[:3] for each in STORIES[number % AGAIN]]
        else:
            keys, many = ["ada", "bob", "eve", "dan", "kim"][: world.pick(1, 1, 2, 5)], world.pick(1, 2, 4, 8, 30)
            ends = [world.pick(None, rng.uniform(0, 60), rng.uniform(0, 60), "at its end") for _ in range(many)]
            share = world.pick(0, 0.3, 0.9)
            self.plan = [
                (rng.uniform(0, 150), world.pick(*keys), end if rng.random() < share else None) for end in ends
            ]
        self.again = [number == AGAIN or (not self.plain and rng.random() < 0.3) for _ in self.plan]
        self.seconds = [0.05 if self.plain else world.delay(0.005, 0.08) for _ in range(100)]
        self.failing = (
            {1} if number == 1 else set() if self.plain else set(rng.choices(range(1, 40), k=world.pick(0, 8)))
        )
        self.closing = 0.02 if self.plain else world.pick(0, 0.02)
        self.asks, self.keys, self.to_hit, self.calls = [], [], {}, Work("fetch", {})
        self.is_over = False
        world.facts += [count(len(self.plan), "caller")]

    async def fetch(self, key):
        """Give an answer, or raise an error, after a while."""
        with self.calls.noted(str(key)) as call:
            number = len(self.calls.calls)
            try:
                await asyncio.sleep(self.seconds[number % 100])
            except asyncio.CancelledError:
                call.hit = clock.now
                if self.closing:
                    await asyncio.sleep(self.closing)
                raise
            for hit in self.to_hit.pop(str(key), []):
                hit()
            if number in self.failing:
                raise Failure(number)
            answer = Answer([number] if self.plain else [])
            answer.number = number
            return answer

    async def call(self, ask, who, plan, again):
        """Ask, once or twice, and note what comes of it."""
        when, text, cancel = plan
        await asyncio.sleep(when / 1000)
        after = 0
        for turn in range(1 + again):
            one = Ask(who, text, clock.now, after)
            self.asks.append(one)
            if not turn:
                self.plan_cancellation(one, cancel)
            key = Key(text)
            self.keys.append(weakref.ref(key))
            try:
                one.came = await ask(key)
                one.got = getattr(one.came, "number", 0)
            except Failure as error:
                one.got = error.args[0]
            except (Exception, asyncio.CancelledError) as error:
                one.came = error
            one.came = one.came if not one.got else None
            one.ended = math.inf if self.is_over else clock.now
            if not one.got:
                return
            after = one.got if one.asked < self.calls.calls[one.got - 1].end else 0

    def plan_cancellation(self, one, cancel):
        """Cancel the caller after a while, or within some turns of the end of a call."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def hit():
            if one.ended == math.inf and task.cancel():
                one.cancelled = clock.now

        if cancel == "at its end":
            turns = TURN * self.rng.randint(-1, 4)
            later = (lambda: loop.call_soon(hit)) if turns < 0 else (lambda: loop.call_later(turns, hit))
            self.to_hit.setdefault(one.key, []).append(later)
        elif cancel is not None:
            loop.call_later(cancel / 1000, hit)

    async def play(self, ask_once):
        """Let all callers ask, and wait for them."""
        ask = ask_once(self.fetch)
        callers = [
            asyncio.create_task(self.call(ask, f"caller {i + 1}", plan, again), name=f"caller {i + 1}")
            for i, (plan, again) in enumerate(zip(self.plan, self.again, strict=True))
        ]
        _, pending = await asyncio.wait(callers, timeout=PATIENCE)
        self.is_over, self.left = True, self.calls.open
        await asyncio.sleep(1)  # a call that is left goes on
        for each in pending:
            each.cancel()
        self.ask = ask  # what it keeps is looked for


async def check(ask_once, world):
    """One call for all who wait; nobody is hurt by the end of another; no call is left, or remembered."""
    scene = Scene(world)

    async def callers():
        await scene.play(ask_once)

    run = await world.watch(function=callers, cancel=False)
    expect_all_awaited(run)
    for one in scene.asks:
        if isinstance(one.came, ExceptionGroup) and isinstance(one.came.exceptions[0], Failure):
            raise NotYet(
                "A call raised an error, and a *group* of errors reached its caller. Let out the error itself."
            )
        if isinstance(one.came, Exception):
            raise NotYet(world.explain(one.came))
    expect(scene.calls.calls, "`fetch` was never called. Begin a call where none is under way for the key.")
    for key in dict.fromkeys(one.key for one in scene.asks):
        judge(key, [one for one in scene.asks if one.key == key], scene)
    left = "All callers had ended, and a call was still under way. The last one to leave has to cancel it, and to wait"
    expect(not scene.left, f"{left} until it has ended.")
    expect_nothing_left(run)
    if any(one.cancelled < math.inf for one in scene.asks):
        return
    expect_no_error_lost(run)
    gc.collect()
    if (
        world.number > WORLDS // 2 and not scene.failing
    ):  # it is told last; an error would keep what its traceback shows
        kept = [key() for key in scene.keys if key() is not None]
        expect(
            not kept,
            f"No call is under way any more, and the key {said(str(kept[0]) if kept else '')} is still kept. Remove it "
            "from every dict when its call has ended.",
        )


def judge(key, asks, scene):
    """Expect that those who asked for this key got what is due to them."""
    calls = {number: call for number, call in enumerate(scene.calls.calls, 1) if call.item == key}
    name = scene.calls.call(key)
    for one in asks:
        who = f"{one.who} asked for {key!r}"
        if one.got:
            call = scene.calls.calls[one.got - 1]
            expect(call.item == key, f"{who}, and was given an answer to {call.item!r}. Keep the keys apart.")
            old = one.after == one.got or one.asked > call.end + SOON
            when = f"for {key!r} after a call had ended, and was given what that call gave"
            if one.after == one.got:
                when = f"again for {key!r}, as soon as it had its answer, and was given what the call before gave"
            joined = "A call that has ended is not joined any more: begin a new one"
            expect(not old, f"{one.who} asked {when}. {joined}.")
            late = 1000 * (one.ended - call.end)
            expect(late < 1000 * SOON, f"{who}, and waited for {late:.0f} ms after the call had ended. Await its task.")
            expect(
                one.cancelled > one.ended - SOON, f"{one.who} was cancelled, and waited on. Let `CancelledError` out."
            )
        elif one.cancelled == math.inf:
            expect(one.ended < math.inf, f"{who}, and waited forever. Check who tells it what came.")
            if isinstance(one.came, asyncio.CancelledError):
                raise NotYet(hurt(one, asks, scene))
            expect_finished(one.came)
            raise NotYet(f"{who}, and was given {said(one.came)}, not what `fetch` gave. Return that, whatever it is.")
        elif not isinstance(one.came, asyncio.CancelledError):
            raise NotYet(f"{one.who} was cancelled, and was given {said(one.came)}. Let `CancelledError` out.")
    if is_clear(asks, calls):
        judge_calls(name, asks, calls)


def hurt(one, asks, scene):
    """Return what to say of a caller that was not cancelled, and ended so."""
    if any(
        call.item == one.key and getattr(call, "hit", math.inf) < one.asked < call.end for call in scene.calls.calls
    ):
        return (
            f"{one.who} asked for {one.key!r} while a call was being stopped, joined it, and got its `CancelledError`. "
            "Remove the task from your dict *before* you cancel it: then whoever asks begins a new call."
        )
    others = [each.who for each in asks if each.cancelled <= one.ended]
    first = f"{others[-1]} was cancelled" if others else "Nobody was cancelled"
    return (
        f"{first}, and {one.who}, who waited for the same key, got a `CancelledError`, too. Keep the cancellation of "
        "a caller from the call: `await asyncio.shield(task)`, or `asyncio.wait([task])`."
    )


def is_clear(asks, calls):
    """Return whether nothing happened at the same time: then it is clear who waits for which call."""
    for number, call in calls.items():
        for one in asks:
            asked_then = abs(one.asked - call.end) < SOON and one.after != number
            if asked_then or abs(one.cancelled - call.end) < SOON:
                return False
    return not any(abs(one.asked - each.cancelled) < SOON for one in asks for each in asks)


def judge_calls(name, asks, calls):
    """Expect that there was one call for all who waited, which ended as soon as nobody did, and not before."""
    waiting = {number: [] for number in calls}
    for one in asks:
        begun = [number for number, call in calls.items() if call.start < one.asked + SOON and number != one.after]
        under_way = [n for n in begun if one.asked < calls[n].end and not is_left(waiting[n], one.asked)]
        if one.got and one.got not in begun:
            late = f"{1000 * (calls[one.got].start - one.asked):.0f} ms later"
            if not under_way:
                now = "Begin a call at once, whatever is under way for other keys, or is being stopped"
                raise NotYet(f"{one.who} asked, and {name} was called only {late}. {now}.")
            how = "Let it join the one under way, and let no caller's cancellation end that"
            if calls[under_way[0]].outcome == "failed":
                how = "Let the error of the one under way reach whoever joined it"
            what = f"{one.who} asked while {name} was under way, and was given what another call gave, begun {late}"
            raise NotYet(f"{what}. {how}.")
        joins = one.got or next(iter(under_way), 0)
        expect(joins, f"{one.who} asked, and no call of {name} was under way, nor begun for it. Begin one at once.")
        waiting[joins].append(one)
    for number, call in calls.items():
        for other in [each for each in calls if each < number]:
            under_way = calls[other].end > call.start and not is_left(waiting[other], call.start)
            expect(not under_way, f"{name} was called again while a call was under way. Let whoever asks then join it.")
        judge_end(name, call, waiting[number])


def is_left(waiting, moment):
    """Return whether all who waited for a call had been cancelled by then."""
    return bool(waiting) and all(one.cancelled < moment for one in waiting)


def judge_end(name, call, waiting):
    """Expect that a call went on as long as somebody waited for it, and was then stopped, and waited for."""
    last = max(one.cancelled for one in waiting) if waiting else math.inf
    if call.outcome == "cancelled":
        rest = [one.who for one in waiting if one.cancelled > call.hit]
        expect(
            not rest, f"{name} was cancelled, though {rest[0] if rest else ''} still waited for it. Count who waits."
        )
    all_gone = f"All who waited for {name} had been cancelled"
    expect(
        last > call.end or (call.outcome == "cancelled" and call.hit < last + SOON),
        f"{all_gone}, and it went on. The last one to leave has to cancel it: `task.cancel()`.",
    )
    for one in waiting:
        is_last = one.cancelled == last
        if one.cancelled < math.inf and not is_last:
            late = 1000 * (one.ended - one.cancelled)
            expect(
                late < 1000 * SOON,
                f"{one.who} was cancelled, and went on for {late:.0f} ms, though others still waited.",
            )
    if call.outcome == "cancelled" and waiting:
        ended = max(one.ended for one in waiting)
        waited = f"{all_gone}, and it was stopped, but the last of them did not wait until it had ended"
        expect(ended > call.end - TURN / 2, f"{waited}. After `task.cancel()`, await `asyncio.wait([task])`.")
