"""Answers to exercise 3.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def blank_left(parts):
    """there is still a `...`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = ...
    return page


async def part_not_called(parts):
    """got the function itself"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def part_awaited_too_early(parts):
    """because you awaited too early"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(await part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def class_instead_of_an_object(parts):
    """Make an object of it"""
    try:
        async with asyncio.TaskGroup as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def plain_with(parts):
    """Write `async with`, not `with`"""
    try:
        with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def results_taken_inside_the_block(parts):
    """before it was done"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
            page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def tasks_instead_of_texts(parts):
    """your function returned a task"""
    try:
        async with asyncio.TaskGroup() as group:
            page = [group.create_task(part()) for part in parts]
    except* ConnectionError:
        page = "unavailable"
    return page


async def one_after_another(parts):
    """your code runs one after another"""
    try:
        page = [await part() for part in parts]
    except* ConnectionError:
        page = "unavailable"
    return page


async def two_at_a_time(parts):
    """at most 2 were under way at once, where 3 should be"""
    places = asyncio.Semaphore(2)

    async def load(part):
        async with places:
            return await part()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load(part)) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def texts_in_the_order_of_loading(parts):
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


async def empty_texts_dropped(parts):
    """missing: `''`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks if task.result()]
    except* ConnectionError:
        page = "unavailable"
    return page


async def equal_texts_dropped(parts):
    """missing"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = list({task.result(): True for task in tasks})
    except* ConnectionError:
        page = "unavailable"
    return page


async def texts_joined(parts):
    """not a list of 3 results"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = "".join(task.result() for task in tasks)
    except* ConnectionError:
        page = "unavailable"
    return page


async def group_not_taken_apart(parts):
    """a part raised `ConnectionError`, and a group of errors got out"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except ConnectionError:
        page = "unavailable"
    return page


async def nothing_caught(parts):
    """it got out. Catch it, around all that waits"""
    return await asyncio.gather(*[part() for part in parts])


async def empty_page_instead(parts):
    """you return `[]`. Return `"unavailable"` then"""
    page = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        pass
    return page


async def unavailable_in_a_list(parts):
    """you return `['unavailable']`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = ["unavailable"]
    return page


async def one_part_unavailable(parts):
    """a part raised `ConnectionError`, and you return"""

    async def load(part):
        try:
            return await part()
        except ConnectionError:
            return "unavailable"

    return await asyncio.gather(*[load(part) for part in parts])


async def only_the_exact_class(parts):
    """which is a `ConnectionError`, and it got out"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except Exception as error:
        for task in tasks:
            task.cancel()
        others = await asyncio.gather(*tasks, return_exceptions=True)
        for each in (error, *others):
            if isinstance(each, Exception) and type(each) is not ConnectionError:
                raise each from None
        return "unavailable"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def every_error_caught(parts):
    """a part raised `TimeoutError`, and you return `'unavailable'`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* Exception:
        page = "unavailable"
    return page


async def every_error_of_the_system_caught(parts):
    """a part raised `TimeoutError`, and you return `'unavailable'`"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* OSError:
        page = "unavailable"
    return page


async def other_error_replaced(parts):
    """your function raised RuntimeError"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    except* Exception:
        raise RuntimeError("a part is broken")
    return page


async def other_error_beside_it_lost(parts):
    """Take `ConnectionError` alone, and let every other error get out"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        return [task.result() for task in tasks]
    except BaseExceptionGroup as errors:
        if errors.subgroup(ConnectionError):
            return "unavailable"
        raise


async def gather_leaves_the_others(parts):
    """one part raised `ConnectionError`, and when your function ended, others were still running"""
    try:
        return await asyncio.gather(*[part() for part in parts])
    except ConnectionError:
        return "unavailable"


async def others_waited_for(parts):
    """one part raised `ConnectionError`, and the others ran on"""
    texts = await asyncio.gather(*[part() for part in parts], return_exceptions=True)
    errors = [text for text in texts if isinstance(text, Exception)]
    for error in errors:
        if not isinstance(error, ConnectionError):
            raise error
    return "unavailable" if errors else texts


async def failure_noticed_in_the_order_of_the_parts(parts):
    """one part raised `ConnectionError`, and the others ran on"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return [await task for task in tasks]
    except ConnectionError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            raise error
    return "unavailable"


async def others_cancelled_and_not_waited_for(parts):
    """still running. Start them in a `TaskGroup`"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except ConnectionError:
        return "unavailable"
    finally:
        for task in tasks:
            task.cancel()


async def others_left_after_another_error(parts):
    """when your function had failed,"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except ConnectionError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return "unavailable"


async def cancellation_taken_for_a_failure(parts):
    """caught its cancellation and returned as if done"""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* (ConnectionError, asyncio.CancelledError):
        page = "unavailable"
    return page


async def others_left_when_cancelled(parts):
    """when your function had been cancelled,"""
    tasks = [asyncio.create_task(part()) for part in parts]
    _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest)
    errors = [task.exception() for task in tasks if not task.cancelled() and task.exception()]
    for error in errors:
        if not isinstance(error, ConnectionError):
            raise error
    return "unavailable" if errors else [task.result() for task in tasks]


async def loaded_again_after_a_failure(parts):
    """was run again. Once is enough"""

    async def load(part):
        try:
            return await part()
        except ConnectionError:
            return await part()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load(part)) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


async def gather_and_an_end_in_good_order(parts):
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


async def group_split(parts):
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        return [task.result() for task in tasks]
    except ExceptionGroup as errors:
        _, others = errors.split(ConnectionError)
        if others:
            raise others
        return "unavailable"


async def wait_for_the_first_error(parts):
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    errors = [task.exception() for task in tasks if not task.cancelled() and task.exception()]
    others = [error for error in errors if not isinstance(error, ConnectionError)]
    if others:
        raise ExceptionGroup("some parts are broken", others)
    return "unavailable" if errors else [task.result() for task in tasks]


async def texts_by_number(parts):
    page = {}

    async def load(number, part):
        page[number] = await part()

    try:
        async with asyncio.TaskGroup() as group:
            for number, part in enumerate(parts):
                group.create_task(load(number, part), name=f"part {number}")
        page = tuple(page[number] for number in range(len(parts)))
    except* (ConnectionResetError, ConnectionError):
        page = "unavailable"
    return page


async def failure_told_by_an_event(parts):
    failed, errors = asyncio.Event(), []

    async def load(part):
        try:
            return await part()
        except Exception as error:
            errors.append(error)
            failed.set()

    tasks = [asyncio.create_task(load(part)) for part in parts]
    alarm = asyncio.create_task(failed.wait())
    try:
        everything = asyncio.gather(*tasks)
        await asyncio.wait([everything, alarm], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
    finally:
        for task in (*tasks, alarm):
            task.cancel()
        await asyncio.gather(*tasks, alarm, return_exceptions=True)
    for error in errors:
        if not isinstance(error, ConnectionError):
            raise error
    return "unavailable" if errors else [task.result() for task in tasks]


async def errors_of_those_cancelled_lost(parts):
    """let every other error get out, also of one that you cancel"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [task.exception() for task in done if task.exception()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for error in errors:
        if not isinstance(error, ConnectionError):
            raise error
    return "unavailable" if errors else [task.result() for task in tasks]


async def cleans_up_unless_cancelled(parts):
    """when your function had been cancelled,"""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except Exception:
        for task in tasks:
            task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception) and not isinstance(error, ConnectionError):
                raise error
        return "unavailable"
