"""Our way to do exercise 6.2."""

import asyncio


async def with_timeout(operation, seconds):
    """Return what the operation gives within so many seconds; say so if this very clock ran out."""
    try:
        async with asyncio.timeout(seconds) as clock:
            return True, await operation()
    except TimeoutError:
        if clock.expired():
            return False, "Operation timed out"
        raise
