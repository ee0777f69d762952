"""Answers to exercise 8.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import json
from collections import deque

from aiohttp import web


def _build(changes, publish, latest, goodbye):
    """Return what `make_app` is to return, with `/prices` as it should be."""

    async def prices(request):
        return web.json_response(await latest())

    app = web.Application()
    app.add_routes([web.get("/prices", prices), web.get("/changes", changes)])
    if goodbye:
        app.on_shutdown.append(goodbye)
    return app, publish


def _publish_to(readers, most):
    """Return a `publish` that is right, for readers as a dict of (queue, connection)."""

    def publish(change):
        text = json.dumps(change)
        for queue, _ in readers.values():
            if queue.qsize() == most:
                queue.get_nowait()
            queue.put_nowait(text)

    return publish


async def _send(socket, queue):
    with contextlib.suppress(ConnectionError):
        while True:
            await socket.send_str(await queue.get())


def _changes_for(readers):
    """Return a handler of `/changes` that is right."""

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(_send(socket, queue))
        try:
            async for _ in socket:
                pass
        finally:
            del readers[socket]
            sender.cancel()
        return socket

    return changes


def _goodbye_to(readers):
    """Return what closes all websockets in the right way."""

    async def close(socket, connection):
        try:
            await asyncio.wait_for(socket.close(code=1001), 1)
        except TimeoutError:
            connection.abort()

    async def goodbye(app):
        await asyncio.gather(*[close(socket, connection) for socket, (_, connection) in readers.items()])

    return goodbye


def publishes_to_one_after_another(latest, most=10):
    """a reader beside 1 that took nothing was sent `[]`"""
    readers, queue = {}, asyncio.Queue(most)

    def publish(change):
        text = json.dumps(change)
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(text)

    async def tell():
        while True:
            text = await queue.get()
            for socket in list(readers):
                with contextlib.suppress(ConnectionError):
                    await socket.send_str(text)

    async def begin(app):
        app["tell"] = asyncio.create_task(tell())

    async def end(app):
        app["tell"].cancel()
        await _goodbye_to(readers)(app)

    async def changes(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        readers[socket] = None, request.transport
        async for _ in socket:
            pass
        del readers[socket]
        return socket

    app, publish = _build(changes, publish, latest, end)
    app.on_startup.append(begin)
    return app, publish


def queues_without_a_bound(latest, most=10):
    """drop the oldest"""
    readers = {}

    def publish(change):
        text = json.dumps(change)
        for queue, _ in readers.values():
            queue.put_nowait(text)

    return _build(_changes_for(readers), publish, latest, _goodbye_to(readers))


def drops_the_newest(latest, most=10):
    """drop the oldest"""
    readers = {}

    def publish(change):
        text = json.dumps(change)
        for queue, _ in readers.values():
            if queue.qsize() < most:
                queue.put_nowait(text)

    return _build(_changes_for(readers), publish, latest, _goodbye_to(readers))


def one_more_waits(latest, most=10):
    """drop the oldest"""
    readers = {}
    return _build(_changes_for(readers), _publish_to(readers, most + 1), latest, _goodbye_to(readers))


def text_that_is_no_json(latest, most=10):
    """a reader was sent what is no JSON"""
    readers = {}

    def publish(change):
        json.dumps(change)
        for queue, _ in readers.values():
            if queue.qsize() == most:
                queue.get_nowait()
            queue.put_nowait(str(change))

    return _build(_changes_for(readers), publish, latest, _goodbye_to(readers))


def publish_waits(latest, most=10):
    """`publish` gives a coroutine"""
    readers = {}
    publish = _publish_to(readers, most)

    async def publish_later(change):
        publish(change)

    return _build(_changes_for(readers), publish_later, latest, _goodbye_to(readers))


def prices_that_wait_for_all_readers(latest, most=10):
    """a request was not answered. Let `/prices` wait for no reader"""
    readers, sending = {}, set()

    async def send(socket, queue):
        with contextlib.suppress(ConnectionError):
            while True:
                text = await queue.get()
                sending.add(socket)
                await socket.send_str(text)
                sending.remove(socket)

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(send(socket, queue))
        try:
            async for _ in socket:
                pass
        finally:
            del readers[socket]
            sending.discard(socket)
            sender.cancel()
        return socket

    async def latest_of_all():
        while sending:
            await asyncio.sleep(0.01)
        return await latest()

    return _build(changes, _publish_to(readers, most), latest_of_all, _goodbye_to(readers))


def ends_when_the_websocket_is_open(latest, most=10):
    """a websocket was closed while its reader was still there"""
    readers, senders = {}, set()

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        senders.add(asyncio.create_task(_send(socket, queue)))
        return socket

    return _build(changes, _publish_to(readers, most), latest, None)


def never_hears_that_a_reader_leaves(latest, most=10):
    """a reader has left, and its task goes on"""
    readers = {}

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        await _send(socket, queue)
        del readers[socket]
        return socket

    return _build(changes, _publish_to(readers, most), latest, _goodbye_to(readers))


def keeps_the_queue(latest, most=10):
    """a reader has left, and its queue still grows"""
    readers = {}

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(_send(socket, queue))
        try:
            async for _ in socket:
                pass
        finally:
            sender.cancel()
        return socket

    return _build(changes, _publish_to(readers, most), latest, _goodbye_to(readers))


def error_of_a_reader_that_left(latest, most=10):
    """That is no error"""
    readers = {}

    async def send(socket, queue):
        while True:
            await socket.send_str(await queue.get())

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(send(socket, queue))
                async for _ in socket:
                    pass
                sender.cancel()
        finally:
            del readers[socket]
        return socket

    return _build(changes, _publish_to(readers, most), latest, _goodbye_to(readers))


def error_of_the_sender_lost(latest, most=10):
    """error was lost: ConnectionError"""
    readers = {}

    async def send(socket, queue):
        while True:
            await socket.send_str(await queue.get())

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(send(socket, queue))
        async for _ in socket:
            pass
        del readers[socket]
        if not sender.done():
            sender.cancel()
        return socket

    return _build(changes, _publish_to(readers, most), latest, _goodbye_to(readers))


def goodbye_without_end(latest, most=10):
    """the shutdown took more than 4 seconds"""
    readers = {}

    async def goodbye(app):
        await asyncio.gather(*[socket.close(code=1001) for socket in readers])

    return _build(_changes_for(readers), _publish_to(readers, most), latest, goodbye)


def goodbye_that_cuts_nothing(latest, most=10):
    """the shutdown took more than 4 seconds"""
    readers = {}

    async def goodbye(app):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(*[socket.close(code=1001) for socket in readers])

    return _build(_changes_for(readers), _publish_to(readers, most), latest, goodbye)


def goodbye_to_one_after_another(latest, most=10):
    """the shutdown took more than 4 seconds"""
    readers = {}

    async def goodbye(app):
        for socket, (_, connection) in list(readers.items()):
            try:
                async with asyncio.timeout(1):
                    await socket.close(code=1001)
            except TimeoutError:
                connection.abort()

    return _build(_changes_for(readers), _publish_to(readers, most), latest, goodbye)


def goodbye_with_code_1000(latest, most=10):
    """closed a websocket with code 1000"""
    readers = {}

    async def goodbye(app):
        for _, connection in readers.values():
            asyncio.get_running_loop().call_later(1, connection.abort)
        await asyncio.gather(*[socket.close() for socket in readers])

    return _build(_changes_for(readers), _publish_to(readers, most), latest, goodbye)


def queues_and_a_time_limit(latest, most=10):
    readers = {}
    return _build(_changes_for(readers), _publish_to(readers, most), latest, _goodbye_to(readers))


def deques_and_events_in_groups(latest, most=10):
    readers = {}

    def publish(change):
        text = json.dumps(change)
        for waiting, news, _ in readers.values():
            waiting.append(text)
            news.set()

    async def send(socket, waiting, news):
        while not socket.closed:
            await news.wait()
            news.clear()
            while waiting:
                try:
                    await socket.send_str(waiting.popleft())
                except ConnectionError:
                    return

    async def changes(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        waiting, news = deque(maxlen=most), asyncio.Event()
        readers[id(socket)] = waiting, news, (socket, request)
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(send(socket, waiting, news))
                async for _ in socket:
                    pass
                sender.cancel()
        finally:
            del readers[id(socket)]
        return socket

    async def close(socket, request):
        try:
            async with asyncio.timeout(1.5):
                await socket.close(code=1001, message=b"We close")
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()

    async def goodbye(app):
        async with asyncio.TaskGroup() as group:
            for *_, both in readers.values():
                group.create_task(close(*both))

    return _build(changes, publish, latest, goodbye)


def readers_of_a_class(latest, most=10):
    class Reader:
        def __init__(self, request):
            self.request, self.socket, self.queue = request, web.WebSocketResponse(), asyncio.Queue(most)

        def tell(self, text):
            try:
                self.queue.put_nowait(text)
            except asyncio.QueueFull:
                self.queue.get_nowait()
                self.queue.put_nowait(text)

        async def send(self):
            while not self.socket.closed:
                await self.socket.send_str(await self.queue.get())

        async def listen(self):
            while not self.socket.closed:
                await self.socket.receive()

        async def serve(self):
            await self.socket.prepare(self.request)
            readers.append(self)
            both = [asyncio.create_task(self.send()), asyncio.create_task(self.listen())]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                readers.remove(self)
                for task in both:
                    task.cancel()
                for result in await asyncio.gather(*both, return_exceptions=True):
                    if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                        raise result
            return self.socket

        async def close(self):
            connection = self.request.transport
            await asyncio.wait([asyncio.create_task(self.socket.close(code=1001))], timeout=1)
            if connection is not None and not self.socket.close_code:
                connection.abort()

    readers = []

    def publish(change):
        text = json.dumps(change)
        for reader in readers:
            reader.tell(text)

    async def changes(request):
        return await Reader(request).serve()

    async def goodbye(app):
        await asyncio.gather(*[reader.close() for reader in readers])

    return _build(changes, publish, latest, goodbye)


def handler_sends_and_a_task_listens(latest, most=10):
    readers = {}

    async def listen(socket, queue):
        async for _ in socket:
            pass
        queue.put_nowait(None)

    async def changes(request):
        socket, queue = web.WebSocketResponse(), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        listening = asyncio.create_task(listen(socket, queue))
        try:
            while (text := await queue.get()) is not None:
                await socket.send_str(text)
        except ConnectionError:
            pass
        finally:
            del readers[socket]
            listening.cancel()
        return socket

    return _build(changes, _publish_to(readers, most), latest, _goodbye_to(readers))


def goodbye_without_draining(latest, most=10):
    readers = {}

    async def goodbye(app):
        connections = [connection for _, connection in readers.values()]
        await asyncio.gather(*[socket.close(code=1001, drain=False) for socket in list(readers)])
        await asyncio.sleep(0.5)
        for connection in connections:
            if connection.get_write_buffer_size():
                connection.abort()

    return _build(_changes_for(readers), _publish_to(readers, most), latest, goodbye)


def json_made_by_the_sender(latest, most=10):
    readers = {}

    def publish(change):
        for queue, _ in readers.values():
            while queue.qsize() >= most:
                queue.get_nowait()
            queue.put_nowait(change)

    async def send(socket, queue):
        while True:
            change = await queue.get()
            await socket.send_json(change)

    async def changes(request):
        socket, queue = web.WebSocketResponse(heartbeat=20), asyncio.Queue()
        await socket.prepare(request)
        readers[socket] = queue, request.transport
        sender = asyncio.create_task(send(socket, queue))
        try:
            while not socket.closed:
                await socket.receive()
        finally:
            readers.pop(socket)
            sender.cancel()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await sender
        return socket

    return _build(changes, publish, latest, _goodbye_to(readers))
