"""Attacks on the journal and on the jobs that can be stopped, which chapter 5 teaches for readers who go deeper.

Whatever happens to a processor, no job may be lost, and what was done twice is counted: never more than was under way.
"""

import asyncio
import contextlib
import gc
import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children
from pathlib import Path

import pytest

from asynclab.taught import NOTEBOOKS, taught
from asynclab.work import count_primes, fibonacci
from powerless import powerless
from servers import gone, wait_until
from watched import Watched, outcome

deeper = taught("05_real_world_applications_deeper")

WORKERS = 5
FOREVER = 10**9  # primes up to which nobody counts in a lifetime


def run(main):
    """Run `main()`; it may leave no task, no thread of a database, no process, and no exception that nobody heard."""
    unheard = []

    async def whole():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
        async with asyncio.timeout(120):
            result = await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    result = asyncio.run(whole())
    gc.collect()
    assert unheard == []
    assert active_children() == []
    for thread in threading.enumerate():  # one that is closing needs a moment
        if thread.name.startswith("sqlite"):
            thread.join(30)
            assert not thread.is_alive()
    return result


def rows(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def states(path):
    return dict(rows(path, "SELECT key, state FROM jobs"))


class Kinds(dict):
    """Jobs that note their key, and how often each was done."""

    def __init__(self):
        super().__init__(note=self.note)
        self.done = Counter()

    async def note(self, key, *arguments):
        await asyncio.sleep(0)
        self.done[key] += 1
        await asyncio.sleep(0)
        return arguments


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db"


# ---------------------------------------------------------------- what is added, and what becomes of it


def test_every_job_is_done_once_and_in_order_and_its_result_is_written_down(path):
    async def main():
        kinds = Kinds()
        async with deeper.open_journal(path) as db:
            for number in range(20):
                await deeper.add_job(db, f"job {number}", "note", number, {"é": [None, True, 0.1]})
            await deeper.work_off(db, kinds, max_workers=1)
            await deeper.work_off(db, kinds)
        assert kinds.done == dict.fromkeys((f"job {number}" for number in range(20)), 1)
        assert list(kinds.done) == [f"job {number}" for number in range(20)]

    run(main)
    for key, state, attempts, result in rows(path, "SELECT key, state, attempts, result FROM jobs"):
        assert (state, attempts) == ("done", 1)
        assert json.loads(result) == [int(key.split()[1]), {"é": [None, True, 0.1]}]


def test_a_key_that_is_added_again_is_one_job_and_never_another_one(path):
    async def main():
        kinds = Kinds()
        async with deeper.open_journal(path) as db, deeper.open_journal(path) as other:
            await asyncio.gather(*[deeper.add_job(each, "bill 1", "note", 5) for each in [db, other] * 5])
            for job in (("note", 6), ("note",), ("tone", 5)):
                with pytest.raises(ValueError, match="the key 'bill 1' belongs to another job"):
                    await deeper.add_job(db, "bill 1", *job)
            await deeper.work_off(db, kinds)
            await deeper.add_job(db, "bill 1", "note", 5)
            await deeper.work_off(db, kinds)
        assert kinds.done == {"bill 1": 1}

    run(main)


@pytest.mark.parametrize(
    ("key", "argument", "error"),
    [
        ("a set", {1}, "Object of type set is not JSON serializable"),
        ("a task", asyncio.sleep, "Object of type function is not JSON serializable"),
        ("not a number", float("nan"), "Out of range float values are not JSON compliant"),
        ("bytes", b"", "Object of type bytes is not JSON serializable"),
        (None, 1, "NOT NULL constraint failed: jobs.key"),
    ],
)
def test_what_cannot_be_written_down_is_refused_when_it_is_added(path, key, argument, error):
    async def main():
        async with deeper.open_journal(path) as db:
            with pytest.raises((TypeError, ValueError, sqlite3.IntegrityError), match=error):
                await deeper.add_job(db, key, "note", argument)

    run(main)
    assert states(path) == {}


def test_a_job_that_fails_says_why_and_disturbs_no_other(path):
    async def raises(key, text):
        raise RuntimeError(text)

    async def gives(key):
        return {1, 2}

    async def is_cut(key):  # by another than the one who stops the processor
        raise asyncio.CancelledError

    jobs = {
        "unknown": ("shred", 1),
        "raises": ("raises", "no paper \udcff"),
        "short of arguments": ("raises",),
        "no JSON": ("gives",),
        "is cut": ("is_cut",),
    }

    async def main():
        kinds = Kinds()
        kinds.update(raises=raises, gives=gives, is_cut=is_cut)
        async with deeper.open_journal(path) as db:
            for key, job in jobs.items():
                await deeper.add_job(db, key, *job)
                await deeper.add_job(db, f"after {key}", "note")
            await deeper.work_off(db, kinds, max_workers=2)
        assert kinds.done == {f"after {key}": 1 for key in jobs}

    run(main)
    failed = dict(rows(path, "SELECT key, result FROM jobs WHERE state = 'failed'"))
    said = {key: json.loads(result) for key, result in failed.items()}
    assert said.keys() == jobs.keys()
    assert said["unknown"] == "LookupError: this program has no job called 'shred'"
    assert said["raises"] == "RuntimeError: no paper \udcff"
    assert said["short of arguments"].startswith("TypeError: ")
    assert said["no JSON"] == "TypeError: Object of type set is not JSON serializable"
    assert said["is cut"] == "CancelledError: "


def test_what_a_job_adds_is_done_too(path):
    async def main():
        async def parent(key, depth):
            if depth:
                await deeper.add_job(db, f"{key}.1", "parent", depth - 1)
                await deeper.add_job(db, f"{key}.2", "parent", depth - 1)

        async with deeper.open_journal(path) as db:
            await deeper.add_job(db, "0", "parent", 4)
            await deeper.work_off(db, {"parent": parent})

    run(main)
    assert Counter(states(path).values()) == {"done": 31}


# ---------------------------------------------------------------- two processors on one journal


def test_two_processors_on_one_journal_do_every_job_once(path):
    async def main():
        kinds, owners = Kinds(), [f"processor {number}" for number in range(3)]
        async with contextlib.AsyncExitStack() as stack:
            opening = [stack.enter_async_context(deeper.open_journal(path)) for _ in owners]
            dbs = await asyncio.gather(*opening)  # all make the table
            await asyncio.gather(*[deeper.add_job(dbs[n % 3], f"job {n}", "note") for n in range(200)])
            await asyncio.gather(*[deeper.work_off(*each) for each in zip(dbs, [kinds] * 3, owners, strict=True)])
        assert set(kinds.done.values()) == {1}
        assert len(kinds.done) == 200
        assert {owner for (owner,) in rows(path, "SELECT owner FROM jobs")} == set(owners)

    run(main)


def test_a_processor_takes_back_what_it_was_at_itself_and_nothing_of_another(path):
    kinds = Kinds()

    async def stopped(owner):
        async def hangs(key):
            begun.set()
            await asyncio.Event().wait()

        async with deeper.open_journal(path) as db:
            begun = asyncio.Event()
            work = asyncio.create_task(deeper.work_off(db, {"note": hangs}, owner, 1))
            await begun.wait()
            work.cancel()
            assert isinstance(await outcome(work), asyncio.CancelledError)

    async def main():
        async with deeper.open_journal(path) as db:
            await deeper.add_job(db, "first", "note")
            await deeper.add_job(db, "second", "note")
            await stopped("one")
            await stopped("two")
            assert states(path) == {"first": "running", "second": "running"}
            await deeper.work_off(db, kinds, "one")
            assert states(path) == {"first": "done", "second": "running"}
            await deeper.work_off(db, kinds, "two")
            assert states(path) == {"first": "done", "second": "done"}

    run(main)
    assert kinds.done == {"first": 1, "second": 1}


# ---------------------------------------------------------------- cancelled


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("second", [None, 0, 1])
def test_cancelled_at_any_await_it_loses_nothing(tmp_path, second, ready):
    """Before what it waits for is there, or at the very moment when it is; and once more, `second` awaits later."""

    async def cut(at):
        def on_pause(future):
            if (pause := next(pauses)) == at or pause - at - 1 == second:
                if ready and future is not None:
                    future.add_done_callback(lambda _: task.cancel())
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)

        async def life():
            async with deeper.open_journal(path) as db:
                for key in keys:
                    await deeper.add_job(db, key, "note")
                await deeper.work_off(db, kinds, "processor", max_workers=0)  # lets what was running wait again
                await deeper.work(db, kinds, "processor")

        pauses, kinds, keys, path = itertools.count(), Kinds(), ("one", "two"), tmp_path / f"{at}.db"
        task = asyncio.ensure_future(Watched(life(), on_pause))
        got_out = await outcome(task)
        came = next(pauses) > at
        assert isinstance(got_out, asyncio.CancelledError) if came else got_out is None, (at, got_out)
        async with deeper.open_journal(path) as db:
            for key in keys:
                await deeper.add_job(db, key, "note")
            await deeper.work_off(db, kinds)
        assert states(path) == dict.fromkeys(keys, "done")
        assert kinds.done.keys() == set(keys)
        assert kinds.done.total() <= 3  # one was under way
        return came, kinds.done.total()

    async def main():
        twice = 0
        for at in itertools.count():
            came, total = await cut(at)
            twice += total - 2
            if not came:
                break
        assert at > 12
        assert twice  # the moment between the effect and the mark was among them

    run(main)


