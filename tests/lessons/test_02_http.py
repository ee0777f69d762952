"""Attacks on what chapter 2 teaches: fetch_url, fetch_multiple_urls, safe_fetch, fetch_with_retries, download.

The code is that of the system cells of both notebooks. It meets the servers of `Services`, which count what it did, and
raw servers for answers that no well-made server gives.
"""

import asyncio
import collections
import contextlib
import gc
import hashlib
import json
import os
import random
import signal
import socket
import statistics
import time
import tracemalloc
import urllib.request
import zlib
from email.utils import formatdate
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from stamina.instrumentation import set_on_retry_hooks

from asynclab.services import Services
from asynclab.taught import taught
from asynclab.work import fetch_in_threads

http = taught(2)
deeper = taught("02_async_http_requests_deeper")
SAFE = [http.safe_fetch, deeper.safe_fetch_by_host]

MIB = 2**20
SLACK = 3.0  # seconds that a busy machine may add
JSON = {"Content-Type": "application/json"}


@contextlib.asynccontextmanager
async def tidy(**options):
    """A session that has to end without a connection in use, and a loop that has to end without a new task."""
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession(**options) as session:
        yield session
        assert not session.connector._acquired, "a connection was not given back"
    await gone(lambda: asyncio.all_tasks() - before)


async def gone(left):
    """Wait until `left()` is empty: closing takes the loop a moment."""
    end = time.monotonic() + SLACK
    while found := left():
        assert time.monotonic() < end, f"left behind: {found}"
        await asyncio.sleep(0.005)


async def until(web, name, condition):
    """Wait until what the server has seen of that client fulfils the condition."""
    end = time.monotonic() + 2 * SLACK
    while not condition(seen := await web.stats(name)):
        assert time.monotonic() < end, f"the server has seen {seen}"
        await asyncio.sleep(0.01)


async def no_connections(web, name):
    """Wait until the server has seen every connection of that client close."""
    await until(web, name, lambda seen: seen["open_connections"] == 0)


class Raw(asyncio.Protocol):
    """A connection whose every request is answered by `answer(transport)`, or by the bytes `answer` and the end."""

    def __init__(self, answer, server):
        self.answer, self.server, self.head = answer, server, b""

    def connection_made(self, transport):
        self.transport = transport
        self.server.open.add(transport)

    def connection_lost(self, error):
        self.server.open.discard(self.transport)

    def data_received(self, data):
        self.head += data
        while b"\r\n\r\n" in self.head:
            self.head = self.head.partition(b"\r\n\r\n")[2]
            self.server.requests += 1
            if callable(self.answer):
                self.answer(self.transport)
            else:
                self.transport.write(self.answer)
                self.transport.close()


class RawServer:
    """`async with RawServer(answer) as server:` listens at `server.url`. It makes no tasks."""

    def __init__(self, answer):
        self.answer, self.open, self.requests = answer, set(), 0

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Raw(self.answer, self), "127.0.0.1", 0, backlog=1000)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for transport in [*self.open]:
            transport.abort()
        await gone(lambda: self.open)


def answer(body=b"", status="200 OK", **headers):
    """The bytes of an answer; `headers` with _ for -."""
    fields = {"Content-Length": len(body), **JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def keep_alive(data):
    """An answer after which the connection stays open."""
    return lambda transport: transport.write(data)


def nothing(transport):
    """No answer: the connection stays open."""


class Nowhere(AbstractResolver):
    """Knows no host, and asks no server about it. With `slow`, does not even say so."""

    def __init__(self, slow=False):
        self.slow = slow

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if self.slow:
            await asyncio.Event().wait()
        host.encode("idna")  # as getaddrinfo does first
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self):
        pass


def free_port():
    """A port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_error(result):
    """Whether `result` is the guide's error shape, with a reason in it."""
    return (
        isinstance(result, dict)
        and list(result) == ["error"]
        and isinstance(result["error"], str)
        and result["error"] != ""
    )


@contextlib.contextmanager
def peak_memory():
    """Yield a function: bytes that were held at most since, and bytes that are held now."""
    gc.collect()
    tracemalloc.start()
    try:
        began, _ = tracemalloc.get_traced_memory()
        yield lambda: (tracemalloc.get_traced_memory()[1] - began, tracemalloc.get_traced_memory()[0] - began)
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------- fetch_url and fetch_multiple_urls


def test_fetch_url_has_the_shapes_of_the_guide(web):
    async def main():
        async with tidy() as session:
            good = await http.fetch_url(session, web.url("/bytes/1234"))
            bad = await http.fetch_url(session, f"http://127.0.0.1:{free_port()}/")
        assert good == {"url": web.url("/bytes/1234"), "status": 200, "content_length": 1234, "success": True}
        assert set(bad) == {"url", "error", "success"}
        assert bad["success"] is False and "ClientConnectorError" in bad["error"]

    asyncio.run(main())


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 599])
def test_an_error_status_is_no_success(web, status):
    async def main():
        async with tidy() as session:
            result = await http.fetch_url(session, web.url(f"/status/{status}"))
        assert result["success"] is False and result["status"] == status
        assert result["error"] == f"HTTP {status}"

    asyncio.run(main())


def test_a_body_is_counted_in_bytes(web):
    sizes = [0, 1, 65_535, 65_536, 65_537, 1_000_003]

    async def main():
        async with tidy() as session:
            lengths = [(await http.fetch_url(session, web.url(f"/bytes/{size}")))["content_length"] for size in sizes]
            text = await http.fetch_url(session, web.url("/unicode"))
            async with session.get(web.url("/unicode")) as response:
                raw = await response.read()
        assert lengths == sizes
        assert text["content_length"] == len(raw) > len(raw.decode()), "characters were counted, not bytes"

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/reset", "/drop", "/redirect-loop"])
def test_fetch_url_reports_a_broken_answer(web, me, path):
    async def main():
        async with tidy() as session:
            result = await http.fetch_url(session, web.url(path, client=me))
        assert set(result) == {"url", "error", "success"} and not result["success"]
        await no_connections(web, me)

    asyncio.run(main())


def test_results_keep_the_order_of_the_urls(web, me):
    rng = random.Random(4)
    sizes = [rng.randrange(2_000) for _ in range(200)]
    urls = [web.url(f"/bytes/{size}", client=me, jitter=0.05, seed=size) for size in sizes]

    async def main():
        results = await http.fetch_multiple_urls(urls)
        assert [result["url"] for result in results] == urls
        assert [result["content_length"] for result in results] == sizes
        assert all(result["success"] for result in results)
        await no_connections(web, me)

    asyncio.run(main())


def test_a_fault_takes_its_own_place_in_the_results(web):
    urls = [web.url(path) for path in ("/get", "/status/500", "/reset", "/bytes/7", "/drop", "/get")]
    urls[3:3] = ["", f"http://127.0.0.1:{free_port()}/"]

    async def main():
        results = await http.fetch_multiple_urls(urls, limit=3)
        assert [result["url"] for result in results] == urls
        assert [result["success"] for result in results] == [True, False, False, False, False, True, False, True]
        assert all("error" in result for result in results if not result["success"])

    asyncio.run(main())


def test_few_urls_a_generator_and_duplicates(web, me):
    one = web.url("/bytes/5", client=me)

    async def main():
        assert await http.fetch_multiple_urls([]) == []
        assert [r["content_length"] for r in await http.fetch_multiple_urls([one])] == [5]
        results = await http.fetch_multiple_urls(web.url(f"/bytes/{n}", client=me) for n in range(5))
        assert [r["content_length"] for r in results] == [0, 1, 2, 3, 4]
        results = await http.fetch_multiple_urls([one] * 50, limit=7)
        assert [r["content_length"] for r in results] == [5] * 50
        assert len({id(result) for result in results}) == 50, "two URLs share a result"
        assert (await web.stats(me))["requests"] == 56

    asyncio.run(main())


@pytest.mark.parametrize(("urls", "limit"), [(120, 20), (30, 1), (7, 100), (150, 150)])
def test_requests_in_flight_and_connections_reach_the_limit_and_no_more(web, me, urls, limit):
    async def main():
        results = await http.fetch_multiple_urls([web.url("/delay/0.05", client=me)] * urls, limit=limit)
        assert all(result["success"] for result in results)
        seen = await web.stats(me)
        assert seen["requests"] == urls
        assert seen["peak"] == seen["connections"] == min(urls, limit)

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_without_a_worker_is_refused(web, limit):
    with pytest.raises(ValueError, match="limit"):
        asyncio.run(http.fetch_multiple_urls([web.url("/get")], limit=limit))


def test_waiting_for_a_worker_is_no_part_of_the_timeout(web):
    async def main():
        results = await http.fetch_multiple_urls([web.url("/delay/0.1")] * 200, limit=10, timeout=1)
        assert all(result["success"] for result in results), "20 rounds of 0.1 s, each within its own second"

    asyncio.run(main())


def test_a_server_that_never_answers_costs_the_timeout(web, me):
    async def main():
        began = time.monotonic()
        results = await http.fetch_multiple_urls([web.url("/never", client=me)] * 20, limit=10, timeout=0.2)
        assert 0.39 < time.monotonic() - began < 0.4 + SLACK
        assert all(set(result) == {"url", "error", "success"} for result in results)
        assert all("Timeout" in result["error"] for result in results)
        await no_connections(web, me)

    asyncio.run(main())


