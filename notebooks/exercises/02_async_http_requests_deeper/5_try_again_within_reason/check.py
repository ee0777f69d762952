"""The check of exercise 2.5: what the server answers at each attempt says what the next step should have been."""

import functools
import itertools
import json
from typing import Any, NamedTuple

import aiohttp

from asynclab.checking import server_record
from asynclab.checking.expect import (
    NotYet,
    expect,
    expect_all_awaited,
    expect_no_error_lost,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.server_record import (
    Moment,
    Request,
    ServerRecord,
    answer,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 29
MOST, PAUSE = 3, 0.02  # attempts; seconds
DROPPED = aiohttp.ClientConnectionError, aiohttp.ClientPayloadError
NO_JSON = json.JSONDecodeError, aiohttp.ContentTypeError
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "ValueError: (?:invalid literal for int|could not convert string to float)": (
        "`Retry-After` may have a fraction here, such as 0.2. Use `float` for it, of that header alone."
    ),
    "TypeError: '[<>]=?' not supported between instances of '(?:str|NoneType)'": (
        'a header is a text. Make a number of it first: `float(response.headers["Retry-After"])`.'
    ),
    "KeyError: 'Retry-After'": "only a 429 has the header `Retry-After`. Look at the status first.",
}
# Errors that come of the code, and not of the network.
MISTAKES = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


def draw(world):
    """Return what to ask for in a world: a path, and how the server is to answer."""
    person, at_random = f"/users/{world.rng.randrange(101, 201)}", {"error_rate": 0.5, "seed": world.number}
    cases = [
        (person, {}),
        ("/flaky", {"fail": 2}),
        ("/status/404", {}),
        ("/flaky", {"fail": 9}),
        ("/status/500", {}),
        (f"/status/{world.pick(501, 502, 504, 599)}", {}),
        ("/drop", {}),
        ("/reset", {}),
        ("/retry-after", {"seconds": 0.03}),
        ("/retry-after", {"seconds": world.pick(0.15, 0.7)}),
        ("/malformed", {}),
        (f"/status/{world.pick(400, 401, 403, 410, 499)}", {}),
        ("/latin1", {}),
        ("/scripted", {"status": "reset"}),
        ("/scripted", {"text": world.pick("[]", "0", "false", '""')}),
        ("/scripted", {"status": "503,200", "retry_after": 0.3}),
        ("/scripted", {"status": "429,500,200", "retry_after": 0.3}),
        ("/scripted", {"status": "429", "retry_after": 0.3}),
        ("/scripted", {"status": "503,429,500", "retry_after": 0.3}),
        *((path, at_random) for path in ("/drop", "/status/404", "/retry-after", "/malformed", "/status/503")),
    ]
    return cases[world.number] if world.number < len(cases) else world.pick(*cases[-5:])


async def check(fetch_with_retry, world):
    """Another attempt where that may help, after the right pause; else the JSON, or the last error."""
    path, query = draw(world)
    world.facts.append(f"{path}, where some answers are errors" if "seed" in query else path)
    world.facts.extend(f"{name} {value}" for name, value in query.items() if path == "/scripted")
    ended = None

    @functools.wraps(fetch_with_retry)
    async def timed(*arguments):
        nonlocal ended
        try:
            return await fetch_with_retry(*arguments)
        finally:
            ended = Moment.now()

    # Connections are closed, and so a pause is virtual and exact. Only what is to pass with time needs real time.
    async with ServerRecord(keep_alive=query.get("seconds") == 0.03) as server:
        url = server.url(path, **query)
        run = await world.watch(server.session, url, function=timed, may_raise=Exception, deadline=20)
        if isinstance(run.error, MISTAKES) and not isinstance(run.error, json.JSONDecodeError):
            raise NotYet(world.explain(run.error))
        expect_no_blocking(run)
        expect_let_through(run, server, answer(path) if path.startswith("/users") else ...)
        if not run.cancelled:
            expect_all_awaited(run)
            expect(server.requests, "the server was never asked. Ask it with `session.get(url)`.")
            attempts = [read(request, path in ("/malformed", "/latin1")) for request in server.requests]
            expect_attempts(attempts)
            expect_outcome(run, attempts[-1])
            rest = waited(attempts[-1].request.answered, ended)
            expect(rest < 0.005, f"after the last attempt you wait for {rest:.2g} seconds more. End at once.")
        expect_released(run, server)
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)
        expect_no_error_lost(run)


