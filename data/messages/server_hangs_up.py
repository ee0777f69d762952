"""Server disconnected

Means: The server closed the connection without an answer: it was restarted, is overloaded, did not like the request,
or had closed an idle connection. This may pass.
Cure: [try again, with growing pauses](02_async_http_requests.ipynb#cell-id=fetch-with-retries)
"""

import asyncio

import aiohttp


async def hang_up(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def main():
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, aiohttp.ClientSession() as session:
        await session.get(f"http://{host}:{port}/")


asyncio.run(main())
