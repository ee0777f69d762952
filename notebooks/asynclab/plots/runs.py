"""Run the variants of one piece of work, and note how long each run took.

Variants are plain functions and coroutine functions in any mix, awaited inside the running loop. A plain function
blocks the loop while it runs: that is what it would do in a program. All times are wall times in seconds.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import html
import inspect
import math
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from IPython import get_ipython
from IPython.display import display

from ..page.table import shorten


@dataclass(frozen=True)
class Runs:
    """The runs of one variant: their times in seconds, in the order they were made, and what the last one returned."""

    runs: tuple[float, ...]
    value: Any = field(default=None, repr=False)

    @property
    def median(self) -> float:
        """The median in seconds; nan, which no comparison accepts, if there was no run."""
        return statistics.median(self.runs) if self.runs else math.nan

    @property
    def fastest(self) -> float:
        """The shortest run in seconds, nan if there was none."""
        return min(self.runs, default=math.nan)

    @property
    def slowest(self) -> float:
        """The longest run in seconds, nan if there was none."""
        return max(self.runs, default=math.nan)


class CannotRun(RuntimeError):
    """This machine has no room for a variant: no thread or process can be started, or no memory is left."""


async def run_once(failed: str, function: Callable, *args: int) -> tuple[float, Any]:
    """Return the seconds that a run took and what it returned; an error becomes a RuntimeError that begins `failed`.

    Raises CannotRun, with the error in words, if it is the machine that cannot run it.
    """
    gc.collect()  # what the run before left behind is not this one's to pay for
    for _ in range(3):  # turns for the callbacks it left behind, and for a cancellation on its way
        await asyncio.sleep(0)
    try:
        with _stoppable():
            began = time.perf_counter()
            value = function(*args)
            seconds = time.perf_counter() - began
        if inspect.isawaitable(value):
            value = await value
            seconds = time.perf_counter() - began
        if inspect.isasyncgen(value) or inspect.isgenerator(value):
            raise TypeError("it returned a generator, which has done no work yet: let it consume the generator")
    except Exception as error:
        if _lacks_room(error):
            raise CannotRun(in_words(error)) from error
        raise RuntimeError(f"{failed}: {in_words(error)}") from error
    return seconds, value


def _lacks_room(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.EAGAIN, errno.ENOMEM)
    return isinstance(error, MemoryError | BrokenExecutor) or "can't start new" in str(error)


def in_words(error: BaseException) -> str:
    """Return an error as the last line of its traceback has it."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def told(name: str, where: str, why: str) -> str:
    """Return the sentence that a variant could not be run by this machine."""
    return f"{shorten(name)} was not measured{where}: {shorten(why, 90)}."


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let an interrupt end a plain function that holds the event loop, as a cancellation would end a coroutine.

    Kernels and `asyncio.run` answer an interrupt by cancelling the running task, which a function that never
    awaits does not notice. Here they are told, and then the function is left with CancelledError.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return

    def stop(number: int, frame: Any) -> None:
        previous(number, frame)
        raise asyncio.CancelledError("interrupted")

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def enter(variants: Mapping[str, Callable], started: ExitStack) -> dict[str, str]:
    """Enter the variants that are context managers, and set aside all objects there are until `started` is left.

    What a notebook has accumulated is then neither searched between runs (which takes 30 ms and more) nor in them.
    Returns why those cannot be run that this machine cannot start, by name.
    """
    unmeasured = {}
    for name, function in variants.items():
        if isinstance(function, AbstractContextManager):
            try:
                started.enter_context(function)
            except Exception as error:
                if isinstance(error, _CANNOT_START) or _lacks_room(error):
                    unmeasured[name] = in_words(error)
                else:
                    raise RuntimeError(f'variant "{name}" could not be started: {in_words(error)}') from error
    gc.collect()
    started.callback(gc.unfreeze)
    gc.freeze()
    return unmeasured


# What the start of a pool raises where there are no processes, no semaphores, or where a worker does not come up.
_CANNOT_START = (OSError, ImportError, NotImplementedError, threading.BrokenBarrierError)


class Progress:
    """A progress bar in a notebook, and nothing anywhere else.

    The cell is to store nothing of it: nbclient keeps the last state of a display and nbval compares the first,
    so both are empty.
    """

    def __init__(self, title: str) -> None:
        self._label, self._handle = html.escape(f"Measuring {title}"), None

    def __enter__(self) -> Progress:
        if getattr(get_ipython(), "kernel", None) is not None:
            self._handle = display(_EMPTY, raw=True, display_id=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._handle is not None:
            self._handle.update(_EMPTY, raw=True)

    def show(self, text: str, share: float) -> None:
        """Say what is being run now, and the share (0 to 1) of all that is done."""
        if self._handle is not None:
            bar = f'<progress aria-label="{self._label}" value="{share:.2f}"></progress> {html.escape(text)}'
            self._handle.update({"text/html": bar, "text/plain": ""}, raw=True)


_EMPTY = {"text/html": "", "text/plain": ""}


# What is asked for must make sense before anything is run: a measurement takes time, a mistake should not.


def checked_variants(variants: Mapping[str, Callable]) -> dict[str, Callable]:
    """Return `variants` if they can be run; else raise a ValueError or TypeError that says what to give instead."""
    if not isinstance(variants, Mapping) or not variants:
        raise ValueError('nothing to measure: give the variants as {"name": function, ...}')
    called = [name for name, function in variants.items() if inspect.iscoroutine(function)]
    for name in called:
        variants[name].close()  # else Python warns, later and elsewhere, that it was never awaited
    for name, function in variants.items():
        if name in called:
            raise TypeError(
                f'variant "{name}" is a coroutine, which can run only once: give the function itself, not a call '
                f'of it, as in "{name}": {function.__name__} or "{name}": lambda: {function.__name__}(...)'
            )
        if not callable(function):
            raise TypeError(f'variant "{name}" must be a function, not {type(function).__name__}: {function!r:.60}')
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f'variant "{name}" is a generator function: wrap it in a function that consumes it')
    return dict(variants)


def check_seconds(name: str, seconds: float) -> None:
    """Raise ValueError unless `seconds` is a time above 0."""
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise ValueError(f"{name} must be a time above 0, in seconds, not {seconds!r}")


def look_up(measured: dict[str, Any], name: str) -> Any:
    """Return what was measured of the variant `name`. Raises KeyError, listing those there are."""
    if name not in measured:
        raise KeyError(f"no variant {name!r}: there are {', '.join(measured)}")
    return measured[name]
