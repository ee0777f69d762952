async def run_with_helpers(main, helpers, report):
    for helper in helpers.values():
        asyncio.create_task(helper())
    try:
        return await main()
    finally:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
