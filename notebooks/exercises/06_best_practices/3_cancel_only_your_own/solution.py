"""Our way to do exercise 6.3."""

import asyncio


async def run_with_helpers(main, helpers, report):
    """Run `main` beside its helpers; report their errors, and end those that still run when it has ended."""

    async def run(name):
        try:
            await helpers[name]()
        except Exception as error:
            report(name, error)

    tasks = [asyncio.create_task(run(name)) for name in helpers]
    try:
        return await main()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
