"""Answers to exercise 5.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import itertools


async def errors_left_out(sources, timeout):
    """Return two dicts"""
    answers = {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception:
            pass

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers


async def errors_not_noted(sources, timeout):
    """source orders raised ConnectionError, and is missing in the second dict"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except TimeoutError as error:
            errors[name] = error
        except Exception:
            pass

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def none_beside_the_error(sources, timeout):
    """and stands in the first dict as `None`, as if that were its answer"""
    answers, errors = dict.fromkeys(sources), {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def text_of_the_error(sources, timeout):
    """Put the exception itself there"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception as error:
            errors[name] = str(error)

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def falsy_answers_dropped(sources, timeout):
    """It is an answer, though it is falsy"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answer = await source()
        except Exception as error:
            errors[name] = error
        else:
            if answer:
                answers[name] = answer

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def falsy_answers_are_failures(sources, timeout):
    """which would answer `[]`. Your own code raised that"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answer = await source()
            if not answer:
                raise ValueError("nothing came")
            answers[name] = answer
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def one_after_another(sources, timeout):
    """runs one after another"""
    answers, errors = {}, {}
    for name, source in sources.items():
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception as error:
            errors[name] = error
    return answers, errors


async def ten_at_a_time(sources, timeout):
    """10 were under way at once"""
    answers, errors, places = {}, {}, asyncio.Semaphore(10)

    async def ask(name, source):
        async with places:
            try:
                async with asyncio.timeout(timeout):
                    answers[name] = await source()
            except Exception as error:
                errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def no_time_limit(sources, timeout):
    """and you waited for it. Stop it when its time is up"""
    answers, errors = {}, {}
    results = await asyncio.gather(*[source() for source in sources.values()], return_exceptions=True)
    for name, result in zip(sources, results):
        (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def time_limit_around_all(sources, timeout):
    """`TimeoutError` ended everything, and what the others gave is lost"""
    answers, errors = {}, {}
    async with asyncio.timeout(timeout):
        results = await asyncio.gather(*[source() for source in sources.values()], return_exceptions=True)
    for name, result in zip(sources, results):
        (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def all_late_when_one_is(sources, timeout):
    """Only failures belong there"""
    answers, errors = {}, {}
    try:
        async with asyncio.timeout(timeout):
            results = await asyncio.gather(*[source() for source in sources.values()], return_exceptions=True)
    except TimeoutError as error:
        return {}, dict.fromkeys(sources, error)
    for name, result in zip(sources, results):
        (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def first_error_ends_all(sources, timeout):
    """raised ConnectionError, which ended everything"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(asyncio.wait_for(source(), timeout)) for name, source in sources.items()}
    return {name: task.result() for name, task in tasks.items()}, {}


async def only_errors_of_connections(sources, timeout):
    """which ended everything. Catch it where that one source is asked"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except (ConnectionError, TimeoutError) as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def late_ones_left_out(sources, timeout):
    """is missing in the second dict. Put a `TimeoutError` there"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout)
        for name, task in tasks.items():
            if task.done():
                try:
                    answers[name] = task.result()
                except Exception as error:
                    errors[name] = error
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return answers, errors


async def cancelled_error_for_a_late_one(sources, timeout):
    """Put a `TimeoutError` there"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout)
    finally:
        for task in tasks.values():
            task.cancel()
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    for name, result in zip(tasks, results):
        (errors if isinstance(result, BaseException) else answers)[name] = result
    return answers, errors


async def late_ones_run_on(sources, timeout):
    """still running"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=timeout)
    for name, task in tasks.items():
        if not task.done():
            errors[name] = TimeoutError()
        elif task.exception():
            errors[name] = task.exception()
        else:
            answers[name] = task.result()
    return answers, errors


async def late_ones_cancelled_and_not_awaited(sources, timeout):
    """still running"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout)
        for name, task in tasks.items():
            if not task.done():
                errors[name] = TimeoutError()
            elif task.exception():
                errors[name] = task.exception()
            else:
                answers[name] = task.result()
    finally:
        for task in tasks.values():
            task.cancel()
    return answers, errors


async def waits_until_the_time_is_up(sources, timeout):
    """Await the tasks themselves, rather than a length of time"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception as error:
            errors[name] = error

    async with asyncio.TaskGroup() as group:
        for name, source in sources.items():
            group.create_task(ask(name, source))
        await asyncio.sleep(timeout)
    return answers, errors


async def tries_again(sources, timeout):
    """was run again. Once is enough"""
    answers, errors = {}, {}

    async def ask(name, source):
        for _ in range(2):
            try:
                async with asyncio.timeout(timeout):
                    answers[name] = await source()
                    errors.pop(name, None)
                    return
            except TimeoutError as error:
                errors[name] = error
                return
            except Exception as error:
                errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def cancellation_taken_for_an_error(sources, timeout):
    """caught its cancellation and returned as if done"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            answers[name] = await asyncio.wait_for(source(), timeout)
        except Exception as error:
            errors[name] = error

    try:
        await asyncio.gather(*itertools.starmap(ask, sources.items()))
    except asyncio.CancelledError:
        pass
    return answers, errors


async def others_left_when_cancelled(sources, timeout):
    """function had been cancelled,"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=timeout)
    late = [name for name, task in tasks.items() if task.cancel()]
    results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    for name, result in zip(tasks, results):
        if name in late:
            errors[name] = TimeoutError()
        else:
            (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def empty_is_not_thought_of(sources, timeout):
    """mind that `sources` may be empty"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            answers[name] = await asyncio.wait_for(source(), timeout)
        except Exception as error:
            errors[name] = error

    tasks = [asyncio.create_task(ask(name, source)) for name, source in sources.items()]
    try:
        await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return answers, errors


async def source_itself_awaited(sources, timeout):
    """Your own code raised that"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def time_limit_around_nothing(sources, timeout):
    """and you waited for it. Stop it when its time is up"""
    answers, errors = {}, {}
    async with asyncio.timeout(timeout):
        tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    for name, result in zip(tasks, results):
        (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def shielded_from_its_time_limit(sources, timeout):
    """still running"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            answers[name] = await asyncio.wait_for(asyncio.shield(source()), timeout)
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def time_limits_one_after_another(sources, timeout):
    """Stop it when its time is up"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    for name, task in tasks.items():
        try:
            answers[name] = await asyncio.wait_for(task, timeout)
        except Exception as error:
            errors[name] = error
    return answers, errors


async def first_error_stops_the_others(sources, timeout):
    """before it could answer. Give each its"""
    answers, errors = {}, {}
    tasks = {name: asyncio.create_task(source()) for name, source in sources.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        late = [name for name, task in tasks.items() if task.cancel()]
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    for name, result in zip(tasks, results):
        if name in late:
            errors[name] = TimeoutError()
        else:
            (errors if isinstance(result, Exception) else answers)[name] = result
    return answers, errors


async def none_is_no_answer(sources, timeout):
    """answered `None`, and is missing in the first dict"""

    async def ask(source):
        try:
            return await asyncio.wait_for(source(), timeout), None
        except Exception as error:
            return None, error

    results = await asyncio.gather(*map(ask, sources.values()))
    answers = {name: answer for name, (answer, _) in zip(sources, results) if answer is not None}
    return answers, {name: error for name, (_, error) in zip(sources, results) if error}


async def await_forgotten(sources, timeout):
    """Write await before the call that made it"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = source()
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def last_source_asked_every_time(sources, timeout):
    """was never asked. Ask each, once"""
    answers, errors, asked = {}, {}, []
    for name, source in sources.items():

        async def ask():
            try:
                answers[name] = await asyncio.wait_for(source(), timeout)
            except Exception as error:
                errors[name] = error

        asked.append(ask())
    await asyncio.gather(*asked)
    return answers, errors


async def mistyped(sources, timeout):
    """Your own code raised that"""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            answers[name] = await asyncio.wait_for(source(), time_out)
        except Exception as error:
            errors[name] = error

    await asyncio.gather(*itertools.starmap(ask, sources.items()))
    return answers, errors


async def wait_for_and_sort_afterwards(sources, timeout):
    asked = [asyncio.wait_for(source(), timeout) for source in sources.values()]
    results = dict(zip(sources, await asyncio.gather(*asked, return_exceptions=True)))
    errors = {name: each for name, each in results.items() if isinstance(each, Exception)}
    return {name: each for name, each in results.items() if name not in errors}, errors


async def each_tells_what_it_is(sources, timeout):
    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                return name, await source(), None
        except Exception as error:
            return name, None, error

    found = await asyncio.gather(*[ask(*each) for each in sources.items()])
    answers = {name: answer for name, answer, error in found if error is None}
    return answers, {name: error for name, _, error in found if error is not None}


async def wait_and_stop_the_rest(sources, timeout):
    answers, errors = {}, {}
    tasks = {asyncio.create_task(source()): name for name, source in sources.items()}
    late = set()
    try:
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task, name in tasks.items():
        if task in late:
            errors[name] = TimeoutError(f"{name} gave no answer within {timeout} s")
        elif error := task.exception():
            errors[name] = error
        else:
            answers[name] = task.result()
    return [answers, errors]


async def one_deadline_for_all(sources, timeout):
    answers, errors = {}, {}
    end = asyncio.get_running_loop().time() + timeout

    async def ask(name, source):
        try:
            async with asyncio.timeout_at(end):
                answers[name] = await source()
        except TimeoutError:
            errors[name] = TimeoutError(f"{name} is too slow")
        except Exception as error:
            errors[name] = error

    async with asyncio.TaskGroup() as group:
        for name in sources:
            group.create_task(ask(name, sources[name]), name=name)
    return answers, errors


async def tasks_asked_for_their_errors(sources, timeout):
    async with asyncio.TaskGroup() as group:

        async def ask(source):
            try:
                return True, await asyncio.wait_for(source(), timeout)
            except Exception as error:
                return False, error

        tasks = {name: group.create_task(ask(source)) for name, source in sources.items()}
    found = {name: task.result() for name, task in tasks.items()}
    return tuple({name: each for name, (ok, each) in found.items() if ok is wanted} for wanted in (True, False))


async def as_completed(sources, timeout):
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                return answers, name, await source()
        except Exception as error:
            return errors, name, error

    tasks = [asyncio.create_task(ask(*each)) for each in sources.items()]
    try:
        for next_one in asyncio.as_completed(tasks):
            where, name, what = await next_one
            where[name] = what
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return answers, errors


async def called_back_when_the_time_is_up(sources, timeout):
    tasks, late = {name: asyncio.create_task(source()) for name, source in sources.items()}, set()

    def stop():
        late.update(name for name, task in tasks.items() if task.cancel())

    timer = asyncio.get_running_loop().call_later(timeout, stop)
    try:
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
    finally:
        timer.cancel()
    found = dict(zip(tasks, results)) | {name: TimeoutError() for name in late}
    errors = {name: each for name, each in found.items() if isinstance(each, BaseException)}
    return {name: each for name, each in found.items() if name not in errors}, errors
