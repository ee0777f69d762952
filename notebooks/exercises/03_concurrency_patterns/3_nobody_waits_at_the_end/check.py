"""The check of exercise 3.3."""

ERROR_MESSAGES = {
    "(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": (
        'whoever enters may have to wait. Write `async with`, not `with`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets after its name.'
    ),
    'ValueError: task_done\\(\\) called too many times': (
        '`task_done()` was called more often than an item was taken. Call it once for each, when it is handled.'
    ),
    'QueueEmpty': (
        '`get_nowait()` raises `QueueEmpty` when there is nothing yet. Wait for an item: `await queue.get()`.'
    ),
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        'what you start or await here is no coroutine. Call the function, with brackets: the call gives one.'
    ),
}
