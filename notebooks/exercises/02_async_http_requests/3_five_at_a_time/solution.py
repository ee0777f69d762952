"""Our way to do exercise 2.3."""

import asyncio


async def fetch_five(session, urls):
    """Fetch all URLs, five at a time; return their answers in the order of the URLs."""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])
