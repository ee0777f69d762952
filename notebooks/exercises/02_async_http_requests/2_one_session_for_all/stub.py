async def fetch_rounds(urls, rounds):
    async def fetch(url):
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as response:
                return await response.json()

    results = []
    for _ in range(rounds):
        results.append(await asyncio.gather(*[fetch(url) for url in urls]))
    return results
