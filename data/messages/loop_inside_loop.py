"""This event loop is already running
Also: Cannot run the event loop while another loop is running

Means: `run_until_complete` runs a loop until something is done, but this code is called by a loop that runs: the same
one, or another. That one would have to stand still until then.
Cure: [await it: the loop runs already](00_start_here.ipynb#cell-id=top-level-await)
"""

import asyncio


async def hello():
    return "hello"


async def main():
    loop = asyncio.get_running_loop()
    print(loop.run_until_complete(hello()))


asyncio.run(main())
