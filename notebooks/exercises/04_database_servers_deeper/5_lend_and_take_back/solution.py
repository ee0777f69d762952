"""Our way to do exercise 4.5."""

import asyncio
import contextlib


def make_pool(connect, limit):
    """Return a function that lends a connection for the length of an `async with`, at most `limit` at a time."""
    places = asyncio.Semaphore(limit)
    idle = []

    @contextlib.asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend
