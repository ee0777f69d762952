"""The server as a witness of what a learner's function asks, and what aiohttp notes of the requests meanwhile.

Import it only in the check of an exercise that needs it, and say `SERVERS = True` there: aiohttp takes its time.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import itertools
import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp

from ..services import Services, ServicesError
from . import virtual_time
from .expect import NotYet, expect, expect_cancelled, expect_free_loop, often, said
from .run import Run
from .virtual_time import clock, real_clock

_PATIENCE = 30.0  # real seconds for an answer to the check itself
_MOMENT = 1e-4  # seconds of virtual time: some turns of the loop
_numbers = itertools.count(1)

# The servers ----------------------------------------------------------------------------------------------------

_api = ""  # base URL of the HTTP API
_own = Services()  # those of this process, if it needs some; they end with it


def connect(api: str = "") -> None:
    """Use the HTTP API at that base URL, if it answers; else start servers, which then run as long as this process.

    Raises NotYet if there are none to be had.
    """
    global _api
    _api = api
    try:
        if not (api and _answers()):
            asyncio.run(_own.start())  # which returns at once if they run
            _api = _own.api
    except ServicesError as error:
        raise NotYet(f"This check cannot run here: {error}") from None


def _answers() -> bool:
    try:
        return bool(ask("/stats"))
    except NotYet:
        return False


def ask(path: str) -> Any:
    """Return the JSON that the API gives for `path`, whatever its status. It blocks, which is no matter in a check.

    Raises NotYet if there is no answer.
    """
    connection = http.client.HTTPConnection(_api.removeprefix("http://"), timeout=_PATIENCE)
    try:
        connection.request("GET", path)
        return json.load(connection.getresponse())
    except OSError as error:
        raise NotYet(f"The servers do not answer ({error}). Start them with `await web.start()`.") from None
    finally:
        connection.close()


@functools.cache
def answer(path: str) -> Any:
    """Return the JSON that the API gives for `path`, which is always the same."""
    return ask(f"{path}?client=check")


# What is noted --------------------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """A moment, in seconds: of virtual time, and of the real time that went by."""

    virtual: float
    real: float

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        return cls(clock.now, real_clock())


@dataclass
class Request:
    """One call of `session.get` or the like. aiohttp sends it again by itself if the connection is dropped at once."""

    method: str
    began: Moment
    beside: int | None = None  # how many others were under way when it got a connection; None: it has not got one
    unread: int = 0  # of those, how many were answered, and only their bodies had yet to be read
    answered: Moment | None = None  # when status and headers were there, or when it failed
    status: int | None = None
    error: BaseException | None = None
    response: aiohttp.ClientResponse | None = None
    body: bytes | None = None  # None: it was not read as a whole
    ended: bool = False  # it failed, or its body was read, or it was released

    @property
    def is_released(self) -> bool:
        """Whether its connection was given back."""
        return self.ended or self.response is None or self.response.content.at_eof()


class _Response(aiohttp.ClientResponse):
    """A response that tells its request when it is done with."""

    noted: tuple[ServerRecord, Request] | None = None

    async def read(self) -> bytes:
        try:
            body = await super().read()
        except BaseException as error:
            self._end(error)
            raise
        if self.noted is not None:
            self.noted[1].body = body
        self._end()
        return body

    def release(self) -> Any:
        self._end()
        return super().release()

    def close(self) -> None:
        self._end()
        super().close()

    def _end(self, error: BaseException | None = None) -> None:
        if self.noted is not None:
            record, request = self.noted
            record.end(request, error)


class ServerRecord:
    """What the server sees of a learner's function in one world, and what aiohttp notes of its requests.

    `async with ServerRecord() as server:` gives a `session` to hand out, and closes whatever is left open. That
    session closes its connections, so that time is virtual, and exact, while no request is under way; `keep_alive`
    lets it keep them.
    """

    def __init__(self, keep_alive: bool = False) -> None:
        self.client = f"check-{os.getpid()}-{next(_numbers)}"
        self.keep_alive = keep_alive
        self.requests: list[Request] = []  # in the order in which they began
        self.opened: list[aiohttp.ClientSession] = []  # sessions of the learner's own
        self.under_way = 0  # requests that have a connection, and were neither read nor released
        self.queued = 0  # requests that had to wait for a connection, because their session allows no more
        self.idle = 0.0  # longest virtual time between two requests in which none was under way
        self.quiet_since: Moment | None = None  # when the last request ended

    async def __aenter__(self) -> ServerRecord:
        global _current
        connector = aiohttp.TCPConnector(force_close=not self.keep_alive)
        self.session = aiohttp.ClientSession(connector=connector, **self.options())
        _current = self
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        global _current
        _current = None
        for session in (self.session, *self.opened):
            await session.close()
        self.seen()  # which lets the server forget

    def url(self, path: str, **query: Any) -> str:
        """Return an URL to hand to the learner's function."""
        return f"{_api}{path}?{urlencode({'client': self.client, **query})}"

    def seen(self) -> dict[str, Any]:
        """Return what the server saw since this was asked last: see `Services.stats`."""
        return ask(f"/stats?of={self.client}&reset=1")

    @property
    def most(self) -> int:
        """The most requests that were under way at once, also while their bodies had yet to be read."""
        return max((each.beside + 1 for each in self.requests if each.beside is not None), default=0)

    def options(self) -> dict[str, Any]:
        """Return what lets a session note its requests here."""
        config = aiohttp.TraceConfig()
        config.on_request_start.append(self._on_start)
        config.on_connection_queued_start.append(self._on_queue)
        config.on_connection_create_start.append(self._on_connection)
        config.on_connection_reuseconn.append(self._on_connection)
        config.on_request_end.append(self._on_answer)
        config.on_request_exception.append(self._on_error)
        return {"trace_configs": [config], "response_class": _Response}

    async def _on_start(self, session: Any, context: SimpleNamespace, params: Any) -> None:
        request = context.request = Request(params.method, Moment.now())
        self.requests.append(request)
        if not self.under_way and self.quiet_since is not None:
            virtual, real = self.quiet_since
            self.idle = max(self.idle, request.began.virtual - virtual - (request.began.real - real))

    async def _on_queue(self, *_: Any) -> None:
        self.queued += 1

    async def _on_connection(self, session: Any, context: SimpleNamespace, params: Any) -> None:
        request = context.request
        if request.beside is None:
            request.beside = self.under_way
            request.unread = sum(each.answered is not None and not each.ended for each in self.requests)
            self.under_way += 1

    async def _on_answer(self, session: Any, context: SimpleNamespace, params: Any) -> None:
        request, response = context.request, params.response
        request.answered, request.status, request.response = Moment.now(), response.status, response
        response.noted = self, request

    async def _on_error(self, session: Any, context: SimpleNamespace, params: Any) -> None:
        self.end(context.request, params.exception)

    def end(self, request: Request, error: BaseException | None = None) -> None:
        """Note that a request has ended, perhaps with an error."""
        if error is not None and request.error is None:
            request.error, request.answered = error, Moment.now()
            request.status = getattr(error, "status", request.status)
        if not request.ended:
            request.ended, self.quiet_since = True, Moment.now()
            self.under_way -= request.beside is not None


