"""Session is closed

Means: The session was used after it was closed: by `close`, or, as here, at the end of its `async with`.
Cure: [keep the block open for as long as you need the session](06_best_practices.ipynb#cell-id=shop-one-session)
"""

import asyncio

import aiohttp


async def open_session():
    async with aiohttp.ClientSession() as session:
        return session


async def main():
    session = await open_session()
    await session.get("http://127.0.0.1/")


asyncio.run(main())
