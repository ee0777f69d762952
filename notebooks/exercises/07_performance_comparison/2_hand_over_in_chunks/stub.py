async def in_chunks(items, work, size, processes):
    return await asyncio.gather(*[work([item]) for item in items])
