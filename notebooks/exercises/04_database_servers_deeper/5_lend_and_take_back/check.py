"""The check of exercise 4.5: callers of one pool or two, whose blocks end in every way; they are cancelled anywhere."""

import asyncio
import functools
import itertools
import math

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    MANAGER_ERRORS,
    NotYet,
    count,
    expect_all_awaited,
    expect_nothing_left,
    said,
)
from asynclab.checking.virtual_time import clock

ERROR_MESSAGES = {
    "TypeError: '(\\w+)' object is not callable": (
        "what `make_pool` returns is a `{0}`, and cannot be called. Return the function `lend` itself."
    ),
    "TypeError: AsyncContextDecorator": "`make_pool` has called `lend`. Return the function itself, without brackets.",
    "TypeError: .*NoneType.*(?:'await'|can't be awaited)": (
        "what is awaited there is `None`. `connection.terminate()` takes no time: call it without `await`."
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable '(\\w+)'": (
        "`{0}` is used before it was set: who is cancelled while waiting, or for whom `connect` raises, has none."
    ),
    **ASYNC_WITH_ERRORS,
    **MANAGER_ERRORS,
}
WORLDS = 400
SOON, TURN, PATIENCE = 0.001, 2e-5, 60.0  # seconds: more than some turns of the loop; one; until all must be served
ENDS = "", "by an error", "cancelled", "with a broken connection", "by an error, with a broken connection"


class Connection:
    """It is open until it is terminated. `user` is the caller to whom it is lent; `back` since when it is back."""

    def __init__(self, pool, number):
        self.is_broken, self.is_open, self.user, self.back = False, True, None, math.inf
        self._pool, self._number = pool, number

    def terminate(self):
        """Close the connection at once."""
        self._pool.note(self.is_broken, f"{self!r} was in good order, and was terminated. Lend it to the next caller.")
        self._pool.note(self.is_open, f"{self!r} was terminated twice. Once is enough.")
        self.is_open = False

    def __repr__(self):
        return f"connection {self._number}"


