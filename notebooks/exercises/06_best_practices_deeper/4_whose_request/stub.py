async def serve(take, work, request_id, workers):
    results = {}

    async def serve_some():
        while (request := await take()) is not None:
            working = asyncio.create_task(work(request))
            request_id.set(request.id)
            results[request.id] = await working

    await asyncio.gather(*[serve_some() for _ in range(workers)])
    return results
