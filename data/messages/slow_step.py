"""Executing <…> took … seconds

Means: In debug mode, as here, asyncio names each step that held the loop for more than 0.1 seconds. All other tasks
had to wait that long.
Cure: [move the blocking call into a thread](01_basic_async_await.ipynb#cell-id=cured)
"""

import asyncio
import time


async def main():
    time.sleep(0.2)


asyncio.run(main(), debug=True)
