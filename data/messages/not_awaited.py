"""coroutine '…' was never awaited

Means: Calling a coroutine function makes a coroutine, and runs nothing. Python throws it away, and warns that its work
was not done.
Cure: [await the call](01_basic_async_await.ipynb#cell-id=call-and-await)
"""

import asyncio


async def save(name):
    print("saved", name)


async def main():
    save("Ada")


asyncio.run(main())