def test_stopped_with_all_its_workers_again_and_again_it_loses_nothing(path):
    moments = range(10, 300, 3 * WORKERS)  # so far apart that each stops another run

    async def main():
        async def note(key):
            await asyncio.sleep(0)
            done[key] += 1
            if done.total() in moments:
                work.cancel()
            await asyncio.sleep(0)

        done, stops = Counter(), 0
        async with deeper.open_journal(path) as db:
            for number in range(300):
                await deeper.add_job(db, f"job {number}", "note")
            while set(states(path).values()) != {"done"}:
                work = asyncio.create_task(deeper.work_off(db, {"note": note}))
                stops += isinstance(await outcome(work), asyncio.CancelledError)
        assert stops == len(moments)
        assert len(done) == 300
        assert done.total() - 300 <= stops * WORKERS

    run(main)


# ---------------------------------------------------------------- killed

PROCESSOR = """
import asyncio, itertools, sqlite3, sys
from asynclab.taught import taught
journal, effects, owner, most = sys.argv[1:]
deeper, begun = taught("05_real_world_applications_deeper"), itertools.count()

async def charge(key, amount):
    if next(begun) >= int(most):
        await asyncio.sleep(3600)
    charge = "INSERT INTO charges VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1"
    bank.execute(charge, (key, amount))
    print(key, flush=True)

async def main():
    async with deeper.open_journal(journal) as db:
        await deeper.work_off(db, {"charge": charge}, owner)

bank = sqlite3.connect(effects, timeout=60, isolation_level=None)
asyncio.run(main())
"""


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.soak)])
def test_kill_9_of_two_processors_loses_no_job_and_what_is_done_twice_is_harmless(tmp_path, kills):
    journal, bank, chance = tmp_path / "jobs.db", tmp_path / "bank.db", random.Random(kills)
    jobs = {f"bill {number}": number for number in range(kills * 20 + 50)}
    with contextlib.closing(sqlite3.connect(bank)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE charges (key TEXT PRIMARY KEY, amount INTEGER, times INTEGER)")

    async def add_all():
        async with deeper.open_journal(journal) as db:
            await db.query("PRAGMA synchronous = OFF")
            for key, amount in jobs.items():
                await deeper.add_job(db, key, "charge", amount)

    def processors(most):
        for owner in ("one", "two"):
            command = [sys.executable, "-W", "error", "-c", PROCESSOR, journal, bank, owner, str(most)]
            environment = os.environ | {"PYTHONPATH": str(NOTEBOOKS)}
            yield subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)

    run(add_all)
    for _ in range(kills // 2):
        wanted = [chance.randint(1, 12), chance.randint(1, 12)]
        for process, count in zip(list(processors(max(wanted))), wanted, strict=True):
            with process:
                assert all(process.stdout.readline() for _ in range(count))
                time.sleep(chance.choice([0, 0.001, 0.005]))
                process.kill()
    assert set(states(journal).values()) == {"done", "running", "waiting"}
    for process in list(processors(len(jobs) + 1)):
        process.communicate(timeout=120)
        assert process.returncode == 0

    charged = {key: (amount, times) for key, amount, times in rows(bank, "SELECT * FROM charges")}
    attempts = dict(rows(journal, "SELECT key, attempts FROM jobs"))
    assert {key: amount for key, (amount, _) in charged.items()} == jobs  # none lost, each charged its own amount
    assert states(journal) == dict.fromkeys(jobs, "done")
    assert all(times <= attempts[key] for key, (_, times) in charged.items())
    twice = sum(times - 1 for _, times in charged.values())
    print(f"{kills} kills, {len(jobs)} jobs, none lost, {twice} done twice")
    assert twice <= kills * WORKERS
    assert kills <= sum(attempts.values()) - len(jobs) <= kills * WORKERS  # what was under way was begun again


# ---------------------------------------------------------------- a journal that cannot be written


def test_on_a_full_disk_nothing_is_added_by_half_and_the_processor_stops_and_says_so(path):
    async def large(key):
        done[key] += 1
        return "x" * 100_000

    done = Counter()

    async def main():
        async with deeper.open_journal(path) as db:
            await deeper.add_job(db, "first", "large")
            [(pages,)] = await db.query("PRAGMA page_count")
            await db.query(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
                await deeper.add_job(db, "second", "large", "x" * 100_000)
            assert states(path) == {"first": "waiting"}
            with pytest.raises(ExceptionGroup) as caught:
                await deeper.work_off(db, {"large": large})
            assert [str(error) for error in caught.value.exceptions] == ["database or disk is full"]
            assert states(path) == {"first": "running"}
            await db.query("PRAGMA max_page_count = 1000000")  # somebody has made room
            await deeper.work_off(db, {"large": large})

    run(main)
    assert states(path) == {"first": "done"}
    assert done == {"first": 2}


@pytest.mark.skipif(os.name != "posix", reason="about modes of POSIX")
def test_a_journal_that_may_not_be_written_gets_a_clear_error():
    async def main():
        async with deeper.open_journal(path) as db:
            await deeper.add_job(db, "first", "note")
            with powerless():
                async with deeper.open_journal(path) as mine:
                    for attempt in (deeper.add_job(mine, "second", "note"), deeper.work_off(mine, kinds)):
                        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
                            await attempt

    kinds = Kinds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "jobs.db")
        os.chmod(folder, 0o755)  # anybody may look
        run(main)
        assert states(path) == {"first": "waiting"}
    assert not kinds.done


@pytest.mark.parametrize("what", ["text", "folder", "missing"])
def test_what_is_no_journal_gets_a_clear_error_and_nothing_is_open(tmp_path, what):
    (tmp_path / "text").write_text("no journal " * 1000)
    (tmp_path / "folder").mkdir()
    path = tmp_path / ("missing/jobs.db" if what == "missing" else what)

    async def main():
        with pytest.raises(sqlite3.DatabaseError, match="not a database|unable to open database file"):
            async with deeper.open_journal(path):
                pytest.fail("opened")

    run(main)


# ---------------------------------------------------------------- a job that can be stopped


def test_a_stoppable_job_gives_its_result_or_its_error(tmp_path):
    async def main():
        tries = [
            deeper.stoppable(count_primes, 100),
            deeper.stoppable(len, b"x" * 10_000_000),
            deeper.stoppable(fibonacci, -1),
            deeper.stoppable(os._exit, 3),
            deeper.stoppable(main),
        ]
        primes, length, *errors = await asyncio.gather(*tries, return_exceptions=True)
        assert (primes, length) == (25, 10_000_000)
        assert str(errors[0]) == "there is no Fibonacci number -1: n counts from 0"
        assert isinstance(errors[1], BrokenProcessPool)
        assert "local object" in str(errors[2])

    run(main)


@pytest.mark.parametrize("delay", [0, 0.01, 0.1, 1])
@pytest.mark.parametrize("again", [None, 0, 0.005])
def test_however_it_is_cancelled_its_process_ends_and_no_other_does(delay, again):
    async def main():
        loop = asyncio.get_running_loop()
        other = asyncio.create_task(deeper.stoppable(count_primes, 100))
        tasks = [asyncio.create_task(deeper.stoppable(count_primes, FOREVER)) for _ in range(2)]
        tasks += [asyncio.create_task(deeper.stoppable(sum, range(FOREVER), 0))]
        tasks += [asyncio.create_task(deeper.stoppable(len, b"x" * 1_000_000))] if not delay else []
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
            if again is not None:
                loop.call_later(again, task.cancel)
        got_out = [await outcome(task) for task in tasks]
        managers = [each for each in threading.enumerate() if type(each).__name__ == "_ExecutorManagerThread"]
        assert len(managers) <= 1, "only that of the other is left"
        assert [type(each) for each in got_out] == [asyncio.CancelledError] * len(tasks)
        assert await other == 25

    run(main)


def test_a_time_out_stops_the_process():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await deeper.stoppable(count_primes, FOREVER)

    run(main)


COUNTS = """
import asyncio, multiprocessing
from asynclab.taught import taught
from asynclab.work import count_primes
deeper = taught("05_real_world_applications_deeper")

async def main():
    task = asyncio.create_task(deeper.stoppable(count_primes, 10**9))
    await asyncio.sleep(0)
    print(multiprocessing.active_children()[0].pid, flush=True)
    await task

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_kill_9_of_the_processor_ends_its_stoppable_job_too():
    environment = os.environ | {"PYTHONPATH": str(NOTEBOOKS)}
    for seconds in (0, 2):  # while the process starts, and while it counts
        with subprocess.Popen([sys.executable, "-c", COUNTS], stdout=subprocess.PIPE, env=environment) as processor:
            job = int(processor.stdout.readline())
            time.sleep(seconds)
            assert not gone(job)
            processor.kill()
        wait_until(lambda pid=job: gone(pid), 60)


def test_a_processor_that_is_stopped_stops_its_stoppable_job_and_does_it_again(path):
    async def count(key, limit):
        begun.set()
        return await deeper.stoppable(count_primes, limit[-1])

    async def main():
        nonlocal begun
        begun = asyncio.Event()
        async with deeper.open_journal(path) as db:
            await deeper.add_job(db, "primes", "count", [100, FOREVER])
            work = asyncio.create_task(deeper.work_off(db, {"count": count}))
            await begun.wait()
            work.cancel()
            assert isinstance(await outcome(work), asyncio.CancelledError)
            assert active_children() == []
            await deeper.work_off(db, {"count": lambda key, limit: deeper.stoppable(count_primes, limit[0])})

    begun = None
    run(main)
    assert rows(path, "SELECT state, attempts, result FROM jobs") == [("done", 2, "25")]