def test_cancelling_many_requests_leaves_nothing(web, me):
    async def main():
        before = asyncio.all_tasks()
        running = asyncio.create_task(http.fetch_multiple_urls([web.url("/never", client=me)] * 100, limit=30))
        await until(web, me, lambda seen: seen["peak"] == 30)
        running.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - began < SLACK
        await gone(lambda: asyncio.all_tasks() - before)
        assert (await web.stats(me))["requests"] == 30, "no further URL was begun"
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize("count", [4_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_many_urls_cost_little_beyond_their_results(count):
    async def main():
        async with RawServer(keep_alive(answer(b"x"))) as server:
            urls = [server.url] * count
            await http.fetch_multiple_urls(urls[:200])  # what is loaded and cached once is no cost of a URL
            with peak_memory() as memory:
                results = await http.fetch_multiple_urls(urls)
                gc.collect()
                most, kept = memory()
            assert sum(result["content_length"] for result in results) == count == server.requests - 200
        assert most - kept < count * 500, f"{(most - kept) / count:.0f} bytes for a URL beyond its result"

    asyncio.run(main())


def test_a_large_body_keeps_memory_flat(web):
    async def main():
        async with tidy() as session:
            await http.fetch_url(session, web.url("/bytes/1000000"))
            with peak_memory() as memory:
                result = await http.fetch_url(session, web.url(f"/bytes/{100 * MIB}"))
                most, _ = memory()
        assert result["content_length"] == 100 * MIB and result["success"]
        assert most < 5 * MIB, f"{most / MIB:.1f} MiB"

    asyncio.run(main())


# ---------------------------------------------------------------- safe_fetch


def test_safe_fetch_returns_the_json(web):
    async def main():
        async with tidy() as session:
            assert await http.safe_fetch(session, web.url("/delay/0")) == {"delay": 0, "args": {}}
            assert (await http.safe_fetch(session, web.url("/unicode")))["greetings"]["ja"] == "こんにちは"
            assert len(await http.safe_fetch(session, web.url("/users", limit=3))) == 3
            assert (await http.safe_fetch(session, web.url("/redirect/3")))["url"] == web.url("/get")

    asyncio.run(main())


@pytest.mark.parametrize("status", [201, 204, 304, 400, 404, 429, 500, 503])
def test_safe_fetch_names_the_status(web, status):
    async def main():
        async with tidy() as session:
            assert await http.safe_fetch(session, web.url(f"/status/{status}")) == {"error": f"HTTP {status}"}

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/never", "/delay/30", "/slow-body?duration=30", "/drip?duration=30"])
def test_safe_fetch_ends_with_its_timeout(web, me, path):
    async def main():
        async with tidy() as session:
            began = time.monotonic()
            result = await http.safe_fetch(session, web.url(path, client=me), timeout=0.3)
            # A drip is application/octet-stream, which is refused before it has come.
            assert result == {"error": "Request timeout"} or ("drip" in path and is_error(result))
            assert time.monotonic() - began < 0.3 + SLACK
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/reset", "Client error: "),
        ("/drop", "Client error: ServerDisconnectedError"),
        ("/malformed", "JSONDecodeError"),
        ("/wrong-charset", "Client error: ContentTypeError"),
        ("/redirect-loop", "Client error: TooManyRedirects"),
        ("/redirect/1000", "Client error: TooManyRedirects"),
        ("/bytes/100000", "Client error: ContentTypeError"),
        ("/status/200?error_rate=1", "HTTP 500"),
    ],
)
def test_safe_fetch_reports_each_fault_of_the_services(web, me, path, words):
    async def main():
        async with tidy() as session:
            result = await http.safe_fetch(session, web.url(path, client=me))
            assert is_error(result) and words in result["error"], result
        await no_connections(web, me)

    asyncio.run(main())


MALFORMED = [
    "", " ", "x", "//x", "/path", "?", "http:", "http://", "http:///path", "http://:80/", "http://?", "http//x/",
    "://x", "ftp://127.0.0.1/", "file:///etc/passwd", "mailto:a@example.org", "javascript:alert(1)", "data:,x",
    "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "http://127.0.0.1:abc/", "http://127.0.0.1:0/",
    "http://127.0.0.1:1e3/", "http://127.0.0.1:8 0/", "http://[::1", "http://[::gg]/", "http://[]/", "http://::1/",
    "http://256.256.256.256/", "http://1.2.3.4.5/", "http://-/", "http://*/", "http://exa mple/", "http://a..b/",
    "http://.invalid/", "http://\x00/", "http://127.0.0.1\r\nHost: x/", "http://%zz/", "http://xn--/", "http://xn--a/",
    "http://\ud800/", "http://\u2028/", "http://ß\u0130.invalid/", "http://user:pass@:80/", "http://@/",
    "http://" + "a" * 64 + ".invalid/", "http://" + "ü" * 64 + ".invalid/", "http://" + "a." * 200 + "invalid/",
    "http://" + "a" * 70_000, "http://no-such-host.invalid/", "ws://no-such-host.invalid/",
    None, 0, 1.5, True, [], {}, ..., b"http://127.0.0.1/", bytearray(b"x"), ("http", "x"), int,
]  # fmt: skip


@pytest.mark.parametrize("url", MALFORMED, ids=lambda url: ascii(url)[:40] if url else repr(url))
def test_safe_fetch_never_raises_for_a_url(url):
    async def main():
        connector = aiohttp.TCPConnector(resolver=Nowhere())
        async with tidy(connector=connector) as session:
            for fetch in SAFE:
                result = await fetch(session, url, timeout=2)
                assert is_error(result), (fetch, result)
            result = await http.fetch_url(session, url)
            assert set(result) == {"url", "error", "success"} and result["url"] is url, result

    asyncio.run(main())


def test_a_name_that_no_resolver_takes():
    async def main():
        async with tidy() as session:  # the real resolver: it fails before it asks anybody
            for label in ("a" * 64, "ü" * 64, "a" * 300):
                assert is_error(await http.safe_fetch(session, f"http://{label}.invalid/"))

    asyncio.run(main())


def test_a_resolver_that_hangs_costs_the_timeout():
    async def main():
        async with tidy(connector=aiohttp.TCPConnector(resolver=Nowhere(slow=True))) as session:
            results = await asyncio.gather(
                *(http.safe_fetch(session, f"http://no-such-host-{n}.invalid/", timeout=0.2) for n in range(5))
            )
        assert results == [{"error": "Request timeout"}] * 5

    asyncio.run(main())


