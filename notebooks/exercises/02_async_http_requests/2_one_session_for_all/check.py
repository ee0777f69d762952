"""The check of exercise 2.2."""

ERROR_MESSAGES = {
    "AttributeError: '[\\w.]*RequestContextManager' object": (
        '`session.get(url)` alone is no response yet. Write `async with session.get(url) as response:` and use '
        '`response` in that block.'
    ),
    "TypeError: '(?:method|function)' object .*context manager": (
        'what stands after `async with` is a function, not what it gives. Call it: `session.get(url)`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets: '
        '`aiohttp.ClientSession()`.'
    ),
    "TypeError: 'str' object .*context manager": (
        'what stands after `async with` is a text. It wants a request: `session.get(url)`.'
    ),
    "TypeError: (?:'[\\w.]*RequestContextManager' object .*context manager|Use async with instead)": (
        'opening and closing may have to wait here, which plain `with` cannot. Write `async with`.'
    ),
    "(?:TypeError|AttributeError): 'coroutine' object": (
        '`response.json()` gives a coroutine, because the body has yet to arrive. Write `await` before it.'
    ),
    "TypeError: .*(?:method|function)'? (?:can't be used in 'await'|object can't be awaited)": (
        'you await a function instead of what it gives. Call it: `await response.json()`.'
    ),
    'RuntimeError: Session is closed': (
        'a request was made after its session was closed. Make and await it inside the `async with` block of the '
        'session: indent it more.'
    ),
    'ClientConnectionError: Connection closed': (
        'you read a response after it was released. Read it inside its `async with` block.'
    ),
}
