"""Answers to exercise 5.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib


async def marked_before_the_job(jobs, journal, limit):
    """was marked before `job('a')` had ended"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            await journal.mark(key)
            try:
                await job(key)
            except Exception as error:
                errors[key] = error

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def job_and_mark_side_by_side(jobs, journal, limit):
    """was marked before `job('a')` had ended"""
    places, done = asyncio.Semaphore(limit), await journal.done()

    async def run(key, job):
        async with places:
            await asyncio.gather(job(key), journal.mark(key))

    await asyncio.gather(*[run(key, job) for key, job in jobs.items() if key not in done])
    return {}


async def never_marked(jobs, journal, limit):
    """`job('a')` was done, and `'a'` was never marked"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error

    await asyncio.gather(*[run(key, job) for key, job in jobs.items() if key not in done])
    return errors


async def all_marked_at_the_end(jobs, journal, limit):
    """6 jobs were begun and not yet marked, where 2 may be"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error

    todo = [key for key in jobs if key not in done]
    async with asyncio.TaskGroup() as group:
        for key in todo:
            group.create_task(run(key, jobs[key]))
    for key in todo:
        if key not in errors:
            await journal.mark(key)
    return errors


async def marks_in_a_finally(jobs, journal, limit):
    """jobs were begun and not yet marked, where 2 may be"""
    places, done, ended, errors = asyncio.Semaphore(limit), await journal.done(), [], {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
                ended.append(key)
            except Exception as error:
                errors[key] = error

    try:
        async with asyncio.TaskGroup() as group:
            for key, job in jobs.items():
                if key not in done:
                    group.create_task(run(key, job))
    finally:
        for key in ended:
            await journal.mark(key)
    return errors


async def marked_outside_the_place(jobs, journal, limit):
    """jobs were begun and not yet marked, where 2 may be"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        try:
            async with places:
                await job(key)
        except Exception as error:
            errors[key] = error
        else:
            await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def marked_by_a_task_beside(jobs, journal, limit):
    """jobs were begun and not yet marked, where 2 may be"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async with asyncio.TaskGroup() as group:

        async def run(key, job):
            async with places:
                try:
                    await job(key)
                except Exception as error:
                    errors[key] = error
                else:
                    group.create_task(journal.mark(key))

        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def in_batches_marked_together(jobs, journal, limit):
    """ms after it could. Mark it as soon as its job has ended"""
    done, errors = await journal.done(), {}
    todo = [key for key in jobs if key not in done]
    for i in range(0, len(todo), limit):
        batch = todo[i : i + limit]
        results = await asyncio.gather(*[jobs[key](key) for key in batch], return_exceptions=True)
        for key, result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                errors[key] = result
            else:
                await journal.mark(key)
    return errors


def _runner(
    look=lambda key, done: key not in done,
    kinds=Exception,
    mark=lambda journal, key, result: journal.mark(key),
    mark_failed=lambda journal, key: asyncio.sleep(0),
    returned=lambda errors: errors,
    places=lambda limit: asyncio.Semaphore(limit),
):
    # Our solution, with a way to break each part of it.
    async def run_all(jobs, journal, limit):
        place, done, errors = places(limit), await journal.done(), {}

        async def run(key, job):
            async with place:
                try:
                    result = await job(key)
                except kinds as error:
                    errors[key] = error
                    await mark_failed(journal, key)
                else:
                    await mark(journal, key, result)

        async with asyncio.TaskGroup() as group:
            for key, job in jobs.items():
                if look(key, done):
                    group.create_task(run(key, job))
        return returned(errors)

    return run_all


async def looks_at_no_journal(jobs, journal, limit):
    """was run, and was not to be"""
    return await _runner(look=lambda key, done: True)(jobs, journal, limit)


async def leaves_out_falsy_keys(jobs, journal, limit):
    """was never run"""
    return await _runner(look=lambda key, done: key and key not in done)(jobs, journal, limit)


async def all_or_nothing(jobs, journal, limit):
    """`job('a')` was never run"""
    if await journal.done():
        return {}
    return await _runner()(jobs, journal, limit)


async def counts_what_is_done(jobs, journal, limit):
    """was run, and was not to be"""
    rest = dict(list(jobs.items())[len(await journal.done() & set(jobs)) :])
    return await _runner(look=lambda key, done: True)(rest, journal, limit)


async def a_failed_job_is_marked(jobs, journal, limit):
    """`job('c')` failed, and is marked all the same"""
    return await _runner(mark_failed=lambda journal, key: journal.mark(key))(jobs, journal, limit)


async def marked_in_finally(jobs, journal, limit):
    """failed, and is marked all the same"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error
            finally:
                await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def marks_what_was_cancelled(jobs, journal, limit):
    """cancelled, and is marked all the same"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except asyncio.CancelledError:
                await journal.mark(key)
                raise
            except Exception as error:
                errors[key] = error
            else:
                await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def marked_if_it_gave_something(jobs, journal, limit):
    """was never marked. Mark each key once, whatever its job gave"""
    mark = lambda journal, key, result: journal.mark(key) if result else asyncio.sleep(0)
    return await _runner(mark=mark)(jobs, journal, limit)


async def marked_twice_to_be_sure(jobs, journal, limit):
    """was twice marked"""

    async def mark(journal, key, result):
        await journal.mark(key)
        await journal.mark(key)

    return await _runner(mark=mark)(jobs, journal, limit)


async def marked_a_little_later(jobs, journal, limit):
    """was marked 50 ms after it could"""

    async def mark(journal, key, result):
        await asyncio.sleep(0.05)
        await journal.mark(key)

    return await _runner(mark=mark)(jobs, journal, limit)


async def the_mark_is_not_awaited(jobs, journal, limit):
    """called mark() and never awaited it"""

    async def mark(journal, key, result):
        journal.mark(key)

    return await _runner(mark=mark)(jobs, journal, limit)


async def a_place_for_each_job(jobs, journal, limit):
    """jobs were under way at once, where 2 are allowed"""
    return await _runner(places=lambda limit: asyncio.Semaphore(1000))(jobs, journal, limit)


async def one_after_another(jobs, journal, limit):
    """no two jobs were ever under way at once"""
    return await _runner(places=lambda limit: asyncio.Semaphore(1))(jobs, journal, limit)


async def an_error_ends_all(jobs, journal, limit):
    """the error of a job got out, and ended the others"""
    return await _runner(kinds=ArithmeticError)(jobs, journal, limit)


async def texts_of_the_errors(jobs, journal, limit):
    """a dict with the error of each job that failed, by its key"""
    texts = lambda errors: {key: str(error) for key, error in errors.items()}
    return await _runner(returned=texts)(jobs, journal, limit)


async def a_list_of_errors(jobs, journal, limit):
    """where `{}` is expected: a dict"""
    return await _runner(returned=lambda errors: list(errors.values()))(jobs, journal, limit)


async def returns_nothing(jobs, journal, limit):
    """your function returned `None`"""
    return await _runner(returned=lambda errors: None)(jobs, journal, limit)


async def the_journal_in_the_try(jobs, journal, limit):
    """`mark` raised OSError, and it did not get out"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
                await journal.mark(key)
            except Exception as error:
                errors[key] = error

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def a_bare_gather(jobs, journal, limit):
    """still running"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error
            else:
                await journal.mark(key)

    await asyncio.gather(*[run(key, job) for key, job in jobs.items() if key not in done])
    return errors


async def a_second_attempt_at_once(jobs, journal, limit):
    """`job('c')` was run twice"""
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                try:
                    await job(key)
                except Exception:
                    await job(key)
            except Exception as error:
                errors[key] = error
            else:
                await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def a_cancelled_worker_takes_the_next(jobs, journal, limit):
    """went on after the cancellation"""
    done, errors = await journal.done(), {}
    todo = iter([key for key in jobs if key not in done])

    async def work():
        for key in todo:
            try:
                await jobs[key](key)
            except BaseException as error:
                errors[key] = error
                continue
            await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work())
    return errors


