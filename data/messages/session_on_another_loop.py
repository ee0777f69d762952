"""Timeout context manager should be used inside a task

Means: A session of aiohttp was used on another loop than the one that made it. Its time-out looks for a task of that
first loop, and none runs.
Cure: [make the session inside the loop that uses it](06_best_practices_deeper.ipynb#cell-id=request-why)
"""

import asyncio

import aiohttp


async def open_session():
    return aiohttp.ClientSession()


with asyncio.Runner() as first, asyncio.Runner() as second:
    session = first.run(open_session())
    try:
        second.run(session.get("http://127.0.0.1/"))
    finally:
        first.run(session.close())
