"""Our way to do exercise 8.5."""

import asyncio


async def run(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """Watch and send until `stop` is set; then send what is left within the grace, and close."""

    async def send_again_and_again():
        while True:
            await send_mails()
            await asyncio.sleep(pause)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watch_prices()), group.create_task(send_again_and_again())]
            await stop.wait()
            for task in tasks:
                task.cancel()
    finally:
        try:
            async with asyncio.timeout(grace) as clock:
                await send_mails()
        except TimeoutError:
            if not clock.expired():
                raise
        finally:
            await close()
