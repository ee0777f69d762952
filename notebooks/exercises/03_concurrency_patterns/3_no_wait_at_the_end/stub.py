async def work_off(produce, handle):
    queue = asyncio.Queue()

    async def consume():
        try:
            while True:
                item = await asyncio.wait_for(queue.get(), timeout=0.1)
                await handle(item)
        except TimeoutError:
            pass

    await asyncio.gather(produce(queue), consume(), consume())
