"""object … can't be used in 'await' expression
Also: '…' object can't be awaited

Means: What is awaited here is no coroutine, but the result of a plain function, which has already run, and blocked the
loop meanwhile.
Cure: [await something that does not block, or a thread](01_basic_async_await.ipynb#cell-id=cured)
"""

import asyncio
import time


async def main():
    await time.sleep(0.1)


asyncio.run(main())
