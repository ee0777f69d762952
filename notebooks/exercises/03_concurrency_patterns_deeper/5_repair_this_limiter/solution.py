"""Our way to do exercise 3.5."""

import asyncio
import time
from collections import deque


def make_limiter(rate, per):
    """Return a coroutine function to await before each call: at most `rate` go on in any `per` seconds."""
    moments = deque(maxlen=rate)
    lock = asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) == rate:
                wait = per - (time.perf_counter() - moments[0])
                if wait <= 0:
                    break
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire
