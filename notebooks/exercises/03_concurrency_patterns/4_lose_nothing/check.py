"""The check of exercise 3.4."""

ERROR_MESSAGES = {
    'ValueError: task_done\\(\\) called too many times': (
        '`task_done()` was called more often than an item was taken. Call it once for each item: also for one that '
        'fails, but not for a `get` that was cancelled.'
    ),
    'ValueError: item \\d+ failed': (
        'an error of `handle` ended your consumer, and nobody takes the items that follow. Catch `Exception` '
        'around `await handle(item)`, note it, and go on.'
    ),
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable 'item'": (
        'your consumer was cancelled before it had any item. Put back only what is in hand: wait for an item '
        'outside of the `try`.'
    ),
}
