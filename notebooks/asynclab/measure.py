"""Measure variants of one piece of work side by side, each several times, and show every run.

`compare` measures functions of no arguments; `sweep` measures functions of a size, over growing sizes. Both take
plain functions and coroutine functions in any mix, and both are awaited inside the running loop. A plain function
blocks the loop while it runs: that is what it would do in a program. All times are wall times in seconds.
"""

from __future__ import annotations

import asyncio
import gc
import html
import inspect
import itertools
import math
import signal
import statistics
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure

from .charts import draw_comparison, draw_sweep
from .page import numbers
from .page.html import bundle, image
from .page.table import table

_MOST_RUNS = 5  # of one point of a sweep: more would refine what is read from a logarithmic scale


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


@dataclass(frozen=True)
class Point(Runs):
    """The runs of one variant at one size (none beyond the budget), and its peak memory in bytes.

    The memory is nan if it was not asked for or the size was spared.
    """

    memory: float = math.nan


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` measured. As the last expression of a cell it shows a figure and a table.

    `result["name"]` holds the `Runs` of a variant; `names` are in the order given.
    """

    title: str
    measured: dict[str, Runs]
    ideal: float | None = None

    @property
    def names(self) -> list[str]:
        return list(self.measured)

    def __getitem__(self, name: str) -> Runs:
        return _look_up(self.measured, name)

    def ratio(self, name: str, against: str | None = None) -> float:
        """Return how many times as fast as `against` (without it, the first) `name` is: above 1 is faster."""
        return self[against or self.names[0]].median / self[name].median

    def ratio_range(self, name: str, against: str | None = None) -> tuple[float, float]:
        """Return the least and the greatest ratio that single runs would give: 1 in between means no telling."""
        base, runs = self[against or self.names[0]], self[name]
        return base.fastest / runs.slowest, base.slowest / runs.fastest

    @property
    def overlaps(self) -> list[tuple[str, str]]:
        """The pairs of variants whose ranges overlap: the runs do not tell which of the two is faster."""
        pairs = itertools.combinations(self.names, 2)
        return [(a, b) for a, b in pairs if self[a].fastest <= self[b].slowest and self[b].fastest <= self[a].slowest]

    def text(self) -> str:
        """Return the table. Its words do not depend on the times, so that two measurements differ in numbers only."""
        first, count = self.names[0], len(self[self.names[0]].runs)
        header = ["variant", "median", "fastest", "slowest", "as fast", "at least", "at most"]
        rows = []
        for name in self.names:
            runs, least_and_most = self[name], self.ratio_range(name) if name != first else (1.0, 1.0)
            times = [numbers.duration(t) for t in (runs.median, runs.fastest, runs.slowest)]
            rows.append([name, *times, *map(numbers.ratio, (self.ratio(name), *least_and_most))])
        notes = [
            f'{count} runs each, by turns. "as fast": the median of "{first}" over this median, so above 1x is faster;',
            "at least and at most, from the fastest and slowest runs. If 1x lies between these two, the ranges overlap",
            "and the runs do not tell which is faster.",
        ]
        if self.ideal is not None:
            header.append("over ideal")
            rows = [[*row, numbers.ratio(self[row[0]].median / self.ideal)] for row in rows]
            notes.append(f"ideal: {numbers.duration(self.ideal)}; over ideal: the median over that.")
        return "\n".join([table(header, rows, self.title), "", *notes])

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        first, count = self.names[0], len(self[self.names[0]].runs)
        said = [f'"{self.title}": bars of running time, the median of {count} runs each, with every run as a mark.']
        for name in self.names:
            runs = self[name]
            low, high = numbers.duration(runs.fastest), numbers.duration(runs.slowest)
            said.append(f"{name}: {numbers.duration(runs.median)}, between {low} and {high}")
            if name != first:
                least, most = map(numbers.ratio, self.ratio_range(name))
                said[-1] += f"; {numbers.ratio(self.ratio(name))} as fast as {first}, between {least} and {most}"
            said[-1] += "."
        if self.ideal is not None:
            said.append(f"A dashed line marks the ideal, {numbers.duration(self.ideal)}.")
        return " ".join(said)

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_comparison(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        medians = ", ".join(f"{name} {numbers.duration(self[name].median)}" for name in self.names)
        return f"<Comparison {self.title!r}: {medians}>"


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What `sweep` measured. As the last expression of a cell it shows a figure and a table.

    `result["name"][1000]` holds the `Point` of a variant at that size; `names` and `sizes` are in the order given.
    """

    title: str
    measured: dict[str, dict[int, Point]]
    budget: float
    ideal: dict[int, float] | None = None
    unit: str = "N"

    @property
    def names(self) -> list[str]:
        return list(self.measured)

    @property
    def sizes(self) -> list[int]:
        return list(self.measured[self.names[0]])

    @property
    def stopped(self) -> dict[str, int]:
        """The variants that were stopped, each with the first size it was spared."""
        return {
            name: next(size for size in points if not points[size].runs)
            for name, points in self.measured.items()
            if not all(point.runs for point in points.values())
        }

    def __getitem__(self, name: str) -> dict[int, Point]:
        return _look_up(self.measured, name)

    def largest(self, *names: str) -> int:
        """Return the largest size at which all of `names` (without them, all variants) were run.

        There is one, whatever the budget: the first size is run always.
        """
        chosen = [self[name] for name in names or self.names]
        return max(size for size in self.sizes if all(points[size].runs for points in chosen))

    def ratio(self, name: str, size: int | None = None, against: str | None = None, *, of: str = "median") -> float:
        """Return how many times as fast as `against` (without it, the first) `name` is: above 1 is faster.

        With `of="memory"`, how many times less memory it needs. Compared is the largest size at which both were run,
        or `size`; nan if one of them was not run at that one.
        """
        against = against or self.names[0]
        size = self.largest(name, against) if size is None else size
        return getattr(self[against][size], of) / getattr(self[name][size], of)

    def expected(self, name: str, size: int) -> float:
        """Return the seconds that a run takes at `size`: the median, or, where it was not run, what growth predicts."""
        return _estimate(self[name], size, "median")

    def text(self) -> str:
        """Return the table. Its words do not depend on the times, so that two measurements differ in numbers only."""
        rows = [self._row(name, size) for size in self.sizes for name in self.names]
        notes = [
            f"runs: how many a point rests on, at most {_MOST_RUNS}, made by turns. 0x: not run, because one run would",
            f"take more than the budget of {numbers.duration(self.budget)}; its numbers are what growth predicts.",
        ]
        if self.ideal is not None:
            notes.append("over ideal: the median over the ideal time at that size.")
        if self.has_memory:
            notes.append("memory: the most that Python held at once in this process, for this run alone.")
        header = [self.unit if name == "N" else name for name in rows[0]]
        return "\n".join([table(header, [list(row.values()) for row in rows], self.title), "", *notes])

    def _row(self, name: str, size: int) -> dict[str, str]:
        runs, median = self[name][size].runs, self.expected(name, size)
        row = {"variant": name, "N": f"{size:,}", "median": numbers.duration(median)}
        row["fastest"], row["slowest"] = (numbers.duration(pick(runs, default=median)) for pick in (min, max))
        row["runs"] = f"{len(runs)}x"
        if self.ideal is not None:
            row["over ideal"] = numbers.ratio(median / self.ideal[size])
        if self.has_memory:
            row["memory"] = numbers.size(_estimate(self[name], size, "memory"))
        return row

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        said = [f'"{self.title}": lines of running time against {self.unit}, both scales logarithmic.']
        for name in self.names:
            ends = (self._row(name, size) for size in (self.sizes[0], self.sizes[-1]))
            facts = [
                f"{row['median']} (on {row['runs']} runs{', ' + row['memory'] if self.has_memory else ''}) "
                f"at {self.unit} = {row['N']}"
                for row in ends
            ]
            said.append(f"{name}: {', '.join(facts)}.")
        budget = numbers.duration(self.budget)
        said.append(f"On 0x runs: not run but predicted, because it would exceed the budget of {budget}.")
        if self.ideal is not None:
            first, last = (numbers.duration(self.ideal[size]) for size in (self.sizes[0], self.sizes[-1]))
            said.append(f"A dashed line marks the ideal, {first} at the first size and {last} at the last.")
        if self.has_memory:
            said.append("A second panel shows the peak memory.")
        return " ".join(said)

    @property
    def has_memory(self) -> bool:
        """Whether peak memory was measured."""
        return not math.isnan(self[self.names[0]][self.sizes[0]].memory)

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_sweep(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Sweep {self.title!r}: {', '.join(self.names)} at {self.unit} = {', '.join(map(str, self.sizes))}>"


async def compare(
    title: str, variants: Mapping[str, Callable[[], Any]], *, repeats: int = 3, ideal: float | None = None
) -> Comparison:
    """Run each of `variants` `repeats` times and return the times, with ratios against the first variant.

    The variants take turns, so that a machine that slows down meanwhile slows them all. What a function returns is
    awaited if it can be. A variant that is a context manager too (such as `work.processes`) is entered before the
    clock starts and left at the end, whatever happens. `ideal` is the best time possible in seconds, if one is known.
    Garbage is collected before each run; during the measurement the collector ignores all that existed before it.

    Meant for runs from a tenth of a millisecond to minutes: for less, let the variant repeat its work itself.
    Raises ValueError or TypeError if an argument makes no sense, and RuntimeError, caused by the variant's own
    error, if a variant fails. An interrupt or a cancellation passes through as it is.
    """
    variants = _checked(variants)
    _check_repeats(repeats)
    if ideal is not None:
        _check_seconds("ideal", ideal)
    times: dict[str, list[float]] = {name: [] for name in variants}
    values = {}
    with _Progress(title) as progress, ExitStack() as started:
        _start(variants, started)
        for turn, (name, function) in itertools.product(range(1, repeats + 1), variants.items()):
            progress.show(f"{name}, run {turn} of {repeats}", (turn - 1) / repeats)
            seconds, values[name] = await _run(f'variant "{name}" failed in run {turn} of {repeats}', function)
            times[name].append(seconds)
    return Comparison(title, {name: Runs(tuple(times[name]), values[name]) for name in variants}, ideal)


async def sweep(
    title: str,
    variants: Mapping[str, Callable[[int], Any]],
    sizes: Iterable[int],
    *,
    memory: bool = False,
    budget: float = 2.0,
    ideal: Callable[[int], float] | None = None,
    unit: str = "N",
) -> Sweep:
    """Run each of `variants`, functions of a size, over growing `sizes`, and return the times.

    `budget` is the time in seconds for the runs of one variant at one size. A point is the median of at most 5
    runs: as many as the budget allows, at least 2, or 1 if that alone exceeds it. A variant whose next run would
    exceed the budget, if it keeps growing as it did between its last two sizes, is stopped there.
    `memory` adds the peak of what Python allocates in this process during one run more, in bytes (stacks of threads
    and other processes are not in it). `ideal` gives the best time possible in seconds for a size. `unit` says what
    a size counts. Otherwise as `compare`, with the same errors.
    """
    variants, sizes = _checked(variants), _checked_sizes(sizes)
    _check_seconds("budget", budget)
    if ideal is not None and not callable(ideal):
        raise TypeError(f"ideal must be a function of the size that returns seconds, not {ideal!r}")
    best = None if ideal is None else {size: ideal(size) for size in sizes}
    for size, seconds in (best or {}).items():
        _check_seconds(f"ideal({size})", seconds)
    measured: dict[str, dict[int, Point]] = {name: {} for name in variants}
    with _Progress(title) as progress, ExitStack() as started:
        _start(variants, started)
        for index, size in enumerate(sizes):
            where, share = f"{unit} = {size:,}", index / len(sizes)
            going = {n: f for n, f in variants.items() if _within(budget, measured[n], size)}
            times: dict[str, list[float]] = {name: [] for name in variants}
            values: dict[str, Any] = dict.fromkeys(variants)
            for turn, (name, function) in itertools.product(range(1, _MOST_RUNS + 1), going.items()):
                if not _enough(times[name], budget):
                    progress.show(f"{name}, {where}, run {turn}", share)
                    failed = f'variant "{name}" failed at {where}, run {turn}'
                    seconds, values[name] = await _run(failed, function, size)
                    times[name].append(seconds)
            for name, points in measured.items():
                peak = math.nan
                if memory and name in going:
                    progress.show(f"{name}, {where}, memory", share)
                    peak = await _peak(f'variant "{name}" failed at {where}, measuring memory', going[name], size)
                points[size] = Point(tuple(times[name]), values[name], peak)
    return Sweep(title, measured, budget, best, unit)


def _enough(runs: Sequence[float], budget: float) -> bool:
    if len(runs) < 2:
        return bool(runs) and runs[0] > budget
    return sum(runs) + runs[-1] > budget


def _within(budget: float, points: dict[int, Point], size: int) -> bool:
    """Say whether a run at `size` may be expected to stay within `budget`; at the first size nothing is known yet."""
    return not points or _estimate(points, size, "median") <= budget


def _estimate(points: Mapping[int, Point], size: int, what: str) -> float:
    """Return `what` ("median" or "memory") measured at `size`, else extended as a power from the last two measured."""
    known = {n: getattr(point, what) for n, point in points.items() if point.runs}
    if size in known:
        return known[size]
    (n, value), *before = list(known.items())[:-3:-1]
    power = 1.0
    if before and min(value, before[0][1]) > 0:
        power = max(0.0, math.log(value / before[0][1]) / math.log(n / before[0][0]))
    return value * math.exp(min(power * math.log(size / n), 20.0))  # a number that still fits its column


async def _run(failed: str, function: Callable, *args: int) -> tuple[float, Any]:
    """Return the seconds that a run took and what it returned; an error becomes a RuntimeError that begins `failed`."""
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
        raise RuntimeError(f"{failed}: {type(error).__name__}: {error}") from error
    return seconds, value


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


async def _peak(failed: str, function: Callable, size: int) -> int:
    """Return the most bytes that Python held at once during a run of its own, beyond what it held before."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        gc.collect()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        await _run(failed, function, size)
        return max(1, tracemalloc.get_traced_memory()[1] - held)  # a logarithmic scale has no place for 0
    finally:
        if not tracing:
            tracemalloc.stop()


def _start(variants: Mapping[str, Callable], started: ExitStack) -> None:
    """Enter the variants that are context managers, and set aside all objects there are until `started` is left.

    What a notebook has accumulated is then neither searched between runs (which takes 30 ms and more) nor in them.
    """
    for name, function in variants.items():
        if isinstance(function, AbstractContextManager):
            try:
                started.enter_context(function)
            except Exception as error:
                message = f'variant "{name}" could not be started: {type(error).__name__}: {error}'
                raise RuntimeError(message) from error
    gc.collect()
    started.callback(gc.unfreeze)
    gc.freeze()


class _Progress:
    """A progress bar in a notebook, and nothing anywhere else.

    The cell is to store nothing of it: nbclient keeps the last state of a display and nbval compares the first,
    so both are empty.
    """

    def __init__(self, title: str) -> None:
        self._label, self._handle = html.escape(f"Measuring {title}"), None

    def __enter__(self) -> _Progress:
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


def _checked(variants: Mapping[str, Callable]) -> dict[str, Callable]:
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


def _checked_sizes(sizes: Iterable[int]) -> list[int]:
    sizes = list(sizes)
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if len(sizes) < 2 or not whole or any(a >= b for a, b in itertools.pairwise(sizes)):
        raise ValueError(f"sizes must be at least two positive whole numbers, each larger than the last, not {sizes}")
    return sizes


def _check_repeats(repeats: int) -> None:
    if not isinstance(repeats, int) or repeats < 2:
        raise ValueError(f"repeats must be a whole number of at least 2, not {repeats!r}: one run proves nothing")


def _check_seconds(name: str, seconds: float) -> None:
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise ValueError(f"{name} must be a time above 0, in seconds, not {seconds!r}")


def _look_up(measured: dict[str, Any], name: str) -> Any:
    if name not in measured:
        raise KeyError(f"no variant {name!r}: there are {', '.join(measured)}")
    return measured[name]
