"""Our way to do exercise 2.5."""

import asyncio

import aiohttp


async def fetch_with_retry(session, url):
    """Return the JSON at `url`, in at most three attempts; raise the last error."""
    for attempt in (1, 2, 3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 3 or (error.status < 500 and error.status != 429):
                raise
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 3:
                raise
        await asyncio.sleep(wait)
