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
import sys
import threading
import urllib.request
import warnings
from collections import Counter
from concurrent.futures.process import BrokenProcessPool

import aiosmtplib
import pytest

from asynclab import reports
from asynclab.people import build_database
from asynclab.taught import taught
from virtual_time import play

core = taught(5)
AsyncTaskProcessor = core.AsyncTaskProcessor


class Poison(Exception):
    """What a job raises."""


class Falsy(Exception):
    """An error that a careless `or` overlooks."""

    def __bool__(self):
        return False


def virtual(test):
    """Play an asynchronous test in virtual time, eagerly if it says so; it may forget no coroutine."""

    @functools.wraps(test)
    def played(**arguments):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                play(functools.partial(test, **arguments), eager=arguments.get("eager", False))
            finally:
                gc.collect()
                assert [str(each.message) for each in caught] == []

    return played


def now():
    return asyncio.get_running_loop().time()


def kinds(outcomes):
    return [type(each) if isinstance(each, BaseException) else each for each in outcomes]


async def add(processor, *jobs, **limits):
    return [await processor.add_task(job, **limits) for job in jobs]


async def fails(error=Poison):
    await asyncio.sleep(1)
    raise error


async def stubborn():
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        raise Poison from None


async def cancels_itself_and_returns():
    asyncio.current_task().cancel()
    return "done"


async def swallows_its_cancellation():
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)
    await asyncio.sleep(1)
    return "stayed"


# ---------------------------------------------------------------- bounds, order, back-pressure


@pytest.mark.parametrize("eager", [False, True] if sys.version_info >= (3, 12) else [False])
@pytest.mark.parametrize(("workers", "waiting"), [(1, 1), (3, 1), (3, 10), (200, 1), (5, 100)])
@virtual
async def test_jobs_run_within_their_bounds_and_results_are_in_order(workers, waiting, eager):
    chance, running, most, unfinished = random.Random(5), set(), [], []

    async def job(number):
        running.add(number)
        most.append(len(running))
        await asyncio.sleep(chance.choice([0.5, 1, 2]))
        running.remove(number)
        return number

    async with AsyncTaskProcessor(workers, waiting) as processor:
        for number in range(100):
            await processor.add_task(job(number), timeout=2.5)  # counts from when the job runs
            unfinished.append(sum(not task.done() for task in processor.tasks))
        assert await processor.process_all_tasks() == list(range(100))
        assert await processor.process_all_tasks() == []
    assert max(most) == min(workers, 100)
    assert max(unfinished) == min(workers + waiting, 100)


@virtual
async def test_results_come_as_they_are_ready_and_of_two_calls_at_once_one_has_all():
    async with AsyncTaskProcessor(3) as processor:
        tasks = await add(processor, *[asyncio.sleep(seconds, seconds) for seconds in (3, 1, 2)])
        both = asyncio.gather(processor.process_all_tasks(), processor.process_all_tasks())
        assert [await each for each in asyncio.as_completed(tasks)] == [1, 2, 3]
    assert sorted(await both) == [[], [3, 1, 2]]


