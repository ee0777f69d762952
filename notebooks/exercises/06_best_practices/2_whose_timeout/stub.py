async def with_timeout(operation, seconds):
    try:
        return True, await asyncio.wait_for(operation(), seconds)
    except TimeoutError:
        return False, "Operation timed out"
