"""Answers to exercise 4.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import gc
from contextlib import AsyncExitStack, aclosing


async def left_by_break(rows, is_wanted):
    """your function returned `3`, and the cursor was still open. Await the generator's `aclose()`"""
    found = None
    async for row in rows():
        if await is_wanted(row):
            found = row
            break
    return found


async def collected_by_force(rows, is_wanted):
    """and the cursor was still open"""
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                return row
    finally:
        del found
        gc.collect()


async def waits_for_the_tidying(rows, is_wanted):
    """and the cursor was still open"""
    found = None
    async for row in rows():
        if await is_wanted(row):
            found = row
            break
    await asyncio.sleep(1)
    return found


async def closed_in_a_task(rows, is_wanted):
    """and the cursor was still open"""
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                return row
    finally:
        asyncio.ensure_future(found.aclose())


async def aclose_not_awaited(rows, is_wanted):
    """and the cursor was still open"""
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                return row
    finally:
        found.aclose()


async def closed_with_a_row_alone(rows, is_wanted):
    """raised an error, and the cursor was still open"""
    found = rows()
    async for row in found:
        if await is_wanted(row):
            await found.aclose()
            return row


async def closed_after_errors_and_rows(rows, is_wanted):
    """cancelled during `is_wanted(1)`, and the cursor was still open"""
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                await found.aclose()
                return row
    except Exception:
        await found.aclose()
        raise


async def all_rows_first(rows, is_wanted):
    """was read in vain"""
    for row in [row async for row in rows()]:
        if await is_wanted(row):
            return row


async def goes_on_to_the_end(rows, is_wanted):
    """`is_wanted(4)` was called after the row that is wanted. Stop there"""
    found = None
    async for row in rows():
        if found is None and await is_wanted(row):
            found = row
        elif found is not None:
            await is_wanted(row)
    return found


async def runs_the_generator_dry(rows, is_wanted):
    """was read in vain"""
    found, is_found = None, False
    async for row in rows():
        if not is_found and await is_wanted(row):
            found, is_found = row, True
    return found


async def one_row_too_many(rows, is_wanted):
    """was read in vain"""
    before, is_found = None, False
    async with aclosing(rows()) as found:
        async for row in found:
            if is_found:
                return before
            before, is_found = row, await is_wanted(row)
    return before if is_found else None


async def all_at_once(rows, is_wanted):
    """two rows were looked at at once"""
    async with aclosing(rows()) as found:
        all_rows = [row async for row in found]
    for row, wanted in zip(all_rows, await asyncio.gather(*map(is_wanted, all_rows)), strict=True):
        if wanted:
            return row


async def asks_twice(rows, is_wanted):
    """`is_wanted(3)` was called after the row that is wanted"""
    async with aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row) and await is_wanted(row):
                return row


async def second_generator(rows, is_wanted):
    """`rows` was gone through twice"""
    async for row in rows():
        if await is_wanted(row):
            async with aclosing(rows()) as found:
                await anext(found)
            return row


async def falsy_rows_passed_over(rows, is_wanted):
    """and your function returned"""
    async with aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row) and row:
                return row


async def falsy_rows_not_looked_at(rows, is_wanted):
    """was called, where `0` is the next row"""
    async with aclosing(rows()) as found:
        async for row in found:
            if row and await is_wanted(row):
                return row


async def what_was_said_of_the_row(rows, is_wanted):
    """`3` is the first row that is wanted, and your function returned"""
    async with aclosing(rows()) as found:
        async for row in found:
            if wanted := await is_wanted(row):
                return wanted


async def last_row_if_none_is_wanted(rows, is_wanted):
    """no row is wanted, and your function returned"""
    row = None
    async with aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row):
                break
    return row


async def every_row_that_is_wanted(rows, is_wanted):
    """was called after the row that is wanted"""
    async with aclosing(rows()) as found:
        return [row async for row in found if await is_wanted(row)]


