async def serve(queue, handle, close):
    pass
