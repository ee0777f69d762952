"""a coroutine was expected, got …
Also: An asyncio.Future, a coroutine or an awaitable is required

Means: This is no coroutine: it is the function itself, or what a plain function has returned, such as None. What a
loop can run is what a call of an `async def` makes.
Cure: [call an async def: asyncio.run(hello())](00_start_here_deeper.ipynb#cell-id=write-script)
"""

import asyncio


async def hello():
    print("hello")


asyncio.run(hello)
