"""Answers to exercise 3.7. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import queue


async def wrong_1(queue, handle, close):
    """the cancellation reached request 2"""
    try:
        while True:
            await handle(await queue.get())
    finally:
        await close()


async def wrong_2(queue, handle, close):
    """`close` was called while request 2 was still under way"""
    work = None
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            await asyncio.shield(work)
    finally:
        await close()
        if work:
            await work


async def wrong_3(queue, handle, close):
    """`close` was called while request 2 was still under way"""
    try:
        while True:
            await asyncio.shield(handle(await queue.get()))
    finally:
        await close()


async def wrong_4(queue, handle, close):
    """`close` was called while request 2 was still under way"""
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


async def wrong_5(queue, handle, close):
    """request 2 was begun twice"""
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


async def wrong_6(queue, handle, close):
    """returned as if it were done"""
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


async def wrong_7(queue, handle, close):
    """returned as if it were done"""
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


async def wrong_8(queue, handle, close):
    """was cancelled, and ran on until it was stopped"""
    try:
        while True:
            work = asyncio.create_task(handle(await queue.get()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
    finally:
        await close()


async def wrong_9(queue, handle, close):
    """cancelled while it waited for a request, your function did not `await close()`"""
    while True:
        request = await queue.get()
        work = asyncio.create_task(handle(request))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            await close()
            raise


async def wrong_10(queue, handle, close):
    """cancelled amid a request, your function did not `await close()`"""
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


async def wrong_11(queue, handle, close):
    """`close` was called twice"""
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


async def wrong_12(queue, handle, close):
    """`close` was begun and did not end"""
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


async def wrong_13(queue, handle, close):
    """you called close() and never awaited it"""
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


async def wrong_14(queue, handle, close):
    """request 3 was begun after the cancellation"""
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


async def wrong_15(queue, handle, close):
    """two requests were handled at once"""
    tasks = []
    try:
        while True:
            tasks.append(asyncio.create_task(handle(await queue.get())))
    finally:
        await asyncio.gather(*tasks)
        await close()


async def wrong_16(queue, handle, close):
    """your function ended by itself"""
    request = await queue.get()
    await handle(request + 0) if request == 1 else None
    await close()


async def wrong_17(queue, handle, close):
    """Call the function, with brackets"""
    try:
        while True:
            work = asyncio.create_task(handle)
            await asyncio.shield(work)
    finally:
        await close()


async def wrong_18(queue, handle, close):
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


async def wrong_19(queue, handle, close):
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


async def wrong_20(queue, handle, close):
    """you called handle() and never awaited it"""
    try:
        while True:
            handle(await queue.get())
    finally:
        await close()


def wrong_21(queue, handle, close):
    """Define it with async def"""
    async def run():
        try:
            while True:
                await handle(await queue.get())
        finally:
            await close()
    return run()


async def right_1(queue, handle, close):
    try:
        while True:
            work = asyncio.ensure_future(handle(await queue.get()))
            try:
                await asyncio.wait([work])
            finally:
                await work
    finally:
        await close()


async def right_2(queue, handle, close):
    idle = asyncio.Event()
    idle.set()
    async def work():
        while True:
            request = await queue.get()
            idle.clear()
            await handle(request)
            if stop:
                return
            idle.set()
    stop = False
    worker = asyncio.create_task(work())
    try:
        await asyncio.shield(worker)
    except asyncio.CancelledError:
        stop = True
        if idle.is_set():
            worker.cancel()
        await asyncio.wait([worker])
        await close()
        raise


async def right_3(queue, handle, close):
    work = None
    try:
        while True:
            work = None
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            await asyncio.shield(work)
    except asyncio.CancelledError:
        if work is not None:
            await work
        await asyncio.create_task(close())
        raise
