"""Answers to exercise 1.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(prepare):
    """because you awaited too early"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(await prepare("toast"), name="toast")
        tea = group.create_task(await prepare("tea"), name="tea")
    return [toast.result(), tea.result()]


async def wrong_2(prepare):
    """got the function itself"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare, name="toast")
        tea = group.create_task(prepare, name="tea")
    return [toast.result(), tea.result()]


async def wrong_3(prepare):
    """there is still a `...`"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [..., ...]


async def wrong_4(prepare):
    """before it was done"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
        return [toast.result(), tea.result()]


async def wrong_5(prepare):
    """not in the order of the input"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [tea.result(), toast.result()]


async def wrong_6(prepare):
    """returned a task, not its result"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [toast, tea]


async def wrong_7(prepare):
    """never worked on: 'tea'"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("toast"), name="tea")
    return [toast.result(), tea.result()]


async def wrong_8(prepare):
    """your code runs one after another"""
    return [await prepare("toast"), await prepare("tea")]


async def right_1(prepare):
    return await asyncio.gather(prepare("toast"), prepare("tea"))


async def right_2(prepare):
    async with asyncio.TaskGroup() as group:
        tea = group.create_task(prepare("tea"))
        toast = group.create_task(prepare("toast"))
    return toast.result(), tea.result()
