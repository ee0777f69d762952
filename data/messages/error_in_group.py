"""unhandled errors in a TaskGroup (…)

Means: A task of the group failed, and the group cancelled the others. The errors themselves stand below this line,
one after another.
Cure: [take out what you expect, with except*](03_concurrency_patterns.ipynb#cell-id=failure-read)
"""

import asyncio


async def save():
    print(1 / 0)


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(save())


asyncio.run(main())
