async def cook(boil, chop):
    tasks = {}
    salad = chop("salad")
    pasta = await tasks["pasta"]
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    sauce = await tasks["sauce"]
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    return [pasta, sauce, salad]
