"""Our way to do exercise 2.1."""


async def get_json(session, url):
    """Return the JSON at `url`, decoded."""
    async with session.get(url) as response:
        return await response.json()
