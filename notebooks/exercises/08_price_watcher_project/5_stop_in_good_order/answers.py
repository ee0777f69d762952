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
    """s after `stop` was set. Cancel it then"""
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
    """after `watch_prices` raised"""
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
    """call of `send_mails` was 1 s too late. Call it at once"""

    async def mail():
        while True:
            await asyncio.sleep(pause)
            await send_mails()

    try:
        await _serve(stop, watch_prices, mail())
    finally:
        await _end(send_mails, close, grace)


async def at_a_rate(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """s too early. Call it at once, and then 1 s after the end of each call"""

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
    """call of `send_mails` was"""
    try:
        await _serve(stop, watch_prices, send_mails())
    finally:
        await _end(send_mails, close, grace)


async def cancelled_and_not_awaited(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """the last `send_mails` came before both had ended. Await each step"""
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


async def no_grace(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """the last `send_mails` had 0.001 s. Give it 5 s"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, 0.001)


async def grace_without_end(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and cancel it then"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, None)


async def the_grace_is_an_error(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """grace ran out, and you raised TimeoutError"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            await asyncio.wait_for(send_mails(), grace)
        finally:
            await close()


async def their_own_timeouts_are_lost(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """the last `send_mails` raised `TimeoutError"""
    try:
        await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await send_mails()
        finally:
            await close()


async def errors_are_lost(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """and you returned `None`. Let the error out"""
    try:
        with contextlib.suppress(ExceptionGroup):
            await _serve(stop, watch_prices, _mail(send_mails, pause))
    finally:
        await _end(send_mails, close, grace)


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


async def closes_beside_the_last_mails(stop, watch_prices, send_mails, close, pause=1.0, grace=5.0):
    """`close` came before the last `send_mails` had ended"""
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
