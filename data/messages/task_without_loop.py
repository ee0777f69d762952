"""no running event loop

Means: What is called here, such as `create_task`, needs the loop that runs in this thread, and none does. In a script,
nothing has started one yet; in `to_thread`, or a callback in a thread, it runs elsewhere.
Cure: [put it into a coroutine, and start that with asyncio.run](00_start_here_deeper.ipynb#cell-id=write-script)
"""

import asyncio


async def hello():
    print("hello")


task = asyncio.create_task(hello())
