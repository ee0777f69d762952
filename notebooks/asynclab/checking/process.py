"""The process that tries learners' functions: kept warm, spoken to without blocking, killed when it does not answer."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from . import child, verdicts
from .child import receive, send
from .trial import Verdict
from .worlds import OUT_OF_MEMORY

_PATIENCE = 60.0  # seconds for a whole check; the process itself has less patience with a single world
_IDLE = 1  # processes that are kept warm, of some 40 MB each

# The folder of the notebooks comes last: a learner's random.py there takes no module's place.
_PROGRAM = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); from {__package__}.child import main; main()"
)

_idle: list[Process] = []  # warm, and waiting for a request
_lock = threading.Lock()


async def ask(request: dict[str, Any]) -> Verdict:
    """Have a request answered in another process, and return the verdict. The event loop runs on meanwhile.

    Cancelling it ends the process at once.
    """
    process, is_kept = _take(), False
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await process.exchange(pickle.dumps(request))
    except TimeoutError:
        return Verdict(f"Your function was still being checked after {_PATIENCE:g} seconds. Let it do less.")
    else:
        if answer is None:
            return Verdict(process.last_words(request["sources"]))
        try:
            verdict = verdicts.read(answer)
        except Exception:
            return Verdict("Your function meddles with the answer of its check. Use plain functions and plain values.")
        is_kept = not verdict.spoiled and _keep(process)
        return verdict
    finally:
        if not is_kept:
            process.end()
            if not _idle and not _keep(spare := Process()):  # the next check finds a warm one
                spare.end()


class Process:
    """One process. It costs about 0.2 seconds to start, and nothing while it waits."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": ""},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def exchange(self, request: bytes) -> asyncio.Future[bytes | None]:
        """Send a request; the future has the answer, or None if the process ended without one."""
        loop = asyncio.get_running_loop()
        answered = loop.create_future()

        def set_result(answer: bytes | None) -> None:
            if not answered.done():
                answered.set_result(answer)

        def talk() -> None:
            try:
                send(self._process.stdin, request)
                answer = receive(self._process.stdout)
            except (OSError, ValueError):  # it has ended, or was ended
                answer = None
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any longer
                loop.call_soon_threadsafe(set_result, answer)

        self._thread = threading.Thread(target=talk, name="asyncio-guide-check", daemon=True)
        self._thread.start()
        return answered

    def is_alive(self) -> bool:
        """Return whether it can be asked."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        if thread := getattr(self, "_thread", None):
            thread.join()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):  # what was not yet written
                file.close()

    def last_words(self, sources: dict[str, str]) -> str:
        """Return why it ended, as its error output and its exit code tell."""
        code = self._process.wait()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        place = ""
        for file, number in re.findall(r'File "(.*)", line (\d+) in', text):
            if file in sources:
                lines = sources[file].splitlines()
                place = f", line {number}"
                if int(number) <= len(lines):
                    place += f" “{lines[int(number) - 1].strip()}”"
                break
        if "Timeout (" in text and "in let_threads_work" in text:
            return (
                f"Threads of your function were still at work after 2 seconds{place}. Check what each of them waits "
                "for, and that it comes to an end. (A check cannot follow the pools of `multiprocessing`: use "
                "`asyncio.to_thread`, or a `ThreadPoolExecutor`.)"
            )
        if "Timeout (" in text:
            return (
                f"Your function held the event loop until it was stopped after 2 seconds{place}. "
                "Await whatever waits, so that others get their turn, and check what ends its loops."
            )
        if code == child.OUT_OF_MEMORY or "MemoryError" in text:
            return OUT_OF_MEMORY
        if "Fatal Python error" in text or code < 0:
            return f"Your function ended Python itself (exit code {code}){place}. Look at what it calls there."
        return f"Your function ended the process it ran in (exit code {code}). Return a value instead."


def _take() -> Process:
    while True:
        with _lock:
            process = _idle.pop() if _idle else None
        if process is None:
            return Process()
        if process.is_alive():
            return process
        process.end()


def _keep(process: Process) -> bool:
    """Keep a process for the next check; return False if there are enough."""
    with _lock:
        if len(_idle) >= _IDLE:
            return False
        _idle.append(process)
        return True


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
