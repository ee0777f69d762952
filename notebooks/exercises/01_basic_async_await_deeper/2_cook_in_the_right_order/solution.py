"""Our way to do exercise 1.2."""

import asyncio


async def cook(boil, chop):
    """Chop while pasta and sauce are boiling."""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]