@virtual
async def test_a_job_that_finds_room_as_the_last_one_ends_counts_and_one_that_is_given_up_does_not():
    async def instant():
        return "b"

    async with AsyncTaskProcessor(1, 1) as processor:
        await add(processor, asyncio.sleep(1, "a"), instant())
        late = asyncio.create_task(processor.add_task(asyncio.sleep(1, "c")))
        await asyncio.sleep(0.5)
        assert not late.done()
        assert await processor.process_all_tasks() == ["a", "b", "c"]
        await add(processor, asyncio.sleep(1, "d"), asyncio.sleep(1, "e"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await processor.add_task(asyncio.sleep(1, "given up"))
        assert await processor.process_all_tasks() == ["d", "e"]


# ---------------------------------------------------------------- errors, time-outs, retries


JOBS = [  # what a job is, its limits, what it gives or says, when it is done
    (lambda: asyncio.sleep(1, "value"), {"timeout": 2, "retries": 3}, "value", 1),
    (lambda: fails(Falsy), {}, Falsy, 1),
    (fails, {"retries": 3}, Poison, 1 + 0.1 + 1 + 0.2 + 1 + 0.4 + 1),
    (fails, {"retries": -1}, Poison, 1),
    (itertools.chain([fails(), fails(), asyncio.sleep(1, "third")]).__next__, {"retries": 5}, "third", 3.3),
    (lambda: asyncio.sleep(9), {"timeout": 2}, "not done within 2 seconds", 2),
    (lambda: asyncio.sleep(9), {"timeout": 0}, "not done within 0 seconds", 0),
    (lambda: asyncio.sleep(9), {"timeout": 2, "retries": 1}, TimeoutError, 4.1),
    (lambda: fails(BaseExceptionGroup("two", [SystemError(), GeneratorExit()])), {"retries": 1}, BaseExceptionGroup, 1),
    (lambda: fails(GeneratorExit), {}, GeneratorExit, 1),
    (lambda: fails(asyncio.CancelledError), {"retries": 3}, asyncio.CancelledError, 1),
    (lambda: next(iter(())), {}, RuntimeError, 0),  # a StopIteration
    (lambda: 1 / 0, {"retries": 1}, ZeroDivisionError, 0.1),
    (7, {}, TypeError, 0),
]


@pytest.mark.parametrize(("job", "limits", "expected", "seconds"), JOBS)
@virtual
async def test_each_job_has_its_outcome_and_none_disturbs_the_next(job, limits, expected, seconds):
    async with AsyncTaskProcessor(1) as processor:
        begin = now()
        task = await processor.add_task(job, **limits)
        after = await processor.add_task(asyncio.sleep(0, "next"))
        await asyncio.wait([task])
        assert now() - begin == pytest.approx(seconds, abs=0.01)
        outcome, following = await processor.process_all_tasks()
        assert expected in (*kinds([outcome]), str(outcome))
        assert following == after.result() == "next"


@virtual
async def test_a_coroutine_that_is_added_twice_runs_once():
    async with AsyncTaskProcessor(2) as processor:
        await add(processor, *[asyncio.sleep(1, "once")] * 3)
        assert kinds(await processor.process_all_tasks()) == ["once", RuntimeError, RuntimeError]


@virtual
async def test_an_error_that_nobody_reads_is_reported_and_one_that_is_read_is_not():
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with AsyncTaskProcessor() as processor:
        await processor.add_task(fails)
        await processor.process_all_tasks()
        await processor.add_task(fails(SystemError))
    del processor
    gc.collect()
    assert kinds(reported) == [SystemError]


@pytest.mark.parametrize("job", [cancels_itself_and_returns, swallows_its_cancellation])
@virtual
async def test_a_job_that_meddles_with_cancellation_neither_stops_the_others_nor_hangs(job):
    async with AsyncTaskProcessor(1) as processor:
        for each in (job, asyncio.sleep(1)):  # on 3.11 and 3.12, the second may meet the cancellation
            await processor.add_task(each)
            assert len(await processor.process_all_tasks()) == 1
        await processor.add_task(asyncio.sleep(1, "next"))
        assert await processor.process_all_tasks() == ["next"]


# ---------------------------------------------------------------- refused, and cancelled by their holders


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (1, -5)])
def test_numbers_below_one_are_refused(numbers):
    with pytest.raises(AssertionError, match="1 or more"):
        AsyncTaskProcessor(*numbers)


@virtual
async def test_what_cannot_be_added_is_refused_in_words_and_its_coroutine_closed():
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


@pytest.mark.parametrize("first", ["good", "bad"])
@virtual
async def test_a_waiting_job_that_is_cancelled_never_runs_and_a_running_one_goes_on(first):
    log = []

    async def job(name):
        log.append(name)
        await asyncio.sleep(2)
        log.append(name)
        if name == "bad":
            raise Poison

    async with AsyncTaskProcessor(1) as processor:
        tasks = await add(processor, job(first), job("b"), lambda: job("c"), job("d"))
        await asyncio.sleep(1)
        for task in tasks[:3]:
            task.cancel()
        assert kinds(await processor.process_all_tasks()) == [asyncio.CancelledError] * 3 + [None]
    assert log == [first, first, "d", "d"]


# ---------------------------------------------------------------- left in every way


