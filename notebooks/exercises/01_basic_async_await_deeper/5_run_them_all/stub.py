async def run_all(jobs):
    pass
