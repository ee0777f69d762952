"""Answers to exercise 6.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import contextvars


async def _workers(serve_some, workers):
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(serve_some())


async def _outcome(work, request):
    try:
        return await work(request)
    except Exception as error:
        return error


async def never_set(take, work, request_id, workers):
    """in the work on request"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            results[request.id] = await _outcome(work, request)

    await _workers(serve_some, workers)
    return results


async def set_when_the_task_was_made(take, work, request_id, workers):
    """Set it before `work` is awaited, or before its task is made"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            working = asyncio.create_task(_outcome(work, request))
            token = request_id.set(request.id)
            results[request.id] = await working
            request_id.reset(token)

    await _workers(serve_some, workers)
    return results


async def set_in_another_task(take, work, request_id, workers):
    """Set it before `work` is awaited, or before its task is made"""
    results = {}

    async def mark(request):
        request_id.set(request.id)

    async def serve_some():
        while (request := await take()) is not None:
            await asyncio.create_task(mark(request))
            results[request.id] = await _outcome(work, request)

    await _workers(serve_some, workers)
    return results


async def only_the_call_in_the_context(take, work, request_id, workers):
    """Set it before `work` is awaited, or before its task is made"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            context = contextvars.copy_context()
            context.run(request_id.set, request.id)
            results[request.id] = await context.run(_outcome, work, request)

    await _workers(serve_some, workers)
    return results


async def one_context_for_all_workers(take, work, request_id, workers):
    """request"""
    results, context = {}, contextvars.copy_context()

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.reset(token)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(serve_some(), context=context)
    return results


async def not_put_back(take, work, request_id, workers):
    """in `take()`, `request_id.get()` gave"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            request_id.set(request.id)
            results[request.id] = await _outcome(work, request)

    await _workers(serve_some, workers)
    return results


async def not_put_back_after_an_error(take, work, request_id, workers):
    """Put back what was there when the work ends, even if it fails"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            try:
                token = request_id.set(request.id)
                results[request.id] = await work(request)
                request_id.reset(token)
            except Exception as error:
                results[request.id] = error

    await _workers(serve_some, workers)
    return results


async def set_to_none(take, work, request_id, workers):
    """in `take()`, `request_id.get()` gave `None`, not"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.set(None)

    await _workers(serve_some, workers)
    return results


async def put_back_before_it_is_awaited(take, work, request_id, workers):
    """in the work on request"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            working = _outcome(work, request)
            request_id.reset(token)
            results[request.id] = await working

    await _workers(serve_some, workers)
    return results


async def put_back_elsewhere(take, work, request_id, workers):
    """a token can only be used in the context in which `set` gave it"""
    results = {}

    async def serve_one(request, token):
        try:
            results[request.id] = await _outcome(work, request)
        finally:
            request_id.reset(token)

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            await asyncio.create_task(serve_one(request, token))

    await _workers(serve_some, workers)
    return results


async def one_after_another_in_the_caller(take, work, request_id, workers):
    """no two requests were ever under way at once"""
    results = {}
    while (request := await take()) is not None:
        token = request_id.set(request.id)
        try:
            results[request.id] = await _outcome(work, request)
        finally:
            request_id.reset(token)
    return results


async def one_worker_in_the_caller(take, work, request_id, workers):
    """in the caller, after `serve`"""
    results, before = {}, request_id.get()

    async def serve_some():
        request_id.set(before)
        while (request := await take()) is not None:
            request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.set(before)
        request_id.set("idle")

    async with asyncio.TaskGroup() as group:
        for _ in range(workers - 1):
            group.create_task(serve_some())
        await serve_some()
    return results


async def all_at_once(take, work, request_id, workers):
    """requests were under way at once, where"""
    tasks = {}

    async def serve_one(request):
        request_id.set(request.id)
        return await _outcome(work, request)

    async with asyncio.TaskGroup() as group:
        while (request := await take()) is not None:
            tasks[request.id] = group.create_task(serve_one(request))
    return {id_: task.result() for id_, task in tasks.items()}


async def one_worker_too_few(take, work, request_id, workers):
    """no two requests were ever under way at once"""
    return await a_token_for_each(take, work, request_id, max(1, workers - 1))


async def served_again_if_falsy(take, work, request_id, workers):
    """was run again"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            results[request.id] = await _outcome(work, request) or await _outcome(work, request)
            request_id.reset(token)

    await _workers(serve_some, workers)
    return results


async def an_error_ends_all(take, work, request_id, workers):
    """the error of a request got out, and ended all"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            try:
                results[request.id] = await work(request)
            finally:
                request_id.reset(token)

    await _workers(serve_some, workers)
    return results


