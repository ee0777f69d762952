"""'coroutine' object is not subscriptable
Also: 'coroutine' object is not iterable
Also: 'coroutine' object has no attribute '…'
Also: RequestContextManager' object has no attribute '…'
Also: 'coroutine' object does not support
Also: requires an object with __aiter__ method, got coroutine
Also: Object of type coroutine is not JSON serializable

Means: This is the coroutine, not its result: an `await` is missing. The coroutine has not even begun to run.
Cure: [a call makes a coroutine; await runs it](01_basic_async_await.ipynb#cell-id=calling-takeaway)
"""

import asyncio


async def fetch_user():
    return {"name": "Ada"}


async def main():
    user = fetch_user()
    print(user["name"])


asyncio.run(main())
