"""Work that keeps a processor busy, and two ways of running a job many times: in threads and in processes.

Also the peer of an asynchronous client: URLs fetched in threads, with the standard library. And what else is measured
of work: how late it makes the event loop, what a lock around it costs, what a new Python needs to begin.

The functions can be imported, so that the workers of a process pool find them; a function that is defined in
a notebook cannot be sent to them (only its name is sent, and in a worker `__main__` is another program).
This module imports nothing heavy, because the workers import it too.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

_START_SECONDS = 60  # a worker that has not started by then never will


def count_primes(limit: int) -> int:
    """Return how many primes are smaller than `limit`, found by trial division in plain Python.

    It holds the GIL all the time, so that threads do not speed it up. The time grows as `limit` to the power 1.5.
    """
    return sum(all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(2, limit))


def fibonacci(n: int) -> int:
    """Return the `n`-th Fibonacci number (0, 1, 1, 2, …) by plain recursion.

    Each `n` takes 1.6 times as long as the one before.
    It holds the GIL all the time. Raises ValueError if `n` is negative.
    """
    if n < 0:
        raise ValueError(f"there is no Fibonacci number {n}: n counts from 0")
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def fingerprint(mebibytes: int) -> str:
    """Return the SHA-256 of `mebibytes` MiB of zeros, in hexadecimal.

    As busy as the others, but written in C, and it releases the GIL while it computes: threads do speed it up.
    """
    digest, block = hashlib.sha256(), bytes(2**20)
    for _ in range(mebibytes):
        digest.update(block)
    return digest.hexdigest()


def compute(seconds: float) -> int:
    """Compute in plain Python until this thread has used the processor for `seconds`; return the rounds it took.

    It holds the GIL all the time. What others take of the processor meanwhile does not count: ten threads that
    compute for 0.01 s each need 0.1 s together. Windows counts a thread's time in steps of 16 ms, too coarse for
    short jobs: there a job is as many rounds as took `seconds` when this process first measured them.
    """
    if sys.platform == "win32":
        return _rounds(math.ceil(seconds * _rounds_a_second()))
    rounds, end = 0, time.thread_time() + seconds
    while time.thread_time() < end:
        rounds += _rounds(200)
    return rounds


def wait_and_compute(wait: float, seconds: float) -> None:
    """Sleep for `wait` seconds, then compute for `seconds`: a job of known length, `partial(wait_and_compute, …)`."""
    if wait:  # even a sleep of 0 seconds takes 0.06 ms on Linux
        time.sleep(wait)
    compute(seconds)


def _rounds(count: int) -> int:
    total = 0
    for number in range(count):
        total += number * number
    return count


@functools.cache
def _rounds_a_second() -> float:
    def one_try() -> float:
        began = time.perf_counter()
        return _rounds(20_000) / (time.perf_counter() - began)

    return max(one_try() for _ in range(5))  # the others were disturbed


if sys.platform == "win32":  # now, and not within the first job that is measured
    _rounds_a_second()


def threads(job: Callable[[], Any], n: int | None = None, *, workers: int | None = None) -> Callable[..., list]:
    """Return a function that runs `job()` `n` times in `workers` threads and returns the list of results.

    Without `workers` every job has a thread of its own. Without `n` the function takes it as its argument, as
    `sweep` wants it. The threads start and end in each call, so their price is part of what is measured.
    Raises TypeError if `job` is not a plain function of no arguments, ValueError if `n` or `workers` is below 1.
    """
    _check(job, n, workers)

    def run(n: int | None = n) -> list:
        count = _count(n)
        with ThreadPoolExecutor(workers or count) as pool:
            return _results(pool, job, count)

    return run


def processes(job: Callable[[], Any], n: int | None = None, *, workers: int | None = None) -> Processes:
    """Return a function that runs `job()` `n` times in `workers` processes and returns the list of results.

    `job` is a function that can be imported, or a `functools.partial` of one: `partial(count_primes, 50_000)`.
    Without `workers` there is one for each processor. Without `n` the function takes it as its argument.
    `compare` and `sweep` start the processes before their clock and end them after it, as a program starts
    its pool once; called elsewhere, or inside a lambda, the function starts and ends them in each call.
    Raises TypeError if a worker could not find `job`, ValueError if `n` or `workers` is below 1.
    """
    _check(job, n, workers)
    _check_importable(job)
    return Processes(job, n, workers or processors())


class Processes:
    """What `processes` returns: a function, and a context manager that keeps its processes started."""

    def __init__(self, job: Callable[[], Any], n: int | None, workers: int) -> None:
        self._job, self._n, self._workers = job, n, workers
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, n: int | None = None) -> list:
        """Run the job `n` times and return the list of results."""
        count = _count(self._n if n is None else n)
        if self._pool is None:
            with self:
                return _results(self._pool, self._job, count)
        return _results(self._pool, self._job, count)

    def __enter__(self) -> Processes:
        """Start the processes and wait until every one of them is ready."""
        if self._pool is not None:
            raise RuntimeError("these processes are started already: make another with processes(...)")
        self._pool = _started(self._workers, self._job)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the processes; what they have not begun is dropped."""
        pool, self._pool = self._pool, None
        pool.shutdown(cancel_futures=True)


