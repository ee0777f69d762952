"""object … can't be used in 'await' expression
Also: '…' object can't be awaited

Means: What is awaited here is mostly the result of a plain function, which has already run, and held the loop
meanwhile. (If it is an `async_generator`: read it with `async for`, and await nothing.)
Cure: [leave out the await; give a call that blocks a thread](01_basic_async_await.ipynb#cell-id=cured)
"""

import asyncio
import time


async def main():
    await time.sleep(0.1)


asyncio.run(main())
