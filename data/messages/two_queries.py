"""another operation is in progress

Means: A connection of asyncpg runs one statement at a time, and two tasks used the same one at once.
Cure: [lend each task a connection of its own](04_database_servers_deeper.ipynb#cell-id=pool)
"""

import asyncio
import os

import asyncpg


async def main():
    db = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        await asyncio.gather(db.fetch("SELECT 1"), db.fetch("SELECT 2"))
    finally:
        await db.close()


asyncio.run(main())
