async def lose_nothing(queue, handle, failed):
    while True:
        item = await queue.get()
        await handle(item)
        queue.task_done()
