async def sizes(read, names, limit):
    return [len(read(name)) for name in names]