async def returns_when_it_is_cancelled(jobs, journal, limit):
    """caught its cancellation and returned as if done"""
    with contextlib.suppress(asyncio.CancelledError):
        return await _runner()(jobs, journal, limit)
    return {}


async def a_shield_against_kills(jobs, journal, limit):
    """still running"""
    return await asyncio.shield(_runner()(jobs, journal, limit))


async def coroutines_are_no_tasks(jobs, journal, limit):
    """a job is called with its key"""
    for job in jobs.values():
        await job()


async def done_without_await(jobs, journal, limit):
    """`journal.done()` gives a coroutine"""
    done = journal.done()
    return {key: await job(key) for key, job in jobs.items() if key not in done}


async def the_result_is_marked(jobs, journal, limit):
    """no such job was to do. Mark the key of the job"""
    return await _runner(mark=lambda journal, key, result: journal.mark(result))(jobs, journal, limit)


async def marks_again_what_is_marked(jobs, journal, limit):
    """no such job was to do. Mark the key of the job"""
    for key in await journal.done():
        await journal.mark(key)
    return await _runner()(jobs, journal, limit)


async def knows_what_it_began_in_earlier_runs(jobs, journal, limit, seen=set()):
    """was never run"""
    new = {key: job for key, job in jobs.items() if key not in seen}
    seen.update(jobs)
    return await _runner()(new, journal, limit)


async def as_many_marks_as_jobs(jobs, journal, limit):
    """`job('c')` was never run"""
    if len(await journal.done()) >= len(jobs):
        return {}
    return await _runner()(jobs, journal, limit)


