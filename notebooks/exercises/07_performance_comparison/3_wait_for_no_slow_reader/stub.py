async def broadcast(messages, readers, most):
    dropped = [0 for send in readers]
    async for message in messages:
        for send in readers:
            await send(message)
    return dropped
