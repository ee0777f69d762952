async def aggregate(sources, timeout):
    asked = [source() for source in sources.values()]
    results = await asyncio.gather(*asked, return_exceptions=True)
    found = zip(sources, results)
    return {name: None if isinstance(each, Exception) else each for name, each in found}
