"""The servers of a check: those that run in the kernel, or its own, which end with the process that checks."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from asynclab.checking.card import Outcome
from asynclab.checking.exercise import Exercise
from asynclab.services import Services

from .conftest import make

# A check that says which servers it has.
CHECK = """
from asynclab.checking.expect import NotYet
from asynclab.checking.server_record import ServerRecord

SERVERS, WORLDS = True, 1


async def check(double, world):
    async with ServerRecord() as server:
        url = server.url("/users/107")
        await world.watch(url)
        raise NotYet(f"it asked {url} {server.seen()['requests']} times")
"""


@pytest.fixture
def ex(tmp_path: Path) -> Exercise:
    return make(tmp_path, check=CHECK)


async def asks_once(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def leaves_a_session(url):
    session = aiohttp.ClientSession()
    await session.get(url.replace("client=", "client=left&was="))


async def ends_its_process(url):
    os._exit(3)


def api(outcome: Outcome) -> str:
    """Return the base URL of the servers that were used."""
    assert "1 times" in outcome.message, outcome
    return re.search(r"http://[\d.:]+", outcome.message)[0]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/stats", timeout=10):
            return True
    except OSError:
        return False


def test_those_of_the_kernel_are_used_and_left(ex: Exercise) -> None:
    async def main() -> None:
        async with Services() as web:
            assert api(await ex.check(asks_once)) == web.api
            assert web in Services.running()
            await ex.check(leaves_a_session)
            assert (await web.stats("left"))["requests"]
            async with asyncio.timeout(30):
                while (await web.stats("left"))["open_connections"]:  # noqa: ASYNC110 (no event tells it)
                    await asyncio.sleep(0.02)

    asyncio.run(main())


def test_where_none_run_they_are_started_kept_and_end_with_the_process(
    ex: Exercise, check: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = SimpleNamespace(api="http://127.0.0.1:1")  # somebody has ended them
    monkeypatch.setattr(Services, "running", classmethod(lambda cls: [gone]))
    first, second = api(check(asks_once)), api(check(asks_once))
    assert first == second != gone.api and answers(first)
    assert check(ends_its_process).message.startswith("Not yet: your function ended the process")
    end = time.monotonic() + 30
    while answers(first):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_that_they_cannot_start_is_said_to_be_the_reason() -> None:
    program = """
        from asynclab.checking import expect, server_record
        from asynclab.services import Services, ServicesError

        async def start(self):
            raise ServicesError("the servers did not start: port is taken by App.")

        Services.start = start
        try:
            server_record.connect()
        except expect.NotYet as reason:
            print(reason)
    """
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "notebooks")}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "This check cannot run here: the servers did not start: port is taken by App.\n"
