"""Our way to do exercise 8.1."""

import asyncio
import itertools

import aiohttp


async def poll(sources, fetch, report, rate, patience=1.0):
    """Begin a visit to one source after another, `rate` in a second, until cancelled."""

    async def visit(source):
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
        except (aiohttp.ClientError, OSError, ValueError):
            return  # its turn will come again
        await report(source, price)

    async with asyncio.TaskGroup() as group:
        for source in itertools.cycle(sources):
            group.create_task(visit(source))
            await asyncio.sleep(1 / rate)
