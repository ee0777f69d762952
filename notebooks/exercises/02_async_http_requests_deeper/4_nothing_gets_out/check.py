"""The check of exercise 2.4: each world has one thing that may become of a request."""

import json
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
    same,
)
from asynclab.checking.server_record import (
    ServerRecord,
    answer,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 18
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "JSONDecodeError": (
        "`JSONDecodeError` got out: the body was no JSON. It is a `ValueError`, and not one of aiohttp's errors. "
        "Catch it, too."
    ),
    "UnicodeDecodeError": (
        "`UnicodeDecodeError` got out: the body was no text. It is a `ValueError`, as `JSONDecodeError` is: catch that."
    ),
    "(ContentTypeError)": "`{0}` got out: the body was a page, not JSON. Catch `aiohttp.ClientError`, which it is.",
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


TIMED_OUT = {"error": "Request timeout"}


class Case(NamedTuple):
    """Something that may become of a request: what to ask for, and what is to come back."""

    what: str
    path: str
    query: Mapping[str, Any]
    timeout: float  # seconds
    value: Any = ...  # ...: a dict with some text for an error


def draw(world):
    """Return the case of a world."""
    late, person = {"delay": 0.02, "duration": 0.02}, f"/users/{world.rng.randrange(101, 201)}"
    falsy = world.pick([], {}, 0, False, "", None)
    page, not_utf8 = {"text": "<p>Sorry.", "type": "text/html"}, {"text": '"\xe9"', "encoding": "latin-1"}

    def bad(code, path="/status/{}", **query):
        return Case(f"an answer with status {code}", path.format(code), query, 10.0, {"error": f"HTTP {code}"})

    cases = [
        Case("a healthy answer", "/slow-body", late, 10.0, {"duration": 0.02}),
        Case("a healthy answer", person, {"delay": 0.15}, 10.0, answer(person)),
        *map(bad, (503, 400, 408, 504, world.pick(401, 403, 404, 429, 500, 502))),
        bad(502, "/scripted", status=502, **page),
        Case("no answer in time", "/never", {}, 0.03, TIMED_OUT),
        Case("half of an answer in time", "/slow-body", {"duration": 60.0}, 0.03, TIMED_OUT),
        # More than `timeout` in all, and less of it for the headers, and for the body after them.
        Case("half of an answer in time", "/slow-body", {"delay": 0.2, "duration": 0.2}, 0.3, TIMED_OUT),
        Case("a dropped connection", "/drop", {}, 10.0),
        Case("a connection that was dropped in the middle of the body", "/reset", {}, 10.0),
        Case("an answer that is no JSON", "/malformed", {}, 10.0),
        Case("an address that leads in a circle", "/redirect-loop", {}, 10.0),
        Case("a page of HTML", "/scripted", page, 10.0),
        Case("a body that is no UTF-8", "/scripted", not_utf8, 10.0),
        Case("a healthy answer", "/scripted", {"text": json.dumps(falsy)}, 10.0, falsy),
    ]
    return cases[world.number % len(cases)]


async def check(fetch_or_explain, world):
    """Each thing comes back as what it is; only cancellation gets out."""
    case = draw(world)
    world.facts.append(case.what)
    async with ServerRecord() as server:
        url = server.url(case.path, **case.query)
        for _ in range(3):
            run = await world.watch(server.session, url, case.timeout, deadline=1.0)
            if not is_late(case, run.value):
                break
            # On a busy machine the body may be there before anybody can look at the clock: does it happen again?
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


def is_late(case, value):
    """Return whether a value is an answer that took longer than it was given."""
    return case.value == TIMED_OUT and value == {"duration": case.query.get("duration")}


def expect_json(case, value):
    """Expect the JSON of a healthy answer."""
    came = f"{case.what} came back as {said(value)}"
    right = same(value, case.value)
    if not case.value:
        expect(right, f"{came}, where the JSON is {said(case.value)}. Return that, though it is falsy.")
    if not right and isinstance(value, dict) and "error" in value:
        raise NotYet(f"{came}, long before the timeout. Give the server all the time that `timeout` allows.")
    expect(right, f"{came}. Return its JSON, decoded.")


def expect_error(case, value):
    """Expect a dict that says what went wrong."""
    came = f"{case.what} came back as {said(value)}"
    if is_late(case, value):
        raise NotYet(
            f"an answer that took longer than `timeout` came back as {said(value)}. Let one clock run for all of it."
        )
    if not isinstance(value, dict) or "error" not in value:
        hint = " aiohttp raises nothing for it: look at `response.status`." if "status" in case.what else ""
        raise NotYet(f"{came}, as if all were well.{hint} Return a `dict` with the key `error`.")
    text = value["error"]
    expect(isinstance(text, str) and text.strip(), f"{came}. Say in a text what went wrong.")
    if case.value is not ...:
        hint = " Look at the status before you read the body, which may be no JSON." if case.path == "/scripted" else ""
        expect(value == case.value, f"{came}, not as {said(case.value)}.{hint}")
    else:
        expect(text != "Request timeout", f"{came}, which it was not. Tell these errors apart.")
