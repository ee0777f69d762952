"""Our way to do exercise 3.4."""

import asyncio


async def lose_nothing(queue, handle, failed):
    """Handle one item after another forever; put aside those that fail, put back one that is interrupted."""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()
