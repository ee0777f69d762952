"""Answers to exercise 1.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import time


async def awaits_too_early(prepare):
    """because you awaited too early"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(await prepare("toast"), name="toast")
        tea = group.create_task(await prepare("tea"), name="tea")
    return [toast.result(), tea.result()]


async def hands_over_the_function(prepare):
    """got the function itself"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare, name="toast")
        tea = group.create_task(prepare, name="tea")
    return [toast.result(), tea.result()]


async def keeps_a_blank(prepare):
    """there is still a `...`"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [..., ...]


async def asks_inside_the_block(prepare):
    """before it was done"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
        return [toast.result(), tea.result()]


async def asks_at_once(prepare):
    """before it was done. Await the task first."""
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    return [toast.result(), tea.result()]


async def with_without_async(prepare):
    """Write `async with`, not `with`"""
    with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [toast.result(), tea.result()]


async def tea_first(prepare):
    """not in the order of the input"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [tea.result(), toast.result()]


async def whichever_is_ready_first(prepare):
    """not in the order of the input"""
    return [await each for each in asyncio.as_completed([prepare("toast"), prepare("tea")])]


async def returns_the_tasks(prepare):
    """returned a task, not its result"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [toast, tea]


async def returns_the_coroutines(prepare):
    """Write await before the call that made it"""
    return [prepare("toast"), prepare("tea")]


async def forgets_to_await_gather(prepare):
    """Write await before the call that gave it, such as `asyncio.gather(…)`"""
    return asyncio.gather(prepare("toast"), prepare("tea"))


async def returns_a_dict(prepare):
    """not a list of 2 results"""
    toast, tea = await asyncio.gather(prepare("toast"), prepare("tea"))
    return {"toast": toast, "tea": tea}


async def returns_toast_alone(prepare):
    """1 result is missing"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        group.create_task(prepare("tea"), name="tea")
    return [toast.result()]


async def knows_the_results(prepare):
    """where `'white toast'` is expected"""
    await asyncio.gather(prepare("toast"), prepare("tea"))
    return ["toast is ready", "tea is ready"]


async def waits_for_one(prepare):
    """was still running"""
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    done, pending = await asyncio.wait([toast, tea], return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in done]


async def toast_twice(prepare):
    """`prepare('tea')` was never run"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("toast"), name="tea")
    return [toast.result(), tea.result()]


async def one_after_the_other(prepare):
    """no two were ever under way at once"""
    return [await prepare("toast"), await prepare("tea")]


async def one_task_after_the_other(prepare):
    """no two were ever under way at once"""
    toast = await asyncio.create_task(prepare("toast"))
    tea = await asyncio.create_task(prepare("tea"))
    return [toast, tea]


async def a_group_for_each(prepare):
    """no two were ever under way at once"""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"))
    async with asyncio.TaskGroup() as group:
        tea = group.create_task(prepare("tea"))
    return [toast.result(), tea.result()]


async def no_task_for_tea(prepare):
    """`prepare('tea')` ran in your function itself, not in a task of its own"""
    toast = asyncio.create_task(prepare("toast"), name="toast")
    tea = await prepare("tea")
    return [await toast, tea]


async def sleeps_a_second(prepare):
    """s are enough"""
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    await asyncio.sleep(1)
    return [toast.result(), tea.result()]


async def holds_the_loop(prepare):
    """`time.sleep(0.2)`, line"""
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    await asyncio.sleep(0)
    time.sleep(0.2)
    return [await toast, await tea]


async def looks_now_and_then(prepare):
    """s are enough"""
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    while not (toast.done() and tea.done()):
        await asyncio.sleep(0.1)
    return [toast.result(), tea.result()]


async def gather(prepare):
    return await asyncio.gather(prepare("toast"), prepare("tea"))


async def tea_is_started_first(prepare):
    async with asyncio.TaskGroup() as group:
        tea = group.create_task(prepare("tea"))
        toast = group.create_task(prepare("toast"))
    return toast.result(), tea.result()


async def two_tasks_awaited_in_a_row(prepare):
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    return [await toast, await tea]


async def wait_for(prepare):
    return await asyncio.wait_for(asyncio.gather(prepare("toast"), prepare("tea")), timeout=10)


async def wait(prepare):
    toast = asyncio.create_task(prepare("toast"))
    tea = asyncio.create_task(prepare("tea"))
    await asyncio.wait([tea, toast])
    return [toast.result(), tea.result()]


async def helpers_fill_a_dict(prepare):
    ready = {}

    async def put(what):
        ready[what] = await prepare(what)

    await asyncio.gather(put("tea"), put("toast"))
    return [ready["toast"], ready["tea"]]
