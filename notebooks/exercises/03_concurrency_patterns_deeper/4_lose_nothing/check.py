"""The check of exercise 3.4: items that come sooner or later, some of which fail, and a cancellation at any moment."""

import asyncio
import contextlib

from asynclab.checking.expect import (
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    said,
    without,
)

ERROR_MESSAGES = {
    "ValueError: task_done\\(\\) called too many times": (
        "`task_done()` was called more often than an item was taken. Call it once for each item: also for one that "
        "fails, but not for a `get` that was cancelled."
    ),
    "QueueEmpty": "`get_nowait()` raises it when there is nothing yet. Wait for an item: `await queue.get()`.",
    "this item fails": (
        "an error of `handle` ended your consumer, and the items that follow are never taken. Catch `Exception` around "
        "`await handle(item)`, note it, and go on."
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable 'item'": (
        "your consumer was cancelled before it had any item. Put back only what is in hand: wait for an item outside "
        "of the `try`."
    ),
}
JUST_NOW = 6e-5  # seconds: three turns of the loop, in which one task learns that another has ended


class Queue(asyncio.Queue):
    """A queue that counts as `join()` does, and notes if `join()` could have ended before all was done."""

    def __init__(self, work):
        super().__init__()
        self.work, self.given, self.open, self.too_soon = work, [], 0, ""

    def put_nowait(self, item):
        super().put_nowait(item)
        self.open += 1

    def task_done(self):
        super().task_done()
        self.open -= 1
        if not self.open and len(settled(self.work)) < len(self.given):
            is_cut = self.work.calls and self.work.calls[-1].outcome == "cancelled"
            self.too_soon = self.too_soon or ("before it was back" if is_cut else "before it was handled")

    async def fill(self, items, pauses):
        """Put all items, and wait until they are handled, or never will be."""
        for item, pause in zip(items, pauses, strict=True):
            if pause:
                await asyncio.sleep(pause)
            self.given.append(item)
            self.put_nowait(item)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await self.join()


def settled(work):
    """Return the calls that have come to an end, good or bad."""
    return [call for call in work.calls if call.outcome in ("done", "failed")]


async def check(lose_nothing, world):
    """Whatever was put is handled, or in `failed`, or in the queue; and `join()` knows."""
    number = world.size(3, 0, 1, 2, 20, 100)
    items = [1, 2, 3] if world.number < 6 else [world.pick("", "a", *range(number)) for _ in range(number)]
    pauses = [world.pick(0, 0, world.delay(), 0.3) if world.number > 3 else 0 for _ in items]
    work, failed, errors = world.work("handle", set(items)), [], []
    work.closing = world.pick(0.0, world.delay(0.01, 0.1))
    failing, kind = (), world.pick(ValueError, KeyError, TimeoutError, OSError, RuntimeError)
    if items and (world.fails or (world.number > 5 and world.pick(True, False))):
        failing = sorted({world.rng.randrange(number) for _ in range(world.size(1, 1, 5))})
    world.facts += [count(number, "item"), *[f"`handle({items[i]!r})` raises {kind.__name__}" for i in failing[:1]]]
    queue, idle = Queue(work), 0.01 if world.number < 6 else world.pick(0.01, 100)

    async def handle(item):
        work.failing = {item: kind("this item fails")} if len(work.calls) in failing else {}
        try:
            return await work.function(item)
        except Exception as error:
            errors.append(error)
            raise

    async def fill_and_cancel():
        await queue.fill(items, pauses)
        await asyncio.sleep(idle)
        world.cancel()

    filling = asyncio.create_task(fill_and_cancel())
    try:
        run = await world.watch(queue, handle, failed)
    finally:
        filling.cancel()
        await asyncio.wait([filling])
    expect_all_awaited(run)
    expect(run.cancelled, "your function ended by itself. It works forever, until it is cancelled: `while True`.")
    expect_cancelled(run)
    expect_in_turn(run, work, queue, is_complete=not world.cancel_at)
    over = settled(work)
    if over and over[-1].end > run.cancelled_at - JUST_NOW and len(over) + queue.qsize() > len(queue.given):
        over.pop()  # the consumer was still waiting for this one, and has put it back
    cut = next((call for call in work.calls if call.outcome == "cancelled"), None)
    amid = f"your consumer was cancelled during {work.call(cut.item)}" if cut else ""
    expect_nothing_lost(over, queue, amid)
    expect_noted(over, failed, errors, amid)
    expect_counted(queue, amid)
    expect_nothing_left(run)
    expect_no_error_lost(run)


