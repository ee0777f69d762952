"""Our way to do exercise 5.3."""

import asyncio


async def crawl(start, links_of, limit):
    """Read every page that can be reached from `start`, at most `limit` at a time; return those read and those not."""
    places = asyncio.Semaphore(limit)
    known, failed = {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed
