"""Answers to exercise 7.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
from collections import deque


def _put(queue, message):
    if queue.full():
        queue.get_nowait()
        queue.task_done()
        queue.put_nowait(message)
        return 1
    queue.put_nowait(message)
    return 0


async def _broadcast(messages, readers, most, put=_put, drain=True, send_to=None):
    queues = [asyncio.Queue(most) for _ in readers]
    dropped = [0 for _ in readers]

    async def serve(send, queue):
        while True:
            message = await queue.get()
            await send(message)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task((send_to or serve)(*each)) for each in zip(readers, queues)]
        async for message in messages:
            for number, queue in enumerate(queues):
                dropped[number] += put(queue, message)
        if drain:
            for queue in queues:
                await queue.join()
        for task in tasks:
            task.cancel()
    return dropped


async def all_for_each_message(messages, readers, most):
    """Let it wait for no other reader"""
    async for message in messages:
        async with asyncio.TaskGroup() as group:
            for send in readers:
                group.create_task(send(message))
    return [0 for _ in readers]


async def waits_for_a_place(messages, readers, most):
    """Let it wait for no other reader"""
    queues = [asyncio.Queue(most) for _ in readers]

    async def serve(send, queue):
        while True:
            await send(await queue.get())
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(*each)) for each in zip(readers, queues)]
        async for message in messages:
            for queue in queues:
                await queue.put(message)
        for queue in queues:
            await queue.join()
        for task in tasks:
            task.cancel()
    return [0 for _ in readers]


async def a_task_for_each_message(messages, readers, most):
    """Send one at a time"""
    async with asyncio.TaskGroup() as group:
        async for message in messages:
            for send in readers:
                group.create_task(send(message))
    return [0 for _ in readers]


async def no_bound(messages, readers, most):
    """Drop the oldest that waits"""
    return await _broadcast(messages, readers, 0)


async def one_more_waits(messages, readers, most):
    """Drop the oldest that waits"""
    return await _broadcast(messages, readers, most + 1)


async def one_less_waits(messages, readers, most):
    """Drop the oldest that waits"""
    if most == 1:
        return await _broadcast(messages, readers, most)
    return await _broadcast(messages, readers, most - 1)


async def drops_the_newest(messages, readers, most):
    """Drop the oldest that waits"""

    def put(queue, message):
        if queue.full():
            return 1
        queue.put_nowait(message)
        return 0

    return await _broadcast(messages, readers, most, put)


async def drops_all_that_wait(messages, readers, most):
    """Drop the oldest that waits"""

    def put(queue, message):
        dropped = 0
        while queue.full() or (dropped and not queue.empty()):
            queue.get_nowait()
            queue.task_done()
            dropped += 1
        queue.put_nowait(message)
        return dropped

    return await _broadcast(messages, readers, most, put)


async def forgets_what_waits(messages, readers, most):
    """Send what still waits"""
    return await _broadcast(messages, readers, most, drain=False)


async def counts_nothing(messages, readers, most):
    """were dropped, in the order of `readers`"""
    await _broadcast(messages, readers, most)
    return [0 for _ in readers]


async def counts_together(messages, readers, most):
    """were dropped, in the order of `readers`"""
    return sum(await _broadcast(messages, readers, most))


async def skips_what_is_falsy(messages, readers, most):
    """was due"""

    async def serve(send, queue):
        while True:
            if message := await queue.get():
                await send(message)
            queue.task_done()

    return await _broadcast(messages, readers, most, send_to=serve)


async def gives_up_a_slow_send(messages, readers, most):
    """while it was busy with another message"""

    async def serve(send, queue):
        while True:
            message = await queue.get()
            try:
                async with asyncio.timeout(0.02):
                    await send(message)
            except TimeoutError:
                pass
            queue.task_done()

    return await _broadcast(messages, readers, most, send_to=serve)


async def reads_all_first(messages, readers, most):
    """s later"""
    everything = [message async for message in messages]

    async def again():
        for message in everything:
            await asyncio.sleep(0)
            yield message

    return await _broadcast(again(), readers, most)


async def looks_now_and_then(messages, readers, most):
    """s later"""

    async def serve(send, queue):
        while True:
            while queue.empty():
                await asyncio.sleep(0.02)
            await send(queue.get_nowait())
            queue.task_done()

    return await _broadcast(messages, readers, most, send_to=serve)


async def hides_what_fails(messages, readers, most):
    """A `send` raised JobError, and you return"""

    async def serve(send, queue):
        while True:
            message = await queue.get()
            try:
                await send(message)
            except Exception:
                pass
            queue.task_done()

    return await _broadcast(messages, readers, most, send_to=serve)


async def leaves_its_tasks(messages, readers, most):
    """still running"""
    queues = [asyncio.Queue(most) for _ in readers]
    dropped = [0 for _ in readers]

    async def serve(send, queue):
        while True:
            await send(await queue.get())
            queue.task_done()

    tasks = [asyncio.create_task(serve(*each)) for each in zip(readers, queues)]
    async for message in messages:
        for number, queue in enumerate(queues):
            dropped[number] += _put(queue, message)
    for queue in queues:
        await queue.join()
    return dropped


async def queues_and_join(messages, readers, most):
    return await _broadcast(messages, readers, most)


async def deques_and_a_condition(messages, readers, most):
    waiting = [deque() for _ in readers]
    dropped, ended = [0] * len(readers), False
    news = asyncio.Condition()

    async def serve(send, mine):
        while True:
            async with news:
                await news.wait_for(lambda: mine or ended)
                if not mine:
                    return
                message = mine.popleft()
            await send(message)

    async with asyncio.TaskGroup() as group:
        for send, mine in zip(readers, waiting):
            group.create_task(serve(send, mine))
        async for message in messages:
            async with news:
                for number, mine in enumerate(waiting):
                    if len(mine) == most:
                        mine.popleft()
                        dropped[number] += 1
                    mine.append(message)
                news.notify_all()
        async with news:
            ended = True
            news.notify_all()
    return dropped


async def deques_with_a_length_and_events(messages, readers, most):
    waiting = [deque(maxlen=most) for _ in readers]
    events, ended = [asyncio.Event() for _ in readers], asyncio.Event()
    dropped = [0 for _ in readers]

    async def serve(send, mine, event):
        while True:
            while mine:
                await send(mine.popleft())
            if ended.is_set():
                return
            event.clear()
            await event.wait()

    async with asyncio.TaskGroup() as group:
        for each in zip(readers, waiting, events):
            group.create_task(serve(*each))
        async for message in messages:
            for number, mine in enumerate(waiting):
                dropped[number] += len(mine) == most
                mine.append(message)
                events[number].set()
        ended.set()
        for event in events:
            event.set()
    return dropped


async def a_last_item_in_a_queue_with_a_place_more(messages, readers, most):
    queues, last = [asyncio.Queue() for _ in readers], object()
    dropped = [0 for _ in readers]

    async def serve(send, queue):
        while (message := await queue.get()) is not last:
            await send(message)

    async with asyncio.TaskGroup() as group:
        for each in zip(readers, queues):
            group.create_task(serve(*each))
        async for message in messages:
            for number, queue in enumerate(queues):
                if queue.qsize() >= most:
                    queue.get_nowait()
                    dropped[number] += 1
                queue.put_nowait(message)
        for queue in queues:
            queue.put_nowait(last)
    return dropped


async def a_task_while_there_is_something(messages, readers, most):
    waiting = {send: deque() for send in readers}
    busy, dropped = set(), {send: 0 for send in readers}

    async def serve(send):
        try:
            while waiting[send]:
                await send(waiting[send].popleft())
        finally:
            busy.discard(send)

    async with asyncio.TaskGroup() as group:
        async for message in messages:
            for send in readers:
                if len(waiting[send]) == most:
                    waiting[send].popleft()
                    dropped[send] += 1
                waiting[send].append(message)
                if send not in busy:
                    busy.add(send)
                    group.create_task(serve(send))
    return list(dropped.values())
