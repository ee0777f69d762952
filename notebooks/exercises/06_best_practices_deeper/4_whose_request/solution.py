"""Our way to do exercise 6.4."""

import asyncio


async def serve(take, work, request_id, workers):
    """Serve all requests, each under its own id; return the results, or the errors, by id."""
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            token = request_id.set(request.id)
            try:
                results[request.id] = await work(request)
            except Exception as error:
                results[request.id] = error
            finally:
                request_id.reset(token)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(serve_some())
    return results