def test_a_refused_port():
    async def main():
        async with tidy() as session:
            result = await http.safe_fetch(session, f"http://127.0.0.1:{free_port()}/")
        assert is_error(result) and "ClientConnectorError" in result["error"]

    asyncio.run(main())


def test_a_session_that_is_closed():
    async def main():
        async with tidy() as session:
            pass
        for fetch in SAFE:
            assert is_error(await fetch(session, "http://127.0.0.1/"))
        assert "Session is closed" in (await http.fetch_url(session, "http://127.0.0.1/"))["error"]

    asyncio.run(main())


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked"}
BROKEN = {
    "nothing at all": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an old protocol": b"<html>hello</html>",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "TLS": b"\x15\x03\x03\x00\x02\x02\x28",
    "half a status line": b"HTTP/1.1 20",
    "half of the headers": b"HTTP/1.1 200 OK\r\nContent-Type: appl",
    "a status of letters": b"HTTP/1.1 OK\r\n\r\n",
    "a large status": b"HTTP/1.1 99999 What\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a header with a zero byte": b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 2\r\n\r\n{}",
    "a header that is too long": answer(b"{}", X_Long="x" * 100_000),
    "a length of letters": answer(b"{}", Content_Length="many"),
    "a negative length": answer(b"{}", Content_Length=-2),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a body that is too short": answer(b'{"a": ', Content_Length=1_000),
    "a chunk without a size": answer(**CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk that is too short": answer(**CHUNKED) + b"fff\r\n{}",
    "chunks without an end": answer(**CHUNKED) + chunk(b'{"a": 1}'),
    "gzip that is none": answer(b'{"a": 1}', Content_Encoding="gzip"),
    "deflate that breaks off": answer(zlib.compress(b'"' + b"x" * 100_000 + b'"')[:-9], Content_Encoding="deflate"),
    "JSON that breaks off": answer(b'{"a": [1, 2'),
    "bytes that are no UTF-8": answer(
        '{"a": "café"}'.encode("latin-1"), Content_Type="application/json; charset=utf-8"
    ),
    "UTF-16 that is none": answer(b'{"a": 1}x', Content_Type="application/json; charset=utf-16"),
    "a codec that makes no text": answer(b'{"a": 1}', Content_Type="application/json; charset=zlib"),
    "a page": answer(b"<html></html>", Content_Type="text/html"),
    "no type": answer(b"<html></html>", Content_Type=None),
    "JSON that is too deep": answer(b"[" * 100_000),
    "a number that is too long": answer(b"1" * 10_000),
    "a redirect to nowhere": answer(status="302 Found", Location="http://"),
    "a redirect to a bad port": answer(status="302 Found", Location="http://127.0.0.1:99999/"),
    "a redirect to another protocol": answer(status="302 Found", Location="ftp://127.0.0.1/"),
    "a redirect to a mailbox": answer(status="302 Found", Location="mailto:a@example.org"),
    "a redirect to half an address": answer(status="302 Found", Location="http://[::1/"),
    "a redirect without a place": answer(status="302 Found"),
    "a redirect to itself": answer(status="302 Found", Location="/"),
    "other protocols only": answer(status="101 Switching Protocols", Upgrade="h2c", Connection="Upgrade"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_safe_fetch_reports_what_no_server_should_send(data):
    async def main():
        async with RawServer(data) as server:
            async with tidy() as session:
                result = await http.safe_fetch(session, server.url, timeout=1)
                assert is_error(result) and result != {"error": "Request timeout"}, result
            await gone(lambda: server.open)

    asyncio.run(main())


def endless(*, every, first=b""):
    """Begin with `first` and add `every` without end."""

    def begin(transport):
        loop = asyncio.get_running_loop()
        transport.write(first)

        def more():
            if not transport.is_closing():
                transport.write(every)
                loop.call_later(0.01, more)

        more()

    return begin


ENDLESS = {
    "no answer": nothing,
    "half a head": keep_alive(b"HTTP/1.1 200 OK\r\n"),
    "half a body": keep_alive(answer(b'{"a": ', Content_Length=1_000)),
    "a chunk without an end": keep_alive(answer(**CHUNKED) + b"fff\r\n{}"),
    "announcements": endless(every=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body that drips": endless(every=chunk(b" "), first=answer(**CHUNKED)),
    "gzip that drips": endless(every=chunk(b"\x1f"), first=answer(**CHUNKED, Content_Encoding="deflate")),
    "redirects that drip": endless(every=b"X: y\r\n", first=b"HTTP/1.1 302 Found\r\nLocation: /\r\n"),
}


@pytest.mark.parametrize("behaviour", ENDLESS.values(), ids=ENDLESS)
def test_safe_fetch_ends_though_the_server_does_not(behaviour):
    async def main():
        async with RawServer(behaviour) as server:
            async with tidy() as session:
                began = time.monotonic()
                result = await http.safe_fetch(session, server.url, timeout=0.3)
                assert time.monotonic() - began < 0.3 + SLACK
                assert is_error(result), result
            await gone(lambda: server.open)

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b'"\\ud800"', b"NaN", "“ünïcödé”".join('""').encode(), b'\n {"a": 1} \r\n'],
)
def test_unusual_json_is_json(body):
    async def main():
        async with RawServer(answer(body)) as server, tidy() as session:
            assert repr(await http.safe_fetch(session, server.url)) == repr(json.loads(body))

    asyncio.run(main())


@pytest.mark.parametrize("charset", ["klingon", "latin-1", "utf-8"])
def test_a_charset_is_believed_if_there_is_one(charset):
    body = '{"word": "café"}'.encode("utf-8" if charset == "klingon" else charset)

    async def main():
        coffee = answer(body, Content_Type=f"application/json; charset={charset}")
        async with RawServer(coffee) as server, tidy() as session:
            assert await http.safe_fetch(session, server.url) == {"word": "café"}

    asyncio.run(main())


def test_ten_megabytes_of_json():
    words = ["word " * 200] * 10_000
    body = json.dumps(words).encode()
    assert len(body) > 10_000_000

    async def main():
        async with RawServer(keep_alive(answer(body))) as server, tidy() as session:
            assert await http.safe_fetch(session, server.url, timeout=20) == words

    asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, -1, 1e-9])
