"""Attacks on the aggregator of chapter 5: services that are down, slow, lying or dying, deadlines, cancellations.

Whatever becomes of a part, the page has the full shape, the part's error says what happened, and the other parts are
what the server's tables say. The code is that of the system cells of both notebooks; the servers are real, and count.
"""

import asyncio
import gc
import itertools
import time

import aiohttp
import pytest
from stamina.instrumentation import set_on_retry_hooks

from asynclab.services import tables
from asynclab.taught import taught
from virtual_time import play

chapter = taught(5)

PARTS = ("user", "orders", "preferences")
EMPTY = {"user": None, "orders": [], "preferences": {}}
SLACK = 5.0  # seconds that a busy machine may add
HOUR = 3600


def pages():
    """Return the page of each person, from the tables."""
    found = {row["user_id"]: {"user": row, "orders": [], "preferences": {}, "errors": {}} for row in tables.people()}
    for order in tables.orders():
        found[order["user_id"]]["orders"].append(order)
    for row in tables.preferences():
        found[row.pop("user_id")]["preferences"] = row
    return found


PAGES = pages()


def run(main):
    """Run `main()`; it must leave no task, no open session, and no exception that nobody heard."""
    unheard = []

    async def whole():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
        async with asyncio.timeout(60):
            result = await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()
        return result

    result = asyncio.run(whole())
    gc.collect()
    assert unheard == []
    return result


class Faulty(chapter.AsyncAPIAggregator):
    """Asks for `instead` where it should ask for `part`; an exception is raised."""

    part, instead = "", ""

    async def get(self, path, shape):
        part = path.split("/")[2] if path.count("/") == 2 else "user"
        if part == self.part and isinstance(self.instead, BaseException):
            raise self.instead
        return await super().get(self.instead if part == self.part else path, shape)


# ---------------------------------------------------------------- what is there


def test_the_pages_are_what_the_tables_say(web):
    assert run(lambda: chapter.api_aggregation_example(web.api)) == [PAGES[each] for each in (101, 102, 103, 104)]


def test_everybody_at_once_in_order_over_few_places(web, me):
    async def main():
        async with chapter.AsyncAPIAggregator(web.api + "/", limit=7) as aggregator:
            aggregator.session.headers.update({"X-Client": me, "X-Delay": "0.01"})
            assert await aggregator.aggregate_users(reversed(PAGES)) == list(reversed(PAGES.values()))
            assert await aggregator.aggregate_users([]) == []
        seen = await web.stats(me)
        assert [seen["requests"], seen["peak"], seen["connections"]] == [300, 7, 7]

    run(main)


@pytest.mark.parametrize("limit", [0, 1])
def test_there_is_at_least_one_place(web, me, limit):
    async def main():
        async with chapter.AsyncAPIAggregator(web.api, limit=limit) as aggregator:
            aggregator.session.headers["X-Client"] = me
            assert await aggregator.aggregate_users([101, 102]) == [PAGES[101], PAGES[102]]
        assert (await web.stats(me))["peak"] == 1

    run(main)


# ---------------------------------------------------------------- what is missing


