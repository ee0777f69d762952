"""`await growth()`: 1 to 10,000 waits at once, in four ways: the time until all have ended, and what they hold.

Each way and size is measured in a process of its own, which runs this file: so a measurement begins with little
memory, and where no more threads or processes can be started, that process says so, and this one goes on. What it
runs imports only what it needs, because each process of "processes" runs this file too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plots.sweep import Point, Sweep

# The ways, and what each starts.
WAYS = {"sequential": "waits", "threads": "threads", "asyncio": "tasks", "processes": "processes"}
SIZES = (1, 10, 100, 1_000, 10_000)
_PATIENCE = 3  # times the budget, after which a measurement is given up
_ROOM = 256 * 2**20  # bytes: what is expected to hold more is spared, or the machine of a class would have none left


async def growth(sizes: Iterable[int] = SIZES, *, seconds: float = 0.05, budget: float = 2.0) -> Sweep:
    """Measure `sizes` waits of `seconds` each, in the four `WAYS`; return the times and the memory, as `sweep` does.

    "threads" starts a thread for each wait, "asyncio" a task, "processes" a process. The time is that from the first
    start until the last wait has ended; the memory in bytes is that of all of them while they are open at once,
    beyond what the program held before. From the third on, a size whose time is expected to exceed `budget`, in
    seconds, is spared; one that takes three times as long is given up. What would hold more than 256 MiB, or cannot
    be started, is not measured either: then `Sweep.unmeasured` says why. The event loop is free meanwhile. Cancelled,
    it leaves no process.
    """
    from .page.numbers import size as in_bytes
    from .plots.runs import CannotRun, Progress, check_seconds
    from .plots.sweep import Point, Sweep, checked_sizes, estimate, within

    sizes = checked_sizes(sizes)
    check_seconds("seconds", seconds)
    check_seconds("budget", budget)
    measured: dict[str, dict[int, Point]] = {way: {} for way in WAYS}
    unmeasured: dict[str, str] = {}
    with Progress("how waits grow") as progress:
        for index, size in enumerate(sizes):
            for way, points in measured.items():
                held = estimate(points, size, "memory")
                if held > _ROOM:
                    unmeasured.setdefault(way, f"{size:,} would hold {in_bytes(held)}")
                known = index > 1  # two points tell how it grows
                if way in unmeasured or (known and not within(budget, points, size)):
                    points[size] = Point(())
                    continue
                progress.show(f"{way}, waits = {size:,}", index / len(sizes))
                try:
                    points[size] = await measure_once(way, size, seconds, _PATIENCE * budget)
                except CannotRun as why:
                    unmeasured[way], points[size] = str(why), Point(())
    title = f"{sizes[0]:,} to {sizes[-1]:,} waits of {1000 * seconds:g} ms"
    memory = "what all waits hold while they are open at once, beyond what the program held before"
    return Sweep(title, measured, budget, dict.fromkeys(sizes, seconds), "waits", unmeasured, memory)


async def measure_once(way: str, size: int, seconds: float, patience: float, program: Iterable[str] = ()) -> Point:
    """Return what `program`, or else this file, measures in a process of its own.

    That is a point without runs if it takes more than `patience` seconds. Raises CannotRun if it cannot.
    """
    import asyncio
    import tempfile

    from .plots.runs import CannotRun, in_words
    from .plots.sweep import Point

    with tempfile.TemporaryFile() as said:
        command = [sys.executable, *(program or ("-P", __file__)), way, str(size), str(seconds)]
        try:
            process = _started(command, said)
        except OSError as error:
            raise CannotRun(in_words(error)) from error
        try:
            end = time.monotonic() + patience
            while process.poll() is None:
                if time.monotonic() > end:
                    return Point(())
                await asyncio.sleep(0.01)
        finally:
            _kill(process)
        said.seek(0)
        lines = said.read().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise CannotRun(f"its process ended with code {process.returncode}") from None
    if "cannot" in found:
        raise CannotRun(found["cannot"])
    return Point((found["seconds"],), None, found["memory"])


def _started(command: list[str], output: Any) -> Any:
    import subprocess

    null = subprocess.DEVNULL  # in a session of its own: an interrupt is for us, who then end all that it started
    return subprocess.Popen(command, stdin=null, stdout=output, stderr=null, start_new_session=True)


def _kill(process: Any) -> None:
    """End a process, and all that it started."""
    import contextlib
    import signal

    if process.poll() is None:
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()  # what it started ends with it, when the pipes break
        process.wait()


# ---- what the process does


def resident(pid: int | None = None, *, own: bool = False) -> int:
    """Return the bytes of memory that a process holds; with `own`, without what it shares with others."""
    import psutil

    process = psutil.Process(pid)
    try:
        return process.memory_full_info().uss if own else process.memory_info().rss
    except psutil.AccessDenied:
        return process.memory_info().rss


def _sequential(size: int, seconds: float, started: list) -> tuple[float, int]:
    base, began = resident(), time.perf_counter()
    for _ in range(size):
        time.sleep(seconds)
    return time.perf_counter() - began, resident() - base


def _threads(size: int, seconds: float, started: list) -> tuple[float, int]:
    from queue import SimpleQueue
    from threading import Lock, Thread

    ended, gate = SimpleQueue(), Lock()

    def wait() -> None:
        time.sleep(seconds)
        ended.put(None)
        gate.acquire()  # stays until it was counted, as one that waits longer would

    gate.acquire()
    base, began = resident(), time.perf_counter()
    for _ in range(size):
        thread = Thread(target=wait, daemon=True)
        thread.start()
        started.append(thread)
    for _ in started:
        ended.get()
    return time.perf_counter() - began, resident() - base


def _asyncio(size: int, seconds: float, started: list) -> tuple[float, int]:
    import asyncio

    async def main() -> tuple[float, int]:
        await asyncio.sleep(0.001)
        base, began = resident(), time.perf_counter()
        started.extend(asyncio.create_task(asyncio.sleep(seconds)) for _ in range(size))
        await asyncio.sleep(0)  # now all of them wait
        held = resident() - base
        await asyncio.gather(*started)
        return time.perf_counter() - began, held

    return asyncio.run(main())


def _processes(size: int, seconds: float, started: list) -> tuple[float, int]:
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # whatever the default is: a new interpreter for each
    ours = []
    began = time.perf_counter()
    try:
        for _ in range(size):
            here, there = context.Pipe()
            process = context.Process(target=_wait, args=(there, seconds))
            process.start()
            there.close()
            started.append(process)
            ours.append(here)
        for here in ours:
            here.recv_bytes()
        taken = time.perf_counter() - began
        return taken, sum(resident(process.pid, own=True) for process in started)
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join()


def _wait(pipe: Any, seconds: float) -> None:
    """Wait, say so, and stay until the other end is closed, or this process is ended."""
    time.sleep(seconds)
    try:
        pipe.send_bytes(b".")
        pipe.recv_bytes()
    except (EOFError, OSError):
        return


def report(measure: Callable, what: str, size: str, seconds: str) -> None:
    """Print what `measure(size, seconds, started)` returns, or how many it had started when it failed; then exit."""
    started: list = []
    try:
        taken, held = measure(int(size), float(seconds), started)
        found = {"seconds": taken, "memory": max(held, 4096)}  # a page: memory is not counted more finely
    except (OSError, MemoryError, RuntimeError):
        found = {"cannot": f"cannot start more than {len(started):,} {what} here"}
    print(json.dumps(found), flush=True)
    os._exit(0)  # ten thousand threads take their time to end


if __name__ == "__main__":
    _way, *_numbers = sys.argv[1:]
    report(globals()[f"_{_way}"], WAYS[_way], *_numbers)
