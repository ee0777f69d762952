"""A student: starts a server through the hub, and runs notebooks in kernels there, one cell after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

GUIDE = "asyncio-guide"  # the folder in a student's home
START, ANSWER, CELL = 900.0, 180.0, 300.0  # seconds until a server is up, for an answer of it, and for a cell
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Failure:
    """What went wrong for one student; `cell` counts the code cells from 1, and is 0 before the first."""

    student: str
    where: str
    cell: int
    problem: str
    traceback: str = ""


@dataclass
class Student:
    """A student and what was measured: seconds per notebook, refusals of the hub, failures."""

    name: str
    session: aiohttp.ClientSession
    start_seconds: float = 0
    refusals: int = 0
    cells: int = 0  # that have run
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        """Return whether the server has started."""
        return self.start_seconds > 0

    async def start(self) -> None:
        """Start the server, trying again whenever the hub asks for that; note the seconds, or a failure."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(START):
                while (pause := await self._ask_for_server()) is not None:
                    self.refusals += 1
                    await asyncio.sleep(pause)
                await self._wait_for_server()
        except (TimeoutError, aiohttp.ClientError, RuntimeError) as error:
            self._fail("the start of the server", 0, f"{type(error).__name__}: {error}")
        else:
            self.start_seconds = time.monotonic() - began

    async def run(self, notebook: str) -> None:
        """Run the cells of `notebook` (a file name), and note the seconds and each failure."""
        began = time.monotonic()
        cell, source = 0, ""
        try:
            async with self._opened(notebook) as (sources, socket):
                for cell, source in enumerate(sources, start=1):
                    async with asyncio.timeout(CELL):
                        for problem, traceback in await execute(socket, source):
                            self._fail(notebook, cell, problem, traceback)
                    self.cells += 1
        except TimeoutError:
            line = source.strip().partition("\n")[0] or "its kernel did not start"
            self._fail(notebook, cell, f"not over after {CELL if source else ANSWER:g} seconds: {line}")
        except (aiohttp.ClientError, ConnectionError) as error:
            self._fail(notebook, cell, f"{type(error).__name__}: {error}")
        self.seconds[notebook] = time.monotonic() - began

    async def stop(self) -> None:
        """Stop the server, and return when the hub says that it is down; note a failure."""
        user = f"/hub/api/users/{self.name}"
        try:
            async with asyncio.timeout(ANSWER):
                async with self.session.delete(f"{user}/server") as response:
                    response.raise_for_status()
                while True:
                    if not (await self._json("GET", user))["servers"]:
                        return
                    await asyncio.sleep(0.5)
        except (TimeoutError, aiohttp.ClientError) as error:
            self._fail("the end of the server", 0, f"{type(error).__name__}: {error}")

    @contextlib.asynccontextmanager
    async def _opened(self, notebook: str) -> AsyncIterator[tuple[list[str], aiohttp.ClientWebSocketResponse]]:
        """Open a notebook as JupyterLab does; give its code and its kernel's websocket; close both."""
        path, server = f"{GUIDE}/notebooks/{notebook}", f"/user/{self.name}/api"
        async with asyncio.timeout(ANSWER):
            content = await self._json("GET", f"{server}/contents/{path}")
            kernel = {"path": path, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
            opened = await self._json("POST", f"{server}/sessions", kernel)
        try:
            channels = f"{server}/kernels/{opened['kernel']['id']}/channels?session_id={opened['id']}"
            async with self.session.ws_connect(channels, max_msg_size=0) as socket:
                yield [cell["source"] for cell in content["content"]["cells"] if cell["cell_type"] == "code"], socket
        finally:
            try:
                async with asyncio.timeout(ANSWER):
                    await self._json("DELETE", f"{server}/sessions/{opened['id']}")
            except (TimeoutError, aiohttp.ClientError) as error:
                self._fail(f"{notebook}, the end of its kernel", 0, f"{type(error).__name__}: {error}")

    async def _ask_for_server(self) -> float | None:
        """Return how many seconds to wait before the next try, or None: the server is about to start."""
        async with self.session.post(f"/hub/api/users/{self.name}/server") as response:
            if response.status == 429:
                return float(response.headers["Retry-After"])
            response.raise_for_status()
            return None

    async def _wait_for_server(self) -> None:
        async with self.session.get(f"/hub/api/users/{self.name}/server/progress") as events:
            events.raise_for_status()
            async for line in events.content:
                if line.startswith(b"data:"):
                    event = json.loads(line.removeprefix(b"data:"))
                    if event.get("failed"):
                        raise RuntimeError(event["message"])
                    if event.get("ready"):
                        return
        raise RuntimeError("the hub stopped to report before the server was ready")

    async def _json(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        async with self.session.request(method, path, json=content) as response:
            response.raise_for_status()
            return None if response.status == 204 else await response.json()

    def _fail(self, where: str, cell: int, problem: str, traceback: str = "") -> None:
        self.failures.append(Failure(self.name, where, cell, problem, _COLOURS.sub("", traceback)))


async def execute(socket: aiohttp.ClientWebSocketResponse, source: str) -> list[tuple[str, str]]:
    """Run a cell to its end and return what went wrong, each with its traceback: nothing, if all is well.

    Raises ConnectionError when the kernel or the websocket is gone.
    """
    request = uuid.uuid4().hex
    header = {"msg_id": request, "msg_type": "execute_request", "session": "s", "username": "", "version": "5.4"}
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    await socket.send_json(
        {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    )
    problems: list[tuple[str, str]] = []
    status = ""
    awaited = {"execute_reply", "idle"}  # they come by two channels, in either order
    while awaited:
        message = await socket.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise ConnectionError(f"the websocket of the kernel was closed: {message.data} {message.extra or ''}")
        received = _decode(message.data)
        kind, content = received["header"]["msg_type"], received["content"]
        if content.get("execution_state") in ("restarting", "dead"):
            raise ConnectionError("the kernel died")
        if kind == "error":  # of this cell, or of a task that an earlier one left
            problems.append((f"{content['ename']}: {content['evalue']}", "\n".join(content["traceback"])))
        if received["parent_header"].get("msg_id") == request:
            awaited -= {kind, content.get("execution_state")}
            if kind == "execute_reply":
                status = content["status"]
    return problems or [(f"the cell was not run: {status}", "")] * (status != "ok")


def _decode(data: str | bytes) -> dict[str, Any]:
    """Return the message of a kernel: JSON, or, where it has buffers, their number, the offsets, JSON, the buffers."""
    if isinstance(data, str):
        return json.loads(data)
    count, start, end = (int.from_bytes(data[at : at + 4]) for at in (0, 4, 8))
    return json.loads(data[start : end if count > 1 else None])
