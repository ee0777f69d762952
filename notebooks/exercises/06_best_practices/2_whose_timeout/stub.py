async def with_timeout(operation, seconds):
    result = await asyncio.wait_for(operation(), seconds)
    return True, result
