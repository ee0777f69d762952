"""Our way to do exercise 4.1."""

import asyncio
import contextlib


@contextlib.asynccontextmanager
async def connected(connect):
    """Open a connection, and close it whichever way the block is left."""
    connection = await connect()
    try:
        yield connection
    finally:
        closing = asyncio.create_task(connection.close())
        try:
            await asyncio.shield(closing)
        finally:
            await closing
