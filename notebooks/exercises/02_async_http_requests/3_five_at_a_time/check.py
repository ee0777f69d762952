"""The check of exercise 2.3: few and many URLs; in every other world the bodies come later than the headers."""

import asyncio

from asynclab.checking import server_record
from asynclab.checking.expect import (
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_no_error_lost,
    expect_nothing_left,
    expect_results,
    said,
)
from asynclab.checking.server_record import (
    ServerRecord,
    answer,
    expect_asked,
    expect_given_session,
    expect_let_through,
    expect_no_blocking,
    expect_released,
    expect_sessions_in_order,
)
from asynclab.checking.work import uses

SERVERS, WORLDS = True, 8
LIMIT = 5
ERROR_MESSAGES = server_record.ERROR_MESSAGES | {
    "(?:TypeError|AttributeError): .*Semaphore.*(?:context manager|__enter__)": (
        "a task may have to wait for its place. Write `async with`, not `with`, before the semaphore."
    ),
}


async def check(fetch_five, world):
    """Five requests side by side, never more, each URL once, the answers in order."""
    if world.fails:
        return await check_failure(world)
    number, are_late = 12 if world.number < 2 else world.pick(1, 3, 5, 6, 16), world.number % 2 == 1
    world.facts.append(count(number, "URL"))
    if are_late:
        world.facts.append("bodies that come later than the headers")
    times = [round(0.003 + 0.01 * world.rng.random() + 1e-4 * i, 4) for i in range(number)]  # no two alike
    people = world.rng.sample(range(101, 201), number)
    paths = ["/slow-body"] * number if are_late else [f"/users/{each}" for each in people]
    answers = [{"duration": each} for each in times] if are_late else [answer(path) for path in paths]
    if world.number and not are_late:
        paths[-1], answers[-1] = "/scripted", None
        world.facts.append("an answer that is None")
    places = uses(asyncio.Semaphore)
    async with ServerRecord() as server:
        query = "duration" if are_late else "delay"
        urls = [server.url(path, **{query: each}) for path, each in zip(paths, times, strict=True)]
        run = await world.watch(server.session, urls, deadline=1.5)
        expect_no_blocking(run)
        expect_let_through(run, server)
        if not run.cancelled:
            seen = server.seen()
            expect_all_awaited(run)
            expect_given_session(server)
            expect_asked(seen, {path: paths.count(path) for path in paths})
            expect_five(run, server, seen["peak"], places, number)
            expect_results(run, answers)
        expect_released(run, server)
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)
        expect_no_error_lost(run)


async def check_failure(world):
    """An error gets out. One URL, so that none of the others is left under way."""
    world.facts.append("one URL, whose answer is no JSON")
    async with ServerRecord() as server:
        run = await world.watch(server.session, [server.url("/malformed")], may_raise=ValueError, deadline=1.5)
        expect(run.error, f"an answer is no JSON, and you return {said(run.value)}. Let the error get out.")
        expect_released(run, server)
        expect_sessions_in_order(run, server)
        expect_nothing_left(run)


def expect_five(run, server, peak, places, number):
    """Expect that five were under way at once, and never more, by the server's account and by aiohttp's."""
    most = max(server.most, peak)
    expect(
        most <= LIMIT or any(each.beside - each.unread >= LIMIT for each in server.requests),
        f"{most} requests were under way at once, where {LIMIT} are allowed: a request lasts until its body is there. "
        "Read the body inside the block of your semaphore.",
    )
    expect(
        most > 1 or number == 1 or run.tasks,
        "no two requests were ever under way at once: you ask for one URL after another. Start all of them together, "
        f"and let {LIMIT} through at a time.",
    )
    expect_at_once(most, LIMIT, places, "requests", number)
    expect(
        server.idle < 0.002,
        f"for {server.idle:.2g} seconds none of your requests was under way. You cannot know how long one takes: wait "
        "for the requests themselves, not for a time.",
    )
