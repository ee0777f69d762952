"""Answers to exercise 3.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def errors_let_through(queue, handle, failed):
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


async def only_one_kind_of_error(queue, handle, failed):
    """an error of `handle` ended your consumer"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except (ValueError, OSError) as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def ends_after_an_error(queue, handle, failed):
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


async def ends_when_the_queue_is_empty(queue, handle, failed):
    """your function ended by itself"""
    while not queue.empty():
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def ends_after_a_minute(queue, handle, failed):
    """your function ended by itself"""
    while True:
        try:
            item = await asyncio.wait_for(queue.get(), 60)
        except TimeoutError:
            return
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def ended_by_zero(queue, handle, failed):
    """your function ended by itself"""
    while item := await queue.get():
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def task_done_forgotten(queue, handle, failed):
    """would still wait for 3 `task_done()`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))


async def task_done_forgotten_after_an_error(queue, handle, failed):
    """would still wait for 1 `task_done()`"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
            queue.task_done()
        except asyncio.CancelledError:
            queue.put_nowait(item)
            queue.task_done()
            raise
        except Exception as error:
            failed.append((item, error))


async def task_done_before_the_work(queue, handle, failed):
    """`task_done()` was called before an item was handled"""
    while True:
        item = await queue.get()
        queue.task_done()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))


async def error_not_noted(queue, handle, failed):
    """failed, and `failed` is empty"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception:
            pass
        finally:
            queue.task_done()


async def noted_in_a_list_of_its_own(queue, handle, failed):
    """failed, and `failed` is empty"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed = [*failed, (item, error)]
        finally:
            queue.task_done()


async def item_noted_without_its_error(queue, handle, failed):
    """failed, and `failed` is `["""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception:
            failed.append(item)
        finally:
            queue.task_done()


async def text_of_the_error_noted(queue, handle, failed):
    """Append `(item, error)` for each that fails"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, str(error)))
        finally:
            queue.task_done()


async def two_things_noted(queue, handle, failed):
    """as one tuple"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed += [item, error]
        finally:
            queue.task_done()


async def each_failed_item_noted_once(queue, handle, failed):
    """Append `(item, error)` for each that fails"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            if item not in [item for item, _ in failed]:
                failed.append((item, error))
        finally:
            queue.task_done()


async def taken_without_waiting(queue, handle, failed):
    """Wait for an item: `await queue.get()`"""
    while True:
        item = queue.get_nowait()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def failed_item_tried_again(queue, handle, failed):
    """failed, and your consumer handled it again"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
            queue.put_nowait(item)
        finally:
            queue.task_done()


async def failed_item_tried_again_at_once(queue, handle, failed):
    """failed, and your consumer handled it again"""
    while True:
        item = await queue.get()
        try:
            try:
                await handle(item)
            except Exception as error:
                failed.append((item, error))
                await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        finally:
            queue.task_done()


async def equal_items_handled_once(queue, handle, failed):
    """Handle each once, in their order"""
    seen = set()
    while True:
        item = await queue.get()
        try:
            if item not in seen:
                await handle(item)
                seen.add(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def patience_with_the_work(queue, handle, failed):
    """your consumer itself cancelled"""
    while True:
        item = await queue.get()
        try:
            async with asyncio.timeout(0.05):
                await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def item_in_hand_lost(queue, handle, failed):
    """your consumer was cancelled during `handle(1)`, and `1` is gone"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def false_item_in_hand_lost(queue, handle, failed):
    """is gone"""
    item = None
    try:
        while True:
            item = await queue.get()
            try:
                await handle(item)
            except Exception as error:
                failed.append((item, error))
            queue.task_done()
            item = None
    except asyncio.CancelledError:
        if item:
            queue.put_nowait(item)
            queue.task_done()
        raise


async def next_item_taken_beforehand(queue, handle, failed):
    """is gone"""
    following = await queue.get()
    while True:
        item = following
        following = None if queue.empty() else queue.get_nowait()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()
        if following is None:
            following = await queue.get()


async def cancellation_taken_for_an_error(queue, handle, failed):
    """your function was cancelled, and ran on"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except BaseException as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def put_back_and_gone_on(queue, handle, failed):
    """your function was cancelled, and ran on"""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def cancellation_swallowed(queue, handle, failed):
    """caught its cancellation and returned as if done"""
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


async def cancellation_noted(queue, handle, failed):
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


async def put_back_without_task_done(queue, handle, failed):
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


async def task_done_before_the_item_is_back(queue, handle, failed):
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


async def put_back_last_of_all(queue, handle, failed):
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


async def task_done_twice(queue, handle, failed):
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


async def task_done_twice_when_cancelled(queue, handle, failed):
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


async def last_item_put_back_while_waiting(queue, handle, failed):
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


async def nothing_in_hand_yet(queue, handle, failed):
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


async def put_back_twice(queue, handle, failed):
    """and then the queue held `[2, 3, 1, 1]`"""
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


async def task_for_each_item(queue, handle, failed):
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


async def handled_on_behind_a_shield(queue, handle, failed):
    """and went on handling it"""
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


async def left_behind_a_shield(queue, handle, failed):
    """still running"""
    while True:
        item = await queue.get()
        try:
            await asyncio.shield(handle(item))
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def handle_not_awaited(queue, handle, failed):
    """you called handle() and never awaited it"""
    while True:
        item = await queue.get()
        try:
            handle(item)
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


async def put_back_whatever_it_was(queue, handle, failed):
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


async def handled_in_a_task_of_its_own(queue, handle, failed):
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


async def what_is_in_hand_noted(queue, handle, failed):
    in_hand = []
    try:
        while True:
            in_hand.append(await queue.get())
            try:
                await handle(in_hand[0])
            except Exception as error:
                failed.append((in_hand[0], error))
            in_hand.clear()
            queue.task_done()
    finally:
        for item in in_hand:
            queue.put_nowait(item)
            queue.task_done()


async def cancellation_told_by_a_flag(queue, handle, failed):
    while True:
        item = await queue.get()
        is_over = False
        try:
            await handle(item)
            is_over = True
        except Exception as error:
            failed.append((item, error))
            is_over = True
        finally:
            if not is_over:
                queue.put_nowait(item)
            queue.task_done()


async def errors_as_results(queue, handle, failed):
    while True:
        item = await queue.get()
        try:
            (result,) = await asyncio.gather(handle(item), return_exceptions=True)
            if isinstance(result, Exception):
                failed.append((item, result))
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        finally:
            queue.task_done()


async def all_of_it_in_a_group(queue, handle, failed):
    async def consume():
        while True:
            item = await queue.get()
            try:
                await handle(item)
            except asyncio.CancelledError:
                queue.put_nowait(item)
                raise
            except Exception as error:
                failed.append((item, error))
            finally:
                queue.task_done()

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
