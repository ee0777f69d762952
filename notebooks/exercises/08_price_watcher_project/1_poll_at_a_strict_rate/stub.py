import asyncio

import aiohttp


async def poll(sources, fetch, report, rate, patience=1.0):
    while True:
        for source in sources:
            try:
                async with asyncio.timeout(patience):
                    await report(source, await fetch(source))
            except (aiohttp.ClientError, OSError, ValueError):
                pass
            await asyncio.sleep(1 / rate)
