async def process(jobs, workers, stop, grace):
    tasks = [asyncio.create_task(job()) for job in jobs]
    return await asyncio.gather(*tasks, return_exceptions=True)
