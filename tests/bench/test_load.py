"""`under_load`: what it counts of good and bad services, what it says of those that it cannot host, and no residue."""

import asyncio
import contextlib
import os
import socket
import threading

import psutil
import pytest
from aiohttp import web

from asynclab.load import Load, LoadError, under_load

LOCK = threading.Lock()


class Service:
    """Answers with what is asked for, unless that is the name of a method."""

    def __init__(self, upstream):
        self.upstream, self.app, self.kept = upstream, web.Application(), []
        self.app.router.add_get("/{what}", self.answer)

    async def answer(self, request):
        what = request.match_info["what"]
        return web.json_response(await getattr(self, what)() if hasattr(self, what) else what)

    async def never(self):
        await asyncio.Event().wait()

    async def bad_gateway(self):
        raise web.HTTPBadGateway

    async def broken(self):
        raise ZeroDivisionError("by hand")

    async def connected(self):
        host, _, port = self.upstream.removeprefix("http://").rpartition(":")
        self.kept.append(await asyncio.open_connection(host, port))

    async def cancelled(self):
        try:
            await self.connected()
            await self.never()
        finally:
            self.kept.pop()[1].close()

    async def large(self):
        self.kept.append(b"x" * (40 * 2**20))

    async def printed(self):
        print("no line of ours", flush=True)

    async def gone(self):
        os._exit(3)


def load(*visits, service=Service, **options):
    """What became of the visits; "a" is right if it is answered with "a"."""
    visits = [each if isinstance(each, tuple) else (f"/{each}", each) for each in visits]
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        options = {"upstream": f"http://127.0.0.1:{upstream.getsockname()[1]}"} | options
        return asyncio.run(under_load(service, visits, **options))


@contextlib.contextmanager
def no_residue():
    """The block must leave no child process and no thread."""
    before = psutil.Process().children(), threading.active_count()
    yield
    assert (psutil.Process().children(), threading.active_count()) == before


@pytest.mark.parametrize(
    ("visits", "right", "errors", "more"),
    [
        (["a", "b", "c"] * 20, 60, {}, {"running": 0, "left": 0, "opened": 0, "raised": []}),
        ([("/a", "b"), ("/a", None), "b"], 1, {"wrong, and nothing says so": 2}, {}),
        (["never", "never", "a"], 1, {"no answer within 0.3 s": 2}, {"running": 2, "left": 0}),
        (["bad_gateway", "nothing/here"], 0, {"said 404": 1, "said 502": 1}, {"raised": []}),
        (["broken", "broken"], 0, {"said 500": 2}, {"raised": ["ZeroDivisionError: by hand"]}),
        ([("/connected", None)] * 3, 3, {}, {"running": 0, "left": 3, "opened": 3}),
        (["cancelled"] * 3, 0, {"no answer within 0.3 s": 3}, {"running": 3, "left": 0}),
        ([("/printed", None)] * 2, 2, {}, {}),
        (["bad_gateway", "never", ("/a", 1), "broken"], 0,
         {"wrong, and nothing says so": 1, "no answer within 0.3 s": 1, "said 500": 1, "said 502": 1}, {}),
    ],
)  # fmt: skip
def test_counts(visits, right, errors, more):
    with no_residue():
        result = load(*visits, visitors=3, patience=0.3)
    assert (result.requests, result.right, list(result.errors.items())) == (len(visits), right, list(errors.items()))
    assert {name: getattr(result, name) for name in more} == more
    assert len(result.times) == len(visits) and result.p50 <= result.p99
    shown = result._repr_mimebundle_()
    for words in (*errors, *(f"It raised {each}" for each in result.raised)):
        assert words in shown["text/plain"] and words.removeprefix("It raised ") in shown["text/html"]


def test_memory_is_that_of_the_service():
    assert load("a").memory < 20 * 2**20 <= 40 * 2**20 <= load(("/large", None)).memory


def test_rate_and_percentiles():
    times = tuple(k / 100 for k in range(1, 201))
    result = Load(Service, 200, 4, 190, 0.5, times, {"said 502": 10}, 300, 2048, 0, 0)
    assert (result.rate, result.p50, result.p99) == (380, 1.0, 1.98)
    rows = dict(result.rows())
    assert (rows["one right answer every"], rows["connections opened per request"]) == ("2.63 ms", "1.50x")
    nothing = Load(Service, 1, 1, 0, 0.0, (1.0,), {"said 502": 1}, 0, 0, 0, 0)
    assert (nothing.rate, nothing.p99) == (0, 1.0)
    assert dict(nothing.rows())["one right answer every"] == "–"


class NoApp:
    def __init__(self, upstream):
        pass


class Refuses(Service):
    def __init__(self, upstream):
        raise ValueError(f"nothing at {upstream}")


class Leaves(Service):
    def __init__(self, upstream):
        raise SystemExit("not today")


class Locked(Service):
    async def answer(self, request):
        with LOCK:
            return web.json_response(None)


class CannotOpen(Service):
    def __init__(self, upstream):
        super().__init__(upstream)
        self.app.cleanup_ctx.append(self.life)

    async def life(self, app):
        raise OSError("no disk")
        yield


@pytest.mark.parametrize(
    ("service", "options", "error", "words"),
    [
        (NoApp, {}, LoadError, "the service cannot start: AttributeError: 'NoApp' object has no attribute 'app'"),
        (Refuses, {"upstream": "there"}, LoadError, "the service cannot start: ValueError: nothing at there"),
        (CannotOpen, {}, LoadError, "the service cannot start: OSError: no disk"),
        (Leaves, {}, LoadError, "the service did not start: not today"),
        (Locked, {}, LoadError, "`answer` uses `LOCK`, a `lock` .*taken into the process"),
        (Service("").answer, {}, TypeError, "service must be a class"),
        (Service, {"visitors": 0}, ValueError, "visitors must be a whole number of at least 1, not 0"),
        (Service, {"patience": float("nan")}, ValueError, "patience must be a time above 0"),
    ],
)
def test_what_cannot_be_measured_is_said(service, options, error, words):
    with no_residue(), pytest.raises(error, match=words):
        load("a", service=service, **options)


def test_visits_without_a_path_are_refused():
    for visits in ([], ["/a"], [("a", "a")]):
        with pytest.raises(ValueError, match="visits are pairs of a path and the right answer"):
            asyncio.run(under_load(Service, visits, upstream=""))


def test_a_process_that_ends_under_load_is_said():
    with no_residue(), pytest.raises(LoadError, match="ended by itself, with code 3, after 2 right answers"):
        load("a", "a", "gone", "a", visitors=1)


@pytest.mark.parametrize("delay", [0, 0.05, 0.4, 1.0])
def test_cancelled_or_killed_it_leaves_nothing(delay):
    async def cancelled():
        task = asyncio.create_task(under_load(Service, [("/never", None)], upstream="", patience=60))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def killed():
        before = set(psutil.Process().children())
        task = asyncio.create_task(under_load(Service, [("/never", None)], upstream="", patience=60))
        await asyncio.sleep(delay)
        for child in set(psutil.Process().children()) - before:
            child.kill()
        if delay:
            with pytest.raises(LoadError, match="process"):
                await task
        else:
            task.cancel()
            await asyncio.wait([task])

    with no_residue():
        asyncio.run(cancelled())
        asyncio.run(killed())
