"""Our way to do exercise 8.3."""

import asyncio
import contextlib
import json

from aiohttp import web


def make_app(latest, most=10):
    """Return an application that serves prices, and the function that tells its readers of a change."""
    readers = {}  # for each reader's websocket, what waits to be sent, and its connection

    def publish(change):
        text = json.dumps(change)
        for queue, _ in readers.values():
            if queue.full():
                queue.get_nowait()  # this reader misses its oldest change
            queue.put_nowait(text)

    async def prices(request):
        return web.json_response(await latest())

    async def send(socket, queue):
        with contextlib.suppress(ConnectionError):  # the reader has left
            while True:
                await socket.send_str(await queue.get())

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue(most)
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(send(socket, queue))
        try:
            async for _ in socket:
                pass  # until it is closed, by the reader or by us
        finally:
            del readers[socket]
            sender.cancel()
        return socket

    async def say_goodbye(app):
        closing = asyncio.gather(*[socket.close(code=1001) for socket in readers])
        await asyncio.wait([closing], timeout=1)
        for _, connection in readers.values():
            connection.abort()  # its reader does not even take this

    app = web.Application()
    app.add_routes([web.get("/prices", prices), web.get("/changes", changes)])
    app.on_shutdown.append(say_goodbye)
    return app, publish
