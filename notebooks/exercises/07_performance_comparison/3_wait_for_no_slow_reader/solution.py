"""Our way to do exercise 7.3."""

import asyncio


async def broadcast(messages, readers, most):
    """Send each message to all readers, none of which waits for another; return how many each missed."""
    queues = [asyncio.Queue(most) for _ in readers]
    dropped = [0 for _ in readers]

    async def serve(send, queue):
        while True:
            await send(await queue.get())
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(*each)) for each in zip(readers, queues, strict=True)]
        async for message in messages:
            for number, queue in enumerate(queues):
                if queue.full():
                    queue.get_nowait()
                    queue.task_done()
                    dropped[number] += 1
                queue.put_nowait(message)
        for queue in queues:
            await queue.join()
        for task in tasks:
            task.cancel()
    return dropped
