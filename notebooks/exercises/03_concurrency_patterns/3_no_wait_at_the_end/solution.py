"""Our way to do exercise 3.3."""

import asyncio


async def work_off(produce, handle):
    """Handle whatever `produce` puts into a queue, two items at a time; return when all are handled."""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            await handle(item)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
