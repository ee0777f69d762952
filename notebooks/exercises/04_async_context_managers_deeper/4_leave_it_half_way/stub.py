async def first(rows, is_wanted):
    async for row in rows():
        if await is_wanted(row):
            return row
    return None
