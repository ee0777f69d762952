"""threads can only be started once

Means: A thread runs once. Each connection of aiosqlite has one, which starts when you await the connection or enter its
`async with`: here, both happen.
Cure: [leave out the await: async with connect(…)](04_async_context_managers_deeper.ipynb#cell-id=impatient-run)
"""

import asyncio

import aiosqlite


async def main():
    db = await aiosqlite.connect(":memory:")
    try:
        async with db:
            print("connected")
    finally:
        await db.close()


asyncio.run(main())
