"""Event loop is closed

Means: `asyncio.run` closes its loop at the end. What was opened in it, here a session, still wants that loop: in the
next `asyncio.run`, or when it is thrown away.
Cure: [open, use and close in one asyncio.run](00_start_here_deeper.ipynb#cell-id=one-run)
"""

import asyncio

import aiohttp


async def open_session():
    return aiohttp.ClientSession()


async def ask(session):
    async with session.get("http://127.0.0.1/") as response:
        print(response.status)


session = asyncio.run(open_session())
asyncio.run(ask(session))
