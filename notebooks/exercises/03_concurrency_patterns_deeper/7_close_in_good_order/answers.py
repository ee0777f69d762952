"""Answers to exercise 3.7. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import queue


async def no_care_for_the_request(queue, handle, close):
    """cancellation reached `handle(2)`, and it was not finished"""
    try:
        while True:
            await handle(await queue.get())
    finally:
        await close()


async def closes_before_it_waits(queue, handle, close):
    """`close` was called while `handle(2)` was still under way"""
    work = None
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            await asyncio.shield(work)
    finally:
        await close()
        if work:
            await work


async def shield_without_a_task(queue, handle, close):
    """`close` was called while `handle(2)` was still under way"""
    try:
        while True:
            await asyncio.shield(handle(await queue.get()))
    finally:
        await close()


async def awaits_the_shield_again(queue, handle, close):
    """`close` was called while `handle(2)` was still under way"""
    try:
        while True:
            work = asyncio.shield(handle(await queue.get()))
            try:
                await work
            except asyncio.CancelledError:
                await work
                raise
    finally:
        await close()


async def handles_it_again(queue, handle, close):
    """`handle(2)` was called again"""
    try:
        while True:
            request = await queue.get()
            try:
                await handle(request)
            except asyncio.CancelledError:
                await handle(request)
                raise
    finally:
        await close()


async def returns_when_cancelled(queue, handle, close):
    """caught its cancellation and returned as if done"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                return
    finally:
        await close()


async def close_in_except(queue, handle, close):
    """caught its cancellation and returned as if done"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    except asyncio.CancelledError:
        await close()


async def goes_on_when_cancelled(queue, handle, close):
    """function was cancelled, and ran on"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
    finally:
        await close()


async def closes_only_amid_a_request(queue, handle, close):
    """while it waited for a request, your function never called `close`"""
    while True:
        request = await queue.get()
        work = asyncio.create_task(handle(request))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            await close()
            raise


async def closes_only_when_idle(queue, handle, close):
    """during a request, your function never called `close`"""
    while True:
        try:
            request = await queue.get()
        except asyncio.CancelledError:
            await close()
            raise
        work = asyncio.create_task(handle(request))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            raise


async def closes_twice(queue, handle, close):
    """your function called `close` twice"""
    try:
        while True:
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                await close()
                raise
    finally:
        await close()


async def close_in_a_task_of_nobody(queue, handle, close):
    """`close` was begun, and did not run to its end"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        asyncio.create_task(close())
        await asyncio.sleep(0)


async def close_without_await(queue, handle, close):
    """called close() and never awaited it"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        close()


async def handles_what_is_left(queue, handle, close):
    """was begun after the cancellation. Finish the one under way"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                while not queue.empty():
                    await handle(queue.get_nowait())
                raise
    finally:
        await close()


async def all_at_once(queue, handle, close):
    """requests were handled at once"""
    tasks = []
    try:
        while True:
            tasks.append(asyncio.create_task(handle(await queue.get())))
    finally:
        await asyncio.gather(*tasks)
        await close()


async def a_single_request(queue, handle, close):
    """your function ended by itself"""
    request = await queue.get()
    await handle(request + 0) if request == 1 else None
    await close()


async def function_instead_of_coroutine(queue, handle, close):
    """Call the function, with brackets"""
    try:
        while True:
            work = asyncio.create_task(handle)
            await asyncio.shield(work)
    finally:
        await close()


async def work_before_it_is_set(queue, handle, close):
    """`work` is used before it was set"""
    try:
        while True:
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            await asyncio.shield(work)
    except asyncio.CancelledError:
        await work
        raise
    finally:
        await close()


async def get_nowait_for_ever(queue, handle, close):
    """Wait for a request: `await queue.get()`"""
    work = None
    try:
        while True:
            work = asyncio.create_task(handle(queue.get_nowait()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        await close()


async def handle_without_await(queue, handle, close):
    """called handle() and never awaited it"""
    try:
        while True:
            handle(await queue.get())
    finally:
        await close()


def plain_function(queue, handle, close):
    """Define it with `async def`"""

    async def run():
        try:
            while True:
                await handle(await queue.get())
        finally:
            await close()

    return run()


async def cut_by_a_second_cancellation(queue, handle, close):
    """cancellation reached `handle(2)`, and it was not finished. Awaiting a task passes a cancellation on"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        await close()


async def closes_at_the_second_cancellation(queue, handle, close):
    """was still under way. Cancelled again, wait on"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])
                raise
    finally:
        await close()


async def _finish(work):
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await _finish(work)
        raise


async def close_is_cut(queue, handle, close):
    """`close` was hit by another cancellation, and did not run to its end"""
    try:
        while True:
            await _finish(asyncio.create_task(handle(await queue.get())))
    finally:
        await close()


async def close_behind_a_shield(queue, handle, close):
    """`close` was hit by another cancellation, and did not run to its end"""
    try:
        while True:
            await _finish(asyncio.create_task(handle(await queue.get())))
    finally:
        await asyncio.shield(close())


async def twice_and_no_more(queue, handle, close):
    """and it was not finished. Awaiting a task passes a cancellation on to it"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    await work
                raise
    finally:
        await _finish(asyncio.create_task(close()))


