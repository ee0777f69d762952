"""Chapter 2 shows the same on systems that connect in other ways than Linux: what they do is played here.

macOS takes a `listen(0)` for "as many as can be", so no queue of connections is ever full. Windows needs two seconds to
say that a connection is refused.
"""

import asyncio
import re
import socket

import aiohttp
import pytest

import notebook_file
from asynclab.services import nobody_accepts
from kernels import Kernel

CHAPTER, DEEPER = sorted(notebook_file.paths(["02"]), key=lambda path: len(path.name))

PLAY = """
def play():
    import asyncio, socket
    from asyncio.selector_events import BaseSelectorEventLoop as Loop

    listen, connect = socket.socket.listen, Loop.sock_connect

    async def refuse_slowly(loop, sock, address):
        try:
            return await connect(loop, sock, address)
        except ConnectionRefusedError:
            await asyncio.sleep(2)
            raise

    socket.socket.listen = lambda sock, backlog=128: listen(sock, 128)
    Loop.sock_connect = refuse_slowly

play()
"""

# Where a connection fails, and what these cells need.
CELLS = [
    (CHAPTER, "setup guide-fetch fetch-url ways failures-shown stop-servers the-end"),
    (DEEPER, "setup from-the-chapter clock slow-and-silent queue-and-connection stop-servers the-end"),
]


@pytest.mark.parametrize(("path", "names"), CELLS, ids=["chapter", "deeper"])
def test_a_connection_fails_alike_on_macos_and_windows(path, names):
    cells = {cell.id: cell for cell in notebook_file.code_cells(notebook_file.read(path))}
    with Kernel(path.parent) as kernel:
        assert kernel.run(PLAY).status == "ok"
        for cell in map(cells.get, names.split()):
            reply = kernel.run(cell.source)
            assert reply.status == "ok", (cell.id, reply)
            if "print(" in cell.source:
                shown = [re.sub(r":\d{4,5}\b", ":PORT", text) for text in (reply.text, _stored(cell))]
                assert shown[0] == shown[1] != "", cell.id
        assert reply.text.startswith("All clear")


def _stored(cell):
    return "".join(output.text for output in cell.outputs)


@pytest.mark.parametrize("backlog", [0, 1, 128])
@pytest.mark.parametrize(
    ("timeout", "error"),
    [({"sock_connect": 0.05}, aiohttp.ConnectionTimeoutError), ({"total": 0.05}, TimeoutError)],
)
def test_connecting_lasts_however_many_connections_the_system_queues(monkeypatch, backlog, timeout, error):
    async def connect(url):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(**timeout)) as session:
            with pytest.raises(error):
                await session.get(url)

    async def main():
        with nobody_accepts() as url:
            for _ in range(3):
                await connect(url)

    listen = socket.socket.listen
    monkeypatch.setattr(socket.socket, "listen", lambda sock, *_: listen(sock, backlog))
    asyncio.run(main())
