import asyncio

from aiohttp import web


def make_app(latest, most=10):
    queue = asyncio.Queue(most)

    async def changes(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while True:
            await socket.send_json(await queue.get())

    app = web.Application()
    app.add_routes([web.get("/changes", changes)])
    return app, queue.put_nowait
