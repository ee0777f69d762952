"""asyncio.run() cannot be called from a running event loop

Means: `asyncio.run` starts an event loop, but this code already runs in one, and a thread has room for one running
loop. A notebook's cell runs in a loop, too.
Cure: [await the coroutine](00_start_here.ipynb#cell-id=await-works)
"""

import asyncio


async def hello():
    return "hello"


async def main():
    print(asyncio.run(hello()))


asyncio.run(main())
