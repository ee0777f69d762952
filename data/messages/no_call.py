"""a coroutine was expected, got …
Also: An asyncio.Future, a coroutine or an awaitable is required

Means: This is the function itself. What a loop can run is what a call of it makes: a coroutine.
Cure: [write the call: asyncio.run(hello())](00_start_here_deeper.ipynb#cell-id=write-script)
"""

import asyncio


async def hello():
    print("hello")


asyncio.run(hello)
