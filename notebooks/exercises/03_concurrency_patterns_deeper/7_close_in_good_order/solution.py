"""Our way to do exercise 3.7."""

import asyncio


async def serve(queue, handle, close):
    """Handle one request after another; when cancelled, finish the one under way, then close."""

    async def finish(coroutine):
        """Await this to its end, however often we are cancelled; only then end as cancelled."""
        work, cancelled = asyncio.create_task(coroutine), None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
        work.result()  # raises its error, if it has failed
        if cancelled:
            raise cancelled

    try:
        while True:
            request = await queue.get()
            await finish(handle(request))
    finally:
        await finish(close())
