"""The check of exercise 8.3: the application runs, and real readers come, listen or take nothing, and leave."""

import asyncio
import contextlib
import gc
import inspect
import json
import logging
import math
import socket
import tracemalloc

import aiohttp
from aiohttp import web

from asynclab.checking.expect import (
    NotYet,
    count,
    expect,
    expect_free_loop,
    expect_no_error_lost,
    expect_nothing_left,
    said,
)
from asynclab.checking.virtual_time import clock

WORLDS = 6
ERROR_MESSAGES = {
    "unpack": "`make_app` gives two things. End it with `return app, publish`.",
    "Missing return|'NoneType' .*'prepare'": "a handler returned no response. `/changes` gives back its websocket.",
    "(Connection(?:Reset)?Error): C": "a reader has left, which raised {0}. That is no error: catch it where you send.",
}
CHANGES = {"tea": 3.5}, None, {}, 0, "", [1.5, "é"], {"tea": 3.5}
LARGE, HUGE, BUFFER = 300_000, 1_200_000, 2**17  # characters of two changes; bytes that a socket holds
SOON, LATE = 2, 4  # seconds: far more than anything takes; than a shutdown may take
BESIDE = "Let no reader wait for another: give each a queue of its own, and a task that sends."
JOIN = (
    b"GET /changes HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO, CLOSE = b"\x81\x86\0\0\0\0Hello?", b"\x88\x82\0\0\0\0\x03\xe8"  # frames that a client sends
logger = logging.getLogger("aiohttp.server")
logger.propagate = False


async def check(make_app, world):
    """Each change for each reader that can take it, beside readers that take nothing, and an end that comes soon."""
    number, most = world.number, world.pick(2, 3, 5) if world.number != 4 else 10
    world.facts.append(f"most = {most}")
    errors, handler, stock = [], logging.Handler(), {}
    handler.emit = lambda record: errors.append(record.exc_info[1] or RuntimeError(record.getMessage()))
    logger.handlers = [handler]

    async def latest():
        await asyncio.sleep(0.001)
        return dict(stock)

    async def serve():
        app, publish = make_app(latest) if most == 10 else make_app(latest, most)
        async with Scene(most, stock, app, publish) as scene:
            await scene.try_small_changes()
            if number % 3 == 0:
                await scene.try_leaving()
            if number % 3 == 1:
                await scene.try_slow_reader()
            await scene.try_shutdown(0 if number % 3 < 2 else 5 if number > 3 else 1)

    with hurry():
        run = await world.watch(function=serve, may_raise=NotYet, cancel=False)
    if errors or run.error:
        raise NotYet(world.explain(errors[0])) if errors else run.error
    expect_no_error_lost(run)
    expect_free_loop(run)
    expect_nothing_left(run)


class Reader:
    """A client of `/changes`, and what it was sent: of a large change its number. It may listen, or take nothing."""

    def __init__(self):
        self.got, self.code, self.listening = [], None, None

    async def join(self, port):
        """Connect; return the status of the answer."""
        ours = socket.socket()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_connect(ours, ("127.0.0.1", port))
        self.reader, self.writer = await asyncio.open_connection(sock=ours, limit=1000)
        self.writer.write(JOIN)
        return int((await self.reader.readuntil(b"\r\n\r\n")).split()[1])

    async def listen(self):
        """Read until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self.code is None:
                kind, size = await self.reader.readexactly(2)
                if size > 125:
                    size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
                data = await self.reader.readexactly(size)
                if kind == CLOSE[0]:
                    self.code = int.from_bytes(data[:2], "big")
                    self.writer.write(CLOSE)
                else:
                    self.got.append(read(data))


def read(data):
    """Return the change that JSON is, or its number; or the text if it is no JSON."""
    try:
        change = json.loads(data)
        return change.get("number", change) if isinstance(change, dict) else change
    except ValueError:
        return data.decode()


class Scene:
    """The application, which runs, and its `readers` that listen."""

    def __init__(self, most, stock, app, publish):
        self.most, self.stock, self.publish, self.runner = most, stock, publish, web.AppRunner(app, access_log=None)
        self.all, self.readers, self.published, self.blocked = [], [], 0, 0

    async def __aenter__(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.port = server.getsockname()[1]
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        await self.runner.setup()
        await web.SockSite(self.runner, server).start()
        return self

    async def __aexit__(self, *exc_info):
        for reader in self.all:
            reader.writer.transport.abort()
        await asyncio.sleep(0.01)
        for site in self.runner.sites:
            await site.stop()

    def tell(self, *changes):
        """Publish these."""
        for change in changes:
            expect(not inspect.isawaitable(self.publish(change)), "`publish` gives a coroutine. Define it with `def`.")

    async def join(self, listens=True):
        """Return another reader."""
        reader = Reader()
        status = await within(reader.join(self.port), "`/changes` does not answer.")
        self.all.append(reader)
        expect(status == 101, f"`/changes` answers with status {status}, and not as a websocket. Look at its route.")
        if listens:
            self.listen(reader)
        await asyncio.sleep(0.01)
        return reader

    def listen(self, reader):
        """Let a reader read from now on."""
        reader.listening = asyncio.create_task(reader.listen())
        self.readers.append(reader)

    async def burst(self, more=4, size=LARGE):
        """Publish so many more large changes at one go than may wait, and ask for the prices; return what is due."""
        new = [self.published + place for place in range(1, self.most + more + 1)]
        before, self.published, self.stock["tea"] = [len(each.got) for each in self.readers], new[-1], new[-1] / 7
        self.tell(*[{"number": number, "text": "x" * size} for number in new])
        those, last = f"changes {new[0]} to {new[-1]} were published at one go", new[-self.most :]
        for reader, old in zip(self.readers, before, strict=True):
            came = await soon(lambda reader=reader: reader.got[-1:] == last[-1:])
            got = reader.got[old:]
            other = f"beside one that takes nothing, and another reader was sent {said(got)} and nothing more"
            expect(came or not self.blocked, f"{those}, {other}. {BESIDE}")
            expect(
                got[-self.most :] == last and got[: -self.most] in ([], new[:1]),
                f"{those}, and a reader was sent {said(got)}. Drop the oldest that waits, and only if {self.most} wait "
                "already.",
            )
        prices = await within(self.prices(), "`/prices` does not answer. Let it wait for no reader.")
        latest = f"and `await latest()` {said(self.stock)}. Ask it for each request, and answer with its JSON"
        expect(prices == self.stock, f"`/prices` gives {said(prices)}, {latest}.")
        return last

    async def prices(self):
        """Return what `/prices` answers."""
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.port}/prices") as response:
            return read(await response.read())

    async def block(self, number):
        """Return new readers that take nothing, when what was published is more than their connections hold."""
        others = set(self.runner.server.connections)
        those = [await self.join(listens=False) for _ in range(number)]
        self.blocked = number
        await self.burst(1 - self.most, HUGE)
        await soon(lambda: all(each.writing_paused for each in set(self.runner.server.connections) - others))
        return those

    async def try_small_changes(self):
        """Publish all sorts of changes, one by one."""
        self.tell({"early": "none is there to hear it"})
        for _ in range(2):
            await self.join()
        who = "a reader"
        for number, change in enumerate(CHANGES, 1):
            if number == len(CHANGES):
                who = "a reader that has said something"
                for reader in self.readers:
                    reader.writer.write(HELLO)
                await asyncio.sleep(0.01)
            self.tell(change)
            for reader in self.readers:
                came = await soon(lambda reader=reader, number=number: len(reader.got) >= number)
                expect(came, f"{who} was never sent {said(change)}. Send each change to each reader.")
                right = list(CHANGES[:number])
                why = f"a reader was sent {said(reader.got)}, where {said(right)} was published since it came"
                expect(reader.got == right, f"{why}. Send it that, as JSON, in order.")
        await self.burst()
        with contextlib.suppress(TypeError):
            self.tell({"a set": {1, 2}})
            raise NotYet("`publish` takes a change that JSON does not know. Make the JSON there: it raises TypeError.")

    async def try_slow_reader(self):
        """Let a reader that took nothing begin to listen."""
        (slow,) = await self.block(1)
        last = await self.burst()
        self.listen(slow)
        self.blocked = 0
        read_on = await soon(lambda: slow.got[-self.most :] == last)
        those = f"Changes {last[0]} to {last[-1]} waited for it"
        expect(read_on, f"a slow reader reads on, and was sent {said(slow.got)}. {those}: send it those at the end.")

    async def try_leaving(self):
        """Let one reader leave with a word, and one without, while it is being sent something."""
        known = asyncio.all_tasks()
        (stuck,), polite = await self.block(1), await self.join()
        self.readers.remove(polite)
        stuck.writer.transport.abort()
        self.blocked = 0
        polite.writer.write(CLOSE)
        over = await soon(lambda: asyncio.all_tasks() <= known)
        expect(over, "a reader has left, and a task of its own goes on. Let it end when the websocket is closed.")
        tracemalloc.start()
        await self.burst()
        self.tell({})  # now nothing but a queue keeps a large one
        await soon(lambda: all(reader.got[-1:] == [{}] for reader in self.readers))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        expect(kept < LARGE, "a reader has left, and changes for it are still kept. Forget its queue, too.")

    async def try_shutdown(self, number):
        """Shut down beside so many readers that take nothing."""
        beside, cut = "", "Close all websockets in `on_shutdown`."
        if number:
            await self.block(number)
            beside = f", beside {count(number, 'reader')} that took nothing"
            cut = "Close all side by side, and cut what is not closed after a second: `request.transport.abort()`."
        sockets = [each.transport.get_extra_info("socket") for each in self.runner.server.connections if each.transport]
        late = f"the shutdown has not ended after {LATE} seconds{beside}. {cut}"
        await within(self.runner.cleanup(), late, LATE)
        for reader in self.readers:
            expect(await soon(reader.listening.done), "after the shutdown a reader still waits. Close its websocket.")
            how = f"with code {reader.code}" if reader.code else "without a word"
            expect(reader.code == 1001, f"at shutdown a websocket is closed {how}. Close each with code 1001.")
        are_closed = await soon(lambda: all(each.fileno() < 0 for each in sockets))
        expect(are_closed, f"after the shutdown{beside}, a connection is still open. {cut}")


async def within(awaitable, message, seconds=SOON):
    """Return what `awaitable` gives, if it does soon."""
    task = asyncio.ensure_future(awaitable)
    expect(await soon(task.done, seconds), message)
    return task.result()


async def soon(condition, seconds=SOON):
    """Wait until `condition()` holds; return whether it does."""
    end, pause = clock.now + seconds, 0.001
    while not condition() and clock.now < end:
        await asyncio.sleep(pause)
        pause = min(2 * pause, 0.1)
    return condition()


@contextlib.contextmanager
def hurry():
    """Let time go ten times as fast in this block, but only while the loop has nothing to do."""
    selector = asyncio.get_running_loop()._selector
    wait = selector._wait

    def wait_less(timeout):
        began = clock.now
        ready = wait(timeout and timeout / 10)
        clock.skip_to(began + min(10 * (clock.now - began), timeout or math.inf))
        return ready

    selector._wait = wait_less
    try:
        yield
    finally:
        del selector._wait
