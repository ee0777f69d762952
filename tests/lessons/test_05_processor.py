"""Attacks on AsyncTaskProcessor and the jobs of chapter 5: bounded, in order, and whatever happens no job is lost.

The processor runs in virtual time, where every run is the same; the jobs meet real servers, processes and files.
"""

import asyncio
import contextlib
import functools
import gc
import itertools
import json
import random
import sqlite3
import subprocess
import sys
import textwrap
import threading
import urllib.request
import warnings
from concurrent.futures.process import BrokenProcessPool

import aiosmtplib
import pytest

from asynclab import Services, reports
from asynclab.people import build_database
from asynclab.taught import NOTEBOOKS, taught
from virtual_time import play

core = taught(5)
AsyncTaskProcessor = core.AsyncTaskProcessor


class Poison(Exception):
    """What a job raises."""


class Unusual(BaseException):
    """Neither an Exception nor a cancellation."""


class Falsy(Exception):
    """An error that a careless `or` overlooks."""

    def __bool__(self):
        return False


def run(main, **options):
    """Play `main`, in which no coroutine may be forgotten."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return play(main, **options)
        finally:
            gc.collect()
            assert [str(each.message) for each in caught] == []


def kind(outcome):
    return type(outcome) if isinstance(outcome, BaseException) else outcome


def now():
    return asyncio.get_running_loop().time()


async def fails(error=Poison):
    await asyncio.sleep(1)
    raise error


async def instant():
    return "b"


async def cancels_itself():
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


async def cancels_itself_and_returns():
    asyncio.current_task().cancel()
    return "done"


async def awaits_a_cancelled_task():
    task = asyncio.create_task(asyncio.sleep(1))
    task.cancel()
    await task


async def swallows_its_cancellation():
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)
    await asyncio.sleep(1)
    return "stayed"


async def cleans_up(log):
    try:
        await asyncio.sleep(10)
    finally:
        await asyncio.sleep(3)
        log.append(now())


# ---------------------------------------------------------------- bounds, order, back-pressure


eager_tasks = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in 3.12")


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=eager_tasks)])
@pytest.mark.parametrize(("workers", "waiting"), [(1, 1), (3, 1), (3, 10), (200, 1), (5, 100)])
def test_jobs_run_within_their_bounds_and_results_are_in_order(workers, waiting, eager):
    chance, running, most, unfinished = random.Random(5), set(), [], []

    async def job(number):
        running.add(number)
        most.append(len(running))
        await asyncio.sleep(chance.choice([0.5, 1, 2]))
        running.remove(number)
        return number

    async def main():
        async with AsyncTaskProcessor(workers, waiting) as processor:
            for number in range(100):
                await processor.add_task(job(number))
                unfinished.append(sum(not task.done() for task in processor.tasks))
            assert await processor.process_all_tasks() == list(range(100))
            assert await processor.process_all_tasks() == []

    run(main, eager=eager)
    assert max(most) == min(workers, 100)
    assert max(unfinished) == min(workers + waiting, 100)


def test_results_come_as_they_are_ready_and_late_jobs_are_waited_for():
    async def main():
        async with AsyncTaskProcessor(3) as processor:
            tasks = [await processor.add_task(asyncio.sleep(seconds, seconds)) for seconds in (3, 1, 2)]
            whole = asyncio.create_task(processor.process_all_tasks())
            assert [await each for each in asyncio.as_completed(tasks)] == [1, 2, 3]
        assert await whole == [3, 1, 2]

        async with AsyncTaskProcessor(1) as processor:

            async def adds():
                await processor.add_task(asyncio.sleep(1, "late"))
                return "early"

            await processor.add_task(adds)
            assert await processor.process_all_tasks() == ["early", "late"]

    run(main)


def test_a_job_that_finds_room_as_the_last_one_ends_is_waited_for_too():
    async def main():
        async with AsyncTaskProcessor(1, 1) as processor:
            await processor.add_task(asyncio.sleep(1, "a"))
            await processor.add_task(instant())
            late = asyncio.create_task(processor.add_task(asyncio.sleep(1, "c")))
            await asyncio.sleep(0.5)
            assert not late.done()
            assert await processor.process_all_tasks() == ["a", "b", "c"]

    run(main)


def test_of_two_calls_at_once_one_has_all_results():
    async def main():
        async with AsyncTaskProcessor() as processor:
            await processor.add_task(asyncio.sleep(1, "a"))
            both = await asyncio.gather(processor.process_all_tasks(), processor.process_all_tasks())
            assert sorted(both) == [[], ["a"]]

    run(main)


# ---------------------------------------------------------------- errors, time-outs, retries


JOBS = [  # what a job is, its limits, what it gives, when it is done
    (lambda: asyncio.sleep(1, "value"), {}, "value", 1),
    (lambda: asyncio.sleep(1, "value"), {"timeout": 2, "retries": 3}, "value", 1),
    (lambda: asyncio.sleep(1, Poison), {}, Poison, 1),  # returned, not raised
    (fails, {}, Poison, 1),
    (lambda: fails(Falsy), {}, Falsy, 1),
    (fails, {"retries": 3}, Poison, 1 + 0.1 + 1 + 0.2 + 1 + 0.4 + 1),
    (fails, {"retries": -1}, Poison, 1),
    (lambda: fails(SystemError), {"retries": 1}, SystemError, 2.1),
    (lambda: asyncio.sleep(9), {"timeout": 2}, TimeoutError, 2),
    (lambda: asyncio.sleep(9), {"timeout": 0}, TimeoutError, 0),
    (lambda: asyncio.sleep(9), {"timeout": 2, "retries": 1}, TimeoutError, 4.1),
    (lambda: fails(BaseExceptionGroup("two", [SystemError(), Unusual()])), {"retries": 1}, BaseExceptionGroup, 1),
    (lambda: fails(GeneratorExit), {}, GeneratorExit, 1),
    (awaits_a_cancelled_task, {"retries": 3}, asyncio.CancelledError, 0),
    (cancels_itself, {"retries": 3}, asyncio.CancelledError, 0),
    (lambda: next(iter(())), {}, RuntimeError, 0),  # a StopIteration
    (lambda: 1 / 0, {"retries": 1}, ZeroDivisionError, 0.1),
    (lambda: None, {}, TypeError, 0),
    (7, {}, TypeError, 0),
]


@pytest.mark.parametrize(("job", "limits", "expected", "seconds"), JOBS)
@pytest.mark.parametrize("as_coroutine", [False, True])
def test_each_job_has_its_outcome_and_none_disturbs_the_next(job, limits, expected, seconds, as_coroutine):
    async def main():
        async with AsyncTaskProcessor(1) as processor:
            begin = now()
            given = job
            if as_coroutine and callable(job) and not limits.get("retries"):
                with contextlib.suppress(Exception):
                    given = job()
            task = await processor.add_task(given, **limits)
            after = await processor.add_task(asyncio.sleep(0, "next"))
            await asyncio.wait([task])
            assert now() - begin == pytest.approx(seconds, abs=0.01)
            outcome, following = await processor.process_all_tasks()
            assert kind(outcome) in (expected, type(expected)) if expected is Poison else kind(outcome) == expected
            assert following == after.result() == "next"

    run(main)


def test_a_coroutine_that_is_added_twice_runs_once():
    async def main():
        async with AsyncTaskProcessor(2) as processor:
            job = asyncio.sleep(1, "once")
            for _ in range(3):
                await processor.add_task(job)
            assert [kind(each) for each in await processor.process_all_tasks()] == ["once", RuntimeError, RuntimeError]

    run(main)


def test_a_job_is_tried_until_it_succeeds():
    async def main():
        tries = itertools.count(1)

        async def third_time_lucky():
            if (number := next(tries)) < 3:
                raise Poison
            return number

        async with AsyncTaskProcessor() as processor:
            await processor.add_task(third_time_lucky, retries=5)
            assert await processor.process_all_tasks() == [3]

    run(main)


def test_a_time_out_begins_with_the_job_not_with_the_waiting():
    async def main():
        async with AsyncTaskProcessor(1) as processor:
            for number in range(5):
                await processor.add_task(asyncio.sleep(1, number), timeout=1.5)
            assert await processor.process_all_tasks() == list(range(5))

    run(main)


def test_an_error_that_nobody_reads_is_reported_and_one_that_is_read_is_not():
    async def main():
        loop, reported = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        async with AsyncTaskProcessor() as processor:
            await processor.add_task(fails)
            await processor.process_all_tasks()
        async with AsyncTaskProcessor() as processor:
            await processor.add_task(fails(SystemError))
        del processor
        gc.collect()
        assert [type(each) for each in reported] == [SystemError]

    run(main)


@pytest.mark.parametrize("job", [cancels_itself_and_returns, swallows_its_cancellation])
def test_a_job_that_meddles_with_cancellation_neither_stops_the_others_nor_hangs(job):
    async def main():
        async with AsyncTaskProcessor(1) as processor:
            await processor.add_task(job)
            first = await processor.process_all_tasks()
            await processor.add_task(asyncio.sleep(1, "next"))  # on 3.11 and 3.12, it may meet the cancellation
            second = await processor.process_all_tasks()
            await processor.add_task(asyncio.sleep(1, "next"))
            assert await processor.process_all_tasks() == ["next"]
        return first, second

    first, second = run(main)
    assert len(first) == len(second) == 1


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("numbers", [(0, 1), (-1, 1), (1, 0), (1, -5)])
def test_numbers_below_one_are_refused(numbers):
    with pytest.raises(AssertionError, match="1 or more"):
        AsyncTaskProcessor(*numbers)


def test_what_cannot_be_added_is_refused_in_words_and_its_coroutine_closed():
    async def main():
        processor = AsyncTaskProcessor(1, 1)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="not open"):
                await processor.add_task(asyncio.sleep(1))
        async with processor:
            with pytest.raises(ValueError, match="give a function"):
                await processor.add_task(asyncio.sleep(1), retries=1)
            kept = await processor.add_task(asyncio.sleep(1, "kept"))
        for _ in range(3):
            with pytest.raises(RuntimeError, match="has stopped"):
                await processor.add_task(asyncio.sleep(1))
        assert kept.result() == "kept"
        assert await processor.process_all_tasks() == ["kept"]  # what was refused is no job
        async with processor:  # and once more
            await processor.add_task(asyncio.sleep(1, "again"))
            assert await processor.process_all_tasks() == ["again"]

    run(main)


# ---------------------------------------------------------------- cancelled by their holders


def test_a_waiting_job_that_is_cancelled_never_runs_and_a_running_one_goes_on():
    async def main():
        log = []

        async def job(name):
            log.append(name)
            await asyncio.sleep(2)
            log.append(name)

        async with AsyncTaskProcessor(1) as processor:
            running, waiting, function, _ = [
                await processor.add_task(each) for each in (job("a"), job("b"), lambda: job("c"), job("d"))
            ]
            await asyncio.sleep(1)
            for task in (running, waiting, function):
                task.cancel()
            assert [kind(each) for each in await processor.process_all_tasks()] == [asyncio.CancelledError] * 3 + [None]
        assert log == ["a", "a", "d", "d"]

    run(main)


def test_a_job_whose_future_is_cancelled_is_not_tried_again_with_a_result():
    async def main():
        async with AsyncTaskProcessor(1) as processor:
            task = await processor.add_task(fails, retries=2)
            await asyncio.sleep(0.5)
            task.cancel()
        assert task.cancelled()

    run(main)


# ---------------------------------------------------------------- left in every way


class Leaves(Exception):
    """Raised by a block."""


@pytest.mark.parametrize("how", ["drain", "error", "cancel", "stop", "stop twice"])
def test_however_the_block_is_left_each_job_has_ended_and_each_cleanup_is_done(how):
    async def main():
        log, tasks = [], []

        async def block():
            async with AsyncTaskProcessor(2, 3) as processor:
                tasks.extend([await processor.add_task(cleans_up(log)) for _ in range(5)])
                await asyncio.sleep(1)
                if how == "error":
                    raise Leaves
                if how == "cancel":
                    asyncio.current_task().cancel()
                    await asyncio.sleep(0)
                if how.startswith("stop"):
                    processor.stop()
                    await asyncio.sleep(1)  # the cleanup is under way
                if how == "stop twice":
                    processor.stop()

        begin = now()
        with contextlib.suppress(Leaves, asyncio.CancelledError):
            await asyncio.create_task(block())
        assert all(task.done() for task in tasks)
        if how == "drain":
            assert len(log) == 5
            assert now() - begin == pytest.approx(39, abs=0.1)
        else:
            assert [task.cancelled() for task in tasks] == [True] * 5
            assert [moment - begin for moment in log] == pytest.approx([4, 4], abs=0.01)
            assert now() - begin == pytest.approx(4, abs=0.01)

    run(main)


def test_cancelled_again_while_it_drains_it_stops_once_and_waits_for_the_cleanup():
    async def main():
        log, tasks = [], []

        async def block():
            async with AsyncTaskProcessor(2) as processor:
                tasks.extend([await processor.add_task(cleans_up(log)) for _ in range(4)])

        left = asyncio.create_task(block())
        for _ in range(3):
            await asyncio.sleep(1)
            left.cancel()
        await asyncio.wait([left])
        assert left.cancelled()
        assert len(log) == 2
        assert all(task.cancelled() for task in tasks)

    run(main)


def test_stopped_in_the_pause_before_a_retry_the_job_is_cancelled():
    async def main():
        async with AsyncTaskProcessor() as processor:
            task = await processor.add_task(fails, retries=5)
            await asyncio.sleep(1.05)
            processor.stop()
        assert task.cancelled()

    run(main)


def test_a_stopped_job_that_makes_an_error_of_it_is_not_tried_again():
    tries = []

    async def stubborn():
        tries.append(now())
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            raise Poison from None

    async def main():
        async with AsyncTaskProcessor() as processor:
            task = await processor.add_task(stubborn, retries=5)
            await asyncio.sleep(1)
            processor.stop()
        assert isinstance(task.exception(), Poison)

    run(main)
    assert len(tries) == 1


@pytest.mark.parametrize("adders", [1, 2, 50])
def test_who_waits_for_room_when_it_stops_is_told_so(adders):
    async def main():
        async with AsyncTaskProcessor(1, 1) as processor:
            tasks = [await processor.add_task(asyncio.sleep(9)) for _ in range(2)]
            late = [asyncio.create_task(processor.add_task(asyncio.sleep(9))) for _ in range(adders)]
            await asyncio.sleep(1)
            assert not any(each.done() for each in late)
            processor.stop()
        said = await asyncio.gather(*late, return_exceptions=True)
        assert [type(each) for each in said] == [RuntimeError] * adders
        assert all(task.cancelled() for task in tasks)

    run(main)


def test_who_is_cancelled_while_waiting_for_room_adds_nothing():
    async def main():
        async with AsyncTaskProcessor(1, 1) as processor:
            await processor.add_task(asyncio.sleep(2, "a"))
            await processor.add_task(asyncio.sleep(2, "b"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await processor.add_task(asyncio.sleep(2, "never"))
            await processor.add_task(asyncio.sleep(2, "c"))
            assert await processor.process_all_tasks() == ["a", "b", "c"]

    run(main)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_job_ends_the_program_and_loses_no_job(error):
    tasks = []

    async def main():
        async with AsyncTaskProcessor(2) as processor:
            jobs = [fails(error), *[asyncio.sleep(5) for _ in range(4)]]
            tasks.extend([await processor.add_task(job) for job in jobs])
            await asyncio.sleep(9)

    with pytest.raises(error):
        run(main)
    assert all(task.cancelled() for task in tasks)


class Watched:
    """Awaits a coroutine, and calls `on_pause()` whenever it is about to wait."""

    def __init__(self, coroutine, on_pause):
        self.coroutine, self.on_pause = coroutine, on_pause

    def __await__(self):
        step, value = self.coroutine.send, None
        while True:
            try:
                future = step(value)
            except StopIteration as stop:
                return stop.value
            self.on_pause()
            try:
                step, value = self.coroutine.send, (yield future)
            except BaseException as error:
                step, value = self.coroutine.throw, error


@pytest.mark.parametrize("second", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_cancelled_in_any_round_of_the_loop_it_leaves_no_job_without_an_outcome(rounds, second):
    def cut(at):
        async def main():
            tasks, ran, results = [], [], []

            async def job(number):
                ran.append(number)
                try:
                    for _ in range(rounds):
                        await asyncio.sleep(0)
                    return number
                finally:
                    await asyncio.sleep(0)

            async def life():
                async with processor:
                    for number in range(5):
                        task = await processor.add_task(job(number))
                        tasks.append(task)
                    results.extend(await processor.process_all_tasks())
                    tasks.append(await processor.add_task(job(5)))

            processor = AsyncTaskProcessor(2, 1)
            task = asyncio.create_task(life())
            for pause in (at, second):
                for _ in range(pause or 0):
                    await asyncio.sleep(0)
                if pause is not None:
                    task.cancel()
            await asyncio.wait([task])
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert all(each.done() for each in tasks)
            assert len(ran) == len(set(ran))
            if not task.cancelled():
                assert [each.result() for each in tasks] == list(range(6))
            elif not results:
                kept = [kind(each) for each in await processor.process_all_tasks()]
                assert kept[: len(tasks)] == [kind(core.outcome(each)) for each in tasks]
            return task.cancelled()

        return run(main)

    for at in itertools.count():
        if not cut(at):
            break
    assert at >= 10


def test_results_are_kept_when_the_call_for_them_is_cancelled_at_any_await():
    async def main():
        for at in itertools.count():
            async with AsyncTaskProcessor(2) as processor:
                for number in range(4):
                    await processor.add_task(asyncio.sleep(number, number))
                pauses = itertools.count()

                def on_pause(at=at, pauses=pauses):
                    if next(pauses) == at:
                        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)

                call = asyncio.ensure_future(Watched(processor.process_all_tasks(), on_pause))
                await asyncio.wait([call])
                assert (await processor.process_all_tasks() if call.cancelled() else call.result()) == [0, 1, 2, 3]
                if not call.cancelled():
                    return at

    assert run(main) >= 1


# ---------------------------------------------------------------- at random


@pytest.mark.parametrize("seed", range(120))
def test_whatever_is_mixed_no_job_is_lost_or_run_twice(seed):
    chance = random.Random(seed)
    workers, waiting = chance.choice([1, 2, 3, 10]), chance.choice([1, 2, 20])
    end = chance.choice(["drain", "process", "error", "cancel", "stop"])
    running, most, runs, outcomes, jobs, timers = set(), [0], {}, {}, itertools.count(), []

    def job_of(number):
        what = chance.choice(["value", "value", "error", "cancelled", "swallow", "instant", "long"])
        seconds = chance.choice([0, 0.1, 1, 3])

        async def job():
            runs[number] = runs.get(number, 0) + 1
            running.add(number)
            most.append(len(running))
            try:
                if what == "swallow":
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(seconds)
                elif what != "instant":
                    await asyncio.sleep(seconds if what != "long" else 20)
                if what == "error":
                    raise Poison
                if what == "cancelled":
                    raise asyncio.CancelledError
                return number
            finally:
                running.remove(number)

        expected = {"error": {Poison}, "cancelled": {asyncio.CancelledError}, "long": {number, TimeoutError}}
        return job, expected.get(what, {number}) | {TimeoutError}

    async def main():
        loop, processor, adders = asyncio.get_running_loop(), AsyncTaskProcessor(workers, waiting), []

        async def adder():
            mine = []
            try:
                for _ in range(chance.randrange(12)):
                    number = next(jobs)
                    job, expected = job_of(number)
                    retries = chance.choice([0, 0, 1])
                    given = job if retries or chance.random() < 0.5 else job()
                    task = await processor.add_task(given, timeout=chance.choice([None, 2]), retries=retries)
                    mine.append((number, task))
                    outcomes[number] = (task, expected, retries)
                    if chance.random() < 0.1:
                        timers.append(loop.call_later(chance.random() * 3, task.cancel))
                    await asyncio.sleep(chance.choice([0, 0, 1]))
            except RuntimeError:
                assert not processor.open
            return mine

        async def block():
            async with processor:
                adders.extend(asyncio.create_task(adder()) for _ in range(chance.choice([1, 3])))
                if end in ("drain", "process"):
                    await asyncio.wait(adders)
                if end == "process":
                    results = await processor.process_all_tasks()
                    given = [kind(core.outcome(task)) for task, _, _ in outcomes.values()]
                    assert sorted(map(str, map(kind, results))) == sorted(map(str, given))
                    return
                await asyncio.sleep(chance.choice([0, 1, 4]))
                if end == "error":
                    raise Leaves
                if end == "cancel":
                    asyncio.current_task().cancel()
                    await asyncio.sleep(0)
                if end == "stop":
                    processor.stop()

        with contextlib.suppress(Leaves, asyncio.CancelledError):
            await asyncio.create_task(block())
        for timer in timers:
            timer.cancel()
        for adds in await asyncio.gather(*adders):
            order = [processor.tasks.index(task) for _, task in adds if task in processor.tasks]
            assert order == sorted(order)
        for number, (task, expected, retries) in outcomes.items():
            assert task.done()
            assert kind(core.outcome(task)) in expected | {asyncio.CancelledError}
            assert runs.get(number, 0) <= 1 + retries
        return processor

    run(main)
    assert not running
    assert max(most) <= workers


# ---------------------------------------------------------------- real mail


@pytest.fixture(scope="module")
def web():
    services = Services()
    asyncio.run(services.start())
    yield services
    asyncio.run(services.stop())


def finished(jobs, **limits):
    """Return the outcomes of `jobs`, coroutines that a processor runs."""

    async def main():
        async with AsyncTaskProcessor(4) as processor:
            for job in jobs:
                await processor.add_task(job, **limits)
            return await processor.process_all_tasks()

    return asyncio.run(main())


def test_mail_arrives_and_what_is_refused_late_or_not_served_is_an_error_beside_it(web):
    names = ["ada@example.com", "refuse@example.com", "slow@example.com", "bob\nCc: eve@example.com"]
    outcomes = finished([core.send_email(name, "A subject", web.mail) for name in names], timeout=5)
    assert outcomes[0] == "Email sent to ada@example.com: A subject"
    assert isinstance(outcomes[1], aiosmtplib.SMTPRecipientsRefused)
    assert outcomes[2] == "Email sent to slow@example.com: A subject"
    assert isinstance(outcomes[3], ValueError)
    [late] = finished([core.send_email("slow@example.com", "Late", web.mail)], timeout=0.1)
    assert isinstance(late, TimeoutError)


async def hangs_up(reader, writer):
    writer.close()


async def says_nothing(reader, writer):
    await reader.read()
    writer.close()


async def greets_and_says_no_more(reader, writer):
    writer.write(b"220 welcome\r\n")
    await says_nothing(reader, writer)


SERVERS = {
    greets_and_says_no_more: TimeoutError,
    None: aiosmtplib.SMTPConnectError,
    hangs_up: aiosmtplib.SMTPException,
    says_nothing: TimeoutError,
}


@pytest.mark.parametrize(("server", "error"), SERVERS.items())
def test_a_mail_server_that_is_down_or_silent_is_an_error(server, error):
    async def main():
        listening = await asyncio.start_server(server or hangs_up, "127.0.0.1", 0)
        address = listening.sockets[0].getsockname()
        if server is None:
            listening.close()
            await listening.wait_closed()
        async with AsyncTaskProcessor() as processor:
            await processor.add_task(core.send_email("ada@example.com", "A subject", address), timeout=0.3)
            [outcome] = await processor.process_all_tasks()
        listening.close()
        return outcome

    assert isinstance(asyncio.run(main()), error)


# ---------------------------------------------------------------- real reports


def test_a_report_that_fails_is_late_or_dies_is_an_error_and_the_next_one_works(tmp_path):
    build_database(tmp_path / "shop.db")
    shop = str(tmp_path / "shop.db")

    async def main():
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: reports.process().shutdown())
            async with AsyncTaskProcessor() as processor:
                await processor.add_task(core.generate_report("Yearly Sales", shop), timeout=0)
                await processor.add_task(core.generate_report("Nothing", shop))
                await processor.add_task(core.generate_report("Yearly Sales", str(tmp_path / "none.db")))
                first = await processor.process_all_tasks()
                for process in reports.process()._processes.values():
                    process.kill()
                await processor.add_task(core.generate_report("Yearly Sales", shop))
                [second] = await processor.process_all_tasks()
                await processor.add_task(core.generate_report("Yearly Sales", shop))
                return first, second, await processor.process_all_tasks()

    first, second, [third] = asyncio.run(main())
    assert [type(each) for each in first] == [TimeoutError, ValueError, sqlite3.OperationalError]
    assert isinstance(second, BrokenProcessPool) or second == third
    assert third["orders"] == 362
    assert (tmp_path / "shop.db.Yearly Sales.png").stat().st_size > 1000


def test_the_example_does_all_of_it(web, tmp_path):
    build_database(tmp_path / "shop.db")
    with reports.process():
        outcomes = asyncio.run(core.background_tasks_example(web.mail, str(tmp_path)))
    assert outcomes[0]["total"] == 40485.8
    assert outcomes[1:3] == [f"Email sent to {name}@example.com: Welcome" for name in ("slow", "alice")]
    assert isinstance(outcomes[3], aiosmtplib.SMTPRecipientsRefused)
    assert outcomes[4:] == ["Email sent to bob@example.com: Welcome", "Backup of shop.db completed"]
    with urllib.request.urlopen(web.url("/mail/messages")) as reply:
        delivered = [(each["to"], each["subject"]) for each in json.load(reply) if each["subject"] == "Welcome"]
    assert sorted(delivered) == [([f"{name}@example.com"], "Welcome") for name in ("alice", "bob", "slow")]
    assert rows(tmp_path / "shop.db.backup") == 362


# ---------------------------------------------------------------- real backups


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT count(*) FROM orders").fetchone()[0]


def test_a_backup_is_whole_while_a_writer_goes_on(tmp_path):
    build_database(tmp_path / "shop.db")

    async def main():
        ended = threading.Event()

        def write():
            written = 0
            with contextlib.closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as db:
                while not ended.is_set():
                    db.execute("INSERT INTO orders VALUES (?, 101, 1.0, 'pen', '2020-01-01')", [f"NEW-{written}"])
                    written += 1
            return written

        writer = asyncio.create_task(asyncio.to_thread(write))
        async with AsyncTaskProcessor(1) as processor:
            for _ in range(10):
                await processor.add_task(core.backup_database("shop.db", tmp_path))
                assert await processor.process_all_tasks() == ["Backup of shop.db completed"]
                counts.append(rows(tmp_path / "shop.db.backup"))
        ended.set()
        written = await writer
        assert rows(tmp_path / "shop.db") == 362 + written

    counts = []
    asyncio.run(main())
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert not list(tmp_path.glob(".part-*"))


def test_a_backup_of_a_locked_database_is_an_error_and_works_in_time(tmp_path, monkeypatch):
    build_database(tmp_path / "shop.db")
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0.1))
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as other:
        for statement in (
            "PRAGMA locking_mode = EXCLUSIVE",
            "BEGIN EXCLUSIVE",
            "DELETE FROM orders WHERE user_id = 101",
        ):
            other.execute(statement)
        [locked] = finished([core.backup_database("shop.db", tmp_path)])
        assert "locked" in str(locked)
    assert finished([core.backup_database("shop.db", tmp_path)]) == ["Backup of shop.db completed"]
    assert rows(tmp_path / "shop.db.backup") == 362


def test_a_new_backup_does_not_mix_with_what_was_written_to_the_old_one(tmp_path):
    build_database(tmp_path / "shop.db")
    finished([core.backup_database("shop.db", tmp_path)])
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db.backup", isolation_level=None)) as old:
        old.execute("DELETE FROM orders")
        finished([core.backup_database("shop.db", tmp_path)])
        assert rows(tmp_path / "shop.db.backup") == 362


def test_a_backup_of_nothing_or_of_a_damaged_database_leaves_the_old_copy(tmp_path):
    build_database(tmp_path / "shop.db")
    finished([core.backup_database("shop.db", tmp_path)])
    [damaged] = finished([damage_and_back_up(tmp_path)])
    assert isinstance(damaged, sqlite3.DatabaseError)
    (tmp_path / "shop.db").unlink()
    [missing] = finished([core.backup_database("shop.db", tmp_path)])
    assert isinstance(missing, sqlite3.OperationalError)
    assert rows(tmp_path / "shop.db.backup") == 362
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.db.backup"]


async def damage_and_back_up(folder):
    content = bytearray((folder / "shop.db").read_bytes())
    content[4096 * 3 : 4096 * 3 + 2000] = b"\xff" * 2000
    (folder / "shop.db").write_bytes(content)
    return await core.backup_database("shop.db", folder)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of a file with RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_old_copy_and_an_error(tmp_path):
    build_database(tmp_path / "shop.db")
    finished([core.backup_database("shop.db", tmp_path)])
    before = (tmp_path / "shop.db.backup").read_bytes()
    program = textwrap.dedent(f"""
        import asyncio, resource, signal, sqlite3
        from asynclab.taught import taught
        core = taught(5)
        async def main():
            async with core.AsyncTaskProcessor() as processor:
                await processor.add_task(core.backup_database("shop.db", {str(tmp_path)!r}))
                return await processor.process_all_tasks()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        [outcome] = asyncio.run(main())
        assert isinstance(outcome, sqlite3.OperationalError), outcome
    """)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=NOTEBOOKS, timeout=120)
    assert (tmp_path / "shop.db.backup").read_bytes() == before
    assert not list(tmp_path.glob(".part-*"))


def test_a_backup_that_is_cancelled_waits_for_its_thread(tmp_path, monkeypatch):
    build_database(tmp_path / "shop.db")
    began, may_end, ended = threading.Event(), threading.Event(), []

    def back_up(folder, name):
        began.set()
        may_end.wait(60)
        ended.append(name)

    async def main():
        monkeypatch.setattr(reports, "back_up", back_up)
        task = asyncio.create_task(core.backup_database("shop.db", tmp_path))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()
        may_end.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert ended == ["shop.db"]

    asyncio.run(main())