_current: ServerRecord | None = None  # of the world that is being tried
_open_session = aiohttp.ClientSession.__init__


def _noted_open(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
    _open_session(self, *args, **{**options, **(_current.options() if _current is not None else {})})
    if _current is not None:
        _current.opened.append(self)


aiohttp.ClientSession.__init__ = _noted_open
_connect = socket.socket.connect


def _noted_connect(self: socket.socket, address: Any) -> None:
    """Stand in for `connect` of a socket, with which every client that blocks begins."""
    if self.gettimeout() != 0 and threading.current_thread() is threading.main_thread():
        virtual_time.block(1e-6, "A request that blocks")
    _connect(self, address)


socket.socket.connect = _noted_connect

# What is expected -----------------------------------------------------------------------------------------------

# What an error says when a session or a response is misused.
ERROR_MESSAGES = {
    r"AttributeError: '[\w.]*RequestContextManager' object": (
        "`session.get(url)` alone is no response yet. Write `async with session.get(url) as response:` and use "
        "`response` in that block."
    ),
    r"TypeError: '(?:method|function)' object .*context manager": (
        "what stands after `async with` is a function, not what it gives. Call it: `session.get(url)`."
    ),
    r"TypeError: 'type' object .*context manager": (
        "what stands after `async with` is a class. Make an object of it, with brackets: `aiohttp.ClientSession()`."
    ),
    r"TypeError: 'str' object .*context manager": (
        "what stands after `async with` is a text. It wants a request: `session.get(url)`."
    ),
    r"TypeError: (?:'[\w.]*RequestContextManager' object .*context manager|Use async with instead)": (
        "opening and closing may have to wait here, which plain `with` cannot. Write `async with`."
    ),
    r"(?:TypeError|AttributeError): 'coroutine' object": (
        "`response.json()` gives a coroutine, because the body has yet to arrive. Write `await` before it."
    ),
    r"TypeError: .*(?:method|function)'? (?:can't be used in 'await'|object can't be awaited)": (
        "you await a function instead of what it gives. Call it: `await response.json()`."
    ),
    r"RuntimeError: Session is closed": (
        "you close the session that you were given, and others want to ask with it, too. Whoever opened it closes it: "
        "use `async with` for the response only."
    ),
    r"ClientConnectionError: Connection closed": (
        "you read a response after it was released. Read it inside its `async with` block."
    ),
}


def expect_no_blocking(run: Run) -> None:
    """Expect that nothing held the event loop, a client that blocks above all."""
    if run.blocking and run.blocking[0].startswith("A request that blocks"):
        raise NotYet(
            f"{run.blocking[0]} held the event loop: no other task could run meanwhile. Ask with a session of aiohttp: "
            "`async with session.get(url) as response:`."
        )
    expect_free_loop(run)


def expect_asked(seen: Mapping[str, Any], times: Mapping[str, int]) -> None:
    """Expect that each of these paths was asked for so many times."""
    for path, wanted in times.items():
        got = seen["by_path"].get(path, 0)
        expect(got, f"The server was never asked for `{path}`. Leave none out.")
        expect(got >= wanted, f"The server was asked for `{path}` {often(got)}, not {often(wanted)}. Leave none out.")
        once = "Once is enough" if wanted == 1 else f"{often(wanted).capitalize()} is right"
        expect(got <= wanted, f"The server was asked for `{path}` {often(got)}. {once}: keep what it gave.")


def expect_given_session(server: ServerRecord) -> None:
    """Expect that the function asked with the session that it was given, and with nothing else."""
    if server.opened:
        raise NotYet("You open a session of your own. Ask with the one that you are given: `session.get(url)`.")
    if not server.requests and server.seen()["requests"]:
        raise NotYet("You ask without the session that you were given. Ask with it: `session.get(url)`.")
    expect(server.requests, "The server was never asked. Ask it with `session.get(url)`.")


def expect_sessions_in_order(run: Run, server: ServerRecord) -> None:
    """Expect that the given session is open, and that those are closed which the function opened."""
    expect(
        not server.session.closed,
        "You close the session that you were given, and others want to ask with it, too. Whoever opened it closes it: "
        "use `async with` for the response only.",
    )
    if not all(each.closed for each in server.opened):
        opened = "A session stays open"
        if run.cancelled or run.error is not None:
            opened = f"When your function {'was cancelled' if run.cancelled else 'failed'}, its session stayed open"
        raise NotYet(f"{opened}. Open it with `async with`, which closes it whatever happens.")


def expect_released(run: Run, server: ServerRecord) -> None:
    """Expect that every response was read, or given back."""
    for request in server.requests:
        if not request.is_released:
            when = "When your function was cancelled, a" if run.cancelled else f"After status {request.status} a"
            raise NotYet(
                f"{when} response was never released, so its connection is of no use to others. Ask with "
                "`async with session.get(url) as response:`, which releases it whatever happens."
            )


def expect_let_through(run: Run, server: ServerRecord, answer: Any = ...) -> None:
    """Expect that a cancellation from outside got through, unless the `answer` was there by that very moment."""
    if run.cancelled and run.error is None:
        if answer is not ... and run.value == answer and server.quiet_since.virtual < run.cancelled_at + _MOMENT:
            return
        raise NotYet(
            f"A request that was cancelled came back as {said(run.value)}, and its cancellation is ignored. A "
            "bare `except`, like `except BaseException`, catches cancellation, too: name the errors you mean."
        )
    expect_cancelled(run)
