"""Our way to do exercise 5.4."""

import asyncio


def ask_once(fetch):
    """Return a function that gives what `fetch` gives, in one call for all who wait for the same key."""
    calls, waiting = {}, {}  # the task for each key; how many wait for each task

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask
