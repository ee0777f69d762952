async def run_bounded(jobs):
    tasks = [asyncio.create_task(job()) for job in jobs]
    results = []
    for task in tasks:
        async with asyncio.Semaphore(5):
            results.append(await task)
    return results
