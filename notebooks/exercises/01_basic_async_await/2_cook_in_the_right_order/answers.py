"""Answers to exercise 1.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(boil, chop):
    """a line uses `tasks["pasta"]` before another line makes it"""
    tasks = {}
    salad = chop("salad")
    pasta = await tasks["pasta"]
    await asyncio.sleep(0)
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def wrong_2(boil, chop):
    """you chop before anything boils"""
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    salad = chop("salad")
    await asyncio.sleep(0)
    pasta = await pasta_task
    sauce = await sauce_task
    return [pasta, sauce, salad]


async def wrong_3(boil, chop):
    """only one thing boils while you chop"""
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    salad = chop("salad")
    pasta = await pasta_task
    sauce = await sauce_task
    return [pasta, sauce, salad]


async def wrong_4(boil, chop):
    """you chop after something was done"""
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    pasta = await pasta_task
    salad = chop("salad")
    sauce = await sauce_task
    return [pasta, sauce, salad]


async def wrong_5(boil, chop):
    """the salad was never chopped"""
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    return [await pasta_task, await sauce_task, "chopped salad"]


async def right_1(boil, chop):
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    salad = chop("salad")
    sauce = await sauce_task
    pasta = await pasta_task
    return [pasta, sauce, salad]
