async def fetch_with_retry(session, url):
    pass