def expect_in_turn(run, work, queue, is_complete):
    """Expect one call after another, in the order of the items, and none that outlives the cancellation."""
    expect(work.most < 2, "your consumer handled two items at once. Await `handle(item)` before you take the next.")
    begun = [call.item for call in work.calls]
    for i, item in enumerate(begun):
        bad = [call.item for call in work.calls[:i] if call.outcome == "failed"]
        expect(
            queue.given[i : i + 1] == [item] or item not in bad,
            f"{work.call(item)} failed, and your consumer handled it again. Note it in `failed`, and go on with the "
            "next.",
        )
    expect(
        queue.too_soon != "before it was handled" or begun != queue.given[: len(begun)],
        "`task_done()` was called before an item was handled: at that moment `queue.join()` ends, too soon. Call it "
        "when `handle(item)` has ended.",
    )
    expect(
        begun == queue.given[: len(queue.given) if is_complete else len(begun)],
        f"of the items {said(queue.given)}, your consumer handled {said(begun)}. Handle each once, in their order.",
    )
    for call in work.calls:
        if call.outcome == "cancelled":
            expect(
                call.end > run.cancelled_at,
                f"your consumer itself cancelled {work.call(call.item)}. Await it to its end, however long it takes.",
            )
        else:
            expect(
                call.end < run.cancelled_at + JUST_NOW,
                f"your consumer was cancelled during {work.call(call.item)}, and went on handling it. Let the "
                "cancellation reach `handle(item)`: await it yourself.",
            )


def expect_nothing_lost(over, queue, amid):
    """Expect that what is not `over` is in the queue, once."""
    left, due = list(queue._queue), without(queue.given, [call.item for call in over])
    for item in without(due, left):
        raise NotYet(
            f"{amid or 'your consumer was cancelled'}, and {said(item)} is gone. Catch `asyncio.CancelledError`, and "
            "put back what is in hand: `queue.put_nowait(item)`."
        )
    for item in without(left, due):
        expect(not amid, f"{amid}, and then the queue held {said(left)}. Put back this item, once.")
        raise NotYet(
            f"cancelled while it waited for an item, your consumer put back {said(item)}, which was done. Put back "
            "only what is in hand: wait for an item outside of the `try`."
        )


def expect_noted(over, failed, errors, amid):
    """Expect that `failed` holds each item that failed, with its error, and nothing else."""
    bad = [call.item for call in over if call.outcome == "failed"]
    wanted = list(zip(bad, errors, strict=False))
    if failed == wanted:
        return
    expect(
        not amid or len(failed) <= len(wanted),
        f"{amid}, and that stands in `failed`. It is no fault of the item: put it back, and no more.",
    )
    expect(wanted, f"no item failed, and `failed` is {said(failed)}. Append only what raised an error.")
    what = f"item {said(bad[0])} failed, and `failed` is"
    expect(failed, f"{what} empty. Append `(item, error)`.")
    raise NotYet(f"{what} {said(failed)}. Append `(item, error)` for each that fails, as one tuple, and no more.")


def expect_counted(queue, amid):
    """Expect that `join()` counts what is in the queue, and never ended before an item was back."""
    surplus = queue.open - queue.qsize()
    if amid:
        expect(
            surplus <= 0,
            f"{amid} and put it back, and now `queue.join()` waits for one `task_done()` too many. Putting it back "
            "counts it anew: call `task_done()` for having taken it, also then.",
        )
        expect(
            not queue.too_soon,
            f"{amid}, and called `task_done()` before the item was back: at that moment `queue.join()` ends, and "
            "nothing is done. Put it back first.",
        )
    expect(
        surplus <= 0,
        f"every item was taken, and `queue.join()` would still wait for {surplus} `task_done()`. Call it once for each "
        "item, also for one that fails: in a `finally`.",
    )
    expect(
        surplus == 0,
        "`task_done()` was called too often: `queue.join()` would end with an item in the queue. Call it once for each "
        "item taken.",
    )
