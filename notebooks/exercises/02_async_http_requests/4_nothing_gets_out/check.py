"""The check of exercise 2.4: each world has one thing that may become of a request."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from asynclab.checking import server_record
from asynclab.checking.expect import (
    NotYet,
    expect,
    expect_all_awaited,
    expect_no_error_lost,
    expect_nothing_left,
    said,
)
from asynclab.checking.server_record import (
    ServerRecord,
    answer,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 11
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "JSONDecodeError": (
        "`JSONDecodeError` got out: the body was no JSON. It is a `ValueError`, and not one of aiohttp's errors. "
        "Catch it, too."
    ),
    "(ServerDisconnectedError|ClientOSError|ClientPayloadError|ConnectionResetError)": (
        "`{0}` got out: the connection was dropped. Catch `aiohttp.ClientError`, which all errors of a connection are."
    ),
    "(TooManyRedirects)": (
        "`{0}` got out: the address leads in a circle. Catch `aiohttp.ClientError`, which that is, too."
    ),
    "((?:SocketTimeout|ServerTimeout|ConnectionTimeout|Timeout)Error)": (
        "`{0}` got out: there was no answer in time. Catch `TimeoutError`, too."
    ),
    r"ClientResponseError: (\d+)": (
        "the error for status {0} got out. Look at `response.status` and return, or catch it and use its `status`."
    ),
}


class Case(NamedTuple):
    """Something that may become of a request: what to ask for, and what is to come back."""

    what: str
    path: str
    query: Mapping[str, float]
    timeout: float  # seconds
    value: Any = None  # None: a dict with some text for an error


def draw(world):
    """Return the case of a world."""
    late, person = {"delay": 0.02, "duration": 0.02}, f"/users/{world.rng.randrange(101, 201)}"
    status = (503, 400, world.pick(401, 403, 404, 429, 500, 502))[(world.number - 2) % 3]
    bad = Case(f"an answer with status {status}", f"/status/{status}", {}, 10.0, {"error": f"HTTP {status}"})
    cases = [
        Case("a healthy answer", "/slow-body", late, 10.0, {"duration": 0.02}),
        Case("a healthy answer", person, {"delay": 0.15}, 10.0, answer(person)),
        *[bad] * 3,
        Case("no answer in time", "/never", {}, 0.03, {"error": "Request timeout"}),
        Case("half of an answer in time", "/slow-body", {"duration": 60.0}, 0.03, {"error": "Request timeout"}),
        Case("a dropped connection", "/drop", {}, 10.0),
        Case("a connection that was dropped amid the body", "/reset", {}, 10.0),
        Case("an answer that is no JSON", "/malformed", {}, 10.0),
        Case("an address that leads in a circle", "/redirect-loop", {}, 10.0),
    ]
    return cases[world.number % len(cases)]


async def check(fetch_or_explain, world):
    """Each thing comes back as what it is; only cancellation gets out."""
    case = draw(world)
    world.facts.append(case.what)
    async with ServerRecord() as server:
        url = server.url(case.path, **case.query)
        run = await world.watch(server.session, url, case.timeout, deadline=1.0)
        expect_no_blocking(run)
        expect_let_through(run, server, case.value)
        if not run.cancelled:
            expect_all_awaited(run)
            expect(server.seen()["requests"], "the server was never asked. Ask it with `session.get(url)`.")
            if "healthy" in case.what:
                expect_json(case, run.value)
            else:
                expect_error(case, run.value)
        expect_released(run, server)
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)
        expect_no_error_lost(run)


def expect_json(case, value):
    """Expect the JSON of a healthy answer."""
    came = f"{case.what} came back as {said(value)}"
    if value != case.value and isinstance(value, dict) and "error" in value:
        raise NotYet(f"{came}, long before the timeout. Give the server all the time that `timeout` allows.")
    expect(value == case.value, f"{came}. Return its JSON, decoded.")


def expect_error(case, value):
    """Expect a dict that says what went wrong."""
    came = f"{case.what} came back as {said(value)}"
    if not isinstance(value, dict) or "error" not in value:
        hint = " aiohttp raises nothing for it: look at `response.status`." if "status" in case.what else ""
        raise NotYet(f"{came}, as if all were well.{hint} Return a `dict` with the key `error`.")
    text = value["error"]
    expect(isinstance(text, str) and text.strip(), f"{came}. Say in a text what went wrong.")
    if case.value:
        expect(value == case.value, f"{came}, not as {said(case.value)}.")
    else:
        expect(text != "Request timeout", f"{came}, which it was not. Tell these errors apart.")
