"""The check of exercise 3.7: cancelled once, twice, three times; during a request, between two, while idle, closing."""

import asyncio

from asynclab.checking.expect import (
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_no_error_lost,
    expect_nothing_left,
    often,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import Work

ERROR_MESSAGES = {
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited|a future)": (
        "What you start or await here is no coroutine. Call the function, with brackets: `handle(request)`, `close()`."
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable '(\\w+)'": (
        "`{0}` is used before it was set. Mind that `serve` may be cancelled while it waits for its first request."
    ),
    "QueueEmpty": (
        "`get_nowait()` raises `QueueEmpty` when there is nothing yet. Wait for a request: `await queue.get()`."
    ),
}
WORLDS, ONCE = 400, 12  # worlds; in the first of them there is one cancellation
SOON, TURN, PATIENCE = 0.001, 2e-5, 10.0  # seconds: more than some turns of the loop; one; until all must be handled
AGAIN = "Awaiting a task passes a cancellation on to it: `await asyncio.wait([task])`, each time, until it is done."
RAISE = "Keep the `CancelledError`, and raise it when all is done."


async def check(serve, world):
    """Requests come early and late, and up to three cancellations: told of as few as show what is wrong."""
    scene = Scene(world)
    most = 1 if world.number < ONCE else 2 if world.number == ONCE else world.pick(1, 2, 3)
    try:
        await scene.watch(serve, world, most)
    except NotYet:
        for times in range(1, most + 1):
            await scene.watch(serve, world, times)
        raise


