"""Too many open files

Means: Each open file or connection takes a descriptor, and a process may have only so many (here 64; often
1,024, or 256 on macOS). An unbounded `gather` opens everything at once.
Cure: [open a few at a time](04_async_context_managers.ipynb#cell-id=process-files)
"""

import asyncio
import resource

import aiofiles

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


async def read(path):
    async with aiofiles.open(path) as file:
        return await file.read()


async def main():
    await asyncio.gather(*[read(__file__) for _ in range(100)])


asyncio.run(main())
