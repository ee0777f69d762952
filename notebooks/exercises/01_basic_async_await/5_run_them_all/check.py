"""The check of exercise 1.5."""

ERROR_MESSAGES = {
    'TypeError: a coroutine was expected, got': (
        '`create_task` got something that is not a coroutine. Call a coroutine function, `job()`; for a plain one '
        'write `asyncio.to_thread(job)`.'
    ),
    "TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required)": (
        'one of the jobs is a plain function, so what it gives cannot be awaited. For those, write '
        '`asyncio.to_thread(job)`.'
    ),
}
