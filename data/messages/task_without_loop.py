"""no running event loop

Means: `create_task` gives a coroutine to the loop that runs in this thread, and none does. Outside `async def`, in a
script, nothing has started one yet.
Cure: [put it into a coroutine, and start that with asyncio.run](00_start_here_deeper.ipynb#cell-id=write-script)
"""

import asyncio


async def hello():
    print("hello")


task = asyncio.create_task(hello())
