"""The check of exercise 3.2."""

ERROR_MESSAGES = {
    "(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": (
        'whoever enters may have to wait. Write `async with`, not `with`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets after its name.'
    ),
    'TypeError: a coroutine was expected, got <(?:function|bound method|generator)': (
        '`create_task` got the function itself. Call it, `part()`: the call gives the coroutine that the task '
        'runs.'
    ),
    "TypeError: a coroutine was expected, got '": (
        '`create_task` got a text, because you awaited too early. Give it the coroutine, without `await`: the task '
        'awaits it.'
    ),
    'InvalidStateError': (
        'you asked a task for its result before it was done. Do so after the `async with` block: indent that line '
        'less.'
    ),
}
