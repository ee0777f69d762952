"""Answers to exercise 1.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def awaits_before_it_makes(boil, chop):
    """a line uses `tasks["pasta"]` before another line makes it"""
    tasks = {}
    salad = chop("salad")
    pasta = await tasks["pasta"]
    await asyncio.sleep(0)
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def makes_the_dict_too_late(boil, chop):
    """Move the line that begins with `tasks =` up"""
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks = {}
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def returns_too_early(boil, chop):
    """Move the line that begins with `sauce =` up"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    return [pasta, sauce, salad]
    sauce = await tasks["sauce"]


async def chops_before_the_sleep(boil, chop):
    """chop before anything boils"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    salad = chop("salad")
    await asyncio.sleep(0)
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def chops_first_of_all(boil, chop):
    """chop before anything boils"""
    tasks = {}
    salad = chop("salad")
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def leaves_out_the_sleep(boil, chop):
    """chop before anything boils"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def sleeps_between_the_tasks(boil, chop):
    """the pasta boils while you chop"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def makes_the_pasta_late(boil, chop):
    """the sauce boils while you chop"""
    tasks = {}
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def awaits_the_pasta_before_it_chops(boil, chop):
    """chop when the pasta is already done"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    pasta = await tasks["pasta"]
    salad = chop("salad")
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def chops_last(boil, chop):
    """chop when the pasta is already done"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    salad = chop("salad")
    return [pasta, sauce, salad]


async def sleeps_too_long(boil, chop):
    """is already done. Move `chop` up"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0.01)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def boils_without_a_task(boil, chop):
    """chop when the pasta is already done"""
    pasta = await boil("pasta")
    sauce = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    return [pasta, await sauce, salad]


async def has_no_salad(boil, chop):
    """salad was never chopped"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    return [await tasks["pasta"], await tasks["sauce"], "chopped salad"]


async def chops_twice(boil, chop):
    """`chop('salad')` was run twice"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, chop("salad")]


async def chops_twice_too_early(boil, chop):
    """`chop('salad')` was run twice"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    chop("salad")
    await asyncio.sleep(0)
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, chop("salad")]


async def awaits_the_knife(boil, chop):
    """Call it without `await`"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = await chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


async def serves_in_another_order(boil, chop):
    """not in the order of the input"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [salad, pasta, sauce]


async def serves_the_tasks(boil, chop):
    """returned a task, not its result"""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    return [tasks["pasta"], tasks["sauce"], salad]


async def sauce_first(boil, chop):
    tasks = {}
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    salad = chop("salad")
    sauce = await tasks["sauce"]
    pasta = await tasks["pasta"]
    return [pasta, sauce, salad]


async def names_for_the_tasks(boil, chop):
    sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
    pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
    await asyncio.sleep(0)
    salad = chop("salad")
    sauce = await sauce_task
    pasta = await pasta_task
    return [pasta, sauce, salad]


async def in_a_group(boil, chop):
    async with asyncio.TaskGroup() as group:
        pasta = group.create_task(boil("pasta"))
        sauce = group.create_task(boil("sauce"))
        await asyncio.sleep(0)
        salad = chop("salad")
    return [pasta.result(), sauce.result(), salad]


async def a_third_task_chops(boil, chop):
    async def cut():
        return chop("salad")

    return await asyncio.gather(boil("pasta"), boil("sauce"), cut())


async def a_thread_chops(boil, chop):
    return await asyncio.gather(boil("pasta"), boil("sauce"), asyncio.to_thread(chop, "salad"))