async def other_places_for_the_marks(jobs, journal, limit):
    """jobs were begun and not yet marked, where 2 may be"""
    places, marking = asyncio.Semaphore(limit), asyncio.Semaphore(limit)
    done, errors = await journal.done(), {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error
                return
        async with marking:
            await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors


async def one_error_cancels_the_rest(jobs, journal, limit):
    """was never run"""
    places, done, errors, tasks = asyncio.Semaphore(limit), await journal.done(), {}, {}

    async def run(key, job):
        async with places:
            await job(key)
            await journal.mark(key)

    try:
        async with asyncio.TaskGroup() as group:
            for key, job in jobs.items():
                if key not in done:
                    tasks[key] = group.create_task(run(key, job))
    except* Exception:
        errors = {key: task.exception() for key, task in tasks.items() if not task.cancelled() and task.exception()}
    return errors


async def results_and_errors(jobs, journal, limit):
    """where `{}` is expected"""
    results = {}

    async def mark(journal, key, result):
        results[key] = result
        await journal.mark(key)

    return await _runner(mark=mark, returned=lambda errors: errors | results)(jobs, journal, limit)


async def errors_of_the_journal_do_not_matter(jobs, journal, limit):
    """`mark` raised OSError, and it did not get out"""

    async def mark(journal, key, result):
        with contextlib.suppress(OSError):
            await journal.mark(key)

    return await _runner(mark=mark)(jobs, journal, limit)


async def goes_on_to_the_end_when_cancelled(jobs, journal, limit):
    """went on after the cancellation"""
    running = asyncio.create_task(_runner()(jobs, journal, limit))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await running
        raise


async def two_at_a_time(jobs, journal, limit):
    """never more than 2 jobs were under way at once, where 3 may be"""
    return await _runner(places=lambda limit: asyncio.Semaphore(2))(jobs, journal, limit)


async def the_stub_the_other_way_round(jobs, journal, limit):
    """no two jobs were ever under way at once"""
    for key, job in jobs.items():
        await job(key)
        await journal.mark(key)


async def one_mark_at_a_time(jobs, journal, limit):
    writing = asyncio.Lock()

    async def mark(journal, key, result):
        async with writing:
            await journal.mark(key)

    return await _runner(mark=mark)(jobs, journal, limit)


async def in_batches(jobs, journal, limit):
    done, errors = await journal.done(), {}
    todo = [key for key in jobs if key not in done]

    async def run(key):
        try:
            await jobs[key](key)
        except Exception as error:
            errors[key] = error
        else:
            await journal.mark(key)

    for i in range(0, len(todo), limit):
        async with asyncio.TaskGroup() as group:
            for key in todo[i : i + limit]:
                group.create_task(run(key))
    return errors


async def a_place_before_each_task(jobs, journal, limit):
    places, done, errors = asyncio.Semaphore(limit), await journal.done(), {}

    async def run(key, job):
        try:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error
                return
            await journal.mark(key)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                await places.acquire()
                group.create_task(run(key, job))
    return errors


async def workers_share_an_iterator(jobs, journal, limit):
    done, errors = await journal.done(), {}
    todo = iter([key for key in jobs if key not in done])

    async def work():
        for key in todo:
            error = None
            try:
                await jobs[key](key)
            except Exception as raised:
                error = errors[key] = raised
            if error is None:
                await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work())
    return errors


async def asks_the_journal_for_each_job(jobs, journal, limit):
    places, errors = asyncio.Semaphore(limit), {}

    async def run(key):
        async with places:
            if key in await journal.done():
                return
            try:
                await jobs[key](key)
            except Exception as error:
                errors[key] = error
                return
            await journal.mark(key)

    tasks = [asyncio.create_task(run(key)) for key in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return errors


async def a_queue_of_keys(jobs, journal, limit):
    queue, errors = asyncio.Queue(), {}
    for key in jobs.keys() - await journal.done():
        queue.put_nowait(key)

    async def work():
        while not queue.empty():
            key = queue.get_nowait()
            with contextlib.suppress(_Failed):
                await do(key)

    async def do(key):
        try:
            await jobs[key](key)
        except Exception as error:
            errors[key] = error
            raise _Failed from error
        await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(limit)]
    assert all(worker.done() for worker in workers)
    return errors


class _Failed(Exception):
    pass


async def results_of_gather(jobs, journal, limit):
    places = asyncio.BoundedSemaphore(limit)
    done = await journal.done()
    todo = [key for key in jobs if key not in done]

    async def run(key):
        async with places:
            (result,) = await asyncio.gather(jobs[key](key), return_exceptions=True)
            if isinstance(result, Exception):
                return result
            await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        tasks = {key: group.create_task(run(key)) for key in todo}
    return {key: task.result() for key, task in tasks.items() if task.result()}


async def the_mark_is_finished_when_cancelled(jobs, journal, limit):
    async def mark(journal, key, result):
        marking = asyncio.create_task(journal.mark(key))
        try:
            await asyncio.shield(marking)
        except asyncio.CancelledError:
            await asyncio.wait([marking])
            raise

    return await _runner(mark=mark)(jobs, journal, limit)


async def as_many_as_there_are_places(jobs, journal, limit):
    left, errors, under_way = dict(jobs), {}, set()
    for key in await journal.done():
        left.pop(key, None)

    async def run(key, job):
        try:
            await job(key)
        except Exception as error:
            errors[key] = error
        else:
            await journal.mark(key)

    try:
        while left or under_way:
            while left and len(under_way) < limit:
                under_way.add(asyncio.create_task(run(*left.popitem())))
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return errors
