"""The check of exercise 2.2: few and many URLs, in one round and in several; the server counts the connections."""

import dataclasses

from asynclab.checking import server_record
from asynclab.checking.expect import (
    count,
    expect,
    expect_all_awaited,
    expect_no_error_lost,
    expect_nothing_left,
    expect_results,
    said,
)
from asynclab.checking.server_record import (
    ServerRecord,
    answer,
    expect_asked,
    expect_let_through,
    expect_no_blocking,
    expect_sessions_in_order,
)

SERVERS, WORLDS = True, 8
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "RuntimeError: Session is closed": (
        "a request was made after its session was closed. Make and await it inside the `async with` block of the "
        "session: indent it more."
    ),
    r"ClientResponseError: (\d+)": (
        "the error for status {0} got out. A bad status comes with JSON, too, which was returned before: return it."
    ),
}


async def check(fetch_rounds, world):
    """One session, a connection for each URL; all URLs of a round side by side, and the rounds one after another."""
    number, rounds = (4, 3) if world.number < 2 else (world.pick(1, 2, 7, 25), world.pick(1, 2, 4))
    paths = [f"/users/{each}" for each in world.rng.sample(range(101, 201), number)]
    if number > 2 and world.number % 2:
        paths[-1] = paths[0]  # a URL may be there twice
    elif world.number:
        paths[-1] = "/status/404"
    if world.fails:
        number, paths = 1, ["/malformed"]
    world.facts.append(f"{count(number, 'URL')}, {count(rounds, 'round')}")
    world.facts.extend(path for path in paths if not path.startswith("/users"))
    async with ServerRecord() as server:
        # Each takes a time of its own, so that the order in which they end is not the one in which they come.
        urls = [server.url(path, delay=round(0.004 + 0.006 * world.rng.random(), 4)) for path in paths]
        run = await world.watch(urls, rounds, may_raise=ValueError if world.fails else (), deadline=1.5)
        expect_no_blocking(run)
        expect_let_through(run, server)
        expect_all_awaited(run)
        if world.fails:
            error = f"an answer is no JSON, and you return {said(run.value)}"
            expect(run.error, f"{error}. Let the error get out, as it did before.")
        elif not run.cancelled:
            seen = server.seen()
            expect_one_session(server)
            expect_asked(seen, {path: rounds * paths.count(path) for path in paths})
            expect_in_rounds(server, number)
            expect_few_connections(seen["connections"], number)
            expect_lists(run, rounds, [answer(path) for path in paths])
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)
        expect_no_error_lost(run)


def expect_one_session(server):
    """Expect that one session was opened."""
    made = len(server.opened)
    expect(made, "you open no session. Open one: `async with aiohttp.ClientSession() as session:`.")
    expect(made == 1, f"you open {made} sessions. Open one before the loop, and let all requests share it.")


def expect_in_rounds(server, number):
    """Expect that all URLs of a round were under way at once, and that each round began when the last had ended."""
    most = server.most
    expect(
        all(request.beside <= i % number for i, request in enumerate(server.requests)),
        f"{most} requests were under way at once, because rounds run together, and each needs a connection of its own. "
        "Await a round before you start the next.",
    )
    expect(
        most == number or not server.queued,
        f"{number - most} of {number} requests had to wait for a connection. Let your session open more.",
    )
    expect(
        most > 1 or number == 1,
        "no two of your requests were ever under way at once: you ask for one URL after another. Start a round "
        "together, with `gather` or a `TaskGroup`.",
    )
    expect(most == number, f"at most {most} of {number} requests were under way at once. Start a round together.")


def expect_few_connections(made, number):
    """Expect that there are no more connections than URLs."""
    expect(
        made <= number,
        f"the server counted {made} connections, where {number} are enough. Let the session keep them open for the "
        "next round, as it does unless told otherwise.",
    )


def expect_lists(run, rounds, answers):
    """Expect a list for each round, with the answers in the order of the URLs."""
    value = run.value
    expect(
        isinstance(value, list | tuple) and all(isinstance(each, list | tuple) for each in value),
        f"you return {said(value)}. Return a list for each round, with an answer for each URL.",
    )
    lists = count(len(value), "list")
    expect(len(value) == rounds, f"you return {lists} after {count(rounds, 'round')}. Return one for each round.")
    for each in value:
        expect_results(dataclasses.replace(run, value=each), answers)