def test_a_timeout_of_nothing_is_over_at_once(timeout):
    async def main():
        async with RawServer(nothing) as server, tidy() as session:
            async with asyncio.timeout(SLACK):
                assert await http.safe_fetch(session, server.url, timeout=timeout) == {"error": "Request timeout"}

    asyncio.run(main())


def test_a_server_killed_in_the_middle_of_requests():
    async def main():
        async with Services() as doomed, tidy() as session:
            paths = ["/slow-body?duration=30", "/never", "/delay/30"] * 10
            urls = [doomed.url(path, client="victim") for path in paths]
            running = [asyncio.create_task(http.safe_fetch(session, url, timeout=20)) for url in urls]
            await until(doomed, "victim", lambda seen: seen["peak"] == 30)
            os.kill(doomed.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            began = time.monotonic()
            results = await asyncio.gather(*running)
            assert time.monotonic() - began < SLACK
            assert all("Client error" in result["error"] for result in results), results
            assert "ClientConnectorError" in (await http.safe_fetch(session, urls[0]))["error"]

    asyncio.run(main())


async def the_guides_way(session, url, seconds):
    """The guide's safe_fetch: its clock begins before there is a connection to use."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=seconds)) as response:
            return await response.json() if response.status == 200 else {"error": f"HTTP {response.status}"}
    except TimeoutError:
        return {"error": "Request timeout"}


async def timeouts_of_a_thousand(fetch, web, name):
    async with tidy() as session:
        urls = [web.url("/delay/0.2", client=name)] * 1000
        results = await asyncio.gather(*(fetch(session, url, 1) for url in urls))
    good = sum("delay" in result for result in results)
    assert good + results.count({"error": "Request timeout"}) == 1000
    return 1000 - good


def test_a_healthy_server_meets_no_false_timeout(web, me):
    async def main():
        assert await timeouts_of_a_thousand(http.safe_fetch, web, me) == 0
        seen = await web.stats(me)
        assert seen["statuses"] == {"200": 1000} and seen["peak"] == seen["connections"] == 100

    asyncio.run(main())


def test_the_guides_way_has_false_timeouts(web, me):
    assert asyncio.run(timeouts_of_a_thousand(the_guides_way, web, me)) > 300


@pytest.mark.parametrize(
    ("fetch", "options", "peak"),
    [
        (http.safe_fetch, {"limit": 10}, 10),
        (http.safe_fetch, {"limit": 0}, 60),
        (http.safe_fetch, {"limit": 10, "limit_per_host": 100}, 10),
        (deeper.safe_fetch_by_host, {"limit": 0}, 60),
        (deeper.safe_fetch_by_host, {"limit": 10, "limit_per_host": 100}, 10),
        (deeper.safe_fetch_by_host, {"limit": 100, "limit_per_host": 10}, 10),
        (deeper.safe_fetch_by_host, {"limit": 0, "limit_per_host": 10}, 10),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_no_false_timeouts_whatever_limits_the_connections(web, me, fetch, options, peak):
    async def main():
        async with tidy(connector=aiohttp.TCPConnector(**options)) as session:
            url = web.url("/delay/0.2", client=me)
            results = await asyncio.gather(*(fetch(session, url, timeout=0.8) for _ in range(60)))
        assert {"error": "Request timeout"} not in results
        assert (await web.stats(me))["peak"] == peak

    asyncio.run(main())


def test_hosts_do_not_wait_for_each_other(web, me):
    async def main():
        async with Services() as other, tidy(connector=aiohttp.TCPConnector(limit_per_host=1)) as session:
            urls = [each.url("/never", client=me) for each in (web, other)] * 2
            running = [asyncio.create_task(deeper.safe_fetch_by_host(session, url)) for url in urls]
            for each in (web, other):  # one request of each host is under way, and one waits for it
                await until(each, me, lambda seen: seen["peak"] == 1)
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            for each in (web, other):
                assert "delay" in await deeper.safe_fetch_by_host(session, each.url("/delay/0")), "the place is lost"
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize("fetch", SAFE)
def test_no_false_timeouts_when_sessions_share_connections(web, me, fetch):
    async def main():
        async with aiohttp.TCPConnector(limit=5) as connector:
            sessions = [aiohttp.ClientSession(connector=connector, connector_owner=False) for _ in range(12)]
            url = web.url("/delay/0.2", client=me)
            results = await asyncio.gather(*(fetch(s, url, timeout=1) for s in sessions * 4))
            for session in sessions:
                await session.close()
        assert {"error": "Request timeout"} not in results

    asyncio.run(main())


def test_two_sessions_do_not_wait_for_each_other(web, me):
    async def main():
        async with tidy(connector=aiohttp.TCPConnector(limit=1)) as slow, tidy() as other:
            waiting = [asyncio.create_task(http.safe_fetch(slow, web.url("/never", client=me))) for _ in range(3)]
            await asyncio.sleep(0)
            async with asyncio.timeout(SLACK):
                assert "delay" in await http.safe_fetch(other, web.url("/delay/0"))
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize("fetch", SAFE)
def test_one_session_after_another_in_one_loop_after_another(web, fetch):
    async def main():
        for _ in range(3):
            async with tidy(connector=aiohttp.TCPConnector(limit=1)) as session:
                urls = [web.url("/delay/0")] * 4
                assert all("delay" in r for r in await asyncio.gather(*(fetch(session, u) for u in urls)))

    for _ in range(3):
        asyncio.run(main())


def test_dead_servers_give_their_places_back(web, me):
    async def main():
        async with tidy(connector=aiohttp.TCPConnector(limit=10)) as session:
            began = time.monotonic()
            url = web.url("/never", client=me)
            results = await asyncio.gather(*(http.safe_fetch(session, url, timeout=0.2) for _ in range(50)))
            assert results == [{"error": "Request timeout"}] * 50
            assert 0.99 < time.monotonic() - began < 1.0 + SLACK, "5 rounds of 0.2 s"
            assert await places(session, web, me + " after") == 10
        await no_connections(web, me)

    asyncio.run(main())


async def places(session, web, name):
    """Return how many requests of this session run at one moment, by the server's count."""
    url = web.url("/delay/0.1", client=name)
    results = await asyncio.gather(*(http.safe_fetch(session, url) for _ in range(30)))
    assert all("delay" in result for result in results)
    return (await web.stats(name))["peak"]


@pytest.mark.parametrize("path", ["/never", "/delay/30", "/slow-body?duration=30"])
def test_a_cancelled_fetch_ends_at_once_and_gives_its_place_back(web, me, path):
    async def main():
        async with tidy(connector=aiohttp.TCPConnector(limit=5)) as session:
            url = web.url(path, client=me)
            running = [asyncio.create_task(http.safe_fetch(session, url, timeout=30)) for _ in range(20)]
            await until(web, me, lambda seen: seen["peak"] == 5)
            await asyncio.sleep(0.05)  # the headers of /slow-body have come
            began = time.monotonic()
            for task in running:  # 5 wait for the server, 15 for a place
                task.cancel()
            await asyncio.wait(running)
            assert time.monotonic() - began < SLACK
            assert all(task.cancelled() for task in running)
            assert (await web.stats(me))["requests"] == 5
            assert await places(session, web, me + " after") == 5
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize("fetch", [*SAFE, http.fetch_url, http.fetch_with_retries])
def test_a_cancellation_passes_at_every_step(fetch):
    async def main():
        finished = 0
        async with RawServer(keep_alive(answer(b'{"a": 1}'))) as server:
            for steps in range(200):
                async with tidy(connector=aiohttp.TCPConnector(limit=1)) as session:
                    task = asyncio.create_task(fetch(session, server.url))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    cancelled = task.cancel()
                    await asyncio.wait([task])
                    assert task.cancelled() == cancelled, f"swallowed after {steps} steps: {task}"
                    async with asyncio.timeout(SLACK):
                        assert await http.safe_fetch(session, server.url) == {"a": 1}, "the place is lost"
                finished += not cancelled
                if finished == 3:
                    return
        raise AssertionError("no fetch came to its end")

    asyncio.run(main())


def test_a_cancellation_at_the_moment_of_the_timeout():
    """Who is told to stop stops, also when its time is up in the same moment (aiohttp's own timeouts: aiohttp#5979)."""

    async def main():
        loop = asyncio.get_running_loop()
        async with RawServer(nothing) as server, tidy(connector=aiohttp.TCPConnector(limit=0)) as session:
            for _ in range(4):
                asked, tasks = {}, []
                for n in range(60):
                    task = asyncio.create_task(http.safe_fetch(session, server.url, timeout=0.2))
                    moment = loop.time() + 0.19 + n * 0.0005
                    loop.call_at(moment, lambda task=task, asked=asked: asked.update({task: task.cancel()}))
                    tasks.append(task)
                await asyncio.wait(tasks)
                await gone(lambda tasks=tasks, asked=asked: set(tasks) - set(asked))
                assert all(task.cancelled() == asked[task] for task in tasks), "a cancellation was swallowed"
                assert all(task.cancelled() or task.result() == {"error": "Request timeout"} for task in tasks)

    asyncio.run(main())


def test_cancelling_many_requests_at_the_moment_of_their_timeouts():
    async def main():
        loop = asyncio.get_running_loop()
        async with RawServer(nothing) as server:
            for _ in range(6):
                running = []
                for n in range(30):
                    fetches = http.fetch_multiple_urls([server.url] * 100, limit=3, timeout=0.2)
                    running.append(asyncio.create_task(fetches))
                    loop.call_at(loop.time() + 0.2 + n * 0.0006, running[-1].cancel)
                _, left = await asyncio.wait(running, timeout=SLACK)
                for task in left:
                    task.cancel()
                assert not left, "a worker missed the cancellation and went on to the next URL"
                assert all(task.cancelled() for task in running)

    asyncio.run(main())


def test_the_callers_own_timeout_is_the_callers():
    async def main():
        async with RawServer(nothing) as server, tidy() as session:
            for fetch in (http.safe_fetch, http.fetch_url, http.fetch_with_retries):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await fetch(session, server.url)

    asyncio.run(main())


# ---------------------------------------------------------------- fetch_with_retries


@pytest.mark.parametrize(
    ("path", "attempts", "error"),
    [
        ("/flaky?fail=0", 1, None),
        ("/flaky?fail=2", 3, None),
        ("/flaky?fail=4", 5, None),
        ("/flaky?fail=99", 5, aiohttp.ClientResponseError),
        ("/status/503", 5, aiohttp.ClientResponseError),
        ("/status/500", 5, aiohttp.ClientResponseError),
        ("/status/404", 1, aiohttp.ClientResponseError),
        ("/status/400", 1, aiohttp.ClientResponseError),
        ("/malformed", 1, json.JSONDecodeError),
        ("/bytes/10", 1, aiohttp.ContentTypeError),
        ("/redirect-loop", 10, aiohttp.TooManyRedirects),
        ("/drop", 10, aiohttp.ServerDisconnectedError),  # aiohttp itself asks twice if a connection ends unanswered
        ("/reset", 5, (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)),
    ],
)
def test_attempts_are_counted_by_the_server(web, me, path, attempts, error):
    async def main():
        async with tidy() as session:
            began = time.monotonic()
            with pytest.raises(error) if error else contextlib.nullcontext():
                result = await http.fetch_with_retries(session, web.url(path, client=me))
                assert result == {"attempts": attempts}
            assert time.monotonic() - began < 1.0 + SLACK
        assert (await web.stats(me))["requests"] == attempts
        await no_connections(web, me)

    asyncio.run(main())


def test_a_timeout_and_a_refused_port_are_tried_again(web, me):
    async def main():
        async with tidy(timeout=aiohttp.ClientTimeout(0.1)) as session:
            with pytest.raises(TimeoutError):
                await http.fetch_with_retries(session, web.url("/never", client=me))
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.fetch_with_retries(session, f"http://127.0.0.1:{free_port()}/")
            with pytest.raises(aiohttp.InvalidURL):
                await http.fetch_with_retries(session, "http://")
        assert (await web.stats(me))["requests"] == 5
        await no_connections(web, me)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fetch", "form", "least"),
    [
        (http.fetch_with_retries, "seconds", 0.3),
        (deeper.fetch_with_retries, "seconds", 0.3),
        (deeper.fetch_with_retries, "date", 1.2),
    ],
)
def test_retry_after_is_honoured(web, me, fetch, form, least):
    async def main():
        async with tidy() as session:
            began = time.monotonic()
            result = await fetch(session, web.url("/retry-after", seconds=least, form=form, client=me))
            assert least <= time.monotonic() - began < least + 1 + SLACK  # a date has whole seconds
        assert result["waited"] >= least
        seen = await web.stats(me)
        assert seen["requests"] == 2 and seen["violations"] == 0, "asked again before the time"

    asyncio.run(main())


