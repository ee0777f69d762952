"""Task exception was never retrieved
Also: Future exception was never retrieved

Means: A task failed, and nothing awaited it or asked for its error. You hear of it only now, when the task is thrown
away.
Cure: [have each task report its error](06_best_practices.ipynb#cell-id=results)
"""

import asyncio


async def save():
    print(1 / 0)


async def main():
    task = asyncio.create_task(save())
    await asyncio.sleep(0.1)
    print(task.done())


asyncio.run(main())
