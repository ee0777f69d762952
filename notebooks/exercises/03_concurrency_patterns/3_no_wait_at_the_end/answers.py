"""Answers to exercise 3.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import queue as threads_queue
import time


async def patience_too_short(produce, handle):
    """`handle(3)` was never called: the consumers had ended"""
    queue = asyncio.Queue()

    async def consume():
        try:
            while True:
                item = await asyncio.wait_for(queue.get(), timeout=0.05)
                await handle(item)
        except TimeoutError:
            pass

    await asyncio.gather(produce(queue), consume(), consume())


async def patience_of_an_hour(produce, handle):
    """after the last item your function waited on, for nothing"""
    queue = asyncio.Queue()

    async def consume():
        with contextlib.suppress(TimeoutError):
            while True:
                await handle(await asyncio.wait_for(queue.get(), timeout=3000))

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)


async def looks_every_tenth_of_a_second(produce, handle):
    """after the last item your function waited on, for nothing"""
    queue, over = asyncio.Queue(), False

    async def consume():
        while not over or not queue.empty():
            try:
                async with asyncio.timeout(0.1):
                    item = await queue.get()
            except TimeoutError:
                continue
            await handle(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        over = True


async def sleeps_while_the_queue_is_empty(produce, handle):
    """an item waited for 0.0"""
    queue, over = asyncio.Queue(), False

    async def consume():
        while not (over and queue.empty()):
            if queue.empty():
                await asyncio.sleep(0.07)
            else:
                await handle(queue.get_nowait())

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        over = True


async def a_last_rest(produce, handle):
    """after the last item your function waited on, for nothing: 0.10 s"""
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        queue.put_nowait(None)
        queue.put_nowait(None)
    time.sleep(0.1)


async def cancelled_after_the_producer(produce, handle):
    """you ended the consumers too early"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    for consumer in consumers:
        consumer.cancel()


async def task_done_before_the_work(produce, handle):
    """was begun and not finished: you ended the consumers too early"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            queue.task_done()
            await handle(item)

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    await queue.join()
    for consumer in consumers:
        consumer.cancel()


async def joined_before_the_producer_has_ended(produce, handle):
    """your function ended before `produce` had"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    tasks = [asyncio.create_task(consume()) for _ in range(2)]
    tasks.append(asyncio.create_task(produce(queue)))
    await asyncio.sleep(0)
    await queue.join()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def no_consumer(produce, handle):
    """no item was ever handled"""
    queue = asyncio.Queue()
    await produce(queue)


async def empty_before_anything_came(produce, handle):
    """no item was ever handled"""
    queue = asyncio.Queue()

    async def consume():
        while not queue.empty():
            await handle(await queue.get())

    await asyncio.gather(consume(), consume(), produce(queue))


async def empty_in_a_pause(produce, handle):
    """`handle(3)` was never called"""
    queue = asyncio.Queue()

    async def consume():
        while not queue.empty():
            await handle(await queue.get())

    await asyncio.gather(produce(queue), consume(), consume())


async def ended_by_zero(produce, handle):
    """0 was taken from the queue, and `handle(0)` was not called"""
    queue = asyncio.Queue()

    async def consume():
        while item := await queue.get():
            await handle(item)

    consumers = [asyncio.create_task(consume()) for _ in range(3)]
    await produce(queue)
    for _ in consumers:
        await queue.put(None)
    await asyncio.gather(*consumers)


async def equal_items_handled_once(produce, handle):
    """was taken from the queue, and"""
    queue, seen = asyncio.Queue(), set()

    async def consume():
        while True:
            item = await queue.get()
            if item not in seen:
                seen.add(item)
                await handle(item)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def nothing_handled_meanwhile(produce, handle):
    """no item was handled before the producer had ended"""
    queue = asyncio.Queue()
    await produce(queue)

    async def consume():
        while not queue.empty():
            await handle(queue.get_nowait())

    await asyncio.gather(consume(), consume())


async def one_consumer(produce, handle):
    """items were handled one after another"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumer = asyncio.create_task(consume())
    await produce(queue)
    await queue.join()
    consumer.cancel()


async def two_consumers_and_a_lock(produce, handle):
    """items were handled one after another"""
    queue, lock = asyncio.Queue(), asyncio.Lock()

    async def consume():
        while (item := await queue.get()) is not None:
            async with lock:
                await handle(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        queue.put_nowait(None)
        queue.put_nowait(None)


async def batches_of_two(produce, handle):
    """though at most one other was being handled"""
    queue = asyncio.Queue()

    async def consume():
        over = False
        while not over:
            items = [await queue.get()]
            if not queue.empty():
                items.append(queue.get_nowait())
            over = None in items
            await asyncio.gather(*[handle(item) for item in items if item is not None])

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        await produce(queue)
        queue.put_nowait(None)


async def three_consumers(produce, handle):
    """3 items were handled at once"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(3)]
    await produce(queue)
    await queue.join()
    for consumer in consumers:
        consumer.cancel()


async def producer_for_each_consumer(produce, handle):
    """`produce` was called twice"""
    queue, other = asyncio.Queue(), asyncio.Queue()

    async def consume(queue):
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume(each)) for each in (queue, other)]
    await asyncio.gather(produce(queue), produce(other))
    await queue.join()
    await other.join()
    for consumer in consumers:
        consumer.cancel()