DOWN = "http://127.0.0.1:1/"
FAULTS = {
    DOWN: "ClientConnectorError: Cannot connect to host 127.0.0.1:1",
    "drop": "ServerDisconnectedError: ",
    "reset": "ClientPayloadError: ",
    "never": "TimeoutError: no answer",
    "slow-body?duration=50": "TimeoutError: no answer",
    "drip?numbytes=100&duration=50": "TimeoutError: no answer",
    "malformed": "JSONDecodeError: ",
    "latin1": "ContentTypeError: ",
    "status/204": "ContentTypeError: 204, ",
    "status/503": "ClientResponseError: 503, ",
    "users/999": "ClientResponseError: 404, ",
    "redirect-loop": "TooManyRedirects: ",
    "scripted?text=7": "TypeError: scripted?text=7 gave int, not ",
    "scripted?text=[null]": "TypeError: scripted?text=[null]",
    'scripted?text="é"&encoding=latin-1': "UnicodeDecodeError: ",
    "http://[": "InvalidUrlClientError: http://[",
}
RAISED = [ValueError("as it is"), KeyError("name"), asyncio.CancelledError()]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_says_why_and_the_others_are_there(web, part):
    async def page_with(instead):
        async with Faulty(web.api, base_timeout=1) as aggregator:
            aggregator.part, aggregator.instead = part, instead
            return await aggregator.aggregate_user_data(101)

    async def main():
        return await asyncio.gather(*map(page_with, [*FAULTS, *RAISED]))

    found = run(main)
    for (fault, expected), page in zip(FAULTS.items(), found, strict=False):
        [(where, why)] = page.pop("errors").items()
        assert where == part and why.startswith(expected), (fault, why)
        assert {**page, "errors": {}} == {**PAGES[101], part: EMPTY[part]}, fault
    whys = [page["errors"] for page in found[len(FAULTS) :]]
    assert whys == [{part: why} for why in ("ValueError: as it is", "KeyError: 'name'", "CancelledError: no answer")]


def test_nobody_is_called_nobody(web):
    async def main():
        async with chapter.AsyncAPIAggregator(web.api) as aggregator:
            nobody, ada = await aggregator.aggregate_users([999, 101])
        assert ada == PAGES[101]
        assert list(nobody.pop("errors")) == list(PARTS) and nobody == EMPTY

    run(main)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "http://127.0.0.1:1/api/"])
def test_with_all_services_down_a_page_still_has_its_shape(base_url):
    [page] = run(lambda: chapter.api_aggregation_example(base_url, [101]))
    assert [*page.pop("errors")] == list(PARTS) and page == EMPTY


SHAPE = {"id": int, "rows": [{"name": str, "price": float, "sold": bool}]}
GOOD = {
    "id": 1,
    "rows": [{"name": "", "price": 0, "sold": False}, {"name": "x", "price": 0.5, "sold": True, "more": 1}],
}