async def forgets_that_it_was_cancelled(queue, handle, close):
    """function was cancelled, and ran on"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            while not work.done():
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    pass
    finally:
        await _finish(asyncio.create_task(close()))


async def request_in_a_group(queue, handle, close):
    """cancellation reached `handle(2)`, and it was not finished. Let it run in a task of its own"""
    try:
        while True:
            async with asyncio.TaskGroup() as group:
                group.create_task(handle(await queue.get()))
    finally:
        await _finish(asyncio.create_task(close()))


async def takes_one_ahead(queue, handle, close):
    """was never called. Handle each request, and let none be lost"""
    coming = asyncio.create_task(queue.get())
    try:
        while True:
            request = await coming
            coming = asyncio.create_task(queue.get())
            await _finish(asyncio.create_task(handle(request)))
    finally:
        coming.cancel()
        await _finish(asyncio.create_task(close()))


async def ends_when_the_queue_is_empty(queue, handle, close):
    """your function ended by itself"""
    try:
        while not queue.empty():
            await _finish(asyncio.create_task(handle(await queue.get())))
    finally:
        await _finish(asyncio.create_task(close()))


async def ends_at_a_falsy_request(queue, handle, close):
    """your function ended by itself"""
    try:
        while request := await queue.get():
            await _finish(asyncio.create_task(handle(request)))
    finally:
        await _finish(asyncio.create_task(close()))


async def waits_before_it_closes(queue, handle, close):
    """ms after it could"""

    async def end():
        await asyncio.sleep(0.1)
        await close()

    try:
        while True:
            await _finish(asyncio.create_task(handle(await queue.get())))
    finally:
        await _finish(asyncio.create_task(end()))


async def closes_after_each_request(queue, handle, close):
    """your function called `close` twice"""
    while True:
        try:
            await _finish(asyncio.create_task(handle(await queue.get())))
        finally:
            await _finish(asyncio.create_task(close()))


async def waits_without_a_shield(queue, handle, close):
    async def finish(coroutine):
        work, cancelled = asyncio.ensure_future(coroutine), False
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                cancelled = True
        work.result()
        if cancelled:
            raise asyncio.CancelledError

    try:
        while True:
            await finish(handle(await queue.get()))
    finally:
        await finish(close())


async def shields_again_and_again(queue, handle, close):
    try:
        while True:
            request = await queue.get()
            await _finish(asyncio.create_task(handle(request)))
            queue.task_done()
    finally:
        await _finish(asyncio.create_task(close()))


async def worker_beside(queue, handle, close):
    idle, stop = True, False

    async def work():
        nonlocal idle
        while not stop:
            request = await queue.get()
            idle = False
            await handle(request)
            idle = True

    worker = asyncio.create_task(work())
    try:
        await asyncio.shield(worker)
    except asyncio.CancelledError:
        stop = True
        if idle:
            worker.cancel()
        closing = None
        while closing is None or not closing.done():
            try:
                await asyncio.wait([closing or worker])
            except asyncio.CancelledError:
                continue
            if closing is None:
                closing = asyncio.create_task(close())
        raise


async def one_except_around_all(queue, handle, close):
    work = None
    try:
        while True:
            work = None
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            await asyncio.shield(work)
    except asyncio.CancelledError:

        async def end():
            if work is not None:
                await work
            await close()

        ending = asyncio.create_task(end())
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                pass
        raise


async def good_order_in_a_task_of_its_own(queue, handle, close):
    cancelled = asyncio.Event()

    async def in_good_order():
        stop = asyncio.create_task(cancelled.wait())
        while not cancelled.is_set():
            request = asyncio.create_task(queue.get())
            await asyncio.wait([request, stop], return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                request.cancel()
                break
            await handle(request.result())
        stop.cancel()
        await close()

    task = asyncio.create_task(in_good_order())
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled.set()
    raise asyncio.CancelledError


async def a_moment_without_care_at_the_end_of_each_request(queue, handle, close):
    """as a request ended, your function never called `close`"""
    kept = None

    async def finish(coroutine):
        nonlocal kept
        done = asyncio.Event()

        async def run():
            try:
                await coroutine
            finally:
                done.set()

        work = asyncio.create_task(run())
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError as error:
                kept = error
        await asyncio.wait([work])

    while not kept:
        try:
            request = await queue.get()
        except asyncio.CancelledError as error:
            kept = error
        else:
            await finish(handle(request))
    await finish(close())
    raise kept
