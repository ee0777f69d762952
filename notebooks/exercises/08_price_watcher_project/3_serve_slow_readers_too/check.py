"""The check of exercise 8.3: the application runs, and real readers listen or take nothing, and leave."""

import asyncio
import contextlib
import logging
import socket
import struct
import tracemalloc

import aiohttp
from aiohttp import web

from asynclab.checking.expect import NotYet, expect, expect_no_error_lost, expect_nothing_left, said
from asynclab.checking.virtual_time import clock

WORLDS = 4
SOON, LATE = 0.6, 4  # seconds: many times what an answer takes; twice what a shutdown may take
LARGE = {"tea": 3.5, "text": "x" * 500_000}  # more than a connection holds
ERROR_MESSAGES = {
    "WSServerHandshakeError: (...)": "`/changes` answers with status {0}, and not as a websocket. Look at its route.",
    "WSMessageTypeError": "a websocket was closed while its reader was still there. Go on until that one leaves.",
    "SocketTimeoutError": "a request was not answered. Let `/prices` wait for no reader.",
    "ContentTypeError: (...)": "`/prices` answers with status {0}, and not with JSON. Use `web.json_response`.",
    "JSONDecodeError": "a reader was sent what is no JSON. Send what `json.dumps` gives.",
    r"(Connection\w*Error): ": "a reader has left, which raised {0}. That is no error: catch it where you send.",
}


async def check(make_app, world):
    """Readers listen beside others that take nothing; some leave in two worlds; then the application is shut down."""
    most, silent = ((10, 0), (3, 1), (5, 1), (2, 5))[world.number]
    beside = f" beside {silent} that took nothing" if silent else ""
    world.facts.append(f"most = {most}, two readers{beside}")
    stock = {}

    async def latest():
        return stock

    async def serve():
        app, publish = make_app(latest, most) if world.number else make_app(latest)
        async with running(app) as (runner, session):
            readers, before = [await session.ws_connect("/changes")], asyncio.all_tasks()
            readers.append(await session.ws_connect("/changes"))
            mutes = [await join_and_take_nothing(runner.addresses[0]) for _ in range(silent)]
            await asyncio.sleep(0.05)
            theirs = asyncio.all_tasks() - before  # the tasks of all readers but the first

            async def tell(changes):
                for change in changes:
                    expect(not asyncio.iscoroutine(publish(change)), "`publish` gives a coroutine. Use `def` for it.")
                for reader in readers:
                    got = []
                    with contextlib.suppress(TimeoutError):
                        while changes[-1] not in got:
                            got.append(await reader.receive_json(timeout=SOON))
                    what = f"{said(changes)} was published at one go, and a reader{beside} was sent {said(got)}"
                    how = f"Give each its own queue and task; when {most} wait and one more comes, drop the oldest"
                    expect(got == changes[-most:], f"{what}. {how}.")

            for changes in [LARGE], list(range(1, most + 1)), list(range(1, most + 4)):
                await tell(changes)
            stock["tea"] = most / 7
            async with session.get("/prices") as response:
                got = await response.json()
            expect(got == stock, f"`/prices` gives {said(got)}, and `await latest()` {said(stock)}. Answer with that.")

            if world.number < 2:
                for mute in mutes:
                    mute.close()
                theirs.add(asyncio.create_task(readers.pop().close()))
                _, left = await asyncio.wait(theirs, timeout=SOON)
                expect(not left, "a reader has left, and its task goes on. End it when the websocket is closed.")
                tracemalloc.start()
                await tell([LARGE, *range(1, most)])
                kept, _ = tracemalloc.get_traced_memory()
                expect(kept < len(LARGE["text"]) / 2, "a reader has left, and its queue still grows. Forget it, too.")

            goodbyes = [asyncio.create_task(reader.receive()) for reader in readers]
            ending, end = asyncio.create_task(runner.cleanup()), clock.now + LATE
            while not ending.done() and clock.now < end:
                await asyncio.sleep(0.01)
                clock.skip_to(clock.now + 0.1)  # what waits for a second need not do so for real
            how = "In `on_shutdown` close all side by side, and cut what is left after a second: `transport.abort()`"
            expect(ending.done(), f"the shutdown took more than {LATE} seconds with readers{beside}. {how}.")
            await ending
            await asyncio.wait(goodbyes, timeout=SOON)
            for code in [reader.close_code for reader in readers]:
                expect(code == 1001, f"the shutdown closed a websocket with code {code}. Close each with `code=1001`.")

    run = await world.watch(function=serve, may_raise=NotYet, cancel=False)
    if run.error:
        raise run.error
    expect_no_error_lost(run)
    expect_nothing_left(run)


@contextlib.asynccontextmanager
async def running(app):
    """Let the application run in this block: give its runner, and a session of clients; raise what its handlers do."""
    records, logger = [], logging.Logger("aiohttp.server")
    logger.addFilter(records.append)  # which gives None, so that nothing is written
    runner, server = web.AppRunner(app, access_log=None, logger=logger), socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
    await runner.setup()
    await web.SockSite(runner, server).start()
    url = "http://{}:{}".format(*runner.addresses[0])
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(sock_read=SOON)) as session:
        try:
            yield runner, session
        finally:
            tracemalloc.stop()
            for record in records:
                raise record.exc_info[1] or RuntimeError(record.getMessage())


async def join_and_take_nothing(address):
    """Return the socket of a reader that takes nothing from it, and that leaves with a reset when it is closed."""
    mute = socket.socket()
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    mute.connect(address)  # which does not wait for the server
    mute.sendall(b"GET /changes HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nHost: localhost\r\n")
    mute.sendall(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    mute.setblocking(False)
    await asyncio.get_running_loop().sock_recv(mute, 1000)  # the server has answered
    return mute
