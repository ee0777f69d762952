"""cannot reuse already awaited coroutine

Means: A coroutine is one call, and runs once. A task keeps its result, and can be awaited as often as you like.
Cure: [make a task of it](01_basic_async_await.ipynb#cell-id=mistakes)
"""

import asyncio


async def fetch():
    return "data"


async def main():
    call = fetch()
    print(await call)
    print(await call)


asyncio.run(main())
