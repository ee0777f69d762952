"""Attacks on the two functions of chapter 7 that fetch pages, one after another and side by side."""

import asyncio
import gc
import time
import urllib.error

import aiohttp
import pytest

from asynclab.taught import taught

chapter = taught(7)


def fetched(urls, side_by_side):
    if side_by_side:
        return asyncio.run(chapter.async_io_operations(urls))
    return chapter.sync_io_operations(urls)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def side_by_side(request):
    return request.param


def test_the_bodies_come_in_the_order_of_the_urls(web, side_by_side):
    lengths = [300, 0, 70_000, 5, 5]
    bodies, seconds = fetched([web.url(f"/bytes/{length}") for length in lengths], side_by_side)
    assert [len(body) for body in bodies] == lengths and all(type(body) is bytes for body in bodies)
    assert seconds > 0


def test_the_last_request_may_be_answered_first(web):
    urls = [web.url(f"/delay/{seconds}", n=n) for n, seconds in enumerate((0.2, 0.1, 0))]
    assert fetched(urls, True)[0] == fetched(urls, False)[0]


def test_nothing_is_asked_for(side_by_side):
    assert fetched([], side_by_side)[0] == []


def test_waits_add_up_or_overlap(web, me):
    urls = [web.url("/delay/0.1", client=me) for _ in range(5)]
    assert fetched(urls, False)[1] >= 0.5
    assert asyncio.run(web.stats(me))["peak"] == 1
    began = time.perf_counter()
    assert 0.1 <= fetched(urls, True)[1] <= time.perf_counter() - began
    assert asyncio.run(web.stats(me))["peak"] == 5


def test_a_status_that_says_no_is_an_error(web):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        fetched([web.url("/status/404")], False)
    caught.value.close()
    with pytest.raises(ExceptionGroup) as caught:
        fetched([web.url("/status/404")], True)
    assert [each.status for each in caught.value.exceptions] == [404]


def test_the_first_error_cancels_the_others(web, me):
    urls = [web.url("/delay/60", client=me), web.url("/status/500", client=me), web.url("/delay/60", client=me)]

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            await chapter.async_io_operations(urls)
        assert [each.status for each in caught.value.exceptions] == [500]
        return asyncio.all_tasks() - {asyncio.current_task()}

    began = time.monotonic()
    assert asyncio.run(main()) == set()
    assert time.monotonic() - began < 30


def test_a_cancellation_ends_all_requests_and_the_session(web, me):
    async def main():
        task = asyncio.create_task(chapter.async_io_operations([web.url("/delay/60", client=me)] * 3))
        while (await web.stats(me))["peak"] < 3:  # noqa: ASYNC110 (it is another process that tells)
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    gc.collect()  # a session that was left open would warn, which is an error


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    async def main():
        async def mute(reader, writer):
            await reader.read()
            writer.close()

        async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
            urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"]
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(chapter.sync_io_operations, urls)
            with pytest.raises(ExceptionGroup) as caught:
                await chapter.async_io_operations(urls)
            assert [isinstance(each, TimeoutError) for each in caught.value.exceptions] == [True]

    genuine, fetch = aiohttp.ClientTimeout, chapter.urlopen
    monkeypatch.setattr(aiohttp, "ClientTimeout", lambda **limits: genuine(**{k: v / 50 for k, v in limits.items()}))
    monkeypatch.setattr(chapter, "urlopen", lambda url, timeout: fetch(url, timeout=timeout / 50))
    asyncio.run(main())
