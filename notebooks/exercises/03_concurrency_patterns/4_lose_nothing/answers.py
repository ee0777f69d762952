"""Answers to exercise 3.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import queue


async def wrong_1(queue, handle, failed):
    """an error of `handle` ended your consumer"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        finally:
            queue.task_done()


async def wrong_2(queue, handle, failed):
    """your function ended by itself"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
            break
        finally:
            queue.task_done()


async def wrong_3(queue, handle, failed):
    """would still wait for 3 `task_done()`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))


async def wrong_4(queue, handle, failed):
    """item 2 failed, and `failed` is empty"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception:
            pass
        finally:
            queue.task_done()


async def wrong_5(queue, handle, failed):
    """item 2 failed, and `failed` is `[2]`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception:
            failed.append(item)
        finally:
            queue.task_done()


async def wrong_6(queue, handle, failed):
    """as one tuple"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed += [item, error]
        finally:
            queue.task_done()


async def wrong_7(queue, handle, failed):
    """item 2 failed, and your consumer handled it again"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
            queue.put_nowait(item)
        finally:
            queue.task_done()


async def wrong_8(queue, handle, failed):
    """amid item 2, and it is gone"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def wrong_9(queue, handle, failed):
    """was cancelled, and ran on until it was stopped"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except BaseException as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def wrong_10(queue, handle, failed):
    """was cancelled, and returned as if it were done"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            return
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def wrong_11(queue, handle, failed):
    """that stands in `failed`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except BaseException as error:
            failed.append((item, error))
            if isinstance(error, asyncio.CancelledError):
                queue.put_nowait(item)
                raise
        finally:
            queue.task_done()


async def wrong_12(queue, handle, failed):
    """waits for one `task_done()` too many"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        queue.task_done()


async def wrong_13(queue, handle, failed):
    """before the item was back"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
            queue.task_done()
        except asyncio.CancelledError:
            queue.task_done()
            queue.put_nowait(item)
            raise
        except Exception as error:
            queue.task_done()
            failed.append((item, error))


async def wrong_14(queue, handle, failed):
    """before the item was back"""
    while True:
        item = await queue.get()
        cancelled = True
        try:
            await handle(item)
            cancelled = False
        except Exception as error:
            cancelled = False
            failed.append((item, error))
        finally:
            queue.task_done()
            if cancelled:
                await queue.put(item)


async def wrong_15(queue, handle, failed):
    """more often than an item was taken"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
            queue.task_done()
        except Exception as error:
            failed.append((item, error))
            queue.task_done()
        finally:
            queue.task_done()


async def wrong_16(queue, handle, failed):
    """`task_done()` was called too often"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            queue.task_done()
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def wrong_17(queue, handle, failed):
    """your consumer put back `3`, which was done"""
    while True:
        try:
            item = await queue.get()
            await handle(item)
            queue.task_done()
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            queue.task_done()
            failed.append((item, error))


async def wrong_18(queue, handle, failed):
    """before it had any item"""
    while True:
        try:
            item = await queue.get()
            await handle(item)
            queue.task_done()
        except asyncio.CancelledError:
            if item is not None:
                queue.put_nowait(item)
                queue.task_done()
            raise
        except Exception as error:
            queue.task_done()
            failed.append((item, error))
        item = None


async def wrong_19(queue, handle, failed):
    """and then the queue held `[3, 2, 2]`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def wrong_20(queue, handle, failed):
    """handled two items at once"""
    async def one(item):
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(one(await queue.get()))


async def wrong_21(queue, handle, failed):
    """and handled it on"""
    while True:
        item = await queue.get()
        task = asyncio.create_task(handle(item))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def right_1(queue, handle, failed):
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
        except BaseException:
            await queue.put(item)
            queue.task_done()
            raise
        queue.task_done()


async def right_2(queue, handle, failed):
    while item := [await queue.get()]:
        task = asyncio.create_task(handle(*item))
        try:
            await task
        except asyncio.CancelledError:
            queue.put_nowait(*item)
            queue.task_done()
            raise
        except Exception:
            failed.append((*item, task.exception()))
            queue.task_done()
        else:
            queue.task_done()