class Attempt(NamedTuple):
    """One request, and what follows of what the server did."""

    request: Request
    what: str  # came of it, in words
    pause: float | None  # seconds until the next attempt; None: there is to be none
    error: Any  # what is to be raised if it is the last: a class, or some of them; None: it succeeded


def read(request, is_broken):
    """Return what a request was; `is_broken` says that a status of 200 comes with what is no JSON."""
    if isinstance(request.error, DROPPED):
        return Attempt(request, "a dropped connection", PAUSE, DROPPED)
    if request.status == 429:
        headers = (request.response or request.error).headers
        return Attempt(request, "status 429", float(headers["Retry-After"]), aiohttp.ClientResponseError)
    if request.status >= 400:
        pause = PAUSE if request.status >= 500 else None
        return Attempt(request, f"status {request.status}", pause, aiohttp.ClientResponseError)
    if is_broken:
        return Attempt(request, "an answer that is no JSON", None, NO_JSON)
    return Attempt(request, "an attempt that succeeds", None, None)


def expect_attempts(attempts):
    """Expect another attempt, after its pause, where that may help and fewer than three were made; else none."""
    for number, (attempt, following) in enumerate(itertools.pairwise(attempts), 1):
        after, total = f"after {attempt.what} you ask", often(len(attempts))
        expect(attempt.pause is not None, f"{after} again. That does not help there: try once, and no more.")
        expect(number < MOST, f"{after} {total}, not {often(MOST)}. The third attempt is the last.")
        expect_pause(attempt, following.request)
    last, total = attempts[-1], len(attempts)
    if last.pause is None or total == MOST:
        return
    if last.what == "status 429":
        raise NotYet("after status 429 you give up. The server says when to come again: wait so long, then try again.")
    asked = f"after {last.what} you asked only {often(total)} in all"
    raise NotYet(f"{asked}. Try again while fewer than {MOST} attempts have been made.")


def expect_pause(attempt, following):
    """Expect the right pause between an attempt and the request that follows."""
    ended, begun, wanted = attempt.request.answered, following.began, attempt.pause
    pause = begun.virtual - ended.virtual
    if attempt.what == "status 429" and pause < wanted - 0.001:
        raise NotYet(
            "after status 429, which says how long to wait, you ask again before that. Wait "
            '`float(response.headers["Retry-After"])` seconds.'
        )
    again = f"after {attempt.what} you ask again {'at once' if pause < 0.001 else f'{pause:.2g} seconds later'}"
    expect(pause > wanted - 0.001, f"{again}. Sleep for {wanted:g} seconds first.")
    expect(waited(ended, begun) < wanted + 0.005, f"{again}, where {wanted:g} are right.")


def waited(since, until):
    """Return the seconds that were waited between two moments: what the machine took is not the learner's."""
    return until.virtual - since.virtual - (until.real - since.real)


def expect_outcome(run, last):
    """Expect the JSON of the last attempt, or its error."""
    raised = f"you raise `{type(run.error).__name__}`"
    if last.error is None:
        expect(run.error is None, f"{raised} though an attempt succeeded. Return its JSON at once.")
        right = last.request.body is None or run.value == json.loads(last.request.body)
        expect(right, f"you return {said(run.value)}. Return the JSON of the attempt that succeeds.")
        return
    third = " and the third attempt" if last.pause is not None else ""
    expect(run.error, f"after {last.what}{third} you return {said(run.value)}. Raise the error that ended it.")
    expect(
        isinstance(run.error, last.error),
        f"after {last.what} {raised}. Let the error that ended the last attempt through: a bare `raise`.",
    )
    status = getattr(run.error, "status", last.request.status)
    expect(
        status == last.request.status,
        f"after {last.what} you raise the error of an earlier attempt, with status {status}. Raise the last one.",
    )
