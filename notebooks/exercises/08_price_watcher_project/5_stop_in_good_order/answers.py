"""Answers to exercise 8.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib


async def _mail(send_mails, pause):
    while True:
        await send_mails()
        await asyncio.sleep(pause)


async def _serve(stop, watch_prices, mailing):
    """Run both until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch_prices()), group.create_task(mailing)]
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _send_the_last(send_mails, grace):
    try:
        async with asyncio.timeout(grace) as clock:
            await send_mails()
    except TimeoutError:
        if not clock.expired():
            raise


async def _end(send_mails, close, grace):
    try:
        await _send_the_last(send_mails, grace)
    finally:
        await close()


async def asks_for_stop_between_two(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`stop` was set, and `watch_prices` went on"""
    watching = asyncio.create_task(watch_prices())
    try:
        while not stop.is_set():
            await send_mails()
            await asyncio.sleep(pause)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await _end(send_mails, close, grace)


async def waits_for_stop_alone(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`watch_prices` raised JobError, and `send_mails` went on"""
    tasks = [asyncio.create_task(watch_prices()), asyncio.create_task(_mail(send_mails, pause))]
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await _end(send_mails, close, grace)


async def a_pause_comes_first(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`send_mails` was due"""

    async def mail():
        while True:
            await asyncio.sleep(pause)
            await send_mails()

    try:
        await _serve(stop, watch_prices, mail())
    finally:
        await _end(send_mails, close, grace)


async def at_a_rate(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """too soon. Leave `pause` seconds between two calls"""

    async def mail():
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(send_mails())
                await asyncio.sleep(pause)

    try:
        await _serve(stop, watch_prices, mail())
    finally:
        await _end(send_mails, close, grace)


async def mails_only_once(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and not called"""
    try:
        await _serve(stop, watch_prices, send_mails())
    finally:
        await _end(send_mails, close, grace)


async def errors_of_the_mails_end_nothing(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`send_mails` raised"""

    async def mail():
        while True:
            with contextlib.suppress(Exception):
                await send_mails()
            await asyncio.sleep(pause)

    try:
        await _serve(stop, watch_prices, mail())
    finally:
        await _end(send_mails, close, grace)


async def lets_the_mails_end(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and `send_mails` went on"""

    async def mail():
        while not stop.is_set():
            await send_mails()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch_prices())
            group.create_task(mail())
            await stop.wait()
            watching.cancel()
    finally:
        await _end(send_mails, close, grace)


async def cancelled_and_not_awaited(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """before the others had ended. Await them first"""
    tasks = [asyncio.create_task(each) for each in (watch_prices(), _mail(send_mails, pause), stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await _end(send_mails, close, grace)
    for task in done:
        task.result()


async def cancelled_while_they_clean_up(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and then `send_mails` was not called a last time"""
    tasks = [asyncio.create_task(each) for each in (watch_prices(), _mail(send_mails, pause), stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _end(send_mails, close, grace)
    for task in done:
        task.result()


async def last_mails_only_after_a_stop(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and then `send_mails` was not called a last time"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
        await _send_the_last(send_mails, grace)
    finally:
        await close()


async def awaited_with_any_cancellation_suppressed(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """caught its cancellation and returned as if done"""
    tasks = [asyncio.create_task(each) for each in (watch_prices(), _mail(send_mails, pause), stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await _end(send_mails, close, grace)
    for task in done:
        task.result()


async def no_last_mails_when_cancelled(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """you were cancelled, and then `send_mails` was not called a last time"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    except asyncio.CancelledError:
        await close()
        raise
    except BaseExceptionGroup:
        await _end(send_mails, close, grace)
        raise
    await _end(send_mails, close, grace)


async def no_grace(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """the last `send_mails` was cancelled after"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, 0.001)


async def grace_without_end(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """Cancel it after"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, None)


async def the_grace_is_an_error(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """grace ran out, and `run` raised TimeoutError"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            await asyncio.wait_for(send_mails(), grace)
        finally:
            await close()


async def their_own_timeouts_are_lost(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """the last `send_mails` raised TimeoutError, and you returned `None`"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await send_mails()
        finally:
            await close()


async def late_errors_are_lost(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and you returned `None`. Let the error out, when all is done"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            with contextlib.suppress(Exception):
                await _send_the_last(send_mails, grace)
        finally:
            await close()


async def errors_are_lost(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and you returned `None`. Let the error out"""
    try:
        with contextlib.suppress(ExceptionGroup):
            await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, grace)


async def not_closed_after_an_error(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and `close` was called never"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            await _send_the_last(send_mails, grace)
        except asyncio.CancelledError:
            await close()
            raise
        await close()


async def not_closed_if_cancelled_again(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was called never"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        failed = None
        try:
            await _send_the_last(send_mails, grace)
        except Exception as error:
            failed = error
        await close()
        if failed:
            raise failed


async def closes_before_the_last_mails(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was called before the last `send_mails` had ended"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            await close()
        finally:
            await _send_the_last(send_mails, grace)


async def closes_beside_the_last_mails(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was called before the last `send_mails` had ended"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        sending = asyncio.create_task(send_mails())
        try:
            await asyncio.wait([sending], timeout=grace)
        finally:
            sending.cancel()
            await close()
    if not sending.cancelled():
        sending.result()


async def the_grace_is_for_close_too(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was cut short"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            async with asyncio.timeout(grace) as clock:
                try:
                    await send_mails()
                finally:
                    await close()
        except TimeoutError:
            if not clock.expired():
                raise


async def close_is_not_awaited(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was cut short"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            await _send_the_last(send_mails, grace)
        finally:
            asyncio.create_task(close())


async def closes_twice(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` was called twice"""
    try:
        try:
            await _serve(stop, watch_prices, _mail(send_mails, pause))
        finally:
            await _end(send_mails, close, grace)
    except BaseException:
        await close()
        raise


async def ends_as_if_stopped(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """caught its cancellation and returned as if done"""
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, grace)


async def a_stack_of_clean_ups(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(close)
        stack.push_async_callback(_send_the_last, send_mails, grace)
        await _serve(stop, watch_prices, _mail(send_mails, pause))


async def three_tasks_and_a_wait(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    tasks = [asyncio.create_task(each) for each in (watch_prices(), _mail(send_mails, pause), stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        try:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await _end(send_mails, close, grace)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def the_last_mails_in_a_task(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        sending = asyncio.create_task(send_mails())
        try:
            await asyncio.wait([sending], timeout=grace)
        finally:
            is_late = not sending.done()
            sending.cancel()
            try:
                await asyncio.gather(sending, return_exceptions=is_late)
            finally:
                await close()


async def wait_for_and_an_error_kept(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    failed = []

    async def send_the_last():
        try:
            await send_mails()
        except Exception as error:
            failed.append(error)

    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(send_the_last(), grace)
        finally:
            await close()
    for error in failed:
        raise error


async def one_task_and_a_wait_for_stop(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    async def both():
        async with asyncio.TaskGroup() as group:
            group.create_task(watch_prices())
            while True:
                await send_mails()
                await asyncio.sleep(pause)

    working, stopping = asyncio.create_task(both()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        try:
            await asyncio.gather(working, stopping, return_exceptions=True)
        finally:
            await _end(send_mails, close, grace)
    if not working.cancelled():
        working.result()


async def an_end_that_nothing_cuts_short(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    cancelled = None
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        ending = asyncio.create_task(_end(send_mails, close, grace))
        while not ending.done():
            try:
                await asyncio.wait([ending])
            except asyncio.CancelledError as error:
                cancelled = error
        ending.result()
        if cancelled:
            raise cancelled