@contextmanager
def process_pool(workers: int, job: Callable[..., Any] = int) -> Iterator[Executor]:
    """Give a pool of `workers` processes that have started, and have imported what `job` needs.

    At the end, what they have not begun is dropped. Where no process can be started, it says so, and the pool has one
    thread instead.
    """
    try:
        pool = _started(workers, job)
    except (OSError, ImportError, RuntimeError) as error:  # what a system raises that refuses processes, or semaphores
        print(f"No processes can be started here ({type(error).__name__}: {error}). One thread does their work.")
        pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _started(workers: int, job: Callable[..., Any]) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads, such as a kernel, may hang
    everybody = context.Barrier(workers)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(everybody,))
    try:
        with _ignored_interrupts():  # the processes inherit it: an interrupt is for us, who then end them
            ready = [pool.submit(callable, job) for _ in range(workers)]
        for future in ready:
            future.result()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return pool


def _begin(everybody: Any) -> None:
    """What a worker does first: it waits for the others."""
    follow_parent()
    everybody.wait(_START_SECONDS)


def follow_parent() -> None:
    """Let this worker process end when its parent is killed, and leave interrupts to the parent.

    A pool ends its workers, but not if it is killed. And an interrupt (■) means all processes: a job that it ends in
    KeyboardInterrupt hands that on to the event loop which awaits the job, and ends it, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=lambda: multiprocessing.parent_process().join() or os._exit(1), daemon=True).start()


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there may a handler be changed
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


async def fetch_in_threads(urls: Iterable[str], workers: int = 100) -> list[int]:
    """Fetch `urls` in `workers` threads; return the lengths of the bodies in bytes, 0 for a status of 400 or more.

    The loop is free meanwhile. A cancellation ends the wait at once: requests not begun are dropped, the others end in
    their threads. Raises what `urlopen` raises where no answer comes.
    """
    import asyncio  # not needed by a process that computes

    pool = ThreadPoolExecutor(workers)
    try:
        return await asyncio.to_thread(list, pool.map(_length, urls))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def worst_lag(work: Callable[[], Any]) -> float:
    """Call `work()`, await what it returns if it can be, and return how late the event loop was at worst, in seconds.

    That is: how late the beats of a task came that beats every 5 ms.
    """
    import asyncio

    late, pause = [0.0], 0.005

    async def beat() -> None:
        while True:
            due = time.perf_counter() + pause
            await asyncio.sleep(pause)
            late.append(time.perf_counter() - due)

    beating = asyncio.create_task(beat(), name="beat")
    try:
        await asyncio.sleep(2 * pause)
        result = work()
        if inspect.isawaitable(result):
            await result
        await asyncio.sleep(2 * pause)  # the beat that had to wait for the end of the work comes now
    finally:
        beating.cancel()
        await asyncio.wait([beating])
    return max(late)


async def enter_often(lock: Any = None, rounds: int = 10_000) -> None:
    """Enter and leave `lock`, an asynchronous context manager, `rounds` times; without one, do so with nothing."""
    lock = lock or nullcontext()
    for _ in range(rounds):
        async with lock:
            pass


def new_python(code: str) -> None:
    """Run `code` in a new Python, and wait for its end. Raises CalledProcessError if the code raises."""
    import subprocess  # not needed by a process that computes

    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)


def _length(url: str) -> int:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(url) as response:
            return len(response.read())
    except HTTPError as error:
        error.close()
        return 0


def _results(pool: Executor, job: Callable[[], Any], count: int) -> list:
    futures = [pool.submit(job) for _ in range(count)]
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:  # after an error or an interrupt, what has not begun never does
            future.cancel()


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a container may allow us fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count(n: int | None) -> int:
    if n is None:
        raise TypeError("how many jobs? Give n here, as in threads(job, 8), or pass it to the call")
    return n


def _check(job: Callable[[], Any], n: int | None, workers: int | None) -> None:
    if inspect.iscoroutinefunction(job):
        raise TypeError(f"{job!r} is a coroutine function: a worker needs a plain function")
    if not callable(job):
        raise TypeError(
            f"the job must be a function of no arguments, not {job!r}: for arguments use functools.partial, "
            "such as partial(count_primes, 50_000)"
        )
    for name, value in (("n", n), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def _check_importable(job: Callable[[], Any]) -> None:
    advice = "take it from a module, such as asynclab.work, and give its arguments with functools.partial"
    name = getattr(job.func if isinstance(job, functools.partial) else job, "__qualname__", repr(job))
    try:
        sent = pickle.dumps(job)
    except Exception as error:
        raise TypeError(f"{name} cannot be sent to another process: {advice}") from error
    if b"__main__" in sent:  # also inside the arguments of a partial
        raise TypeError(f"{name} refers to something defined in this notebook, which a worker cannot find: {advice}")
