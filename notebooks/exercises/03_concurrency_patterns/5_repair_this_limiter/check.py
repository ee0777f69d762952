"""The check of exercise 3.5."""

ERROR_MESSAGES = {
    "(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": (
        'whoever enters may have to wait. Write `async with`, not `with`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets after its name.'
    ),
    "NameError: .*'deque'": (
        '`deque` has to be imported: `from collections import deque` above your function.'
    ),
    "UnboundLocalError: .*'(\\w+)'": (
        'an assignment in `acquire` makes `{0}` a name of its own. Say `nonlocal {0}` at the beginning of '
        '`acquire`.'
    ),
    "TypeError: .*(?:'await'|can't be awaited)": (
        '`acquire()` gives nothing that can be awaited. Define it with `async def`.'
    ),
}
