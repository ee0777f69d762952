"""Our way to do exercise 2.2."""

import asyncio

import aiohttp


async def fetch_rounds(urls, rounds):
    """Fetch all URLs side by side, `rounds` times; return a list of their answers for each round."""

    async def fetch(session, url):
        async with session.get(url) as response:
            return await response.json()

    async with aiohttp.ClientSession() as session:
        return [await asyncio.gather(*[fetch(session, url) for url in urls]) for _ in range(rounds)]