async def error_swallowed(rows, is_wanted):
    """an error was swallowed, and your function returned `None`"""
    with contextlib.suppress(Exception):
        async with aclosing(rows()) as found:
            async for row in found:
                if await is_wanted(row):
                    return row


async def cancellation_swallowed(rows, is_wanted):
    """caught its cancellation and returned as if done"""
    with contextlib.suppress(asyncio.CancelledError):
        async with aclosing(rows()) as found:
            async for row in found:
                if await is_wanted(row):
                    return row


async def generator_as_a_manager(rows, is_wanted):
    """an async generator is no context manager. `contextlib.aclosing(rows())` makes one of it"""
    async with rows() as found:
        async for row in found:
            if await is_wanted(row):
                return row


async def closing_without_a(rows, is_wanted):
    """an async generator has no `close`"""
    with contextlib.closing(rows()) as found:
        async for row in found:
            if await is_wanted(row):
                return row


async def rows_not_called(rows, is_wanted):
    """`rows` is a function. Call it: `rows()` gives the generator"""
    async with aclosing(rows) as found:
        async for row in found:
            if await is_wanted(row):
                return row


async def plain_for(rows, is_wanted):
    """rows come one by one, and each takes a while. Write `async for`"""
    for row in rows():
        if await is_wanted(row):
            return row


async def rows_awaited(rows, is_wanted):
    """an async generator cannot be awaited. Go through it with `async for`"""
    for row in await rows():
        if await is_wanted(row):
            return row


async def is_wanted_not_awaited(rows, is_wanted):
    """called is_wanted() and never awaited it"""
    async with aclosing(rows()) as found:
        async for row in found:
            if is_wanted(row):
                return row


async def anext_without_an_end(rows, is_wanted):
    """`anext` raises `StopAsyncIteration` when there is no further row"""
    async with aclosing(rows()) as found:
        while True:
            row = await anext(found)
            if await is_wanted(row):
                return row


async def closed_in_finally(rows, is_wanted):
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                return row
    finally:
        await found.aclose()


async def closed_in_each_way(rows, is_wanted):
    found = rows()
    try:
        async for row in found:
            if await is_wanted(row):
                break
        else:
            row = None
    except BaseException:
        await found.aclose()
        raise
    await found.aclose()
    return row


async def exit_stack(rows, is_wanted):
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(aclosing(rows()))
        async for row in found:
            if await is_wanted(row):
                return row


async def stack_of_callbacks(rows, is_wanted):
    async with AsyncExitStack() as stack:
        found = rows()
        stack.push_async_callback(found.aclose)
        async for row in found:
            if await is_wanted(row):
                return row


async def anext_to_the_end(rows, is_wanted):
    found, end = rows(), object()
    try:
        while (row := await anext(found, end)) is not end:
            if await is_wanted(row):
                return row
        return None
    finally:
        await found.aclose()


async def break_inside_the_block(rows, is_wanted):
    first_row = None
    async with aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row):
                first_row = row
                break
    return first_row


async def two_generators_closed(rows, is_wanted):
    async with aclosing(rows()) as found:
        async with aclosing(row async for row in found if await is_wanted(row)) as wanted:
            return await anext(wanted, None)


async def own_manager(rows, is_wanted):
    @contextlib.asynccontextmanager
    async def closing():
        found = rows()
        try:
            yield found
        finally:
            await found.aclose()

    async with closing() as found:
        async for row in found:
            if await is_wanted(row):
                return row


async def goes_through_aclosing_itself(rows, is_wanted):
    """`aclosing` is an async context manager"""
    async for row in contextlib.aclosing(rows()):
        if await is_wanted(row):
            return row


async def with_in_place_of_async_with(rows, is_wanted):
    """`aclosing` is an async context manager"""
    with contextlib.aclosing(rows()) as found:
        async for row in found:
            if await is_wanted(row):
                return row