async def handled_a_second_time(produce, handle):
    """`handle(0)` was called twice, though 0 came once"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            await handle(item)
            await handle(item)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def consumers_left(produce, handle):
    """when your function ended, “consume” and 1 more were still running"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    await queue.join()


async def one_mark_for_two(produce, handle):
    """your function waits for what can never happen"""
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    await queue.put(None)
    await asyncio.gather(*consumers)


async def task_done_forgotten(produce, handle):
    """your function waits for what can never happen"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(consume())
        await produce(queue)
        await queue.join()


async def task_done_twice(produce, handle):
    """more often than an item was taken"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def taken_without_waiting(produce, handle):
    """Wait for an item: `await queue.get()`"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(queue.get_nowait())

    await asyncio.gather(produce(queue), consume(), consume())


async def queue_for_threads(produce, handle):
    """The queue must be an `asyncio.Queue()`"""
    queue = threads_queue.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def consumer_not_called(produce, handle):
    """is no coroutine"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume) for _ in range(2)]
        await produce(queue)


async def producer_not_awaited(produce, handle):
    """you called produce() and never awaited it"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    produce(queue)
    await queue.join()
    for consumer in consumers:
        consumer.cancel()


async def handle_not_awaited(produce, handle):
    """you called handle() and never awaited it"""
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) is not None:
            handle(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        queue.put_nowait(None)
        queue.put_nowait(None)


async def join_after_a_consumer_died(produce, handle):
    """your function waits for what can never happen"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    try:
        await produce(queue)
        await queue.join()
    finally:
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)


async def errors_of_the_consumers_lost(produce, handle):
    """raised JobError, and your function returned as if all were done"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            try:
                await handle(item)
            finally:
                queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    try:
        await produce(queue)
        await queue.join()
    finally:
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)


async def errors_passed_over(produce, handle):
    """raised JobError, and your function returned as if all were done"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            with contextlib.suppress(Exception):
                await handle(item)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def gather_leaves_the_others(produce, handle):
    """when your function had failed, task “consume” was still running"""
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)
        queue.put_nowait(None)  # for the other

    async def feed():
        await produce(queue)
        await queue.put(None)

    await asyncio.gather(feed(), consume(), consume())


async def consumers_left_when_cancelled(produce, handle):
    """when your function had been cancelled,"""
    queue, errors = asyncio.Queue(), []

    async def consume():
        while True:
            item = await queue.get()
            try:
                await handle(item)
            except Exception as error:
                errors.append(error)
            finally:
                queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    try:
        await produce(queue)
        await queue.join()
    except Exception as error:
        errors.append(error)
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    if errors:
        raise errors[0]


async def cancellation_swallowed(produce, handle):
    """caught its cancellation and returned as if done"""
    queue = asyncio.Queue()

    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()

    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            consumers = [group.create_task(consume()) for _ in range(2)]
            await produce(queue)
            await queue.join()
            for consumer in consumers:
                consumer.cancel()


async def mark_for_each_consumer(produce, handle):
    queue, over = asyncio.Queue(), object()

    async def consume():
        while (item := await queue.get()) is not over:
            await handle(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        queue.put_nowait(over)
        queue.put_nowait(over)


async def mark_passed_on(produce, handle):
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)
        queue.put_nowait(None)  # for the other

    async def feed():
        await produce(queue)
        await queue.put(None)

    async with asyncio.TaskGroup() as group:
        for coroutine in (feed(), consume(), consume()):
            group.create_task(coroutine)


async def gather_and_an_end_in_good_order(produce, handle):
    queue = asyncio.Queue()

    async def consume():
        while (item := await queue.get()) != -1:
            await handle(item)

    async def feed():
        await produce(queue)
        for _ in range(2):
            await queue.put(-1)

    tasks = [asyncio.create_task(coroutine) for coroutine in (feed(), consume(), consume())]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def errors_collected(produce, handle):
    queue, errors = asyncio.Queue(), []

    async def consume():
        while True:
            item = await queue.get()
            try:
                await handle(item)
            except Exception as error:
                errors.append(error)
            finally:
                queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    try:
        await produce(queue)
        await queue.join()
    finally:
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)
    if errors:
        raise ExceptionGroup("some items failed", errors)


async def task_for_each_item(produce, handle):
    queue, places = asyncio.Queue(), asyncio.Semaphore(2)

    async def one(item):
        await handle(item)
        places.release()

    async def hand_out(group):
        while (item := await queue.get()) is not None:
            await places.acquire()
            group.create_task(one(item))

    async with asyncio.TaskGroup() as group:
        group.create_task(hand_out(group))
        await produce(queue)
        await queue.put(None)


async def queue_of_one_place(produce, handle):
    queue = asyncio.Queue(maxsize=1)

    async def consume():
        while True:
            item = await queue.get()
            try:
                await handle(item)
            finally:
                queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await group.create_task(produce(queue))
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


async def queue_shut_down(produce, handle):
    queue = asyncio.Queue()
    if not hasattr(queue, "shutdown"):  # before Python 3.13
        return await mark_for_each_consumer(produce, handle)

    async def consume():
        with contextlib.suppress(asyncio.QueueShutDown):
            while True:
                await handle(await queue.get())

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await produce(queue)
        queue.shutdown()
