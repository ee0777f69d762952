"""attached to a different loop
Also: is bound to a different event loop

Means: A task belongs to the loop in which it was made; so does a lock or a queue once a task has waited for it. Here,
another thread awaits the task in a loop of its own.
Cure: [make it inside the loop that uses it](06_best_practices_deeper.ipynb#cell-id=request-why)
"""

import asyncio


async def wait_for(task):
    return await task


async def main():
    task = asyncio.create_task(asyncio.sleep(10, "done"))
    await asyncio.to_thread(asyncio.run, wait_for(task))


asyncio.run(main())
