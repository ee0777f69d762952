"""'await' outside async function
Also: 'await' outside function

Means: A plain function cannot pause, so it cannot await. Python refuses the whole file before it runs a line of it.
Cure: [make it async def, or hand the coroutine to the loop](01_basic_async_await_deeper.ipynb#cell-id=calling)
"""


async def fetch():
    return "data"


def main():
    data = await fetch()
    print(data)


main()
