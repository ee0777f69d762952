"""The other process: whatever a function does there, the kernel goes on, the message says what it was, and the next
check works.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import ctypes
import functools
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

import asynclab
from asynclab.checking import process
from asynclab.checking.card import Outcome
from asynclab.checking.exercise import Exercise

Check = Callable[..., Outcome]


async def right(number):
    await asyncio.sleep(1)
    return 2 * number


async def endless_call_of_c(number):
    sum(range(10**13))


async def spins(number):
    while True:
        pass


async def spins_and_catches_everything(number):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


async def ends_its_process(number):
    os._exit(3)


async def is_killed(number):
    os.kill(os.getpid(), signal.SIGKILL)


async def crashes(number):
    ctypes.string_at(0)


async def takes_a_gigabyte(number):
    return bytearray(10**9)


async def takes_all_memory(number):
    kept = []
    while True:
        kept.append("x" * 10**7)


async def starts_tasks_without_end(number):
    while True:
        asyncio.create_task(right(number))  # noqa: RUF006


async def lets_tasks_start_tasks(number):
    async def grow():
        children = [asyncio.create_task(grow()), asyncio.create_task(grow())]
        await asyncio.gather(*children)

    await grow()


async def exits(number):
    sys.exit(3)


async def interrupts(number):
    raise KeyboardInterrupt


async def exits_in_a_task(number):
    await asyncio.gather(right(number), exits(number))


async def swallows_its_cancellation(number):
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(1000)


async def rebinds_a_builtin(number):
    builtins.len = builtins.isinstance = None
    return 3


async def rebinds_asyncio(number):
    asyncio.sleep = None
    return 3


async def waits_for_nothing(number):
    await asyncio.Event().wait()


async def polls(number):
    while True:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def blocks(number):
    time.sleep(3600)
    return 2 * number


async def blocks_for_ever_in_a_lock(number):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


async def reads_from_the_keyboard(number):
    return int(input("How many? "))  # noqa: ASYNC250


async def recurses(number):
    return await recurses(number)


ENDINGS = [
    (endless_call_of_c, "held the event loop until it was stopped after 2 seconds, line 2 “sum(range(10**13))”"),
    (spins, "held the event loop until it was stopped after 2 seconds, line"),
    (spins_and_catches_everything, "held the event loop until it was stopped after 2 seconds, line"),
    (blocks_for_ever_in_a_lock, "held the event loop until it was stopped after 2 seconds, line 4 “lock.acquire()”"),
    (ends_its_process, "your function ended the process it ran in (exit code 3)"),
    (is_killed, "your function ended Python itself"),
    (crashes, "your function ended Python itself"),
    (takes_a_gigabyte, "asked for more memory than a check may use"),
    (takes_all_memory, "asked for more memory than a check may use"),
    (starts_tasks_without_end, "started tasks without end, line 3 “asyncio.create_task(right(number))"),
    (lets_tasks_start_tasks, "started tasks without end, line"),
    (exits, "raised SystemExit (3), line 2 “sys.exit(3)”"),
    (exits_in_a_task, "raised SystemExit (3), line"),
    (interrupts, "raised KeyboardInterrupt, line 2"),
    (swallows_its_cancellation, "was still waiting after its time, line 4"),
    (rebinds_a_builtin, "your function rebinds `builtins."),
    (rebinds_asyncio, "your function rebinds `asyncio.sleep`"),
    (waits_for_nothing, "waits for what can never happen, line 2 “await asyncio.Event().wait()”"),
    (polls, "goes on without end, line 3 “await asyncio.sleep(0)”"),
    (blocks, "`time.sleep(3600)`, line 2 “time.sleep(3600)” held the event loop"),
    (reads_from_the_keyboard, "input() waits for a keyboard"),
    (recurses, "raised RecursionError"),
]


@pytest.mark.parametrize(("function", "message"), ENDINGS, ids=[each.__name__ for each, _ in ENDINGS])
def test_whatever_it_does_it_ends_with_a_message(function: Any, message: str, check: Check) -> None:
    outcome = check(function)
    assert outcome.status == "not yet"
    first = function.__code__.co_firstlineno - 1
    said = outcome.message
    for number in range(1, 8):  # lines are those of the file; here they are counted from the function's own
        said = said.replace(f"line {first + number} ", f"line {number} ").replace(
            f"line {first + number}.", f"line {number}."
        )
    assert message in said, outcome
    assert check(right).status == "correct", "the next check works"


def test_the_kernel_goes_on_meanwhile(ex: Exercise) -> None:
    async def main() -> tuple[Outcome, int]:
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        async with asyncio.TaskGroup() as group:
            heartbeat = group.create_task(heart())
            outcome = await ex.check(endless_call_of_c)
            heartbeat.cancel()
        return outcome, beats

    outcome, beats = asyncio.run(main())
    assert outcome.status == "not yet" and beats > 20


def test_cancelling_a_check_ends_its_process_at_once(ex: Exercise) -> None:
    async def main() -> None:
        checking = asyncio.create_task(asyncio.wait_for(ex.check(endless_call_of_c), None))
        await asyncio.sleep(0.3)
        checking.cancel()
        began = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await checking
        assert time.perf_counter() - began < 1
        assert (await ex.check(right)).status == "correct"

    asyncio.run(main())


def test_two_checks_at_once(ex: Exercise) -> None:
    async def main() -> list[Outcome]:
        return await asyncio.gather(ex.check(right), ex.check(ends_its_process), ex.check(right), ex.check(None))

    assert [each.status for each in asyncio.run(main())] == ["correct", "not yet", "correct", "not attempted"]


def test_a_check_inside_a_trace_leaves_nothing_in_it(ex: Exercise) -> None:
    async def main() -> tuple[Outcome, Any]:
        with asynclab.trace("mine") as timeline:
            return await ex.check(right), timeline

    outcome, timeline = asyncio.run(main())
    assert outcome.status == "correct"
    assert len(timeline.tasks) == 1 and not timeline.work


def test_in_a_thread_with_a_loop_of_its_own(ex: Exercise) -> None:
    async def main() -> Outcome:
        return await asyncio.to_thread(asyncio.run, asyncio.wait_for(ex.check(right), None))

    assert asyncio.run(main()).status == "correct"


def test_a_process_that_ended_while_it_was_idle_is_replaced(check: Check) -> None:
    check(right)
    for each in process._idle:
        each._process.kill()
        each._process.wait()
    assert check(right).status == "correct"


# --- what comes along -----------------------------------------------------------------------------------------------

factor = 2
numbers_seen: list[int] = []


class Doubler:
    def __init__(self, times: int = factor) -> None:
        self.times = times

    async def __call__(self, number):
        return self.times * number

    async def double(self, number):
        return await self(number)


async def with_helpers(number):
    numbers_seen.append(number)
    return await Doubler().double(number) if factor == 2 else None


@functools.wraps(right)
async def decorated(*numbers):
    return await right(*numbers)


async def with_more(number, times=2):
    return times * number


CAN_TRAVEL = [right, with_helpers, decorated, Doubler(), Doubler().double, functools.partial(with_more, times=2)]


@pytest.mark.parametrize("function", CAN_TRAVEL, ids=lambda each: type(each).__name__)
def test_helpers_classes_and_constants_come_along(function: Any, check: Check) -> None:
    assert check(function).status == "correct"


def test_a_function_of_a_cell_comes_along(check: Check) -> None:
    namespace = {"__name__": "__main__"}
    source = "import asyncio\nstep = 1\nasync def helper(x):\n    await asyncio.sleep(step)\n    return x\n"
    exec(source + "async def double(number):\n    return await helper(number) + await helper(number)", namespace)
    assert check(namespace["double"]).status == "correct"


def test_nothing_of_it_runs_here(check: Check) -> None:
    assert check(with_helpers).status == "correct"
    assert numbers_seen == []


def test_what_cannot_travel_is_named(ex: Exercise) -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        used_lock = asyncio.Lock()
        task = loop.create_task(asyncio.sleep(0))
        plain_socket = socket.socket()
        async with aiohttp.ClientSession() as session:

            async def asks(number):
                return await session.get(number)

            async def awaits(number):
                return await task

            async def reads(number):
                return plain_socket.recv(number)

            async def with_a_helper(number):
                return await asks(number)

            async def locks(number):
                async with used_lock:
                    return 2 * number

            outcomes = [await ex.check(each) for each in (asks, awaits, reads, with_a_helper)]
            assert (await ex.check(locks)).status == "correct", "a lock that nobody has waited for can travel"
        plain_socket.close()
        await task
        return [each.message for each in outcomes]

    messages = asyncio.run(main())
    for message, name, kind in zip(
        messages,
        ("session", "task", "plain_socket", "session"),
        ("ClientSession", "Task", "socket", "ClientSession"),
        strict=True,
    ):
        assert f"uses `{name}`, a `{kind}` of this notebook that cannot be taken" in message, message
        assert "use what it is given" in message


# --- seeds ----------------------------------------------------------------------------------------------------------


async def fails_for_a_thousand(number):
    await asyncio.sleep(0.1)
    print("number", number)
    return 2 * number if number < 1000 else 0


async def loses_at_its_second_await(number):
    await asyncio.sleep(0.1)
    try:
        await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return 2 * number
    return 2 * number


def test_a_seed_repeats_what_was_seen(check: Check) -> None:
    first = check(fails_for_a_thousand)
    assert first.status == "not yet" and "the number 1000" in first.evidence
    seed = int(first.evidence.rpartition("seed=")[2].partition(")")[0])
    again = check(fails_for_a_thousand, seed=seed)
    assert (again.message, again.evidence, again.output) == (first.message, first.evidence, first.output)
    assert str(again.trace) == str(first.trace), "to the microsecond"
    assert "nothing is wrong in the world of seed 0" in check(fails_for_a_thousand, seed=0).message


def test_a_cancellation_from_outside_is_tried_everywhere(check: Check) -> None:
    outcome = check(loses_at_its_second_await)
    assert "caught its cancellation and returned as if done" in outcome.message
    assert "cancelled from outside" in outcome.evidence
    seed = int(outcome.evidence.rpartition("seed=")[2].partition(")")[0])
    assert check(loses_at_its_second_await, seed=seed).message == outcome.message


def test_the_timeline_of_the_failing_world_is_shown(check: Check) -> None:
    outcome = check(fails_for_a_thousand)
    assert [row.name for row in outcome.trace.tasks if not row.root] == ["fails_for_a_thousand"]
    assert "<img alt=" in outcome._repr_mimebundle_()["text/html"]
    assert check(right).trace is None


@pytest.mark.parametrize("seed", [-1, 1.5, "3", True])
def test_a_seed_that_is_none_is_refused(ex: Exercise, seed: Any) -> None:
    async def main() -> None:
        await ex.check(right, seed=seed)

    with pytest.raises(ValueError, match="a seed is a whole number from 0"):
        asyncio.run(main())
