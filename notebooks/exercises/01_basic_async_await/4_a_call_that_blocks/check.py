"""The check of exercise 1.4."""

ERROR_MESSAGES = {
    "TypeError: '\\w+' object is not callable": (
        'you call `query` yourself and hand its *result* to a thread. Write `asyncio.to_thread(query, name)`, with '
        'a comma: then the thread makes the call.'
    ),
    "TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required|coroutine was expected)": (
        'what `query` gives cannot be awaited, because it is a plain function. Let a thread run it: '
        '`asyncio.to_thread(query, name)`.'
    ),
}
