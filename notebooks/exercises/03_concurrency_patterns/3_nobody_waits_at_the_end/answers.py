"""Answers to exercise 3.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import queue


async def wrong_1(produce, handle):
    """item 3 was never handled: the consumers had ended"""
    queue = asyncio.Queue()
    async def consume():
        try:
            while True:
                item = await asyncio.wait_for(queue.get(), timeout=0.05)
                await handle(item)
        except TimeoutError:
            pass
    await asyncio.gather(produce(queue), consume(), consume())


async def wrong_2(produce, handle):
    """after the last item your function waited on, for nothing"""
    queue = asyncio.Queue()
    async def consume():
        try:
            while True:
                item = await asyncio.wait_for(queue.get(), timeout=0.3)
                await handle(item)
        except TimeoutError:
            pass
    await asyncio.gather(produce(queue), consume(), consume())


async def wrong_3(produce, handle):
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


async def wrong_4(produce, handle):
    """item 3 was never handled: the consumers had ended"""
    queue = asyncio.Queue()
    async def consume():
        while True:
            await handle(await queue.get())
    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    for consumer in consumers:
        consumer.cancel()


async def wrong_5(produce, handle):
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


async def wrong_6(produce, handle):
    """no item was ever handled"""
    queue = asyncio.Queue()
    await produce(queue)


async def wrong_7(produce, handle):
    """no item was ever handled"""
    queue = asyncio.Queue()
    async def consume():
        while not queue.empty():
            await handle(await queue.get())
    await asyncio.gather(consume(), consume(), produce(queue))


async def wrong_8(produce, handle):
    """item 3 was never handled"""
    queue = asyncio.Queue()
    async def consume():
        while not queue.empty():
            await handle(await queue.get())
    await asyncio.gather(produce(queue), consume(), consume())


async def wrong_9(produce, handle):
    """The number 0 is false"""
    queue = asyncio.Queue()
    async def consume():
        while item := await queue.get():
            await handle(item)
    consumers = [asyncio.create_task(consume()) for _ in range(3)]
    await produce(queue)
    for _ in consumers:
        await queue.put(None)
    await asyncio.gather(*consumers)


async def wrong_10(produce, handle):
    """no item was handled before the producer had ended"""
    queue = asyncio.Queue()
    await produce(queue)
    async def consume():
        while not queue.empty():
            await handle(queue.get_nowait())
    await asyncio.gather(consume(), consume())


async def wrong_11(produce, handle):
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


async def wrong_12(produce, handle):
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


async def wrong_13(produce, handle):
    """item 0 was handled twice"""
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


async def wrong_14(produce, handle):
    """were still running"""
    queue = asyncio.Queue()
    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()
    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    await queue.join()


async def wrong_15(produce, handle):
    """was still waiting after 1.00 s, line 11"""
    queue = asyncio.Queue()
    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)
    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await produce(queue)
    await queue.put(None)
    await asyncio.gather(*consumers)


async def wrong_16(produce, handle):
    """was still waiting after 1.00 s, line 12"""
    queue = asyncio.Queue()
    async def consume():
        while True:
            await handle(await queue.get())
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(consume())
        await produce(queue)
        await queue.join()


async def wrong_17(produce, handle):
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


async def wrong_18(produce, handle):
    """Wait for an item: `await queue.get()`"""
    queue = asyncio.Queue()
    async def consume():
        while True:
            await handle(queue.get_nowait())
    await asyncio.gather(produce(queue), consume(), consume())


async def wrong_19(produce, handle):
    """is no coroutine"""
    queue = asyncio.Queue()
    async def consume():
        while True:
            await handle(await queue.get())
            queue.task_done()
    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume) for _ in range(2)]
        await produce(queue)


async def wrong_20(produce, handle):
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


async def right_1(produce, handle):
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


async def right_2(produce, handle):
    queue = asyncio.Queue()
    async def consume():
        while (item := await queue.get()) is not None:
            await handle(item)
        queue.put_nowait(None)  # for the other
    async def feed():
        await produce(queue)
        await queue.put(None)
    await asyncio.gather(feed(), consume(), consume())


async def right_3(produce, handle):
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


async def right_4(produce, handle):
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