async def an_error_is_left_out(take, work, request_id, workers):
    """which is missing in your dict"""
    results = await a_token_for_each(take, work, request_id, workers)
    return {id_: result for id_, result in results.items() if not isinstance(result, Exception)}


async def an_error_as_text(take, work, request_id, workers):
    """Keep its result, or the error itself"""
    results = await a_token_for_each(take, work, request_id, workers)
    return {id_: f"{each}" if isinstance(each, Exception) else each for id_, each in results.items()}


async def a_list(take, work, request_id, workers):
    """Return a dict: for each `request.id` its result"""
    return list((await a_token_for_each(take, work, request_id, workers)).values())


async def an_id_of_zero_is_the_end(take, work, request_id, workers):
    """which is missing in your dict"""
    results = {}

    async def serve_some():
        while (request := await take()) and request.id:
            token = request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.reset(token)

    await _workers(serve_some, workers)
    return results


async def tasks_left_when_cancelled(take, work, request_id, workers):
    """had been cancelled, “serve_some” and 1 more were"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.reset(token)

    await asyncio.wait([asyncio.create_task(serve_some()) for _ in range(workers)])
    return results


async def cancellations_caught(take, work, request_id, workers):
    """caught its cancellation and returned as if done"""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            try:
                results[request.id] = await work(request)
            except BaseException as error:
                results[request.id] = error
            finally:
                request_id.reset(token)

    with contextlib.suppress(asyncio.CancelledError):
        await _workers(serve_some, workers)
    return results


async def a_token_for_each(take, work, request_id, workers):
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.reset(token)

    await _workers(serve_some, workers)
    return results


async def what_was_there_set_again(take, work, request_id, workers):
    results, before = {}, request_id.get()

    async def serve_some():
        while (request := await take()) is not None:
            request_id.set(request.id)
            results[request.id] = await _outcome(work, request)
            request_id.set(before)

    tasks = [asyncio.create_task(serve_some()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results


async def a_task_for_each(take, work, request_id, workers):
    results = {}

    async def serve_one(request):
        request_id.set(request.id)
        results[request.id] = await _outcome(work, request)

    async def serve_some():
        while (request := await take()) is not None:
            await asyncio.create_task(serve_one(request))

    await _workers(serve_some, workers)
    return results


async def a_context_for_each(take, work, request_id, workers):
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            context = contextvars.copy_context()
            context.run(request_id.set, request.id)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(_outcome(work, request), context=context)
            results[request.id] = task.result()

    await _workers(serve_some, workers)
    return results


async def a_place_before_each_task(take, work, request_id, workers):
    results, places = {}, asyncio.Semaphore(workers)

    async def serve_one(request):
        request_id.set(request.id)
        try:
            results[request.id] = await _outcome(work, request)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        while True:
            await places.acquire()
            request = await take()
            if request is None:
                break
            group.create_task(serve_one(request))
    return results


async def set_by_a_context_manager(take, work, request_id, workers):
    results = {}

    @contextlib.contextmanager
    def on_behalf_of(request):
        token = request_id.set(request.id)
        try:
            yield
        finally:
            request_id.reset(token)

    async def serve_some():
        while (request := await take()) is not None:
            with on_behalf_of(request):
                try:
                    results[request.id] = await work(request)
                except Exception as error:
                    results[request.id] = error

    await _workers(serve_some, workers)
    return results


async def wait_for_the_first_of_the_tasks(take, work, request_id, workers):
    results, under_way = {}, set()

    async def serve_one(request):
        request_id.set(request.id)
        results[request.id] = await _outcome(work, request)

    try:
        while (request := await take()) is not None:
            under_way.add(asyncio.create_task(serve_one(request)))
            if len(under_way) >= workers:
                _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*under_way)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return results


async def a_task_made_in_the_context(take, work, request_id, workers):
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            context = contextvars.copy_context()
            context.run(request_id.set, request.id)
            results[request.id] = await context.run(asyncio.create_task, _outcome(work, request))

    await _workers(serve_some, workers)
    return results


async def in_batches(take, work, request_id, workers):
    results, request = {}, True

    async def serve_one(request):
        request_id.set(request.id)
        results[request.id] = await _outcome(work, request)

    while request is not None:
        batch = []
        while len(batch) < workers and (request := await take()) is not None:
            batch.append(request)
        async with asyncio.TaskGroup() as group:
            for each in batch:
                group.create_task(serve_one(each))
    return results
