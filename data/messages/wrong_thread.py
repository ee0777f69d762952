"""SQLite objects created in a thread can only be used in that same thread

Means: The connection was opened in one thread, and `to_thread` uses it in another: it takes any thread of its pool.
Cure: [give the connection one thread, which opens it, too](04_async_context_managers.ipynb#cell-id=sqlite-thread)
"""

import asyncio
import contextlib
import sqlite3


async def main():
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        await asyncio.to_thread(db.execute, "SELECT 1")


asyncio.run(main())
