async def fetch_five(session, urls):
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])