def once(first, then):
    """Answer the first request with `first`, the others with `then`."""
    answers = iter([first])
    return lambda transport: transport.write(next(answers, then))


RETRY_AFTER = [
    None, "", "0", "-5", "0.1", "1", "soon", "1 second", "1,5", "nan", "-inf", "1e-9", "\x7f", "é", "²", "1.2.3",
    "Wed, 99 Foo 2025 99:99:99 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 -0000",
    "Thu, 01 Jan 1970 00:00:00", "Thu, 01 Jan 1970", "1970-01-01T00:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_any_retry_after_lets_the_next_attempt_succeed(status):
    async def attempt(value):
        async with RawServer(once(answer(status=status, Retry_After=value), answer(b'{"a": 1}'))) as server:
            async with aiohttp.ClientSession() as session:
                assert await deeper.fetch_with_retries(session, server.url) == {"a": 1}
            assert server.requests == 2

    async def main():
        tries = {repr(value): asyncio.create_task(attempt(value)) for value in RETRY_AFTER}
        _, left = await asyncio.wait(tries.values(), timeout=1 + 2 * SLACK)
        errors = {value: task.exception() for value, task in tries.items() if task not in left}
        for task in left:
            task.cancel()
        assert not {value: error for value, error in errors.items() if error}
        assert not left, [value for value, task in tries.items() if task in left]

    asyncio.run(main())


@pytest.mark.parametrize("value", ["86400", "9" * 400, formatdate(4e9, usegmt=True)])
def test_nobody_waits_for_a_day(value):
    async def main():
        async with RawServer(keep_alive(answer(status="429 Too Many Requests", Retry_After=value))) as server:
            async with tidy() as session:
                with pytest.raises(aiohttp.ClientResponseError, match="429"):
                    async with asyncio.timeout(5):
                        await deeper.fetch_with_retries(session, server.url)
            assert server.requests == 1

    asyncio.run(main())


def test_cancelling_during_the_pause(web, me):
    async def main():
        async with tidy() as session:
            url = web.url("/retry-after", seconds=20, client=me)
            running = asyncio.create_task(deeper.fetch_with_retries(session, url))
            await until(web, me, lambda seen: seen["statuses"] == {"429": 1})
            await asyncio.sleep(0.05)
            began = time.monotonic()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert time.monotonic() - began < SLACK
        assert (await web.stats(me))["requests"] == 1
        await no_connections(web, me)

    asyncio.run(main())


def test_pauses_grow_and_clients_that_fail_together_do_not_come_back_together():
    pauses = collections.defaultdict(list)

    async def main():
        async with RawServer(keep_alive(answer(status="503 Service Unavailable"))) as server, tidy() as session:
            fetches = (http.fetch_with_retries(session, server.url) for _ in range(20))
            await asyncio.gather(*fetches, return_exceptions=True)
            assert server.requests == 100

    set_on_retry_hooks([lambda retry: pauses[retry.retry_num].append(retry.wait_for)])
    try:
        asyncio.run(main())
    finally:
        set_on_retry_hooks(None)
    assert [len(set(each)) for each in pauses.values()] == [20] * 4, "no jitter: all come back at one moment"
    means = [statistics.mean(each) for each in pauses.values()]
    assert means == sorted(means) and means[-1] > 2 * means[0]


# ---------------------------------------------------------------- download


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened through `Path.open`."""
    files, real = [], Path.open

    def spy(self, *args, **options):
        files.append(real(self, *args, **options))
        return files[-1]

    monkeypatch.setattr(Path, "open", spy)
    return files


@pytest.mark.parametrize("size", [0, 1, 65_536, 3 * MIB + 1])
def test_a_download_is_the_body_to_the_byte(web, tmp_path, opened, size):
    url, path = web.url(f"/bytes/{size}", seed=9), tmp_path / "body"

    async def main():
        async with tidy() as session:
            assert await deeper.download(session, url, path) == size

    asyncio.run(main())
    with urllib.request.urlopen(url) as response:
        expected = hashlib.sha256(response.read()).hexdigest()
    assert path.stat().st_size == size and hashlib.sha256(path.read_bytes()).hexdigest() == expected
    assert all(file.closed for file in opened)
    assert [*tmp_path.iterdir()] == [path]


def test_a_download_replaces_a_longer_file(web, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"yesterday" * 1_000)

    async def main():
        async with tidy() as session:
            for _ in range(2):
                assert await deeper.download(session, web.url("/bytes/100", seed=3), path) == 100

    asyncio.run(main())
    assert path.read_bytes() == random.Random(3).randbytes(100)


def test_many_downloads_at_once_keep_memory_flat(web, tmp_path):
    async def main():
        async with tidy() as session:
            await deeper.download(session, web.url("/bytes/100000"), tmp_path / "first")
            with peak_memory() as memory:
                async with asyncio.TaskGroup() as group:
                    for n in range(4):
                        url = web.url(f"/bytes/{10 * MIB}", seed=n)
                        group.create_task(deeper.download(session, url, tmp_path / str(n)))
                most, _ = memory()
        assert most < 8 * MIB, f"{most / MIB:.1f} MiB"

    asyncio.run(main())
    assert [(tmp_path / str(n)).stat().st_size for n in range(4)] == [10 * MIB] * 4


@pytest.mark.parametrize("before", [None, b"the version of yesterday"])
@pytest.mark.parametrize("fault", ["/status/404", "/status/503", "/reset", "/drop", "cut off", "cancelled"])
def test_a_download_that_fails_leaves_the_file_as_it_was(web, tmp_path, opened, fault, before):
    path = tmp_path / "body"
    if before is not None:
        path.write_bytes(before)

    async def main():
        async with RawServer(answer(b"x" * 500_000, Content_Length=10**6)) as server, tidy() as session:
            if fault == "cancelled":
                url = web.url("/drip", numbytes=10**6, duration=30)
                running = asyncio.create_task(deeper.download(session, url, path))
                await asyncio.sleep(0.5)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
            else:
                url = server.url if fault == "cut off" else web.url(fault)
                with pytest.raises(aiohttp.ClientError):
                    await deeper.download(session, url, path)

    asyncio.run(main())
    assert all(file.closed for file in opened)
    assert [each.name for each in tmp_path.iterdir()] == ["body"] * (before is not None)
    assert before is None or path.read_bytes() == before


def test_a_disk_that_refuses_gives_the_connection_back(web, me, tmp_path):
    async def main():
        async with tidy() as session:
            with pytest.raises(OSError):
                await deeper.download(session, web.url(f"/bytes/{MIB}", client=me), tmp_path / "no folder" / "body")
        await no_connections(web, me)

    asyncio.run(main())


# ---------------------------------------------------------------- what the chapter compares with


def test_threads_fetch_the_same(web, me):
    urls = [web.url(f"/bytes/{size}", client=me) for size in (7, 0, 100_000)] + [web.url("/status/404", client=me)]

    async def main():
        assert await fetch_in_threads(urls * 5, workers=3) == [7, 0, 100_000, 0] * 5
        assert (await web.stats(me))["peak"] <= 3

    asyncio.run(main())


def test_threads_leave_the_loop_free_and_are_not_waited_for(web, me):
    async def main():
        urls = [web.url("/delay/0.5", client=me)] * 50
        running = asyncio.create_task(fetch_in_threads(urls, workers=2))
        await until(web, me, lambda seen: seen["peak"] == 2)
        began = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - began < 0.4, "the requests under way were waited for"
        await no_connections(web, me)
        assert (await web.stats(me))["requests"] <= 4, "what was not begun is dropped"

    asyncio.run(main())
