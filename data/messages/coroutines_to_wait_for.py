"""Passing coroutines is forbidden, use tasks explicitly

Means: `asyncio.wait` takes tasks, and these are coroutines. It gives back the tasks that are done and those that are
not, so you must hold them.
Cure: [make a task of each, and wait for those](03_concurrency_patterns_deeper.ipynb#cell-id=give-up)
"""

import asyncio


async def save():
    await asyncio.sleep(0.01)


async def main():
    await asyncio.wait([save(), save()])


asyncio.run(main())
