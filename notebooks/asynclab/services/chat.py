"""Websockets: an echo, and rooms in which everyone hears everyone."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aiohttp import WSMsgType, web

from .middleware import VISIT, answer
from .parameters import bad

_WAITING = 1_000  # messages that a slow member may be behind, before it misses the oldest
_LONGEST = 2**16  # bytes of a message, for so many can wait for each member


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Websocket: send back each message, text or binary."""
    socket = await _open(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


class Rooms:
    """The members of each room, by name, and the messages on the way to each."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, dict[str, asyncio.Queue[dict]]] = defaultdict(dict)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Websocket: join room= under a name=. What one says, all hear, as JSON {type, from, text, members}."""
        name, room = request.query.get("name", ""), request.query.get("room", "")
        if not name:
            raise bad("name must not be empty: it says who speaks")
        if name in self._rooms[room]:
            return answer({"error": f"the name {name!r:.60} is taken in this room"}, 409)
        queue = self._rooms[room][name] = asyncio.Queue(_WAITING)
        try:
            socket = await _open(request, _LONGEST)
            # Each member has a queue and a task of its own, so that nobody waits for the slowest.
            sender = asyncio.create_task(_forward(queue, socket))
            try:
                self._queue_message(room, "joined", name)
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        self._queue_message(room, "message", name, message.data)
            finally:
                sender.cancel()
        finally:
            if self._rooms[room].pop(name, None) is not None:
                self._queue_message(room, "left", name)
            if not self._rooms[room]:
                del self._rooms[room]
        return socket

    def _queue_message(self, room: str, kind: str, name: str, text: str = "") -> None:
        members = sorted(self._rooms[room])
        for queue in self._rooms[room].values():
            if queue.full():
                queue.get_nowait()
            queue.put_nowait({"type": kind, "from": name, "text": text, "members": members})


async def _forward(queue: asyncio.Queue[dict], socket: web.WebSocketResponse) -> None:
    while True:
        try:
            await socket.send_json(await queue.get())
        except ConnectionError:
            return


async def _open(request: web.Request, longest: int = 2**22) -> web.WebSocketResponse:
    """Begin to speak the protocol; a message of more than `longest` bytes ends it (1009)."""
    socket = web.WebSocketResponse(max_msg_size=longest)
    if not socket.can_prepare(request).ok:
        raise bad("this path speaks the websocket protocol only: connect with ws://")
    await request[VISIT].wait()
    await socket.prepare(request)
    return socket
