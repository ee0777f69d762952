import asyncio


async def run(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    watching = asyncio.create_task(watch_prices())
    while not stop.is_set():
        await send_mails()
        await asyncio.sleep(pause)
    watching.cancel()
    await asyncio.wait_for(send_mails(), grace)
    await close()
