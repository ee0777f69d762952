async def run_all(jobs, journal, limit):
    for key, job in jobs.items():
        await journal.mark(key)
        await job(key)
