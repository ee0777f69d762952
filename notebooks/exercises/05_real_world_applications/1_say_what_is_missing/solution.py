"""Our way to do exercise 5.1."""

import asyncio


async def aggregate(sources, timeout):
    """Return the answers of all sources that gave one in time, and the errors of the others, by their names."""
    answers, errors = {}, {}

    async def ask(name, source):
        try:
            async with asyncio.timeout(timeout):
                answers[name] = await source()
        except Exception as error:
            errors[name] = error

    async with asyncio.TaskGroup() as group:
        for name, source in sources.items():
            group.create_task(ask(name, source))
    return answers, errors
