"""Answers to exercise 8.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import itertools
import time

import aiohttp

_SKIPPED = aiohttp.ClientError, OSError, ValueError


async def _visit(source, fetch, report, patience, skipped=_SKIPPED):
    try:
        async with asyncio.timeout(patience):
            price = await fetch(source)
    except skipped:
        return
    await report(source, price)


async def _poll(sources, rate, visit, pause=asyncio.sleep):
    async with asyncio.TaskGroup() as group:
        for source in itertools.cycle(sources):
            group.create_task(visit(source))
            await pause(1 / rate)


async def what_is_left_of_the_interval(sources, fetch, report, rate, patience=1.0):
    """s too late. Begin one every 0.2 s, in a task of its own"""
    for source in itertools.cycle(sources):
        begun = time.monotonic()
        await _visit(source, fetch, report, patience)
        await asyncio.sleep(max(0, begun + 1 / rate - time.monotonic()))


async def waits_before_the_first(sources, fetch, report, rate, patience=1.0):
    """`fetch('tea')` was 0.2 s too late"""
    async with asyncio.TaskGroup() as group:
        for source in itertools.cycle(sources):
            await asyncio.sleep(1 / rate)
            group.create_task(_visit(source, fetch, report, patience))


async def planned_moments(sources, fetch, report, rate, patience=1.0):
    """s too early. Begin one every 0.2 s, in a task of its own, and do not catch up after a delay"""
    loop = asyncio.get_running_loop()
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        for source in itertools.cycle(sources):
            group.create_task(_visit(source, fetch, report, patience))
            due += 1 / rate
            await asyncio.sleep(due - loop.time())


async def failed_ones_never_again(sources, fetch, report, rate, patience=1.0):
    """Take all in turn, skipped or not"""
    sources = list(sources)

    async def visit(source):
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
        except _SKIPPED:
            if len(sources) > 1 and source in sources:
                sources.remove(source)
            return
        await report(source, price)

    async with asyncio.TaskGroup() as group:
        while True:
            for source in list(sources):
                group.create_task(visit(source))
                await asyncio.sleep(1 / rate)


async def one_round_only(sources, fetch, report, rate, patience=1.0):
    """ended by itself. Go on until you are cancelled"""
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(_visit(source, fetch, report, patience))
            await asyncio.sleep(1 / rate)


async def no_patience_at_all(sources, fetch, report, rate, patience=1.0):
    """s. Give it 0.3 s, and cancel it then"""
    await _poll(sources, rate, lambda source: _visit(source, fetch, report, None))


async def patience_of_one_interval(sources, fetch, report, rate, patience=1.0):
    """had 0.2 s. Give it 0.3 s"""
    await _poll(sources, rate, lambda source: _visit(source, fetch, report, min(patience, 1 / rate)))


async def patience_for_the_report_too(sources, fetch, report, rate, patience=1.0):
    """The patience is for `fetch` alone"""

    async def visit(source):
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
                try:
                    await report(source, price)
                except Exception as error:
                    raise RuntimeError from error
        except _SKIPPED:
            pass

    await _poll(sources, rate, visit)


async def late_ones_end_everything(sources, fetch, report, rate, patience=1.0):
    """is to be skipped ended everything"""

    async def visit(source):
        async with asyncio.timeout(patience):
            try:
                price = await fetch(source)
            except _SKIPPED:
                return
        await report(source, price)

    await _poll(sources, rate, visit)


async def skips_every_error(sources, fetch, report, rate, patience=1.0):
    """`fetch` raised JobError, and `poll` did not. Skip nothing but what the task names"""
    await _poll(sources, rate, lambda source: _visit(source, fetch, report, patience, Exception))


async def skips_errors_of_the_report(sources, fetch, report, rate, patience=1.0):
    """`report` raised"""

    async def visit(source):
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
            await report(source, price)
        except _SKIPPED:
            pass

    await _poll(sources, rate, visit)


async def drops_what_is_falsy(sources, fetch, report, rate, patience=1.0):
    """gave 0, and no report came"""

    async def visit(source):
        price = None
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
        except _SKIPPED:
            pass
        if price:
            await report(source, price)

    await _poll(sources, rate, visit)


async def reports_what_is_skipped(sources, fetch, report, rate, patience=1.0):
    """came, and no `fetch` gave that"""

    async def visit(source):
        price = None
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
        except _SKIPPED:
            pass
        await report(source, price)

    await _poll(sources, rate, visit)


async def tasks_that_none_keeps(sources, fetch, report, rate, patience=1.0):
    """still running"""
    for source in itertools.cycle(sources):
        asyncio.create_task(_visit(source, fetch, report, patience))
        await asyncio.sleep(1 / rate)


async def errors_looked_for_at_each_turn(sources, fetch, report, rate, patience=1.0):
    """raised JobError, and `poll` went on for"""
    tasks = set()
    try:
        for source in itertools.cycle(sources):
            tasks.add(asyncio.create_task(_visit(source, fetch, report, patience)))
            await asyncio.sleep(1 / rate)
            for task in [task for task in tasks if task.done()]:
                tasks.discard(task)
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def reports_in_a_row(sources, fetch, report, rate, patience=1.0):
    """s later. Report each price once, and at once"""
    lock = asyncio.Lock()

    async def report_alone(source, price):
        async with lock:
            await report(source, price)

    await _poll(sources, rate, lambda source: _visit(source, fetch, report_alone, patience))


async def lets_the_visits_end(sources, fetch, report, rate, patience=1.0):
    """you were cancelled, and `poll` went on"""
    tasks = set()
    try:
        for source in itertools.cycle(sources):
            task = asyncio.create_task(_visit(source, fetch, report, patience))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(1 / rate)
    finally:
        if tasks:
            await asyncio.wait(tasks)


async def ends_as_if_done(sources, fetch, report, rate, patience=1.0):
    """caught its cancellation and returned as if done"""
    try:
        await _poll(sources, rate, lambda source: _visit(source, fetch, report, patience))
    except asyncio.CancelledError:
        pass


async def wait_for_in_each_task(sources, fetch, report, rate, patience=1.0):
    async def visit(source):
        try:
            price = await asyncio.wait_for(fetch(source), patience)
        except _SKIPPED:
            return
        await report(source, price)

    await _poll(sources, rate, visit)


async def an_index_and_a_clock(sources, fetch, report, rate, patience=1.0):
    loop, number = asyncio.get_running_loop(), 0
    async with asyncio.TaskGroup() as group:
        while True:
            begun = loop.time()
            group.create_task(_visit(sources[number % len(sources)], fetch, report, patience))
            number += 1
            while loop.time() < begun + 1 / rate:
                await asyncio.sleep(begun + 1 / rate - loop.time())


async def a_set_of_tasks_and_a_ticker(sources, fetch, report, rate, patience=1.0):
    turns, tasks = itertools.cycle(sources), set()
    tick = asyncio.create_task(asyncio.sleep(0))
    try:
        while True:
            done, _ = await asyncio.wait({*tasks, tick}, return_when=asyncio.FIRST_COMPLETED)
            if tick.done():
                tasks.add(asyncio.create_task(_visit(next(turns), fetch, report, patience)))
                tick = asyncio.create_task(asyncio.sleep(1 / rate))
            for task in done & tasks:
                tasks.discard(task)
                task.result()
    finally:
        for task in (tick, *tasks):
            task.cancel()
        await asyncio.gather(tick, *tasks, return_exceptions=True)


async def an_else_after_the_fetch(sources, fetch, report, rate, patience=1.0):
    async def visit(source):
        try:
            async with asyncio.timeout(patience):
                price = await fetch(source)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            print(source, error)
        else:
            await report(source, price)

    async with asyncio.TaskGroup() as group:
        while True:
            for source in sources:
                visiting = group.create_task(visit(source), name=source)
                await asyncio.sleep(1 / rate)
                del visiting


async def turns_handed_out_by_a_task(sources, fetch, report, rate, patience=1.0):
    queue = asyncio.Queue()

    async def hand_out():
        for source in itertools.cycle(sources):
            queue.put_nowait(source)
            await asyncio.sleep(1 / rate)

    async with asyncio.TaskGroup() as group:
        group.create_task(hand_out())
        while True:
            group.create_task(_visit(await queue.get(), fetch, report, patience))


async def errors_carried_by_a_future(sources, fetch, report, rate, patience=1.0):
    broken, tasks = asyncio.get_running_loop().create_future(), set()

    def ended(task):
        tasks.discard(task)
        if not task.cancelled() and task.exception() and not broken.done():
            broken.set_exception(task.exception())

    try:
        for source in itertools.cycle(sources):
            task = asyncio.create_task(_visit(source, fetch, report, patience))
            tasks.add(task)
            task.add_done_callback(ended)
            await asyncio.wait([broken], timeout=1 / rate)
            if broken.done():
                broken.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
