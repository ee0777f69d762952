"""Our way to do exercise 8.2."""

import asyncio
import contextlib
import sqlite3


async def keep_price(path, source, price, limit):
    """Store the latest price of a source, and with it a mail if it has fallen below the limit: both or neither."""

    def store():
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            before = database.execute("SELECT price FROM prices WHERE source = ?", [source]).fetchone()
            database.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", [source, price])
            if price < limit and (before is None or before[0] >= limit):
                database.execute("INSERT INTO mails (text) VALUES (?)", [f"{source} costs {price}"])

    await asyncio.to_thread(store)
