"""Our way to do exercise 4.1."""

import asyncio
import contextlib


def connected(connect):
    """Return an async context manager: it opens a connection, and closes it whichever way the block is left."""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            closing = asyncio.create_task(connection.close())
            try:
                await asyncio.shield(closing)
            finally:
                await closing

    return manager()
