"""Answers to exercise 5.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import time


async def all_at_once(jobs, workers, stop, grace):
    """jobs were under way at once, where"""
    return list(await asyncio.gather(*[job() for job in jobs], return_exceptions=True))


async def a_place_for_adding_and_none_for_running(jobs, workers, stop, grace):
    """Take the place inside the task, before its work begins"""
    places, tasks = asyncio.Semaphore(workers), []
    for job in jobs:
        async with places:
            tasks.append(asyncio.create_task(job()))
    return await asyncio.gather(*tasks, return_exceptions=True)


async def bounded_and_deaf(jobs, workers, stop, grace):
    """was begun after `stop` was set"""
    places = asyncio.Semaphore(workers)

    async def run(job):
        async with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs], return_exceptions=True)


async def one_after_another(jobs, workers, stop, grace):
    """no two jobs were ever under way at once"""
    entries = list(jobs)
    for i, job in enumerate(jobs):
        if stop.is_set():
            break
        try:
            entries[i] = await job()
        except Exception as error:
            entries[i] = error
    return entries


async def asked_before_the_place(jobs, workers, stop, grace):
    """was begun after `stop` was set. Ask `stop.is_set()` when a job has its place"""
    places, entries = asyncio.Semaphore(workers), list(jobs)

    async def run(i):
        if stop.is_set():
            return
        async with places:
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    async with asyncio.TaskGroup() as group:
        for i in range(len(jobs)):
            group.create_task(run(i))
    return entries


def _processor(
    ask=lambda stop: stop.is_set(),
    error_entry=lambda error, job: error,
    kinds=Exception,
    numbers=lambda jobs: iter(range(len(jobs))),
    wait_for_workers=True,
    cancelled_entry=None,
    has_grace=True,
    early=1.0,
    returned=lambda entries, jobs: entries,
    close=lambda stop: None,
):
    # Our solution, with a way to break each part of it.

    async def process(jobs, workers, stop, grace):
        entries = list(jobs)
        shared = numbers(jobs)

        async def work():
            for i in shared:
                if ask(stop):
                    return
                try:
                    entries[i] = await jobs[i]()
                except kinds as error:
                    entries[i] = error_entry(error, jobs[i])
                except asyncio.CancelledError as error:
                    if cancelled_entry:
                        entries[i] = cancelled_entry(error)
                    raise

        async def end(tasks):
            await stop.wait()
            await asyncio.sleep(grace * early)
            for task in tasks:
                task.cancel()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for _ in range(workers)]
            ending = group.create_task(end(tasks)) if has_grace else None
            if wait_for_workers:
                await asyncio.wait(tasks)
                if ending:
                    ending.cancel()
        close(stop)
        return returned(entries, jobs)

    return process


async def none_for_what_has_not_begun(jobs, workers, stop, grace):
    """has not begun, and its entry is `None`. Its entry is the job itself"""
    unless_begun = lambda entries, jobs: [None if each in jobs else each for each in entries]
    return await _processor(returned=unless_begun)(jobs, workers, stop, grace)


async def only_what_is_done(jobs, workers, stop, grace):
    """your function returned a list of 4 for 6 jobs. Return a list with one entry for each"""
    done = lambda entries, jobs: [each for each in entries if each not in jobs]
    return await _processor(returned=done)(jobs, workers, stop, grace)


async def falsy_results_are_none(jobs, workers, stop, grace):
    """itself. That is its entry, whatever it is"""
    falsy = lambda entries, jobs: [entry or job for entry, job in zip(entries, jobs, strict=True)]
    return await _processor(returned=falsy)(jobs, workers, stop, grace)


async def the_text_of_the_error(jobs, workers, stop, grace):
    """That error is its entry"""
    return await _processor(error_entry=lambda error, job: str(error))(jobs, workers, stop, grace)


async def failed_jobs_are_to_be_run_again(jobs, workers, stop, grace):
    """itself. That error is its entry"""
    return await _processor(error_entry=lambda error, job: job)(jobs, workers, stop, grace)


async def an_error_ends_all(jobs, workers, stop, grace):
    """the error of a job got out, and all others are lost"""
    return await _processor(kinds=ArithmeticError)(jobs, workers, stop, grace)


async def cancelled_error_as_entry(jobs, workers, stop, grace):
    """was cancelled, and its entry is `CancelledError()`. Its entry is the job itself"""
    return await _processor(cancelled_entry=lambda error: error)(jobs, workers, stop, grace)


async def endless_grace(jobs, workers, stop, grace):
    """went on after the grace of 0.0"""
    return await _processor(has_grace=False)(jobs, workers, stop, grace)


async def no_grace(jobs, workers, stop, grace):
    """ms after `stop` was set. Let it end by itself, until `grace` seconds have passed"""
    return await _processor(early=0)(jobs, workers, stop, grace)


async def half_of_the_grace(jobs, workers, stop, grace):
    """Let it end by itself, until `grace` seconds have passed"""
    return await _processor(early=0.5)(jobs, workers, stop, grace)


async def waits_for_stop_that_never_comes(jobs, workers, stop, grace):
    """waits for what can never happen"""
    return await _processor(wait_for_workers=False)(jobs, workers, stop, grace)


async def ends_its_watcher_by_stop(jobs, workers, stop, grace):
    """your function changed `stop`, which only its caller sets"""
    return await _processor(close=lambda stop: stop.set())(jobs, workers, stop, grace)


async def last_job_first(jobs, workers, stop, grace):
    """Begin them in their order"""
    return await _processor(numbers=lambda jobs: reversed(range(len(jobs))))(jobs, workers, stop, grace)


async def a_share_for_each_worker(jobs, workers, stop, grace):
    """Begin them in their order"""
    entries = list(jobs)

    async def work(first):
        for i in range(first, len(jobs), workers):
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    await asyncio.gather(*[work(first) for first in range(workers)])
    return entries


async def in_batches(jobs, workers, stop, grace):
    """after there was a place for it"""
    entries = list(jobs)
    for i in range(0, len(jobs), workers):
        if stop.is_set():
            break
        batch = [job() for job in jobs[i : i + workers]]
        entries[i : i + workers] = await asyncio.gather(*batch, return_exceptions=True)
    return entries


async def pops_from_the_callers_list(jobs, workers, stop, grace):
    """your function changed the list `jobs`"""
    copy = list(jobs)

    def numbers(_):
        while jobs:
            jobs.pop(0)
            yield len(copy) - len(jobs) - 1

    return await _processor(numbers=lambda _: numbers(jobs))(copy, workers, stop, grace)


async def sleeps_through_the_grace(jobs, workers, stop, grace):
    """ms after all was over"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    stopping = asyncio.create_task(stop.wait())
    try:
        everything = asyncio.gather(*tasks)
        await asyncio.wait([everything, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            await asyncio.sleep(grace)
    finally:
        for task in [*tasks, stopping]:
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
    return entries


async def cancels_and_does_not_wait(jobs, workers, stop, grace):
    """still running"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    stopping = asyncio.create_task(stop.wait())
    pending = {stopping, *tasks}
    while pending - {stopping} and stopping in pending:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    if pending - {stopping}:
        _, pending = await asyncio.wait(pending, timeout=grace)
    for task in pending:
        task.cancel()
    return entries


async def the_watcher_stays(jobs, workers, stop, grace):
    """still running"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    async def end():
        await stop.wait()
        await asyncio.sleep(grace)
        for task in tasks:
            task.cancel()

    asyncio.create_task(end())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for _ in range(workers)]
    return entries


async def a_cancellation_is_a_stop(jobs, workers, stop, grace):
    """caught its cancellation and returned as if done"""
    entries = list(jobs)

    def keep(result, jobs):
        entries[:] = result
        return result

    with contextlib.suppress(asyncio.CancelledError):
        return await _processor(returned=keep)(jobs, workers, stop, grace)
    return entries


async def a_cancellation_leaves_the_jobs(jobs, workers, stop, grace):
    """more were still running"""
    return await asyncio.shield(_processor()(jobs, workers, stop, grace))


async def a_cancellation_drains(jobs, workers, stop, grace):
    """went on after the cancellation from outside"""
    stopping = asyncio.Event()
    running = asyncio.create_task(
        _processor(ask=lambda _: stop.is_set() or stopping.is_set())(jobs, workers, stop, grace)
    )
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stopping.set()
        await running
        raise


async def functions_instead_of_coroutines(jobs, workers, stop, grace):
    """Call the function, with brackets"""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(job)


async def wait_for_nothing(jobs, workers, stop, grace):
    """Wait only if there is something to wait for"""
    if jobs:
        return await _processor()(jobs, workers, stop, grace)
    await asyncio.wait([])


async def the_grace_begins_anew(jobs, workers, stop, grace):
    """went on after the grace of 0.0"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    tasks, stopping = [asyncio.create_task(work()) for _ in range(workers)], asyncio.create_task(stop.wait())
    under_way = set(tasks)
    try:
        while under_way:
            waited = under_way if stopping.done() else {stopping, *under_way}
            patience = grace if stopping.done() else None
            done, _ = await asyncio.wait(waited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            under_way -= done
    finally:
        for task in [*tasks, stopping]:
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
    return entries


async def cancels_what_waits_for_a_place(jobs, workers, stop, grace):
    """function ended with CancelledError, though it was not cancelled"""
    places, is_late = asyncio.Semaphore(workers), False

    async def run(job):
        async with places:
            if stop.is_set():
                return job
            try:
                return await job()
            except asyncio.CancelledError:
                if is_late:
                    return job
                raise
            except Exception as error:
                return error

    async def end():
        nonlocal is_late
        await stop.wait()
        await asyncio.sleep(grace)
        is_late = True
        for task in tasks:
            task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
        ending = group.create_task(end())
        entries = await asyncio.gather(*tasks)
        ending.cancel()
    return entries


async def a_cancelled_worker_takes_the_next(jobs, workers, stop, grace):
    """was begun after the cancellation from outside"""
    ignore = lambda error, job: job if isinstance(error, asyncio.CancelledError) else error
    return await _processor(error_entry=ignore, kinds=BaseException)(jobs, workers, stop, grace)


async def a_worker_ends_with_its_job(jobs, workers, stop, grace):
    """That job 2 failed ends nothing else"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        try:
            for i in numbers:
                if stop.is_set():
                    return
                entries[i] = await jobs[i]()
        except Exception as error:
            entries[i] = error

    await asyncio.gather(*[work() for _ in range(workers)])
    return entries


async def one_error_stops_the_rest(jobs, workers, stop, grace):
    """That job 2 failed ends nothing else"""
    failed = asyncio.Event()

    def fail(error, job):
        failed.set()
        return error

    ask = lambda stop: stop.is_set() or failed.is_set()
    return await _processor(ask=ask, error_entry=fail)(jobs, workers, stop, grace)


async def all_errors_at_the_end(jobs, workers, stop, grace):
    """the error of a job got out"""
    entries = await _processor()(jobs, workers, stop, grace)
    if errors := [entry for entry in entries if isinstance(entry, Exception)]:
        raise ExceptionGroup("some jobs failed", errors)
    return entries


async def takes_a_time_out_for_the_end_of_the_grace(jobs, workers, stop, grace):
    """raised `TimeoutError('this job fails')`, and its entry is job 2 itself"""
    return await _processor(error_entry=lambda error, job: job, kinds=TimeoutError)(jobs, workers, stop, grace)


async def what_is_done_and_what_is_left(jobs, workers, stop, grace):
    """your function returned a list of 2 for 6 jobs"""
    pair = lambda entries, jobs: (
        [each for each in entries if each not in jobs],
        [each for each in entries if each in jobs],
    )
    return await _processor(returned=pair)(jobs, workers, stop, grace)


async def a_dict_by_number(jobs, workers, stop, grace):
    """Return a list with one entry for each"""
    return await _processor(returned=lambda entries, jobs: dict(enumerate(entries)))(jobs, workers, stop, grace)


async def looks_every_ten_milliseconds(jobs, workers, stop, grace):
    """ms after all was over"""
    running = asyncio.create_task(_processor()(jobs, workers, stop, grace))
    while not running.done():
        await asyncio.sleep(0.01)
    return running.result()


async def a_result_that_comes_late_is_dropped(jobs, workers, stop, grace):
    """itself. That is its entry, whatever it is"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            result = await jobs[i]()
            if not stop.is_set():
                entries[i] = result

    await asyncio.gather(*[work() for _ in range(workers)])
    return entries


async def the_first_job_to_end_comes_first(jobs, workers, stop, grace):
    """job 1 gave"""
    entries, numbers = [], iter(range(len(jobs)))

    async def work():
        for i in numbers:
            entries.append(jobs[i] if stop.is_set() else await jobs[i]())

    await asyncio.gather(*[work() for _ in range(workers)])
    return entries


async def time_sleep(jobs, workers, stop, grace):
    """held the event loop"""
    entries, numbers = list(jobs), iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return time.sleep(grace)
            entries[i] = await jobs[i]()

    await asyncio.gather(*[work() for _ in range(workers)])
    return entries


async def cleaning_up_is_cut_short(jobs, workers, stop, grace):
    """more were still running"""
    places, entries = asyncio.Semaphore(workers), {}

    async def run(i, job):
        async with places:
            if stop.is_set():
                return
            try:
                entries[i] = await job()
            except Exception as error:
                entries[i] = error

    async def run_all():
        async with asyncio.TaskGroup() as group:
            for i, job in enumerate(jobs):
                group.create_task(run(i, job))

    running, stopping = asyncio.create_task(run_all()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait([running], timeout=grace)
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.wait([running, stopping])
    return [entries.get(i, job) for i, job in enumerate(jobs)]


async def workers_share_a_list(jobs, workers, stop, grace):
    entries, waiting = [*jobs], [*enumerate(jobs)][::-1]

    async def work():
        while waiting and not stop.is_set():
            number, job = waiting.pop()
            try:
                entries[number] = await job()
            except Exception as error:
                entries[number] = error

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    stopping = asyncio.create_task(stop.wait())
    pending = {stopping, *tasks}
    try:
        while pending - {stopping} and stopping in pending:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if pending - {stopping}:
            await asyncio.wait(pending, timeout=grace)
    finally:
        for task in [*tasks, stopping]:
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
    return entries


async def a_place_for_each_job(jobs, workers, stop, grace):
    places, entries = asyncio.Semaphore(workers), {}

    async def run(i, job):
        async with places:
            if stop.is_set():
                return
            try:
                entries[i] = await job()
            except Exception as error:
                entries[i] = error

    async def run_all():
        async with asyncio.TaskGroup() as group:
            for i, job in enumerate(jobs):
                group.create_task(run(i, job))

    running, stopping = asyncio.create_task(run_all()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait([running], timeout=grace)
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
    return [entries.get(i, job) for i, job in enumerate(jobs)]


async def a_place_before_each_task(jobs, workers, stop, grace):
    places, entries, tasks = asyncio.Semaphore(workers), list(jobs), []

    async def run(i):
        try:
            entries[i] = await jobs[i]()
        except Exception as error:
            entries[i] = error
        finally:
            places.release()

    async def end():
        await stop.wait()
        await asyncio.sleep(grace)
        for task in tasks:
            task.cancel()

    async with asyncio.TaskGroup() as around:
        ending = around.create_task(end())
        async with asyncio.TaskGroup() as group:
            for i in range(len(jobs)):
                await places.acquire()
                if stop.is_set():
                    break
                tasks.append(group.create_task(run(i)))
        ending.cancel()
    return entries


async def gather_and_look_at_the_tasks(jobs, workers, stop, grace):
    places = asyncio.Semaphore(workers)

    async def run(job):
        async with places:
            if stop.is_set():
                raise asyncio.CancelledError
            return await job()

    async def end():
        await stop.wait()
        await asyncio.sleep(grace)
        for task in tasks:
            task.cancel()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    ending = asyncio.create_task(end())
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        ending.cancel()
        await asyncio.gather(*tasks, ending, return_exceptions=True)
    return tuple(job if task.cancelled() else result for job, task, result in zip(jobs, tasks, results, strict=True))


async def a_queue_and_a_timer(jobs, workers, stop, grace):
    queue, entries = asyncio.Queue(), list(jobs)
    for each in enumerate(jobs):
        queue.put_nowait(each)

    async def work():
        while not queue.empty():
            i, job = queue.get_nowait()
            if stop.is_set():
                break
            try:
                entries[i] = await job()
            except Exception as error:
                entries[i] = error

    async def set_deadline(deadline):
        await stop.wait()
        deadline.reschedule(asyncio.get_running_loop().time() + grace)

    async with asyncio.TaskGroup() as around:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as deadline:
                watching = around.create_task(set_deadline(deadline))
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(work())
        watching.cancel()
    return entries


async def the_caller_begins_the_jobs(jobs, workers, stop, grace):
    entries, under_way, stopping = list(jobs), {}, asyncio.create_task(stop.wait())
    coming, deadline, loop = enumerate(jobs), None, asyncio.get_running_loop()
    left = True
    try:
        while True:
            while left and len(under_way) < workers and not stop.is_set():
                i, job = next(coming, (None, None))
                if job is None:
                    left = False
                else:
                    under_way[asyncio.create_task(job())] = i
            if not under_way:
                return entries
            if stop.is_set():
                deadline = loop.time() + grace if deadline is None else deadline
                done, _ = await asyncio.wait(
                    under_way, timeout=max(0, deadline - loop.time()), return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    return entries
            else:
                done, _ = await asyncio.wait([stopping, *under_way], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                entries[under_way.pop(task)] = task.exception() or task.result()
    finally:
        for task in [stopping, *under_way]:
            task.cancel()
        await asyncio.gather(stopping, *under_way, return_exceptions=True)


async def a_timer_of_the_loop(jobs, workers, stop, grace):
    entries, coming, timer = list(jobs), iter(list(enumerate(jobs))), None

    async def work():
        for i, job in coming:
            if stop.is_set():
                break
            try:
                entries[i] = await job()
            except Exception as error:
                entries[i] = error

    def cancel_all():
        for task in tasks:
            task.cancel()

    def stopped(_):
        nonlocal timer
        if stop.is_set():
            timer = asyncio.get_running_loop().call_later(grace, cancel_all)

    stopping = asyncio.create_task(stop.wait())
    stopping.add_done_callback(stopped)
    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():
            raise
    finally:
        cancel_all()
        stopping.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
        if timer:
            timer.cancel()
    return entries
