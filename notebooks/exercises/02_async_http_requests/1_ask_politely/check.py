"""The check of exercise 2.1: people, lists and late bodies to ask for; some answers have a bad status."""

import inspect
import json

import aiohttp

from asynclab.checking import server_record
from asynclab.checking.expect import NotYet, expect, expect_all_awaited, expect_nothing_left, often, said, same
from asynclab.checking.server_record import (
    ServerRecord,
    expect_given_session,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 12
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "JSONDecodeError": "what you decode is not the whole body. `await response.json()` reads all of it.",
}
MISTAKES = AttributeError, NameError, TypeError  # not what one raises after a bad status


async def check(get_json, world):
    """One GET with the given session; the JSON comes back, and the response is released whatever happens."""
    person, query = world.rng.randrange(101, 201), {"delay": 0.005}
    path = f"/users/{person}" + world.pick("", "/orders", "/preferences")
    if world.number % 3 == 1:
        path, query = "/slow-body", {"duration": round(world.delay(0.002, 0.01), 4)}
        world.facts.append("a body that comes later than the headers")
    elif world.number % 6 == 3:
        path = "/users"
        world.facts.append("a long answer")
    elif world.number % 6 == 0 and world.number:
        value = world.pick([], 0, False, None)
        path, query = "/scripted", {"text": json.dumps(value)}
        world.facts.append(f"the answer {value}")
    if world.fails:
        path = world.pick("/users/7", "/status/404", "/status/503")
        world.facts.append("a bad status")
    if path != "/scripted":
        value = query if path == "/slow-body" else server_record.answer(path)
    may_raise = Exception if world.fails else ()
    async with ServerRecord() as server:
        run = await world.watch(server.session, server.url(path, **query), may_raise=may_raise, deadline=1.5)
        if isinstance(run.error, MISTAKES):
            raise NotYet(world.explain(run.error))
        expect_no_blocking(run)
        expect_let_through(run, server, value)
        if not run.cancelled:
            expect_given_session(server)
            expect_decoded(run.value)
            expect_all_awaited(run)
            request, times = server.requests[0], often(len(server.requests))
            expect(times == "once", f"you ask for `{path}` {times}. Keep what the first one gave.")
            expect(request.method == "GET", f"you ask with {request.method}. To get something, use `session.get`.")
            got, right = said(run.value), run.error is not None or same(run.value, value)
            which = "the whole answer" if value else "it, though it is falsy"
            expect(right or world.fails, f"you return {got}, not {said(value)}. Return {which}.")
            expect(
                right,
                f"after status {request.status} you return {got}. The server answered JSON there, too: return it, or "
                "raise, as `response.raise_for_status()` does.",
            )
        expect_released(run, server)
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)


def expect_decoded(value):
    """Expect what a body says, and not the body, the response, or what has yet to arrive."""
    if inspect.isawaitable(value):
        raise NotYet("you return a coroutine: the body has yet to arrive. Write `await response.json()`.")
    if isinstance(value, aiohttp.ClientResponse):
        raise NotYet("you return the response, of which nothing was read yet. Return `await response.json()`.")
    if isinstance(value, str | bytes):
        raise NotYet(
            "you return the body as it came. `await response.json()` decodes it into Python's lists and dicts."
        )