def with_row(**changes):
    return {"id": 1, "rows": [GOOD["rows"][0], {**GOOD["rows"][1], **changes}]}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (None, "it gave NoneType, not dict"), ([], "it gave list, not dict"), ("", "it gave str, not dict"),
        ({"rows": []}, "it: id gave NoneType, not int"), ({"id": True, "rows": []}, "it: id gave bool, not int"),
        ({"id": 1.0, "rows": []}, "it: id gave float, not int"), ({"id": 1}, "it: rows gave NoneType, not list"),
        ({"id": 1, "rows": {}}, "it: rows gave dict, not list"),
        ({"id": 1, "rows": [[]]}, "it: rows gave list, not dict"),
        (with_row(name=None), "it: rows: name gave NoneType, not str"),
        (with_row(price="1"), "it: rows: price gave str, not float"),
        (with_row(price=True), "it: rows: price gave bool, not float"),
        (with_row(sold=1), "it: rows: sold gave int, not bool"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_place(data, found):
    with pytest.raises(TypeError, match=found):
        chapter.checked(data, SHAPE, "it")
    assert chapter.checked(GOOD, SHAPE, "it") is GOOD


# ---------------------------------------------------------------- time


def test_the_time_out_does_not_count_the_queue(web):
    async def main():
        async with chapter.AsyncAPIAggregator(web.api, base_timeout=1, limit=1) as aggregator:
            aggregator.session.headers["X-Delay"] = "0.1"
            assert await aggregator.aggregate_users(range(101, 105)) == [PAGES[each] for each in range(101, 105)]

    began = time.monotonic()
    run(main)
    assert time.monotonic() - began > 1.2


def test_what_came_before_the_deadline_stays(web):
    async def main():
        async with Faulty(web.api) as aggregator:
            aggregator.part, aggregator.instead = "orders", "never"
            assert await aggregator.aggregate_users([101, 102], deadline=1) == [
                {**PAGES[each], "orders": [], "errors": {"orders": "TimeoutError: no answer"}} for each in (101, 102)
            ]
            assert await aggregator.aggregate_user_data(101, until=0.0) == {
                **EMPTY,
                "errors": dict.fromkeys(PARTS, "TimeoutError: no answer"),
            }

    began = time.monotonic()
    run(main)
    assert 1 <= time.monotonic() - began < 1 + SLACK


class Sleepy(chapter.AsyncAPIAggregator):
    """Takes as many seconds as its user's number says, and twice and three times as many."""

    async def fetch_user_data(self, user_id):
        return await asyncio.sleep(user_id, {"user_id": user_id})

    async def fetch_user_orders(self, user_id):
        return await asyncio.sleep(2 * user_id, [user_id])

    async def fetch_user_preferences(self, user_id):
        return await asyncio.sleep(3 * user_id, {"id": user_id})


def test_there_is_one_deadline_however_many_users():
    async def main():
        began = asyncio.get_running_loop().time()
        found = await Sleepy("http://localhost").aggregate_users(range(1, 1001), deadline=299.5)
        assert asyncio.get_running_loop().time() - began == pytest.approx(299.5, abs=0.05)
        return [len(page["errors"]) for page in found]

    assert play(main) == [(3 * n > 299) + (2 * n > 299) + (n > 299) for n in range(1, 1001)]


def test_without_a_deadline_it_waits_for_all():
    assert play(lambda: Sleepy("http://localhost").aggregate_user_data(HOUR)) == {
        "user": {"user_id": HOUR}, "orders": [HOUR], "preferences": {"id": HOUR}, "errors": {}
    }  # fmt: skip


# ---------------------------------------------------------------- cancellation


async def rounds(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled_after(hops, life, again=None):
    """Run `life()`, cancel it after `hops` rounds of the loop, and once more after `again` others; was it in time?"""

    async def cancel():
        for count in (hops, again):
            if count is not None:
                await rounds(count)
                task.cancel()

    before = asyncio.all_tasks()
    task, canceller = asyncio.create_task(life()), asyncio.create_task(cancel())
    await asyncio.wait([task])
    canceller.cancel()
    await asyncio.wait([canceller])
    assert asyncio.all_tasks() == before, "a task was left"
    if task.cancelled():
        return True
    task.result()
    return False


@pytest.mark.parametrize("again", [None, 0, 1, 3])
def test_cancelled_at_any_moment_it_leaves_nothing(again):
    """On a loop without sockets, so that each moment is met: places, clocks, sleeps."""

    class Placed(chapter.AsyncAPIAggregator):
        asked = ended = 0

        async def get(self, path, shape):
            async with self.places, asyncio.timeout(self.base_timeout):
                self.asked += 1
                try:
                    await rounds(3)
                finally:
                    try:
                        await rounds(10 * int(path.split("/")[1]))  # each call takes its time to end
                    finally:
                        self.ended += 1

    async def main():
        async def life():
            await aggregator.aggregate_users([1, 2, 3], deadline=HOUR)

        for hops in itertools.count():
            aggregator = Placed("http://localhost", limit=2)
            in_time = await cancelled_after(hops, life, again)
            assert aggregator.asked == aggregator.ended and aggregator.places._value == 2
            if not in_time:
                return hops

    assert play(main) > 10


def test_cancelled_at_any_moment_it_closes_its_session(web, me, monkeypatch):
    sessions, start = [], aiohttp.ClientSession.__init__

    def noted(self, *arguments, **options):
        start(self, *arguments, **options)
        sessions.append(self)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", noted)

    async def life():
        async with chapter.AsyncAPIAggregator(web.api, limit=2) as aggregator:
            aggregator.session.headers["X-Client"] = me
            assert await aggregator.aggregate_users([101, 102]) == [PAGES[101], PAGES[102]]

    async def main():
        hops, cut = 0, 0
        while await cancelled_after(hops, life):
            hops, cut = hops + 1 + hops // 20, cut + 1
        assert cut > 10 and len(sessions) >= cut and all(each.closed for each in sessions)
        patience = time.monotonic() + SLACK
        while (await web.stats(me))["open_connections"]:
            assert time.monotonic() < patience
            await asyncio.sleep(0.01)

    run(main)


def test_an_error_in_the_block_closes_the_session(web):
    async def main():
        with pytest.raises(ZeroDivisionError):
            async with chapter.AsyncAPIAggregator(web.api) as aggregator:
                1 / 0  # noqa: B018
        assert aggregator.session.closed

    run(main)


# ---------------------------------------------------------------- deeper: retries, shared calls, hedged calls

deeper = taught("05_real_world_applications_deeper")


@pytest.fixture(autouse=True)
def quiet_retries():
    set_on_retry_hooks([])
    yield
    set_on_retry_hooks(None)


@pytest.mark.parametrize(
    ("status", "requests", "result"),
    [
        ("503,reset,200", 3, "['it']"),
        ("500,429,503,500,200", 5, "['it']"),
        ("503,503,503,503,503,200", 5, "503, "),
        ("404,200", 1, "404, "),
        ("200&type=text/plain", 1, "200, message='Attempt to decode JSON"),
    ],
)
def test_what_may_pass_is_tried_again(web, me, status, requests, result):
    async def main():
        async with deeper.RetryingAggregator(web.api, limit=1) as aggregator:
            aggregator.session.headers["X-Client"] = me
            try:
                found = await aggregator.get(f'scripted?text=["it"]&status={status}', [str])
            except aiohttp.ClientError as error:
                found = error
        assert str(found).startswith(result) and (await web.stats(me))["requests"] == requests

    run(main)


def test_the_deadline_ends_the_retries(web, me):
    async def main():
        async with deeper.RetryingAggregator(web.api) as aggregator:
            aggregator.session.headers["X-Client"] = me
            aggregator.fetch_user_data = lambda user_id: aggregator.get("scripted?status=503&retry_after=50", {})
            [page] = await aggregator.aggregate_users([101], deadline=0.5)
        assert page == {**PAGES[101], "user": None, "errors": {"user": "TimeoutError: no answer"}}
        assert (await web.stats(me))["by_path"]["/scripted"] == 1

    run(main)


def test_callers_at_once_share_a_call_and_nobody_later(web, me):
    async def main():
        async with deeper.SharingAggregator(web.api) as aggregator:
            aggregator.session.headers.update({"X-Client": me, "X-Delay": "0.2"})
            assert await aggregator.aggregate_users([101] * 30 + [102]) == [PAGES[101]] * 30 + [PAGES[102]]
            assert set((await web.stats(me, reset=True))["by_path"].values()) == {1}

            calls = [aggregator.get("flaky?fail=1&key=x", {"attempts": int}) for _ in range(9)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
            assert [error.status for error in errors] == [503] * 9  # of one and the same call
            assert await aggregator.get("flaky?fail=1&key=x", {"attempts": int}) == {"attempts": 2}
            assert aggregator.calls == {} and not aggregator.callers

    run(main)


@pytest.fixture
def made(monkeypatch):
    """What became of each call below: `get` takes three rounds of the loop, and one to be stopped."""
    made = []

    async def get(self, path, shape):
        number = len(made)
        made.append("begun")
        try:
            await rounds(3)
        except asyncio.CancelledError:
            made[number] = "stopping"
            try:
                await asyncio.sleep(0)
            finally:
                made[number] = "stopped"
            raise
        made[number] = "answered"
        return number

    monkeypatch.setattr(deeper.AsyncAPIAggregator, "get", get)
    return made


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_caller_that_is_cancelled_leaves_the_call_to_the_others(made, victim):
    async def main():
        for hops in range(10):
            made.clear()
            aggregator = deeper.SharingAggregator("http://localhost")
            callers = [asyncio.create_task(aggregator.get("a", {})) for _ in range(3)]
            await rounds(hops)
            callers[victim].cancel()
            answers = await asyncio.gather(*callers, return_exceptions=True)
            assert [each for number, each in enumerate(answers) if number != victim] == [0, 0]
            assert answers[victim] == 0 or isinstance(answers[victim], asyncio.CancelledError)
            assert made == ["answered"] and aggregator.calls == {} and not aggregator.callers
        assert answers == [0, 0, 0]

    play(main)


def test_who_comes_after_the_answer_begins_a_new_call_which_others_join(made):
    async def main():
        async def ask():
            calls_answered = made.count("answered")
            assert await aggregator.get("a", {}) == calls_answered

        for hops in range(10):
            made.clear()
            aggregator = deeper.SharingAggregator("http://localhost")
            async with asyncio.TaskGroup() as group:
                group.create_task(ask())
                await rounds(hops)
                for _ in range(3):
                    group.create_task(ask())
                    await rounds(1)
        assert made == ["answered"] * 2

    play(main)


@pytest.mark.parametrize("again", [None, 0, 1, 2])
def test_a_call_that_all_have_left_is_stopped_and_nobody_joins_it(made, again):
    async def main():
        for hops in range(10):
            made.clear()
            aggregator = deeper.SharingAggregator("http://localhost")
            callers = [asyncio.create_task(aggregator.get("a", {})) for _ in range(2)]
            await rounds(hops)
            for caller in callers:
                caller.cancel()
            await rounds(1)
            newcomer = asyncio.create_task(aggregator.get("a", {}))
            if again is not None:
                await rounds(again)
                for caller in callers:
                    caller.cancel()
            await asyncio.wait(callers)
            assert not {"begun", "stopping"} & set(made[:-1])
            assert await newcomer == len(made) - 1 and made[-1] == "answered"
            assert aggregator.calls == {} and not aggregator.callers

    play(main)


@pytest.mark.parametrize(
    ("outcomes", "expected", "at"),
    [
        ([(0.5, "a")], "a", 0.5),
        ([(5, "a"), (0.5, "b")], "b", 1.5),
        ([(1.5, "a"), (5, "b")], "a", 1.5),
        ([(0.5, ValueError)], ValueError, 0.5),
        ([(1.5, ValueError), (5, "b")], ValueError, 1.5),
        ([(5, "a"), (0.5, KeyError)], KeyError, 1.5),
        ([(5, "a"), (5, "b")], "a", 5),
    ],
)
@pytest.mark.parametrize("cut", [None, 0, 0.25, 1, 1.25])
def test_a_late_call_is_made_a_second_time_and_the_loser_is_stopped(outcomes, expected, at, cut):
    running, made = [], iter(outcomes)

    async def call(one, two):
        assert (one, two) == (1, 2)
        seconds, result = next(made)
        running.append(seconds)
        try:
            await asyncio.sleep(seconds)
            if isinstance(result, str):
                return result
            raise result
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                running.remove(seconds)

    async def main():
        clock = asyncio.get_running_loop().time
        began, error = clock(), None
        try:
            async with asyncio.timeout(cut):
                result = await deeper.hedged(1, call, 1, 2)
        except Exception as raised:
            result = type(raised)
        assert running == []
        if cut is not None and cut < at:
            assert result is TimeoutError and clock() - began == pytest.approx(cut, abs=0.001)
        else:
            assert result == expected and clock() - began == pytest.approx(at, abs=0.001)
            assert next(made, error) is None  # each outcome was called for

    play(main)


def test_hedging_stops_the_request_that_lost(web, me):
    async def main():
        async with deeper.HedgingAggregator(web.api) as aggregator:
            aggregator.session.headers.update({"X-Client": me, "X-Delay": "0.5"})
            assert await aggregator.fetch_user_data(101) == PAGES[101]["user"]
        patience = time.monotonic() + SLACK
        while (seen := await web.stats(me))["statuses"] != {"200": 1, "abandoned": 1}:
            assert time.monotonic() < patience, seen
            await asyncio.sleep(0.01)

    run(main)
