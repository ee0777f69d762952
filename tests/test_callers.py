"""Callers of a rate limiter, in this process and before the server; and `Services.asking`, with which they ask."""

import asyncio
import time

import aiohttp
import pytest

from asynclab import Services
from asynclab.counting import admissions, refused
from servers import servers


class Open:
    """A limiter that lets everybody go at once, or as many as it is told."""

    def __init__(self, most=None):
        self.most, self.asked = most, 0

    async def acquire(self):
        self.asked += 1
        if self.most is not None and self.asked > self.most:
            raise ValueError("enough")


@pytest.fixture(scope="module")
def web():
    with servers() as running:
        yield running


def test_every_caller_is_admitted_once_and_the_moments_are_in_order():
    limiter = Open()
    before = time.perf_counter()
    times = asyncio.run(admissions(limiter, 30))
    assert limiter.asked == len(times) == 30
    assert before <= times[0] and times == sorted(times)


def test_the_loop_is_held_when_it_is_told():
    class Slow:
        async def acquire(self):
            await asyncio.sleep(0.05)

    start = time.perf_counter()
    [went] = asyncio.run(admissions(Slow(), 1, stall=0.3, after=0.01))
    assert went - start > 0.3


def test_a_limiter_that_fails_leaves_no_caller_and_no_stall():
    async def run():
        with pytest.raises(ExceptionGroup):
            await admissions(Open(most=3), 10, stall=5.0, after=0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        start = time.perf_counter()
        await asyncio.sleep(0.1)
        assert time.perf_counter() - start < 3

    asyncio.run(run())


def test_the_server_refuses_whatever_is_above_its_limit_and_anew_each_time(web):
    async def run():
        return [await refused(web, Open(), 20, rate=5, per=30.0) for _ in range(2)]

    assert asyncio.run(run()) == [0.75, 0.75]


def test_calls_that_never_reached_the_server_are_not_taken_for_served(web):
    with pytest.raises(RuntimeError, match="the server saw 3 of 10"):
        asyncio.run(refused(web, Open(most=3), 10, rate=5, per=1.0))


def test_asking_puts_the_item_into_the_path_and_returns_the_json(web):
    async def run():
        async with web.asking("/users/{}") as ask:
            assert (await ask(101))["user_id"] == 101
        async with web.asking("{}", client="asking", key="a b") as ask:
            assert (await ask("/get?x=1"))["args"]["x"] == "1"
        return await web.stats("asking", reset=True)

    assert asyncio.run(run())["requests"] == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [("/status/503", aiohttp.ClientResponseError), ("/never", TimeoutError), ("/drop", aiohttp.ClientConnectionError)],
)
def test_asking_raises_what_goes_wrong(web, path, error):
    async def run():
        async with web.asking(path, patience=0.2) as ask:
            with pytest.raises(error):
                await ask(1)

    asyncio.run(run())


def test_asking_before_the_start_says_what_to_do():
    async def run():
        async with Services().asking("/get") as ask:
            await ask(1)

    with pytest.raises(RuntimeError, match="have not started"):
        asyncio.run(run())
