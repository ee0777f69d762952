async def fetch_or_explain(session, url, timeout):
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            return await response.json()
    except:
        return {"error": "Request timeout"}
