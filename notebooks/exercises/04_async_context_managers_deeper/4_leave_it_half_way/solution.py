"""Our way to do exercise 4.4."""

import contextlib


async def first(rows, is_wanted):
    """Return the first row that is wanted, or None; the generator of the rows is closed, whichever way this ends."""
    async with contextlib.aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row):
                return row
    return None