class Pool:
    """The callers of one pool: what happens to them, and what of it is wrong."""

    def __init__(self, world):
        rng, plain = world.rng, world.number < 5
        self.limit, callers = (2, range(6)) if plain else (rng.randint(1, 4), range(rng.choice((1, 3, 8, 20))))
        self.asks = sorted(rng.uniform(0, 0.05) for _ in callers)
        self.uses = [0.05 if plain else world.delay(0.01, 0.1) for _ in callers]
        self.ends = [(ENDS[world.number % 4] if i == 1 else "") if plain else rng.choice(ENDS) for i in callers]
        self.failing = {1} if world.number == 4 else set() if plain else set(rng.choices(range(1, 20), k=3))
        self.opening_takes = 0.02 if plain else world.delay(0.005, 0.05)
        self.rng, self.plain = rng, plain
        self.asked, self.waiting, self.began, self.hit_at_an_end = {}, [], {}, {}  # callers, by their names
        self.opened, self.connects, self.opening, self.opening_for_others, self.lent = [], 0, 0, 0, 0  # connections
        self.cancelled, self.raised, self.unexpected, self.wrong = set(), [], [], []
        self.has_opened_for_others = False
        self.last = ""  # what happened last
        self.in_vain = None  # since when somebody waits though there is a place, who that is, and in what words

    def note(self, is_right, text):
        """Keep what is wrong: the code that is checked must not be able to swallow it."""
        self.wrong.extend([] if is_right else [text])

    async def connect(self):
        """Open a connection."""
        self.connects += 1
        number = self.connects
        many = sum(each.is_open for each in self.opened) + self.opening + 1
        advice = "Let each caller first take a place in a semaphore that all of them share."
        allowed = f"{self.limit} {'is' if self.limit == 1 else 'are'} allowed"
        self.note(many <= self.limit, f"{many} connections were open at once, where {allowed}. {advice}")
        for each in self.opened:
            is_idle = each.is_open and each.back < clock.now - SOON and not each.is_broken
            self.note(not is_idle, f"another connection was opened while {each!r} was idle. Lend that one again.")
        name = asyncio.current_task().get_name()
        is_own = name in self.waiting  # the caller itself opens it, and no task that has it done
        if is_own:
            self.began.setdefault(name, clock.now)
        self.opening_for_others += not is_own
        self.has_opened_for_others = self.has_opened_for_others or not is_own
        self.change(opening=1)
        try:
            await asyncio.sleep(self.opening_takes)
        finally:
            self.opening -= 1
            self.opening_for_others -= not is_own
        if number in self.failing:
            self.raised.append(ConnectionError("nobody answers"))
            raise self.raised[-1]
        self.opened.append(Connection(self, len(self.opened) + 1))
        return self.opened[-1]

    async def call(self, lend, number):
        """Ask for a connection, and use it, until the block ends in the way that was drawn."""
        await asyncio.sleep(self.asks[number])
        name, end, given = f"caller {number + 1}", self.ends[number], None
        error = ValueError("this block fails") if "error" in end else None
        self.asked[name] = clock.now
        self.waiting.append(name)
        self.change()
        if end == "cancelled":
            self.plan_cancellation(name)
        after = f"{name} was cancelled while it waited"
        try:
            async with lend() as connection:
                given = self.take(connection, name)
                after = f"the block of {name} ended {end}".rstrip()
                try:
                    await asyncio.sleep(self.uses[number])
                    if error:
                        raise error
                finally:
                    given.is_broken, given.user = "broken" in end, None
                    self.hit_at_an_end.pop(self.next_in_line(), int)()
                    self.change(after, lent=-1)
            came = None
        except (Exception, asyncio.CancelledError) as caught:
            came = caught
        if given is not None:
            given.back = clock.now
            bad = f"{name} gave back {given!r} broken, and it stayed open. Call its `terminate()`, at once."
            self.note(not (given.is_broken and given.is_open), bad)
        else:
            self.waiting.remove(name)
            if came in self.raised:
                after = f"`connect` raised an error for {name}"
            elif name in self.began:
                after = f"`connect` was cancelled for {name}"
        self.change(after)
        self.judge_end(name, came, error)

    def take(self, connection, name):
        """Take what is lent, and return it. Raises `NotYet` if it cannot be used."""
        if connection not in self.opened:
            what = "a connection of another pool. Keep all of a pool inside `make_pool`."
            if not isinstance(connection, Connection):
                what = f"{said(connection)} instead of a connection. `yield` what `connect()` gave."
            self.wrong.append(f"{name} was given {what}")
            raise NotYet(what)
        self.note(not connection.user, f"{name} was lent {connection!r}, which {connection.user} still used.")
        self.note(not connection.is_broken, f"{name} was lent {connection!r}, which was broken. Lend it never again.")
        connection.user, connection.back = name, math.inf
        self.began.setdefault(name, clock.now)
        self.waiting.remove(name)
        self.change(lent=1)
        return connection

    def plan_cancellation(self, name):
        """Cancel the caller's task: soon, some time later, or when it is the next one as the block of another ends."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        turns = TURN * self.rng.randint(-2, 4)
        if self.plain:
            loop.call_later(0.04, self.cancel, task, name)  # it has a connection by then
        elif self.rng.random() < 0.5:
            cancel_later = loop.call_soon if turns < 0 else functools.partial(loop.call_later, turns)
            self.hit_at_an_end[name] = functools.partial(cancel_later, self.cancel, task, name)
        else:
            loop.call_later(self.rng.choice((abs(turns), self.rng.uniform(0, 0.2))), self.cancel, task, name)

    def next_in_line(self):
        """Return the first caller who waits, and for whom no connection is being opened; None if there is none."""
        return next(iter([name for name in self.waiting if name not in self.began][self.opening_for_others :]), None)

    def cancel(self, task, name):
        """Cancel a caller, if it has not ended."""
        if task.cancel():
            self.cancelled.add(name)

    def change(self, after="", opening=0, lent=0):
        """Note how many are being opened or lent now, `after` what, and whether anybody waits in vain."""
        self.opening, self.lent = self.opening + opening, self.lent + lent
        self.last = after or self.last
        waits = self.next_in_line()
        used = self.opening + self.lent
        if self.in_vain and (waits != self.in_vain[1] or used >= self.limit):
            self.look()
        if waits and used < self.limit and not self.in_vain:
            after = f"{self.last}, and then " if self.last else ""
            self.in_vain = clock.now, waits, f"{after}{waits} waited", f"with {used} in use where {self.limit} may be"

    def look(self):
        """Note it if somebody has waited in vain for a while."""
        if self.in_vain and clock.now - self.in_vain[0] > SOON:
            since, _, waited, used = self.in_vain
            seconds, advice = clock.now - since, "Let it go on as soon as there is a place."
            if " and then " in waited:
                advice = "However a caller ends, its place is free at once: `async with` a semaphore sees to that."
            long = "forever" if seconds > PATIENCE / 2 else f"for {1000 * seconds:.0f} ms"
            self.wrong.append(f"{waited} {long}, {used}. {advice}")
        self.in_vain = None

    def judge_end(self, name, came, error):
        """Note it if something else got out than what ended the block, or kept the caller from having one."""
        if name in self.cancelled:
            expected = isinstance(came, asyncio.CancelledError) or (came and came in (error, *self.raised))
            self.note(
                came or expected, f"{name} was cancelled, and went on as if it were not. Let `CancelledError` out."
            )
        else:
            expected = came is error or came in self.raised
            self.note(came or expected, f"the block of {name} raised an error, which was swallowed. Let it out.")
        if came and not expected and not isinstance(came, NotYet):
            self.unexpected.append(came)

    async def serve(self, make_pool):
        """Let all callers of one pool have their turn."""
        lend = make_pool(self.connect, self.limit)
        tasks = [asyncio.create_task(self.call(lend, i), name=f"caller {i + 1}") for i in range(len(self.asks))]
        _, pending = await asyncio.wait(tasks, timeout=PATIENCE)
        self.look()
        self.note(not pending, f"{self.waiting[0] if self.waiting else 'a caller'} never went on.")
        for task in pending:
            self.cancel(task, task.get_name())

    def judge_order(self):
        """Note it if a caller went on before one that had asked earlier.

        Not if a place came back in the moment of asking, or somebody was cancelled, where a queue may lose the order;
        nor if it is unknown for whom a connection was opened.
        """
        began = [(name, self.began[name]) for name in self.asked if name in self.began]
        for (one, since), (other, then) in itertools.pairwise(began):
            if self.cancelled or self.has_opened_for_others or then < self.asked[other] + SOON:
                continue
            late = f"{other} asked after {one}, and went on before it. Let them stand in line, as a semaphore does."
            self.note(since <= then + SOON, late)


async def check(make_pool, world):
    """The limit is kept, nobody waits in vain or out of turn, and nothing is lost, whatever happens to the callers."""
    pools = [Pool(world) for _ in range(2 if world.number % 5 == 4 and world.number > 5 else 1)]
    world.facts += [f"{count(len(pool.asks), 'caller')} and a limit of {pool.limit}" for pool in pools]

    async def serve_all():
        await asyncio.gather(*[pool.serve(make_pool) for pool in pools])

    run = await world.watch(function=serve_all, cancel=False)
    for pool in pools:
        pool.judge_order()
        for error in pool.unexpected:
            raise NotYet(world.explain(error))
        for text in pool.wrong:
            raise NotYet(text)
    expect_all_awaited(run)
    expect_nothing_left(run)
