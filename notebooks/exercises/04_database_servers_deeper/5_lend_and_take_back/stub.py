def make_pool(connect, limit):
    idle = []

    @contextlib.asynccontextmanager
    async def lend():
        connection = idle.pop() if idle else await connect()
        yield connection
        idle.append(connection)

    return lend
