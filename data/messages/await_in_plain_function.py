"""'await' outside async function
Also: 'await' outside function
Also: 'async with' outside async function
Also: 'async for' outside async function
Also: asynchronous comprehension outside of an asynchronous function

Means: Only an `async def` can pause; a plain function or a script's top level cannot, so neither can await. Python
refuses the whole file before it runs a line of it.
Cure: [make it async def, or hand the coroutine to the loop](01_basic_async_await_deeper.ipynb#cell-id=calling)
"""


async def fetch():
    return "data"


def main():
    data = await fetch()
    print(data)


main()
