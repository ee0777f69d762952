"""Our way to do exercise 3.7."""

import asyncio


async def serve(queue, handle, close):
    """Handle one request after another; when cancelled, finish the one under way, then close."""
    try:
        while True:
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        await close()
