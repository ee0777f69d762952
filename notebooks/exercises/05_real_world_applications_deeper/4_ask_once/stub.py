def ask_once(fetch):
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
        return await calls[key]

    return ask
