"""Our way to do exercise 6.1."""

import asyncio


async def run_all(operations):
    """Run all operations side by side; return their results and their errors, each by name."""
    tasks = {name: asyncio.create_task(run()) for name, run in operations.items()}
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    results, errors = {}, {}
    for name, task in tasks.items():
        if task.cancelled():
            errors[name] = asyncio.CancelledError()
        elif task.exception():
            errors[name] = task.exception()
        else:
            results[name] = task.result()
    return results, errors
