"""There is no current event loop

Means: `get_event_loop` found no loop in this thread. A new thread has none; nor has the main thread
once an `asyncio.run` is over, and from Python 3.14 on, not before either.
Cure: [call asyncio.run, in the thread too](00_start_here_deeper.ipynb#cell-id=run-in-thread)
"""

import asyncio
import threading


async def hello():
    print("hello")


def work():
    loop = asyncio.get_event_loop()
    loop.run_until_complete(hello())


threading.Thread(target=work).start()
