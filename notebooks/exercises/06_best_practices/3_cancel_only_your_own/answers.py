"""Answers to exercise 6.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib


def _reporting(helpers, report, kinds=Exception):
    async def run(name):
        try:
            await helpers[name]()
        except kinds as error:
            report(name, error)

    return [asyncio.create_task(run(name)) for name in helpers]


async def _end(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_tasks_cancelled(main, helpers, report):
    """you cancelled a task that you have not made"""
    _reporting(helpers, report)
    try:
        return await main()
    finally:
        await _end(asyncio.all_tasks() - {asyncio.current_task()})


async def all_that_came_since(main, helpers, report):
    """you cancelled a task that you have not made"""
    before = asyncio.all_tasks()
    _reporting(helpers, report)
    try:
        return await main()
    finally:
        await _end(asyncio.all_tasks() - before)


async def none_cancelled(main, helpers, report):
    """still running"""
    _reporting(helpers, report)
    return await main()


async def not_awaited(main, helpers, report):
    """still running"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()


async def waits_for_their_own_end(main, helpers, report):
    """after `main` had ended. Cancel all of them then"""
    tasks = _reporting(helpers, report)
    result = await main()
    await asyncio.gather(*tasks)
    return result


async def kept_when_main_fails(main, helpers, report):
    """had failed, “run”"""
    tasks = _reporting(helpers, report)
    result = await main()
    await _end(tasks)
    return result


async def kept_when_cancelled(main, helpers, report):
    """had been cancelled, “run” and 1 more were still running"""
    tasks = _reporting(helpers, report)
    try:
        result = await main()
    except Exception:
        await _end(tasks)
        raise
    await _end(tasks)
    return result


async def left_when_cancelled_while_they_clean_up(main, helpers, report):
    """had been cancelled, “run”"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def cancelled_one_by_one(main, helpers, report):
    """after `main` had ended. Cancel all of them then"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        for task in tasks:
            await _end([task])


async def cancelled_until_they_end(main, helpers, report):
    """was cancelled again while it cleaned up"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        while not all(task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)


async def each_awaited_and_any_cancellation_suppressed(main, helpers, report):
    """caught its cancellation and returned as if done"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def a_bare_gather(main, helpers, report):
    """function ended with CancelledError, though it was not cancelled"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


async def a_group_of_all(main, helpers, report):
    """was cancelled again while it cleaned up"""
    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(helper()) for name, helper in helpers.items()}
            running = group.create_task(main(), name="main")
            running.add_done_callback(lambda _: [task.cancel() for task in tasks.values()])
            for name, task in tasks.items():
                task.add_done_callback(
                    lambda task, name=name: task.cancelled() or task.exception() and report(name, task.exception())
                )
    return running.result()


async def a_group_wraps_the_error_of_main(main, helpers, report):
    """or let its error out"""

    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(name)) for name in helpers]
        try:
            return await main()
        finally:
            for task in tasks:
                task.cancel()


async def one_error_ends_all_helpers(main, helpers, report):
    """was cancelled before `main` had ended"""

    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)
            raise

    async def run_all():
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for name in helpers:
                    group.create_task(run(name))

    task = asyncio.create_task(run_all())
    try:
        return await main()
    finally:
        await _end([task])


async def the_first_to_end_ends_all(main, helpers, report):
    """was cancelled"""
    tasks, running = _reporting(helpers, report), asyncio.create_task(main())
    try:
        await asyncio.wait([running, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end([running, *tasks])
    return running.result()


async def reported_at_the_end(main, helpers, report):
    """ms later. Report it when the helper has raised it"""
    tasks = [asyncio.create_task(helper()) for helper in helpers.values()]
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for name, outcome in zip(helpers, outcomes, strict=True):
            if isinstance(outcome, Exception):
                report(name, outcome)


async def never_reported(main, helpers, report):
    """and you reported nothing"""
    tasks = [asyncio.create_task(helper()) for helper in helpers.values()]
    try:
        return await main()
    finally:
        await _end(tasks)


async def late_errors_not_reported(main, helpers, report):
    """and you reported nothing"""
    is_over = False

    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            if not is_over:
                report(name, error)

    tasks = [asyncio.create_task(run(name)) for name in helpers]
    try:
        return await main()
    finally:
        is_over = True
        await _end(tasks)


async def reported_twice(main, helpers, report):
    """Report each error once"""

    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)
            raise

    tasks = [asyncio.create_task(run(name)) for name in helpers]
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        for name, outcome in zip(helpers, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if isinstance(outcome, Exception):
                report(name, outcome)


async def cancellations_reported(main, helpers, report):
    """was cancelled, and you reported `CancelledError()`"""
    tasks = _reporting(helpers, report, kinds=BaseException)
    try:
        return await main()
    finally:
        await _end(tasks)


async def the_end_reported(main, helpers, report):
    """ended, and you reported `None`"""

    async def run(name):
        error = None
        try:
            await helpers[name]()
        except Exception as raised:
            error = raised
        report(name, error)

    tasks = [asyncio.create_task(run(name)) for name in helpers]
    try:
        return await main()
    finally:
        await _end(tasks)


async def the_text_reported(main, helpers, report):
    """Report each error once"""
    tasks = _reporting(helpers, lambda name, error: report(name, str(error)))
    try:
        return await main()
    finally:
        await _end(tasks)


async def reported_by_number(main, helpers, report):
    """and you reported nothing"""
    tasks = _reporting(helpers, lambda name, error: report(list(helpers).index(name), error))
    try:
        return await main()
    finally:
        await _end(tasks)


async def only_some_errors_known(main, helpers, report):
    """the error of a helper got out"""
    tasks = _reporting(helpers, report, kinds=TimeoutError)
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks or [asyncio.create_task(asyncio.sleep(0))])
        for task in tasks:
            if not task.cancelled():
                task.result()


async def helpers_after_main(main, helpers, report):
    """helper M was started 0 times"""
    result = await main()
    await _end(_reporting(helpers, report))
    return result


async def helpers_before_main(main, helpers, report):
    """helper M was cancelled before `main` had ended"""
    for name, helper in helpers.items():
        try:
            async with asyncio.timeout(0.01):
                await helper()
        except Exception as error:
            report(name, error)
    return await main()


async def main_swallows_the_cancellation(main, helpers, report):
    """caught its cancellation and returned as if done"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    except asyncio.CancelledError:
        return None
    finally:
        await _end(tasks)


