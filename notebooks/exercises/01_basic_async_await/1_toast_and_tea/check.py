"""The check of exercise 1.1."""

ERROR_MESSAGES = {
    'TypeError: a coroutine was expected, got <(?:bound method|function)': (
        '`create_task` got the function itself. Call it, as in `prepare("toast")`: the call gives the coroutine '
        'that the task runs.'
    ),
    "TypeError: a coroutine was expected, got '": (
        '`create_task` got a result, because you awaited too early. Give it the coroutine, without `await`: the '
        'task awaits it.'
    ),
    'InvalidStateError': (
        'you asked a task for its result before it was done. Do so after the `async with` block: indent that line '
        'less.'
    ),
}
