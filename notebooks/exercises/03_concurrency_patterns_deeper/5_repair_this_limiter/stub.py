def make_limiter(rate, per):
    moments = []

    async def acquire():
        now = time.perf_counter()
        recent = [moment for moment in moments if now - moment < per]
        if len(recent) >= rate:
            await asyncio.sleep(recent[0] + per - now)
        moments.append(now)

    return acquire