@pytest.mark.parametrize("how", ["drain", "error", "stop", "stop twice", "cancel", "cancel while it drains"])
@virtual
async def test_however_the_block_is_left_each_job_has_ended_and_each_cleanup_is_done(how):
    log, tasks, begin = [], [], now()

    async def job():
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(3)
            log.append(now() - begin)

    async def block():
        async with AsyncTaskProcessor(2, 3) as processor:
            tasks.extend(await add(processor, *[job() for _ in range(5)]))
            if how == "cancel":
                await asyncio.sleep(9)
            if how == "error":
                await asyncio.sleep(1)
                raise Poison
            for _ in range({"stop": 1, "stop twice": 2}.get(how, 0)):
                await asyncio.sleep(1)
                processor.stop()

    left = asyncio.create_task(block())
    for _ in range(3 if how.startswith("cancel") else 0):  # the first time stops it, the others meet the cleanup
        await asyncio.sleep(1)
        left.cancel()
    await asyncio.wait([left])
    assert left.cancelled() or type(left.exception()) is (Poison if how == "error" else type(None))
    assert left.cancelled() == how.startswith("cancel")
    assert [task.cancelled() for task in tasks] == [how != "drain"] * 5
    assert log == pytest.approx([13, 13, 26, 26, 39] if how == "drain" else [4, 4], abs=0.01)
    assert now() - begin == pytest.approx(log[-1], abs=0.01)


@pytest.mark.parametrize(("job", "seconds", "expected"), [(fails, 1.05, asyncio.CancelledError), (stubborn, 1, Poison)])
@virtual
async def test_a_job_that_is_stopped_is_not_tried_again(job, seconds, expected):
    begin = now()
    async with AsyncTaskProcessor() as processor:
        task = await processor.add_task(job, retries=5)
        await asyncio.sleep(seconds)
        processor.stop()
    assert kinds([core.outcome(task)]) == [expected]
    assert now() - begin == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("adders", [1, 2, 50])
@virtual
async def test_who_waits_for_room_when_it_stops_is_told_so(adders):
    async with AsyncTaskProcessor(1, 1) as processor:
        tasks = await add(processor, asyncio.sleep(9), asyncio.sleep(9))
        late = [asyncio.create_task(processor.add_task(asyncio.sleep(9))) for _ in range(adders)]
        await asyncio.sleep(1)
        assert not any(each.done() for each in late)
        processor.stop()
    assert kinds(await asyncio.gather(*late, return_exceptions=True)) == [RuntimeError] * adders
    assert all(task.cancelled() for task in tasks)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_job_ends_the_program_and_loses_no_job(error):
    tasks = []

    @virtual
    async def program():
        async with AsyncTaskProcessor(2) as processor:
            tasks.extend(await add(processor, fails(error), *[asyncio.sleep(5) for _ in range(4)]))
            await asyncio.sleep(9)

    with pytest.raises(error):
        program()
    assert [task.cancelled() for task in tasks] == [True] * 5


