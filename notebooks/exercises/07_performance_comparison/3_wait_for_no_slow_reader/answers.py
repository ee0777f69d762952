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
    """was never sent"""
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
    """and you cancelled that. Let it end"""

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
    """`send` raised JobError, and you return"""

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


def _parts(messages, readers, most):
    queues = [asyncio.Queue(most) for _ in readers]

    async def serve(send, queue):
        while True:
            message = await queue.get()
            await send(message)
            queue.task_done()

    return queues, [asyncio.create_task(serve(*e)) for e in zip(readers, queues)]


async def cancels_and_does_not_wait(messages, readers, most):
    """still running"""
    queues, tasks = _parts(messages, readers, most)
    dropped = [0] * len(readers)
    gone = None
    try:

        async def feed():
            async for message in messages:
                for number, queue in enumerate(queues):
                    dropped[number] += _put(queue, message)
            for queue in queues:
                await queue.join()

        feeding = asyncio.create_task(feed())
        tasks.append(feeding)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
    return dropped


async def hears_of_an_error_at_the_end(messages, readers, most):
    """s later. Let it end all else at once"""
    queues = [deque() for _ in readers]
    events = [asyncio.Event() for _ in readers]
    ended = False
    dropped = [0] * len(readers)

    async def serve(number, send):
        while True:
            while queues[number]:
                await send(queues[number].popleft())
            if ended:
                return
            events[number].clear()
            await events[number].wait()

    tasks = [asyncio.create_task(serve(number, send)) for number, send in enumerate(readers)]
    try:
        async for message in messages:
            for number, queue in enumerate(queues):
                if len(queue) == most:
                    queue.popleft()
                    dropped[number] += 1
                queue.append(message)
                events[number].set()
        ended = True
        for e in events:
            e.set()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return dropped


async def joins_a_queue_whose_reader_failed(messages, readers, most):
    """waits for what can never happen"""
    queues, tasks = _parts(messages, readers, most)
    dropped = [0] * len(readers)
    try:
        async for message in messages:
            for number, queue in enumerate(queues):
                dropped[number] += _put(queue, message)
        for queue in queues:
            await queue.join()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return dropped


async def none_means_the_end(messages, readers, most):
    """was never sent `None`"""
    queues = [asyncio.Queue() for _ in readers]
    dropped = [0] * len(readers)

    async def serve(send, queue):
        while (message := await queue.get()) is not None:
            await send(message)

    async with asyncio.TaskGroup() as group:
        for e in zip(readers, queues):
            group.create_task(serve(*e))
        async for message in messages:
            for number, queue in enumerate(queues):
                if queue.qsize() == most:
                    queue.get_nowait()
                    dropped[number] += 1
                queue.put_nowait(message)
        for queue in queues:
            queue.put_nowait(None)
    return dropped


async def last_item_pushes_one_out(messages, readers, most):
    """was due"""
    queues = [asyncio.Queue(most) for _ in readers]
    dropped = [0] * len(readers)
    ended = object()

    async def serve(send, queue):
        while (message := await queue.get()) is not ended:
            await send(message)

    def put(queue, message):
        if queue.full():
            queue.get_nowait()
            queue.put_nowait(message)
            return 1
        queue.put_nowait(message)
        return 0

    async with asyncio.TaskGroup() as group:
        for e in zip(readers, queues):
            group.create_task(serve(*e))
        async for message in messages:
            for number, queue in enumerate(queues):
                dropped[number] += put(queue, message)
        for number, queue in enumerate(queues):
            dropped[number] += put(queue, ended)
    return dropped


async def a_task_for_each_message_behind_a_lock(messages, readers, most):
    """was due"""
    locks = [asyncio.Lock() for _ in readers]

    async def one(l, send, message):
        async with l:
            await send(message)

    async with asyncio.TaskGroup() as group:
        async for message in messages:
            for l, send in zip(locks, readers):
                group.create_task(one(l, send, message))
    return [0] * len(readers)


async def takes_an_error_for_the_end(messages, readers, most):
    """`messages` raised JobError, and you return"""

    async def safe():
        try:
            async for message in messages:
                yield message
        except Exception:
            pass

    return await _broadcast(safe(), readers, most)


async def swallows_its_cancellation(messages, readers, most):
    """function caught its cancellation"""
    try:
        return await _broadcast(messages, readers, most)
    except asyncio.CancelledError:
        return []


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


async def readers_of_a_class(messages, readers, most):
    class Reader:
        def __init__(self, send):
            self.send, self.waiting, self.dropped = send, deque(), 0
            self.news, self.ended = asyncio.Event(), False

        def offer(self, message):
            self.waiting.append(message)
            if len(self.waiting) > most:
                self.waiting.popleft()
                self.dropped += 1
            self.news.set()

        def finish(self):
            self.ended = True
            self.news.set()

        async def run(self):
            while not self.ended or self.waiting:
                await self.news.wait()
                self.news.clear()
                while self.waiting:
                    await self.send(self.waiting.popleft())

    found = [Reader(send) for send in readers]
    async with asyncio.TaskGroup() as group:
        for reader in found:
            group.create_task(reader.run())
        async for message in messages:
            for reader in found:
                reader.offer(message)
        for reader in found:
            reader.finish()
    return [reader.dropped for reader in found]


async def feed_is_a_task_like_the_readers(messages, readers, most):
    queues, tasks = _parts(messages, readers, most)
    dropped = [0] * len(readers)

    async def feed():
        async for message in messages:
            for number, queue in enumerate(queues):
                dropped[number] += _put(queue, message)
        for queue in queues:
            await queue.join()

    feeding = asyncio.create_task(feed())
    try:
        done, _ = await asyncio.wait([feeding, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in [feeding, *tasks]:
            task.cancel()
        await asyncio.gather(feeding, *tasks, return_exceptions=True)
    return dropped


async def semaphore_counts_what_waits(messages, readers, most):
    dropped = [0] * len(readers)
    queues = [deque() for _ in readers]
    counts = [asyncio.Semaphore(0) for _ in readers]
    ended = object()

    async def serve(number, send):
        while True:
            await counts[number].acquire()
            message = queues[number].popleft()
            if message is ended:
                return
            await send(message)

    async with asyncio.TaskGroup() as group:
        for number, send in enumerate(readers):
            group.create_task(serve(number, send))
        async for message in messages:
            for number, queue in enumerate(queues):
                if len(queue) == most:
                    queue.popleft()
                    dropped[number] += 1
                else:
                    counts[number].release()
                queue.append(message)
        for number, queue in enumerate(queues):
            queue.append(ended)
            counts[number].release()
    return dropped


async def futures_that_wake(messages, readers, most):
    loop = asyncio.get_running_loop()
    dropped = [0] * len(readers)
    queues = [deque() for _ in readers]
    wakers = [loop.create_future() for _ in readers]
    ended = False

    async def serve(number, send):
        while True:
            if queues[number]:
                await send(queues[number].popleft())
                continue
            if ended:
                return
            wakers[number] = loop.create_future()
            await wakers[number]

    def wake(number):
        if not wakers[number].done():
            wakers[number].set_result(None)

    async with asyncio.TaskGroup() as group:
        for number, send in enumerate(readers):
            group.create_task(serve(number, send))
        async for message in messages:
            for number, queue in enumerate(queues):
                if len(queue) >= most:
                    queue.popleft()
                    dropped[number] += 1
                queue.append(message)
                wake(number)
        ended = True
        for number in range(len(queues)):
            wake(number)
    return dropped
