async def look_up(query, names):
    return [query(name) for name in names]
