"""Answers to exercise 3.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(parts):
    """there is still a `...`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = ...
    return page


async def wrong_2(parts):
    """got the function itself"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_3(parts):
    """because you awaited too early"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(await part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_4(parts):
    """Make an object of it"""
    try:
        async with asyncio.TaskGroup as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_5(parts):
    """Write `async with`, not `with`"""
    try:
        with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_6(parts):
    """before it was done"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
            page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_7(parts):
    """a group of errors got out"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except ConnectionError:
        page = "unavailable"
    return page


async def wrong_8(parts):
    """a part raised `TimeoutError`, and you return `'unavailable'`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* Exception:
        page = "unavailable"
    return page


async def wrong_9(parts):
    """a part raised `TimeoutError`, and you return `'unavailable'`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* OSError:
        page = "unavailable"
    return page


async def wrong_10(parts):
    """one part raised `ConnectionError` and another `ValueError`, and you return"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        return [task.result() for task in tasks]
    except BaseExceptionGroup as errors:
        if errors.subgroup(ConnectionError):
            return "unavailable"
        raise


async def wrong_11(parts):
    """you return `[]`. Return `"unavailable"` then"""
    page = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        pass
    return page


async def wrong_12(parts):
    """you return `['unavailable']`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = ["unavailable"]
    return page


async def wrong_13(parts):
    """one failed, and the others ran on"""
    try:
        return await asyncio.gather(*[part() for part in parts])
    except ConnectionError:
        return "unavailable"


async def wrong_14(parts):
    """one failed, and the others ran on"""
    texts = await asyncio.gather(*[part() for part in parts], return_exceptions=True)
    for text in texts:
        if isinstance(text, ConnectionError):
            return "unavailable"
        if isinstance(text, Exception):
            raise text
    return texts


async def wrong_15(parts):
    """it got out. Catch it, around all that waits"""
    return await asyncio.gather(*[part() for part in parts])


async def wrong_16(parts):
    """your code runs one after another"""
    try:
        page = [await part() for part in parts]
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_17(parts):
    """not in the order of the input"""
    page = []
    async def load(part):
        page.append(await part())
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(load(part))
    except* ConnectionError:
        page = "unavailable"
    return page


async def wrong_18(parts):
    """your function returned a task"""
    try:
        async with asyncio.TaskGroup() as group:
            page = [group.create_task(part()) for part in parts]
    except* ConnectionError:
        page = "unavailable"
    return page


async def right_1(parts):
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except ConnectionError:
        for task in tasks:
            task.cancel()
        others = await asyncio.gather(*tasks, return_exceptions=True)
        for other in others:
            if isinstance(other, Exception) and not isinstance(other, ConnectionError):
                raise other
        return "unavailable"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def right_2(parts):
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        return [task.result() for task in tasks]
    except ExceptionGroup as errors:
        _, others = errors.split(ConnectionError)
        if others:
            raise others
        return "unavailable"
