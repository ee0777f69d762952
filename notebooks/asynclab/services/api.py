"""The HTTP API: the paths of httpbin, faults to order, a hundred people, and what was seen of each client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from . import chat, mail, tables
from .middleware import VISIT, Handler, answer, base, reset, watched
from .parameters import bad, option, seconds, whole
from .record import Record

_CHUNK = 65_536  # bytes of a body that are in memory at once
_MOST_BYTES = 2**34
_LARGEST_READ = 2**24  # bytes of a body that a path reads whole
_GREETINGS = {
    "ar": "مرحبا", "cs": "Dobrý den", "de": "Grüß Gott", "el": "Γειά σου", "en": "Hello", "es": "¡Hola!",
    "fr": "Enchanté", "he": "שלום", "hi": "नमस्ते", "ja": "こんにちは", "ko": "안녕하세요", "pl": "Cześć",
    "ru": "Привет", "th": "สวัสดี", "tr": "Günaydın", "vi": "Xin chào", "zh": "你好", "emoji": "👋🏽",
}  # fmt: skip
_PAGE = (
    '<!doctype html>\n<html lang="fr"><head><title>Déjà vu à la crèche</title></head>\n'
    "<body><p>Garçon, où est le café? À côté, près du château.</p></body></html>\n"
)


def application(record: Record, mailbox: mail.Mailbox) -> web.Application:
    """Return the API as an application of aiohttp."""
    api = _Api(record, mailbox)
    app = web.Application(middlewares=[watched(record)], client_max_size=_LARGEST_READ)
    for path, handler, methods in api.routes():
        for method in methods.split():
            app.router.add_route(method, path, handler)
    return app


class _Api:
    """The handlers. The first line of each one's docstring is what `/` says of its path."""

    def __init__(self, record: Record, mailbox: mail.Mailbox) -> None:
        self.record, self.mailbox, self.room = record, mailbox, chat.Rooms()
        self.people = _people()

    def routes(self) -> list[tuple[str, Handler, str]]:
        """Return path, handler and methods."""
        both, body = "GET HEAD POST", "GET HEAD POST PUT PATCH DELETE"
        return [
            ("/", self.index, "GET HEAD"),
            ("/get", self.get, both),
            ("/anything", self.anything, body),
            ("/delay/{seconds}", self.delay, both),
            ("/status/{code}", self.status, body),
            ("/bytes/{n}", self.random_bytes, both),
            ("/drip", self.drip, both),
            ("/stream/{n}", self.stream, both),
            ("/slow-body", self.slow_body, both),
            ("/redirect/{n}", self.redirect, both),
            ("/redirect-loop", self.redirect_loop, both),
            ("/flaky", self.flaky, both),
            ("/retry-after", self.retry_after, both),
            ("/limited", self.limited, both),
            ("/scripted", self.scripted, both),
            ("/reset", self.reset, both),
            ("/drop", self.drop, both),
            ("/never", self.never, both),
            ("/malformed", self.malformed, both),
            ("/wrong-charset", self.wrong_charset, both),
            ("/latin1", self.latin1, both),
            ("/unicode", self.unicode, both),
            ("/upload", self.upload, "POST PUT"),
            ("/users", self.users, both),
            ("/users/{id}", self.user, both),
            ("/users/{id}/orders", self.orders, both),
            ("/users/{id}/preferences", self.preferences, both),
            ("/prices/{item}", self.price, both),
            ("/ws/echo", chat.echo, "GET"),
            ("/ws/chat", self.room.chat, "GET"),
            ("/mail/messages", self.messages, "GET HEAD"),
            ("/mail/messages", self.clear_messages, "DELETE"),
            ("/stats", self.stats, both),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """List the paths, and the parameters that each of them takes."""
        paths: dict[str, str] = {}
        for path, handler, _ in self.routes():
            line = handler.__doc__.partition("\n")[0]
            paths[path] = f"{paths[path]} {line}" if path in paths else line
        return answer({"paths": paths, "parameters of every path": _PARAMETERS})

    async def get(self, request: web.Request) -> web.Response:
        """Say what was asked: url, args, headers, method, client."""
        return answer(_echo(request))

    async def anything(self, request: web.Request) -> web.Response:
        """Say what was asked, by any method, with the data that came along, and as json if it is that."""
        raw = await request.read()
        try:
            parsed = json.loads(raw)
        except (ValueError, RecursionError):
            parsed = None
        return answer({**_echo(request), "data": raw.decode(errors="replace"), "json": parsed})

    async def delay(self, request: web.Request) -> web.Response:
        """Answer after that many seconds, 0 to 60."""
        wanted = seconds("delay", request.match_info["seconds"])
        request[VISIT].pause += wanted
        return answer({"delay": wanted, "args": _args(request)})

    async def status(self, request: web.Request) -> web.Response:
        """Answer with that status, 200 to 599."""
        code = whole("status", request.match_info["code"], 200, 200, 599)
        return web.Response(status=code) if code in (204, 205, 304) else answer({"status": code}, code)

    async def random_bytes(self, request: web.Request) -> web.StreamResponse:
        """Send n bytes, 0 to 16 GiB, the ones of random.Random(seed).randbytes(n)."""
        size = whole("n", request.match_info["n"], 0, 0, _MOST_BYTES)
        rng = random.Random(whole("seed", request.query.get("seed"), 0, -(2**63), 2**63))

        async def chunks() -> AsyncIterator[bytes]:
            for sent in range(0, size, _CHUNK):
                yield rng.randbytes(min(_CHUNK, size - sent))
                await asyncio.sleep(0)  # others are to be served meanwhile, though this client reads fast

        return await _send(request, chunks(), "application/octet-stream", size)

    async def drip(self, request: web.Request) -> web.StreamResponse:
        """Send numbytes=10 bytes, evenly over duration=0.5 seconds, in at most 100 pieces."""
        size = whole("numbytes", request.query.get("numbytes"), 10, 0, 2**27)
        duration = seconds("duration", request.query.get("duration"), 0.5)
        pieces = min(size, 100)

        async def chunks() -> AsyncIterator[bytes]:
            began = asyncio.get_running_loop().time()
            for i in range(pieces):
                if i:
                    await _sleep_until(began + duration * i / (pieces - 1))
                yield b"*" * (size * (i + 1) // pieces - size * i // pieces)

        return await _send(request, chunks(), "application/octet-stream", size)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send n lines of JSON, 0 to 1,000,000, interval=0 seconds apart."""
        count = whole("n", request.match_info["n"], 0, 0, 1_000_000)
        interval = seconds("interval", request.query.get("interval"))

        async def lines() -> AsyncIterator[bytes]:
            began = asyncio.get_running_loop().time()
            for i in range(count):
                yield json.dumps({"id": i, "square": i * i}).encode() + b"\n"
                if interval and i + 1 < count:
                    await _sleep_until(began + interval * (i + 1))
                elif i % 100 == 99:
                    await asyncio.sleep(0)

        return await _send(request, lines(), "application/x-ndjson")

    async def slow_body(self, request: web.Request) -> web.StreamResponse:
        """Send the headers at once, and the body after duration=1 seconds."""
        duration = seconds("duration", request.query.get("duration"), 1.0)
        body = json.dumps({"duration": duration}).encode()

        async def late() -> AsyncIterator[bytes]:
            await asyncio.sleep(duration)
            yield body

        return await _send(request, late(), "application/json", len(body))

    async def redirect(self, request: web.Request) -> web.Response:
        """Redirect n times, 0 to 1,000, and then to /get."""
        left = whole("n", request.match_info["n"], 1, 0, 1_000)
        return _redirect(request, f"/redirect/{left - 1}" if left > 1 else "/get")

    async def redirect_loop(self, request: web.Request) -> web.Response:
        """Redirect to itself, for ever."""
        return _redirect(request, "/redirect-loop")

    async def flaky(self, request: web.Request) -> web.Response:
        """Fail with 503 the first fail=2 times that a client asks with that key=, then succeed."""
        fail = whole("fail", request.query.get("fail"), 2, 0, 1_000_000)
        attempts, key = request[VISIT].client.attempts, _key(request)
        attempts[key] += 1
        if attempts[key] <= fail:
            return answer({"error": f"fails {fail} times, this is attempt {attempts[key]}"}, 503)
        return answer({"attempts": attempts[key]})

    async def retry_after(self, request: web.Request) -> web.Response:
        """Answer 429 with Retry-After until seconds=0.2 have passed since the first time that key= was asked, then 200.

        RFC 9110 has whole seconds or a date in this header. Here the seconds may have a fraction, so that nobody
        must wait; form=date gives the date, rounded up to a whole second.
        """
        wanted = seconds("seconds", request.query.get("seconds"), 0.2)
        form = request.query.get("form", "seconds")
        if form not in ("seconds", "date"):
            raise bad(f"form must be seconds or date, not {form!r:.60}")
        client, key, now = request[VISIT].client, _key(request), asyncio.get_running_loop().time()
        early = key in client.refused
        left = client.refused.setdefault(key, now + wanted) - now
        if early and left <= 0:
            return answer({"waited": round(wanted - left, 3)})
        client.violations += early
        return _too_many(left, form, "ask again later")

    async def limited(self, request: web.Request) -> web.Response:
        """Admit rate=20 requests of a client with that key= in any per=1 seconds; 429 beyond, a violation each."""
        rate = whole("rate", request.query.get("rate"), 20, 1, 1_000_000)
        per = seconds("per", request.query.get("per"), 1.0, 0.001, 3600.0)
        client, now = request[VISIT].client, asyncio.get_running_loop().time()
        admitted = client.admitted.setdefault((_key(request), rate, per), deque())
        while admitted and now - admitted[0] >= per:
            admitted.popleft()
        if len(admitted) < rate:
            admitted.append(now)
            return answer({"admitted": len(admitted), "rate": rate, "per": per})
        client.violations += 1
        return _too_many(admitted[0] + per - now, "seconds", f"more than {rate} requests in {per:g} seconds")

    async def scripted(self, request: web.Request) -> web.Response:
        """Answer status=200,503,… one after another, then always the last, with text=null of type=application/json.

        A status `reset` closes the connection (RST) before any answer. encoding=latin-1 makes other bytes of the text
        than UTF-8, and retry_after=SECONDS gives every answer that header.
        """
        query, visit = request.query, request[VISIT]
        turn, statuses = visit.client.asked[visit.path, _key(request)], query.get("status", "200").split(",")
        status, encoding = statuses[min(turn, len(statuses)) - 1], query.get("encoding", "utf-8")
        if encoding not in ("utf-8", "latin-1"):
            raise bad(f"encoding must be utf-8 or latin-1, not {encoding!r:.60}")
        content_type = query.get("type", "application/json")
        if not content_type.isprintable():
            raise bad(f"type must be one of a body, such as text/html, not {content_type!r:.60}")
        body = query.get("text", "null").encode(encoding, errors="replace")
        headers = {}
        if "retry_after" in query:
            headers["Retry-After"] = f"{seconds('retry_after', query['retry_after']):g}"
        if status == "reset":
            await visit.wait()
            visit.end("reset")
            reset(request)
            return web.Response()
        code = whole("status", status, 200, 200, 599)
        return web.Response(body=body, status=code, headers=headers, content_type=content_type)

    async def reset(self, request: web.Request) -> web.StreamResponse:
        """Close the connection (RST) in the middle of the answer, half of the body being sent."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = 2_000
        await request[VISIT].wait()
        await response.prepare(request)
        await response.write(b'{"half": "' + b"x" * 990)
        await asyncio.sleep(0.05)  # an RST overtakes what the client has not read yet: let it have this half
        request[VISIT].end("reset")
        reset(request)
        return response

    async def drop(self, request: web.Request) -> web.Response:
        """Close the connection before any answer."""
        await request[VISIT].wait()
        request[VISIT].end("dropped")
        request.transport.close()
        return web.Response()

    async def never(self, request: web.Request) -> web.Response:
        """Accept the request, and never answer."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def malformed(self, request: web.Request) -> web.Response:
        """Answer 200 with JSON that ends too early."""
        return web.Response(text='{"name": "Ada", "scores": [1, 2, ', content_type="application/json")

    async def wrong_charset(self, request: web.Request) -> web.Response:
        """Send a page that says utf-8 and is latin-1."""
        return _page(_PAGE.encode("latin-1"), "utf-8")

    async def latin1(self, request: web.Request) -> web.Response:
        """Send a page in latin-1 that says so."""
        return _page(_PAGE.encode("latin-1"), "iso-8859-1")

    async def unicode(self, request: web.Request) -> web.Response:
        """Greet in many languages and scripts."""
        return answer({"greetings": _GREETINGS})

    async def upload(self, request: web.Request) -> web.Response:
        """Receive a body, raw or as a multipart form: size and sha256 of the (first) file, and of all files."""
        files = []
        try:
            if request.content_type.startswith("multipart/"):
                async for part in await request.multipart():
                    # A form within the form has no name, and is passed over.
                    if isinstance(part, BodyPartReader) and part.filename is not None:
                        files.append(await _digest(_chunks(part), unquote(part.filename)))  # noqa: PERF401
            else:
                files.append(await _digest(request.content.iter_chunked(_CHUNK), request.query.get("filename")))
        except ValueError as error:
            raise bad(f"the multipart body cannot be read: {error}") from error
        if not files:
            raise bad("the form holds no file")
        return answer({**files[0], "files": files})

    async def users(self, request: web.Request) -> web.Response:
        """List the people: limit=100 of them from offset=0."""
        limit = whole("limit", request.query.get("limit"), 100, 0, 1_000)
        offset = whole("offset", request.query.get("offset"), 0, 0, 1_000)
        return answer([person["user"] for person in self.people.values()][offset : offset + limit])

    async def user(self, request: web.Request) -> web.Response:
        """Describe one of the people, whose ids are 101 to 200."""
        return self._person(request, "user")

    async def orders(self, request: web.Request) -> web.Response:
        """List one person's orders."""
        return self._person(request, "orders")

    async def preferences(self, request: web.Request) -> web.Response:
        """Give one person's preferences."""
        return self._person(request, "preferences")

    async def price(self, request: web.Request) -> web.Response:
        """Quote an item's price, from 80 to 120, which rises and falls each time that a client asks."""
        item, visit = request.match_info["item"], request[VISIT]
        turn, start = visit.client.asked[visit.path, _key(request)], random.Random(item).uniform(0, math.tau)
        return answer({"item": item, "price": round(100 + 20 * math.sin(start + turn), 2)})

    async def messages(self, request: web.Request) -> web.Response:
        """List the mail that arrived, the latest 1,000."""
        return answer(list(self.mailbox.messages))

    async def clear_messages(self, request: web.Request) -> web.Response:
        """DELETE forgets it."""
        cleared = len(self.mailbox.messages)
        self.mailbox.messages.clear()
        return answer({"cleared": cleared})

    async def stats(self, request: web.Request) -> web.Response:
        """Say what was seen of the client named by of=; reset=1 then begins its record anew. Not counted itself."""
        name, again = request.query.get("of", ""), whole("reset", request.query.get("reset"), 0, 0, 1)
        report = self.record.client(name).report()
        if again:
            self.record.forget(name)
        return answer(report)

    def _person(self, request: web.Request, what: str) -> web.Response:
        text = request.match_info["id"]
        if text not in self.people:
            return answer({"error": f"there is no user {text[:60]!r}: the ids are 101 to 200"}, 404)
        return answer(self.people[text][what])


_PARAMETERS = {
    "client": "the name your requests are counted under. Each of these can be a header, too: X-Client, X-Delay, …",
    "delay": "seconds before the answer begins, 0 to 60",
    "jitter": "seconds: adds a random time from 0 to this",
    "latency": "adds a random time: lognormal:MEDIAN,SIGMA or exponential:MEAN or uniform:A,B, in seconds",
    "error_rate": "0 to 1: that share of the requests is answered with 500",
    "seed": "a whole number: decides what is random, together with the path, the key, and how often they were asked",
    "key": "any text: tells apart what is random or remembered on one path",
}


def _people() -> dict[str, dict[str, Any]]:
    """Return for the id of each person, as text: user, orders, preferences."""
    people = {str(user["user_id"]): {"user": user, "orders": [], "preferences": {}} for user in tables.people()}
    for order in tables.orders():
        people[str(order["user_id"])]["orders"].append(order)
    for preferences in tables.preferences():
        people[str(preferences.pop("user_id"))]["preferences"] = preferences
    return people


def _echo(request: web.Request) -> dict[str, Any]:
    return {
        "url": base(request) + str(request.rel_url),
        "args": _args(request),
        "headers": dict(request.headers),
        "method": request.method,
        "client": option(request, "client") or "",
    }


def _args(request: web.Request) -> dict[str, Any]:
    """Return the query's parameters; one given several times is a list."""
    query = request.query
    return {name: query[name] if len(query.getall(name)) == 1 else query.getall(name) for name in query}


def _key(request: web.Request) -> str:
    return option(request, "key") or ""


async def _send(
    request: web.Request, chunks: AsyncIterator[bytes], content_type: str, size: int | None = None
) -> web.StreamResponse:
    """Send `chunks` one by one as they come; `size` in bytes, if known, is announced."""
    visit = request[VISIT]
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.content_length = size
    await visit.wait()
    await response.prepare(request)
    sent = 0
    if request.method != "HEAD":
        async for chunk in chunks:
            sent += len(chunk)
            if sent == size:  # see Visit.end
                visit.end(response.status)
            await response.write(chunk)
    visit.end(response.status)
    await response.write_eof()
    return response


async def _sleep_until(when: float) -> None:
    await asyncio.sleep(when - asyncio.get_running_loop().time())


def _redirect(request: web.Request, path: str) -> web.Response:
    query = f"?{request.rel_url.raw_query_string}" if request.query_string else ""
    return answer({"location": path}, 302, {"Location": path + query})


def _too_many(left: float, form: str, why: str) -> web.Response:
    """Return 429, to be tried again in `left` seconds."""
    left = max(0.0, left)
    # Rounded up, as everything here: who comes at the time that was named is not to be too early.
    if form == "date":
        text = formatdate(math.ceil(time.time() + left), usegmt=True)
    else:
        text = f"{math.ceil(left * 1000 - 1e-6) / 1000:g}"
    return answer({"error": why, "retry_after": text}, 429, {"Retry-After": text})


def _page(body: bytes, charset: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": f"text/html; charset={charset}"})


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        yield chunk


async def _digest(chunks: AsyncIterator[bytes], filename: str | None) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": digest.hexdigest(), "filename": filename}
