"""Our way to do exercise 4.3."""

import asyncio


async def sizes(read, names, limit):
    """Return the size in bytes of each file, or the error that reading it raised, in the order of the names."""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                text = await asyncio.to_thread(read, name)
            except (OSError, UnicodeError) as error:
                return error
        return len(text.encode())

    return await asyncio.gather(*[size(name) for name in names])
