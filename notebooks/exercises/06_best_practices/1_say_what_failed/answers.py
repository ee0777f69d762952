"""Answers to exercise 6.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


def _sorted(names, outcomes, kind=Exception):
    results, errors = {}, {}
    for name, outcome in zip(names, outcomes, strict=True):
        (errors if isinstance(outcome, kind) else results)[name] = outcome
    return results, errors


def _of_tasks(tasks):
    results, errors = {}, {}
    for name, task in tasks.items():
        if task.cancelled():
            errors[name] = asyncio.CancelledError("on its own")
        elif error := task.exception():
            errors[name] = error
        else:
            results[name] = task.result()
    return results, errors


async def _outcome(run):
    try:
        return True, await run()
    except Exception as error:
        return False, error
    except asyncio.CancelledError as error:
        if asyncio.current_task().cancelling():
            raise
        return False, error


async def as_in_the_guide(operations):
    """raised `CancelledError()`, and stands in `results`"""
    runs = [run() for run in operations.values()]
    return _sorted(operations, await asyncio.gather(*runs, return_exceptions=True))


async def whatever_is_an_exception_failed(operations):
    """returned `ValueError('this was returned')`, and stands in `errors`"""
    runs = [run() for run in operations.values()]
    return _sorted(operations, await asyncio.gather(*runs, return_exceptions=True), kind=BaseException)


async def result_or_exception_of_each_task(operations):
    """the `CancelledError` of an operation got out"""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    errors = {name: task.exception() for name, task in tasks.items() if task.exception()}
    return {name: task.result() for name, task in tasks.items() if name not in errors}, errors


async def cancelled_ones_left_out(operations):
    """raised `CancelledError()`, and is missing in `errors`"""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return _of_tasks({name: task for name, task in tasks.items() if not task.cancelled()})


async def cancellation_passed_on(operations):
    """the `CancelledError` of an operation got out"""
    results, errors = {}, {}

    async def run(name):
        try:
            results[name] = await operations[name]()
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*[run(name) for name in operations])
    in_order = lambda entries: {name: entries[name] for name in operations if name in entries}
    return in_order(results), in_order(errors)


async def cancellation_from_outside_caught_as_well(operations):
    """caught its cancellation and returned as if done"""

    async def outcome(run):
        try:
            return True, await run()
        except BaseException as error:
            return False, error

    tasks = {name: asyncio.create_task(outcome(run)) for name, run in operations.items()}
    try:
        await asyncio.gather(*tasks.values())
    except asyncio.CancelledError:
        await asyncio.wait(tasks.values())
    outcomes = {name: task.result() for name, task in tasks.items()}
    return [{name: each for name, (ok, each) in outcomes.items() if ok is kind} for kind in (True, False)]


async def tasks_left_when_cancelled(operations):
    """had been cancelled, “operation” and 3 more"""
    tasks = {name: asyncio.create_task(run(), name="operation") for name, run in operations.items()}
    if tasks:
        await asyncio.wait(tasks.values())
    return _of_tasks(tasks)


async def cancelled_and_not_awaited(operations):
    """still running"""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
    return _of_tasks(tasks)


async def waits_for_all_when_cancelled(operations):
    """cancelled from outside, your function let an operation go on"""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    if tasks:
        try:
            await asyncio.wait(tasks.values())
        except asyncio.CancelledError:
            await asyncio.wait(tasks.values())
            raise
    return _of_tasks(tasks)


async def the_first_error_ends_it(operations):
    """an operation got out"""
    return dict(zip(operations, await asyncio.gather(*[run() for run in operations.values()]), strict=True)), {}


async def a_group_cancels_the_others(operations):
    """was cancelled, though nobody cancelled `run_all`"""
    tasks = {}
    try:
        async with asyncio.TaskGroup() as group:
            for name, run in operations.items():
                tasks[name] = group.create_task(run())
    except ExceptionGroup:
        pass
    return _of_tasks(tasks)


async def falsy_results_left_out(operations):
    """and is missing in `results`"""
    outcomes = await asyncio.gather(*[_outcome(run) for run in operations.values()])
    results = {name: each for name, (ok, each) in zip(operations, outcomes, strict=True) if ok and each}
    return results, {name: each for name, (ok, each) in zip(operations, outcomes, strict=True) if not ok}


async def one_after_another(operations):
    """code runs one after another"""
    results, errors = {}, {}
    for name, run in operations.items():
        ok, each = await _outcome(run)
        (results if ok else errors)[name] = each
    return results, errors


async def in_batches_of_ten(operations):
    """10 were under way at once"""
    outcomes, runs = [], list(operations.values())
    for i in range(0, len(runs), 10):
        outcomes += await asyncio.gather(*[_outcome(run) for run in runs[i : i + 10]])
    outcomes = dict(zip(operations, outcomes, strict=True))
    return [{name: each for name, (ok, each) in outcomes.items() if ok is kind} for kind in (True, False)]


async def in_the_order_of_ending(operations):
    """is in the order of ending"""
    results, errors = {}, {}

    async def run(name):
        ok, each = await _outcome(operations[name])
        (results if ok else errors)[name] = each

    await asyncio.gather(*[run(name) for name in operations])
    return results, errors


async def errors_as_text(operations):
    """Keep what it raised itself"""
    results, errors = _of_tasks(await _done(operations))
    return results, {name: f"{type(error).__name__}: {error}" for name, error in errors.items()}


async def errors_wrapped(operations):
    """Keep what it raised itself"""
    results, errors = _of_tasks(await _done(operations))
    return results, {name: RuntimeError(f"{name} failed: {error}") for name, error in errors.items()}


async def groups_taken_apart(operations):
    """Keep what it raised itself"""
    results, errors = _of_tasks(await _done(operations))
    for name, error in errors.items():
        if isinstance(error, ExceptionGroup):
            errors[name] = error.exceptions[0]
    return results, errors


async def errors_among_the_results(operations):
    """not two dicts. Return `(results, errors)`"""
    results, errors = _of_tasks(await _done(operations))
    return results | errors


async def two_lists(operations):
    """not two dicts. Return `(results, errors)`"""
    results, errors = _of_tasks(await _done(operations))
    return list(results.values()), list(errors.values())


async def none_for_what_failed(operations):
    """raised `CancelledError()`, and stands in `results`"""
    results, errors = _of_tasks(await _done(operations))
    return {name: results.get(name) for name in operations}, errors


async def nothing_to_gather(operations):
    """`asyncio.wait` wants at least one task"""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    try:
        await asyncio.wait(tasks.values())
    except asyncio.CancelledError:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        raise
    return _of_tasks(tasks)


async def takes_the_dict_apart(operations):
    """your function changed the dict `operations`"""
    tasks = {}
    for name in list(operations):
        tasks[name] = asyncio.create_task(operations.pop(name)())
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return _of_tasks(tasks)


async def _done(operations):
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return tasks


async def each_says_how_it_ended(operations):
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_outcome(run)) for name, run in operations.items()}
    outcomes = {name: task.result() for name, task in tasks.items()}
    return [{name: each for name, (ok, each) in outcomes.items() if ok is kind} for kind in (True, False)]


async def both_caught_in_the_tasks(operations):
    results, errors = {}, {}

    async def run(name):
        try:
            results[name] = await operations[name]()
        except BaseException as error:
            errors[name] = error

    await asyncio.gather(*map(run, operations))
    in_order = lambda entries: {name: entries[name] for name in operations if name in entries}
    return in_order(results), in_order(errors)


async def a_bare_gather_raises_at_the_first_to_end(operations):
    """still running"""
    outcomes = dict(zip(operations, await asyncio.gather(*map(_outcome, operations.values())), strict=True))
    return [{name: each for name, (ok, each) in outcomes.items() if ok is kind} for kind in (True, False)]


async def a_group_of_tasks_that_never_fail(operations):
    tasks, raised = {}, {}

    async def run(name):
        try:
            return await operations[name]()
        except Exception as error:
            raised[name] = error

    async with asyncio.TaskGroup() as group:
        for name in operations:
            tasks[name] = group.create_task(run(name))
    results, errors = {}, {}
    for name, task in tasks.items():
        if task.cancelled():
            errors[name] = asyncio.CancelledError()
        elif name in raised:
            errors[name] = raised[name]
        else:
            results[name] = task.result()
    return results, errors


async def wait_and_cancel_at_the_end(operations):
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return _of_tasks(tasks)


async def awaited_in_a_row(operations):
    results, errors = {}, {}
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    try:
        for name, task in tasks.items():
            try:
                results[name] = await task
            except Exception as error:
                errors[name] = error
            except asyncio.CancelledError as error:
                if asyncio.current_task().cancelling():
                    raise
                errors[name] = error
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return results, errors


async def the_exceptions_of_gather_by_task(operations):
    tasks = [asyncio.ensure_future(run()) for run in operations.values()]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    results, errors = {}, {}
    for name, task, outcome in zip(operations, tasks, outcomes, strict=True):
        has_failed = task.cancelled() or task.exception() is not None
        (errors if has_failed else results)[name] = outcome
    return results, errors
