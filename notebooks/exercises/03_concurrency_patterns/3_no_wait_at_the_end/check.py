"""The check of exercise 3.3: a producer with pauses of any length, whose items may come again; one call may fail."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    often,
    without,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "ValueError: task_done\\(\\) called too many times": (
        "`task_done()` was called more often than an item was taken. Call it once for each, when it is handled."
    ),
    "QueueEmpty": "`get_nowait()` raises it when there is nothing yet. Wait for an item: `await queue.get()`.",
    "TypeError: .*NoneType.*(?:'await'|can't be awaited)": (
        "what is awaited there is `None`. The queue must be an `asyncio.Queue()`, and `task_done()` and `put_nowait()` "
        "are called without `await`."
    ),
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        "what you start or await here is no coroutine. Call the function, with brackets: the call gives one."
    ),
}
SOON = 0.002  # seconds: some turns of the loop


class Producer:
    """What `produce` puts, when it did, into which queues, and when it had ended."""

    def __init__(self, world):
        number = world.size(7, 0, 1, 2, 3, 20, 100)
        self.items = list(range(7)) if world.number < 6 else [world.rng.randrange(number) for _ in range(number)]
        self.pauses = [world.pick(0, 0, 0, 0, world.delay(), 0.3, 5) for _ in self.items]
        self.rest = world.pick(0, 0, 0.05, 5)
        if world.number < 6:
            self.pauses, self.rest = [0, 0, 0, 0.4, 0, 0.02, 0], 0
        self.fails = world.fails and world.number % 2
        self.puts, self.queues, self.end = [], [], None

    async def produce(self, queue):
        self.queues.append(queue)
        for item, pause in zip(self.items, self.pauses, strict=True):
            if pause:
                await asyncio.sleep(pause)
            await queue.put(item)
            self.puts.append(clock.now)
        if self.rest:
            await asyncio.sleep(self.rest)
        if self.fails:
            raise JobError("this producer fails")
        self.end = clock.now

    def left(self):
        """Return what nobody has taken."""
        return [queue.get_nowait() for queue in self.queues for _ in range(queue.qsize())]


async def check(work_off, world):
    """Each item once, two at a time and without delay, and an end as soon as it is due, or with the error."""
    producer = Producer(world)
    work = world.work("handle", set(producer.items))
    work.closing = world.pick(0.0, world.delay(0.01, 0.1))
    if world.fails and not producer.fails and producer.items:
        work.failing = {world.pick(*producer.items): JobError("this item fails")}
    fails = "`produce`" if producer.fails else "".join(map(work.call, work.failing))  # what raises, if anything
    world.facts += [count(len(producer.items), "item"), *([f"{fails} raises"] if fails else [])]
    began = clock.now

    run = await world.watch(producer.produce, work.function, may_raise=JobError)
    expect_cancelled(run)
    complete = not run.cancelled and not fails
    if complete:
        expect_all_awaited(run)
        expect(producer.end, "your function ended before `produce` had. Await it to its end: more may come.")
    expect(len(producer.queues) < 2, "`produce` was called twice, and puts all its items each time. Call it once.")
    expect_each_handled(work, producer, complete)
    expect(work.most <= 2, f"{work.most} items were handled at once, where two are allowed. Start two consumers.")
    if complete:
        expect_no_delay(work, producer)
    elif fails:
        expect(run.error, f"{fails} raised JobError, and your function returned as if all were done. Let it get out.")
    expect_nothing_left(run)
    if complete:
        last = max([began, producer.end, *[call.end for call in work.calls]])
        expect(
            began + run.duration - last < SOON,
            f"after the last item your function waited on, for nothing: {began + run.duration - last:.2f} s. Do not "
            "wait for a time to pass: end the consumers as soon as the producer has ended and `queue.join()` says that "
            "every item is handled.",
        )
        expect_no_error_lost(run)


def expect_each_handled(work, producer, complete):
    """Expect that each item was handled as often as it came: to its end, in a run that is `complete`."""
    begun = [call.item for call in work.calls]
    taken = without(producer.items[: len(producer.puts)], producer.left())
    for item in without(begun, producer.items):
        calls, came = often(begun.count(item)), often(producer.items.count(item))
        raise NotYet(f"{work.call(item)} was called {calls}, though {item} came {came}. Handle each item once.")
    if not complete:
        return
    for call in work.calls:
        expect(
            call.outcome == "done",
            f"{work.call(call.item)} was begun and not finished: you ended the consumers too early. After the "
            "producer, wait until every item is handled: `await queue.join()`.",
        )
    for item in without(producer.items, begun):
        expect(begun, "no item was ever handled. Await `produce(queue)`, and `handle(item)` for each item.")
        expect(
            item not in without(taken, begun),
            f"{item} was taken from the queue, and {work.call(item)} was not called. Handle whatever comes, also 0, "
            "which counts as false, and also a number that came before.",
        )
        raise NotYet(
            f"{work.call(item)} was never called: the consumers had ended. They stay while the producer goes on, "
            "however long it pauses, and until the queue is empty after that."
        )


def expect_no_delay(work, producer):
    """Expect that an item waited only while two others were handled."""
    changes = [(put, 1, 0) for put in producer.puts]  # moment, of those that wait, of those that are handled
    changes += [change for call in work.calls for change in ((call.start, -1, 1), (call.end, 0, -1))]
    waiting = handled = 0
    since = None  # when something waited and fewer than two were handled
    for moment, more_waiting, more_handled in sorted(changes):
        if since is not None and moment - since > SOON:
            expect(work.most > 1, "items were handled one after another. Start two consumers, side by side.")
            expect(
                work.calls[0].start < producer.end,
                "no item was handled before the producer had ended. Let the consumers run beside it: start them before "
                "you await `produce(queue)`.",
            )
            raise NotYet(
                f"an item waited for {moment - since:.2f} s, though at most one other was being handled. Let each of "
                "two consumers take the next item as soon as it is free."
            )
        waiting, handled = waiting + more_waiting, handled + more_handled
        since = None if waiting < 1 or handled > 1 else moment if since is None else since
