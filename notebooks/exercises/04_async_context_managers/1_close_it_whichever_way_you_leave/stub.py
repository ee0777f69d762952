def connected(connect):
    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        yield connection
        await connection.close()

    return manager()