@pytest.mark.parametrize("second", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("rounds", [0, 1, 3])
@virtual
async def test_cancelled_in_any_round_of_the_loop_it_leaves_no_job_without_an_outcome(rounds, second):
    async def job(number, ran):
        ran.append(number)
        try:
            for _ in range(rounds):
                await asyncio.sleep(0)
            return number
        finally:
            await asyncio.sleep(0)

    async def life(processor, tasks, ran, results):
        async with processor:
            for number in range(5):
                tasks += await add(processor, job(number, ran))
            results += await processor.process_all_tasks()
            tasks += await add(processor, job(5, ran))

    async def was_cut(at):
        processor, tasks, ran, results = AsyncTaskProcessor(2, 1), [], [], []
        whole = asyncio.create_task(life(processor, tasks, ran, results))
        for pause in (at, second):
            for _ in range(pause or 0):
                await asyncio.sleep(0)
            if pause is not None:
                whole.cancel()
        await asyncio.wait([whole])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(task.done() for task in tasks)
        assert len(ran) == len(set(ran))
        outcomes = kinds(map(core.outcome, tasks))
        if not whole.cancelled():
            assert outcomes == list(range(6))
        elif not results:
            assert kinds(await processor.process_all_tasks())[: len(tasks)] == outcomes
        return whole.cancelled()

    at = 0
    while await was_cut(at):
        at += 1
    assert at >= 10


@pytest.mark.parametrize("seed", range(120))
@virtual
async def test_whatever_is_mixed_no_job_is_lost_or_run_twice(seed):
    chance, running, most, runs, added, adders = random.Random(seed), set(), [0], Counter(), [], []
    workers, waiting = chance.choice([1, 2, 3, 10]), chance.choice([1, 2, 20])
    end = chance.choice(["drain", "error", "cancel", "stop"])
    processor, numbers = AsyncTaskProcessor(workers, waiting), itertools.count()

    async def job(number, what, seconds):
        runs[number] += 1
        running.add(number)
        most.append(len(running))
        try:
            with contextlib.suppress(asyncio.CancelledError if what == "swallow" else ()):
                await asyncio.sleep(seconds)
            if what in (Poison, asyncio.CancelledError):
                raise what
            return what
        finally:
            running.remove(number)

    async def adds():
        with contextlib.suppress(RuntimeError):  # it has stopped
            for number in itertools.islice(numbers, chance.randrange(12)):
                what = chance.choice([number, number, Poison, asyncio.CancelledError, "swallow"])
                make = functools.partial(job, number, what, chance.choice([0, 0.1, 1, 3, 20]))
                retries = chance.choice([0, 0, 1])
                given = make if retries or chance.random() < 0.5 else make()
                task = await processor.add_task(given, timeout=chance.choice([None, 2]), retries=retries)
                added.append((number, task, what, retries))
                await asyncio.sleep(chance.choice([0, 0, 1]))
                if chance.random() < 0.1:
                    task.cancel()

    async def block():
        async with processor:
            adders.extend(asyncio.create_task(adds()) for _ in range(chance.choice([1, 3])))
            if end == "drain":
                await asyncio.wait(adders)
                return
            await asyncio.sleep(chance.choice([0, 1, 4]))
            if end == "stop":
                processor.stop()
            else:
                raise Poison if end == "error" else asyncio.CancelledError

    await asyncio.gather(block(), return_exceptions=True)
    await asyncio.gather(*adders)
    results = kinds(await processor.process_all_tasks())
    assert results == kinds(core.outcome(task) for _, task, _, _ in added)
    for result, (number, _, what, retries) in zip(results, added, strict=True):
        assert result in (what, TimeoutError, asyncio.CancelledError)
        assert runs[number] <= 1 + retries
    assert not running
    assert max(most) <= workers


# ---------------------------------------------------------------- real mail, real reports, real backups


async def outcomes_of(*jobs, **limits):
    async with AsyncTaskProcessor(4) as processor:
        await add(processor, *jobs, **limits)
        return await processor.process_all_tasks()


def finished(*jobs, **limits):
    return asyncio.run(outcomes_of(*jobs, **limits))


def test_mail_arrives_and_what_is_refused_is_an_error_beside_it(web):
    names = ["ada@example.com", "refuse@example.com", "slow@example.com", "bob\nCc: eve@example.com"]
    outcomes = finished(*[core.send_email(name, "A subject", web.mail) for name in names], timeout=5)
    assert outcomes[::2] == [f"Email sent to {name}: A subject" for name in names[::2]]
    assert kinds(outcomes[1::2]) == [aiosmtplib.SMTPRecipientsRefused, ValueError]


@pytest.mark.parametrize("server", ["down", "hangs up", "silent", "silent after its greeting"])
def test_a_mail_server_that_is_down_or_silent_is_an_error(server):
    async def serve(reader, writer):
        if "greeting" in server:
            writer.write(b"220 welcome\r\n")
        if "silent" in server:
            await reader.read()
        writer.close()

    async def main():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            address = listening.sockets[0].getsockname()
            if server == "down":
                listening.close()
            return await outcomes_of(core.send_email("ada@example.com", "A subject", address), timeout=0.3)

    [outcome] = asyncio.run(main())
    assert isinstance(outcome, TimeoutError if "silent" in server else aiosmtplib.SMTPException)


@pytest.fixture
def shop(tmp_path):
    """A folder with the shop's database, of 362 orders."""
    build_database(tmp_path / "shop.db")
    return tmp_path


def test_a_report_that_fails_is_late_or_dies_is_an_error_and_the_next_one_works(shop):
    def yearly(database="shop.db"):
        return core.generate_report("Yearly Sales", str(shop / database))

    try:
        [late] = finished(yearly(), timeout=0)
        outcomes = finished(core.generate_report("Nothing", str(shop / "shop.db")), yearly("none.db"))
        assert kinds([late, *outcomes]) == [TimeoutError, ValueError, sqlite3.OperationalError]
        for process in reports.process()._processes.values():
            process.kill()
        [second], [third] = finished(yearly()), finished(yearly())
    finally:
        reports.process().shutdown()
    assert isinstance(second, BrokenProcessPool) or second == third
    assert third["orders"] == 362
    assert (shop / "shop.db.Yearly Sales.png").stat().st_size > 1000


def test_the_example_does_all_of_it(web, shop):
    with reports.process():
        outcomes = asyncio.run(core.background_tasks_example(web.mail, str(shop)))
    assert outcomes[0]["total"] == 40485.8
    assert outcomes[1:3] == [f"Email sent to {name}@example.com: Welcome" for name in ("slow", "alice")]
    assert isinstance(outcomes[3], aiosmtplib.SMTPRecipientsRefused)
    assert outcomes[4:] == ["Email sent to bob@example.com: Welcome", "Backup of shop.db completed"]
    with urllib.request.urlopen(web.url("/mail/messages")) as reply:
        delivered = [(each["to"], each["subject"]) for each in json.load(reply) if each["subject"] == "Welcome"]
    assert sorted(delivered) == [([f"{name}@example.com"], "Welcome") for name in ("alice", "bob", "slow")]
    assert rows(shop / "shop.db.backup") == 362


def back_up(folder):
    return finished(core.backup_database("shop.db", folder))[0]


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT count(*) FROM orders").fetchone()[0]


def test_a_backup_is_whole_while_a_writer_goes_on(shop):
    counts, ended = [], threading.Event()

    def write():
        with contextlib.closing(sqlite3.connect(shop / "shop.db", isolation_level=None)) as db:
            for number in itertools.count():
                if ended.is_set():
                    return number
                db.execute("INSERT INTO orders VALUES (?, 101, 1.0, 'pen', '2020-01-01')", [f"NEW-{number}"])

    async def main():
        writer = asyncio.create_task(asyncio.to_thread(write))
        try:
            for _ in range(10):
                assert await outcomes_of(core.backup_database("shop.db", shop)) == ["Backup of shop.db completed"]
                counts.append(rows(shop / "shop.db.backup"))
        finally:
            ended.set()
        return await writer

    written = asyncio.run(main())
    assert rows(shop / "shop.db") == 362 + written
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_a_new_backup_does_not_mix_with_what_was_written_to_the_old_one(shop):
    back_up(shop)
    with contextlib.closing(sqlite3.connect(shop / "shop.db.backup", isolation_level=None)) as old:
        old.execute("DELETE FROM orders")
        back_up(shop)
        assert rows(shop / "shop.db.backup") == 362


@pytest.mark.parametrize(
    ("harm", "words"),
    [("locked", "locked"), ("damaged", "malformed|damaged"), ("gone", "unable to open"), ("disk full", "full|I/O")],
)
def test_a_backup_that_fails_says_so_in_time_and_leaves_the_old_copy(shop, monkeypatch, harm, words):
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0.1))
    database, copy = shop / "shop.db", shop / "shop.db.backup"
    back_up(shop)
    before = copy.read_bytes()
    with contextlib.ExitStack() as stack:
        if harm == "locked":
            other = stack.enter_context(contextlib.closing(sqlite3.connect(database, isolation_level=None)))
            other.executescript("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM orders")
        elif harm == "damaged":
            content = database.read_bytes()
            database.write_bytes(content[:12288] + b"\xff" * 2000 + content[14288:])
        elif harm == "gone":
            database.unlink()
        else:
            resource = pytest.importorskip("resource")  # not on Windows
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        outcome = back_up(shop)
    with pytest.raises(sqlite3.DatabaseError, match=words):
        raise outcome
    assert copy.read_bytes() == before
    assert database.exists() == (harm != "gone")
    assert not list(shop.glob(".part-*"))


def test_a_backup_that_is_cancelled_waits_for_its_thread(shop, monkeypatch):
    began, may_end, ended = threading.Event(), threading.Event(), []

    def slow(folder, name):
        began.set()
        may_end.wait(60)
        ended.append(name)

    async def main():
        task = asyncio.create_task(core.backup_database("shop.db", shop))
        await asyncio.to_thread(began.wait)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        waits = not task.done()
        may_end.set()
        await asyncio.wait([task])
        assert (waits, task.cancelled(), ended) == (True, True, ["shop.db"])

    monkeypatch.setattr(reports, "back_up", slow)
    asyncio.run(main())
