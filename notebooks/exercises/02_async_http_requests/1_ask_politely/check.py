"""The check of exercise 2.1: people, lists and late bodies to ask for; some answers have a bad status."""

import inspect

import aiohttp

from asynclab.checking import server_record
from asynclab.checking.expect import NotYet, expect, expect_all_awaited, expect_nothing_left, often, said
from asynclab.checking.server_record import (
    ServerRecord,
    expect_given_session,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 9
ERROR_MESSAGES = server_record.ERROR_MESSAGES


async def check(get_json, world):
    """One GET with the given session; the JSON comes back, and the response is released whatever happens."""
    person, query = world.rng.randrange(101, 201), {"delay": 0.005}
    path = f"/users/{person}" + world.pick("", "/orders", "/preferences")
    if world.number % 3 == 1:
        path, query = "/slow-body", {"duration": round(world.delay(0.002, 0.01), 4)}
        world.facts.append("a body that comes later than the headers")
    if world.fails:
        path = world.pick("/users/7", "/status/404", "/status/503")
        world.facts.append("a bad status")
    answer = query if path == "/slow-body" else server_record.answer(path)
    may_raise = aiohttp.ClientResponseError if world.fails else ()
    async with ServerRecord() as server:
        run = await world.watch(server.session, server.url(path, **query), may_raise=may_raise, deadline=1.5)
        expect_no_blocking(run)
        expect_let_through(run, server, answer)
        if not run.cancelled:
            expect_given_session(server)
            expect_decoded(run.value)
            expect_all_awaited(run)
            request, times = server.requests[0], often(len(server.requests))
            expect(times == "once", f"you ask for `{path}` {times}. Keep what the first one gave.")
            expect(request.method == "GET", f"you ask with {request.method}. To get something, use `session.get`.")
            got, right = said(run.value), run.error is not None or run.value == answer
            expect(right or world.fails, f"you return {got}, not {said(answer)}. Return the whole answer.")
            expect(
                right,
                f"after status {request.status} you return {got}. The server answered JSON there, too: return it, or "
                "let `response.raise_for_status()` raise.",
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
