"""database is locked

Means: SQLite lets one connection write at a time. Another one held the lock for longer than this one
would wait; and in a transaction that began by reading, it does not wait at all.
Cure: [wait for the lock on the loop: try again](04_async_context_managers.ipynb#cell-id=patience)
"""

import asyncio
import tempfile

import aiosqlite


async def main():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/shop.db"
        async with aiosqlite.connect(path) as first, aiosqlite.connect(path, timeout=0.1) as second:
            await first.execute("BEGIN IMMEDIATE")
            await second.execute("BEGIN IMMEDIATE")


asyncio.run(main())
