"""Task was destroyed but it is pending!

Means: A task was thrown away before its end: its loop was closed, or nothing held the task any more. Its work is left
half done.
Cure: [hold your tasks, and stop them with a block](06_best_practices_deeper.ipynb#cell-id=own-tasks)
"""

import asyncio


async def save():
    await asyncio.sleep(1)
    print("saved")


async def main():
    asyncio.create_task(save())
    await asyncio.sleep(0.1)


loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