class Scene:
    """Requests, when they come, how long they take, and when `serve` is cancelled: all of it drawn beforehand."""

    def __init__(self, world):
        rng = world.rng
        plain = world.number in (0, ONCE)  # cancelled during the second request
        self.requests = [1, 2, 3]
        if world.number >= 6 and not plain:
            self.requests = rng.sample([0, 1, 2, 2, 3, None, "", "a"], world.pick(0, 1, 3, 8))
        self.arrivals = sorted(rng.choice((0, 0, rng.uniform(0, 0.3))) for _ in self.requests)
        self.seconds, self.closing = [world.delay() for _ in self.requests], world.delay()
        # The first cancellation comes a while after the beginning of request number `at`, or of everything (0); the
        # next ones a while after that: as something goes on, or within some turns of its end.
        self.at = 2 if plain else rng.randint(0, len(self.requests))
        left = self.seconds[self.at - 1] if self.at else 0.05
        self.gaps = [left / 4] * 3 if plain else []
        while len(self.gaps) < 3:
            meanwhile = 0, TURN * rng.randint(1, 4), rng.uniform(0, left), rng.uniform(0, left)
            at_its_end, later = left + TURN * rng.randint(-1, 5), left + rng.uniform(0, self.closing)
            self.gaps.append(max(0.0, rng.choice((*meanwhile, at_its_end, at_its_end, later))))
            left = max(0.0, left - self.gaps[-1])
        if self.at == 0:
            self.gaps[0] += 5 * TURN  # `serve` has begun

    async def watch(self, serve, world, times):
        """Cancel `serve` so often, and expect that it ends in good order."""
        world.facts = [count(len(self.requests), "request"), f"cancelled {often(times)}"]
        queue, handled, closed, arrived, cancelled = asyncio.Queue(), Work("handle", {}), Work("close", {}), [], []
        loop, task = asyncio.get_running_loop(), None

        async def handle(request):
            with handled.noted(request):
                number = len(handled.calls)
                if number == self.at:
                    cancel_later()
                await asyncio.sleep(self.seconds[min(number, len(self.seconds)) - 1])

        async def close():
            with closed.noted(None):
                await asyncio.sleep(self.closing)

        def arrive(request):
            arrived.append(request)
            queue.put_nowait(request)

        def cancel_later():
            if len(cancelled) < times:
                gap = self.gaps[len(cancelled)]
                loop.call_later(gap, cancel) if gap else cancel()

        def cancel():
            if task.cancel():
                cancelled.append(clock.now)
                cancel_later()

        async def cancels_serve():
            nonlocal task
            task = loop.create_task(serve(queue, handle, close), name="serve")
            for request, arrival in zip(self.requests, self.arrivals, strict=True):
                loop.call_later(arrival, arrive, request) if arrival else arrive(request)
            if self.at == 0:
                cancel_later()
            await asyncio.wait([task], timeout=PATIENCE)
            self.idle = not cancelled
            if self.idle:
                cancel()
                await asyncio.wait([task], timeout=PATIENCE)
            self.end, self.taken = clock.now, arrived[: len(arrived) - queue.qsize()]
            if not task.done():
                return None
            return "cancelled" if task.cancelled() else task.result() or "returned"

        run = await world.watch(function=cancels_serve, cancel=False)
        expect_all_awaited(run)
        done = f"After {count(len(handled.calls), 'request')} your function ended by itself"
        expect(cancelled, f"{done}. Wait for the next one, forever.")
        expect(run.value, f"Your function was cancelled, and ran on. {RAISE}")
        returned = "Your function caught its cancellation and returned as if done"
        expect(run.value == "cancelled", f"{returned}. {RAISE}")
        run.cancelled = True
        self.judge_requests(handled, cancelled)
        self.judge_close(closed, handled, cancelled)
        expect_nothing_left(run)
        expect_no_error_lost(run)

    def judge_requests(self, handled, cancelled):
        """Expect that the requests that were taken were handled one after another, each once and to its end."""
        begun = [call.item for call in handled.calls]
        for i, item in enumerate(begun):
            if begun[: i + 1] != self.taken[: i + 1]:
                again = "was called again. Let the first call go on, in a task of its own, and wait for its end"
                turn = "was called out of turn. Handle each request once, in the order in which the queue gives them"
                raise NotYet(f"{handled.call(item)} {again if item in begun[:i] else turn}.")
        for call in handled.calls:
            name = handled.call(call.item)
            late = f"{name} was begun after the cancellation. Finish the one under way, and take no other."
            expect(call.start < cancelled[0] + SOON, late)
            if call.outcome == "cancelled" and call.end <= self.end:
                first = "Let it run in a task of its own, and wait for that task with `asyncio.wait`."
                which, how = ("The", first) if len(cancelled) == 1 else ("Another", AGAIN)
                raise NotYet(f"{which} cancellation reached {name}, and it was not finished. {how}")
        expect(handled.most < 2, "Two requests were handled at once. Wait for the end of one before you take the next.")
        for request in (self.requests if self.idle else self.taken)[len(begun) :]:
            raise NotYet(f"{handled.call(request)} was never called. Handle each request, and let none be lost.")

    def judge_close(self, closed, handled, cancelled):
        """Expect that `close` was called once, as soon as nothing was under way, and ran to its end."""
        times = len(closed.calls)
        amid = any(call.start <= cancelled[0] <= call.end for call in handled.calls)
        at_its_end = any(call.end < cancelled[0] < call.end + SOON for call in handled.calls)
        when = "during a request" if amid else "as a request ended" if at_its_end else "while it waited for a request"
        if times != 1:
            called = f"called `close` {often(times)}" if times else "never called `close`"
            raise NotYet(
                f"Cancelled {when}, your function {called}. Await `close()` once: a `finally` around everything always "
                "does it."
            )
        (call,), last = closed.calls, max([call.end for call in handled.calls], default=0)
        if call.start < last:
            early = f"`close` was called while {handled.call(handled.calls[-1].item)} was still under way"
            first = "A shield protects the request, but does not wait for it: await its task, and then close."
            raise NotYet(f"{early}. {first if len(cancelled) == 1 else f'Cancelled again, wait on. {AGAIN}'}")
        late = call.start - max(last, cancelled[0])
        expect(late < SOON, f"Cancelled {when}, your function called `close` only {1000 * late:.0f} ms after it could.")
        if call.outcome != "done" or call.end > self.end:
            how = (
                "Await it: `await close()`." if len(cancelled) == 1 else f"It needs the same care as a request. {AGAIN}"
            )
            which = "was begun, and" if len(cancelled) == 1 else "was hit by another cancellation, and"
            raise NotYet(f"`close` {which} did not run to its end. {how}")
