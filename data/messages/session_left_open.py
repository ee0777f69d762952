"""Unclosed client session
Also: Unclosed connector

Means: A session of aiohttp was thrown away, and nothing had closed it. Its connections were open until then.
Cure: [open it in an async with, once, and pass it down](06_best_practices.ipynb#cell-id=guide-sessions)
"""

import asyncio

import aiohttp


async def main():
    session = aiohttp.ClientSession()
    print(session.closed)


asyncio.run(main())
