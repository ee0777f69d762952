"""The check of exercise 3.7."""

ERROR_MESSAGES = {
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited|a future)": (
        'what you start or await here is no coroutine. Call the function, with brackets: `handle(request)`, '
        '`close()`.'
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable '(\\w+)'": (
        '`{0}` is used before it was set. Mind that `serve` may be cancelled while it waits for its first request.'
    ),
    'QueueEmpty': (
        '`get_nowait()` raises `QueueEmpty` when there is nothing yet. Wait for a request: `await queue.get()`.'
    ),
}
