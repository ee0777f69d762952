"""The check of exercise 3.6."""

ERROR_MESSAGES = {
    "(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": (
        'whoever enters may have to wait. Write `async with`, not `with`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets after its name.'
    ),
    "TypeError: .*'coroutine' and 'int'": (
        '`store.read()` gives a coroutine, because reading takes a while. Write `await` before it.'
    ),
    'RuntimeError: Lock is not acquired': (
        'you release a lock that nobody holds. `async with lock:` takes it and gives it back, once.'
    ),
}