async def main_left_in_its_task(main, helpers, report):
    """had been cancelled, task “main” was still running"""
    tasks, running = _reporting(helpers, report), asyncio.create_task(main(), name="main")
    try:
        await asyncio.wait([running])
        return running.result()
    finally:
        await _end(tasks)


async def main_error_reported_too(main, helpers, report):
    """`main` gave `JobError('main fails')`, and you gave `None`"""
    tasks = _reporting(helpers, report)
    try:
        return await main()
    except Exception as error:
        report("main", error)
    finally:
        await _end(tasks)


async def main_again_if_falsy(main, helpers, report):
    """`main` was called 2 times"""
    tasks = _reporting(helpers, report)
    try:
        return await main() or await main()
    finally:
        await _end(tasks)


async def done_callbacks_report(main, helpers, report):
    def tell(name):
        def told(task):
            if not task.cancelled() and task.exception():
                report(name, task.exception())

        return told

    tasks = []
    for name, helper in helpers.items():
        tasks.append(asyncio.create_task(helper(), name=name))
        tasks[-1].add_done_callback(tell(name))
    try:
        return await main()
    finally:
        await _end(tasks)


async def a_group_of_helpers_that_never_fail(main, helpers, report):
    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)

    result = error = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(name)) for name in helpers]
        try:
            result = await main()
        except Exception as raised:
            error = raised
        finally:
            for task in tasks:
                task.cancel()
    if error:
        raise error
    return result


async def the_group_is_opened_again(main, helpers, report):
    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(name)) for name in helpers]
            try:
                return await main()
            finally:
                for task in tasks:
                    task.cancel()
    except* Exception as raised:
        error = raised.exceptions[0]
    raise error


async def a_stack_of_clean_ups(main, helpers, report):
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_end, _reporting(helpers, report))
        return await main()


async def awaited_in_turn_until_all_have_ended(main, helpers, report):
    tasks, cancelled = _reporting(helpers, report), None
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        while not all(task.done() for task in tasks):
            try:
                await asyncio.wait(tasks)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled


async def main_and_helpers_watched_by_wait(main, helpers, report):
    running = asyncio.create_task(main())
    names = {asyncio.create_task(helper()): name for name, helper in helpers.items()}
    pending = {running, *names}

    def tell(done):
        for task in done - {running}:
            if not task.cancelled() and task.exception():
                report(names[task], task.exception())

    try:
        while running in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            tell(done)
    finally:
        cancelled = None
        for task in pending:
            task.cancel()
        while pending:
            try:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                tell(done)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled
    return running.result()
