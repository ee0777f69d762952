"""The check of exercise 1.3."""

ERROR_MESSAGES = {
    "TypeError: .*(?:awaitable is required|unhashable type: 'list')": (
        '`gather` wants each coroutine as an argument of its own. Put a `*` before the list.'
    ),
}
