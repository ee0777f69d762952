"""Virtual time and the worlds in it, in a process of their own: what a run is said to have done, and how long it took.

Each test is a program that runs where clocks are virtual, as a check does; here they would be everybody's.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"

_BEFORE = """
import time
real = time.perf_counter
from asynclab.checking import virtual_time
virtual_time.install()
import asyncio, concurrent.futures, queue, selectors, socket, threading
from asynclab.checking import trial, worlds
from asynclab.checking.expect import NotYet
from asynclab.checking.work import JobError, uses
trial.hear_forgotten_coroutines()
FILE = __file__

def watch(function, *arguments, seed=0, **options):
    "Run a function in the world of a seed, and return what it did, or the message of NotYet."
    world = worlds.World(function, seed, [FILE])
    loop = virtual_time.Loop(worlds.MOST_TASKS)
    loop.set_exception_handler(lambda *_: None)
    try:
        return loop.run_until_complete(world.watch(*arguments, **options))
    except NotYet as not_yet:
        return str(not_yet)

began = real()
"""


def run(program: str, tmp_path: Path) -> None:
    """Run a program in virtual time; it asserts for itself, and is done within a few real seconds."""
    path = tmp_path / "program.py"
    path.write_text(_BEFORE + textwrap.dedent(program) + "\nassert real() - began < 10, real() - began\n")
    command = [sys.executable, "-W", "error::ResourceWarning", str(path)]
    done = subprocess.run(command, env={"PYTHONPATH": str(NOTEBOOKS)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


PROGRAMS = {
    "sleeping takes no time": """
        async def f():
            await asyncio.sleep(1000)
            async with asyncio.timeout(5000):
                await asyncio.gather(asyncio.sleep(2000), asyncio.sleep(3000))
            try:
                async with asyncio.timeout(100):
                    await asyncio.sleep(200)
            except TimeoutError:
                return "in time"
        done = watch(f, deadline=10_000)
        assert done.value == "in time" and 4100 < done.duration < 4100.01
    """,
    "every clock goes with it": """
        async def f():
            readings = [(time.time(), time.monotonic(), time.perf_counter(), time.time_ns() / 1e9,
                         time.monotonic_ns() / 1e9, asyncio.get_running_loop().time())]
            await asyncio.sleep(60)
            readings += [(time.time(), time.monotonic(), time.perf_counter(), time.time_ns() / 1e9,
                          time.monotonic_ns() / 1e9, asyncio.get_running_loop().time())]
            return [after - before for before, after in zip(*readings)]
        assert all(60 <= each < 60.001 for each in watch(f).value)
    """,
    "a run takes the same time each time, to the last digit": """
        async def f():
            queue = asyncio.Queue(3)
            async def put():
                for i in range(50):
                    await queue.put(i)
                    await asyncio.sleep(0.001 * (i % 7))
            async def get():
                for _ in range(50):
                    await queue.get()
                    await asyncio.sleep(0)
            await asyncio.gather(put(), get())
        def duration():
            virtual_time.clock.now = 0.0
            return watch(f).duration
        assert len({duration() for _ in range(5)}) == 1
    """,
    "threads sleep in virtual time, side by side": """
        async def f():
            before = time.monotonic()
            await asyncio.gather(*[asyncio.to_thread(time.sleep, 100 + i) for i in range(4)])
            return time.monotonic() - before
        assert 103 <= watch(f).value < 103.1
    """,
    "a pool of two threads takes twice as long": """
        async def f():
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                loop = asyncio.get_running_loop()
                before = time.monotonic()
                await asyncio.gather(*[loop.run_in_executor(pool, time.sleep, 100) for _ in range(4)])
                return time.monotonic() - before
        done = watch(f)
        assert 200 <= done.value < 200.1 and not done.blocking, done
    """,
    "time does not skip while a thread works": """
        async def f():
            async with asyncio.timeout(1):
                return await asyncio.to_thread(sum, range(3_000_000))
        assert watch(f).value == sum(range(3_000_000))
    """,
    "a raw thread sleeps in virtual time, too": """
        async def f():
            thread = threading.Thread(target=time.sleep, args=(50,))
            thread.start()
            await asyncio.sleep(20)
            alive = thread.is_alive()
            await asyncio.sleep(40)
            return alive, thread.is_alive()
        assert watch(f).value == (True, False)
    """,
    "waiting for a thread on the loop is seen, with its line": """
        async def f():
            with concurrent.futures.ThreadPoolExecutor() as pool:
                return pool.submit(time.sleep, 1).result()
        (blocking,) = watch(f).blocking
        assert "line" in blocking and ".result()" in blocking, blocking
    """,
    "so is every other wait for a thread, and no start of one, nor the end of what is idle": """
        def pool():
            return concurrent.futures.ThreadPoolExecutor()
        async def mapped(): return list(pool().map(time.sleep, [1, 2]))
        async def closed():
            with pool() as threads:
                threads.submit(time.sleep, 1)
        async def joined(timeout=None):
            thread = threading.Thread(target=time.sleep, args=(1,))
            thread.start()
            thread.join(timeout)
        async def joined_for_a_while(): await joined(0.5)
        async def told():
            event = threading.Event()
            threading.Thread(target=lambda: (time.sleep(1), event.set())).start()
            event.wait()
        async def got():
            answers = queue.Queue()
            threading.Thread(target=lambda: (time.sleep(1), answers.put(1))).start()
            answers.get()
        for each in mapped, closed, joined, joined_for_a_while, told, got:
            blocking = watch(each).blocking
            assert blocking and blocking[0].startswith("a wait for a thread, line "), blocking
        async def free():
            with pool() as threads:
                await asyncio.get_running_loop().run_in_executor(threads, time.sleep, 1)
            threading.Thread(target=int).start()
            await joined(0)
        assert not watch(free).blocking
        async def never():
            loop = asyncio.get_running_loop()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(1), loop).result()
        assert "what only the loop could do" in watch(never)
    """,
    "threads wait for each other in virtual time": """
        def maps():
            with concurrent.futures.ThreadPoolExecutor() as pool:
                return list(pool.map(time.sleep, [1, 2, 3]))
        def joins():
            threads = [threading.Thread(target=time.sleep, args=(i,)) for i in (1, 2, 3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        def gets():
            answers = queue.Queue()
            threading.Thread(target=lambda: (time.sleep(2), answers.put(1))).start()
            try:
                answers.get(timeout=1)
            except queue.Empty:
                return answers.get(timeout=2) and time.sleep(1)
        async def sleeps():
            await asyncio.gather(asyncio.sleep(3), asyncio.to_thread(time.sleep, 2))
        async def f(function):
            before = time.monotonic()
            await asyncio.to_thread(function)
            return time.monotonic() - before
        for function in maps, joins, gets, lambda: asyncio.run(sleeps()):
            runs = [watch(f, function) for _ in range(5)]
            assert all(3 <= run.value < 3.001 and not run.blocking for run in runs), runs
    """,
    "a thread may go on when the function has ended, and not forever": """
        async def f(seconds):
            threading.Thread(target=lambda: [time.sleep(1) for _ in range(seconds)], daemon=True).start()
        assert watch(f, 10).value is None
        assert "goes on without end" in watch(f, 10**9)
    """,
    "time.sleep on the loop is seen, with its line": """
        async def helper():
            time.sleep(0.2)
        async def f():
            await helper()
        done = watch(f)
        assert done.blocking[0].startswith("`time.sleep(0.2)`, line ") and 0.2 <= done.duration < 0.21, done
    """,
    "a long step is seen": """
        async def f():
            sum(range(30_000_000))
        assert "a single step" in watch(f).blocking[0]
    """,
    "time is real while a socket is open": """
        async def f():
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            async with server:
                before = real()
                await asyncio.sleep(0.2)
                return real() - before
        assert 0.19 < watch(f).value
    """,
    "what is left, lost and forgotten is noted": """
        kept = []
        async def fails():
            raise ValueError("gone")
        async def f():
            kept.append(asyncio.create_task(asyncio.sleep(100), name="left"))
            kept.append(asyncio.create_task(fails(), name="lost"))
            fails()
            await asyncio.sleep(0)
        done = watch(f)
        assert done.left == ["left"] and done.never_awaited == ["fails"], done
        assert done.lost == ["ValueError: gone (task “lost”)"] and done.tasks == 2, done
        assert kept[0].cancelled()
    """,
    "cancelled at every turn": """
        async def f():
            await asyncio.sleep(1)
            await asyncio.sleep(1)
            return "done"
        ends = [watch(f, seed=1000 * at) for at in range(12)]
        cancelled = [each.cancelled for each in ends]
        most = cancelled.index(False, 1)
        assert most > 4 and cancelled == [False] + (most - 1) * [True] + (12 - most) * [False], cancelled
        assert all((each.error is None) != each.cancelled for each in ends)
    """,
    "what may be raised, and what may not": """
        async def f(error):
            raise error
        assert isinstance(watch(f, JobError("a"), may_raise=JobError).error, JobError)
        group = ExceptionGroup("", [JobError("a"), ExceptionGroup("", [JobError("b")])])
        assert watch(f, group, may_raise=JobError).error is group
        told = watch(f, ExceptionGroup("", [KeyError("k"), JobError("b")]), may_raise=JobError)
        assert told.startswith("Your function raised KeyError ('k') and 1 more error, line"), told
        assert "though it was not cancelled" in watch(f, asyncio.CancelledError())
    """,
    "counts of semaphores": """
        async def f():
            places = asyncio.Semaphore(2)
            async with places, asyncio.Semaphore():
                await places.acquire()
        places = uses(asyncio.Semaphore)
        watch(f)
        assert (places.made, places.taken) == (2, 3)
        assert (uses(asyncio.Semaphore).made, places.made) == (0, 2), "each count is its own"
    """,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_in_virtual_time(program: str, tmp_path: Path) -> None:
    run(program, tmp_path)
