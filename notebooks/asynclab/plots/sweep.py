"""`await sweep(…)`: variants of one piece of work over growing sizes: how running time and memory grow."""

from __future__ import annotations

import gc
import itertools
import math
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator
from matplotlib.transforms import Affine2D

from ..page import numbers, style
from ..page.html import bundle, image
from ..page.table import shorten, table
from ..tracing.guess import below
from .runs import CannotRun, Progress, Runs, check_seconds, checked_variants, enter, look_up, run_once, told

_MOST_RUNS = 5  # of one point of a sweep: more would refine what is read from a logarithmic scale


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
    a size counts. Otherwise as `compare`, with the same errors; a variant for which this machine has no room is
    not measured from that size on.
    """
    variants, sizes = checked_variants(variants), checked_sizes(sizes)
    check_seconds("budget", budget)
    if ideal is not None and not callable(ideal):
        raise TypeError(f"ideal must be a function of the size that returns seconds, not {ideal!r}")
    best = None if ideal is None else {size: ideal(size) for size in sizes}
    for size, seconds in (best or {}).items():
        check_seconds(f"ideal({size})", seconds)
    measured: dict[str, dict[int, Point]] = {name: {} for name in variants}
    with Progress(title) as progress, ExitStack() as started:
        unmeasured = enter(variants, started)
        for index, size in enumerate(sizes):
            where, share = f"{unit} = {size:,}", index / len(sizes)
            able = {n: f for n, f in variants.items() if n not in unmeasured}
            going = {n: f for n, f in able.items() if within(budget, measured[n], size)}
            times: dict[str, list[float]] = {name: [] for name in variants}
            values: dict[str, Any] = dict.fromkeys(variants)
            for turn, (name, function) in itertools.product(range(1, _MOST_RUNS + 1), going.items()):
                if name in unmeasured or _enough(times[name], budget):
                    continue
                progress.show(f"{name}, {where}, run {turn}", share)
                failed = f'variant "{name}" failed at {where}, run {turn}'
                try:
                    seconds, values[name] = await run_once(failed, function, size)
                    times[name].append(seconds)
                except CannotRun as why:
                    unmeasured[name], times[name] = str(why), []
            for name, points in measured.items():
                peak = math.nan
                if memory and times[name]:
                    progress.show(f"{name}, {where}, memory", share)
                    failed = f'variant "{name}" failed at {where}, measuring memory'
                    try:
                        peak = await _peak(failed, going[name], size)
                    except CannotRun as why:
                        unmeasured[name], times[name] = str(why), []
                points[size] = Point(tuple(times[name]), values[name], peak)
    return Sweep(title, measured, budget, best, unit, unmeasured)


@dataclass(frozen=True)
class Point(Runs):
    """The runs of one variant at one size (none beyond the budget), and its peak memory in bytes.

    The memory is nan if it was not asked for or the size was spared.
    """

    memory: float = math.nan


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
    unmeasured: dict[str, str] = field(default_factory=dict)  # why, of those that could not be run from a size on
    memory_is: str = "the most that Python held at once in this process, for this run alone"

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
        return look_up(self.measured, name)

    def largest(self, *names: str) -> int:
        """Return the largest size at which all of `names` (without them, all variants) were run.

        There is one, whatever the budget: the first size is run always, unless the machine could not run one of them
        at all, which does not count here.
        """
        chosen = [self[name] for name in names or self.names if self[name][self.sizes[0]].runs]
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
        return estimate(self[name], size, "median")

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
            notes.append(f"memory: {self.memory_is}.")
        header = [self.unit if name == "N" else name for name in rows[0]]
        return "\n".join([table(header, [list(row.values()) for row in rows], self.title), "", *notes, *self._told()])

    def _told(self) -> list[str]:
        """Return a sentence for each variant that this machine could not run."""
        return [
            told(name, f" from {self.unit} = {self.stopped[name]:,} on", why) for name, why in self.unmeasured.items()
        ]

    def _row(self, name: str, size: int) -> dict[str, str]:
        runs, median = self[name][size].runs, self.expected(name, size)
        row = {"variant": name, "N": f"{size:,}", "median": numbers.duration(median)}
        row["fastest"], row["slowest"] = (numbers.duration(pick(runs, default=median)) for pick in (min, max))
        row["runs"] = f"{len(runs)}x"
        if self.ideal is not None:
            row["over ideal"] = numbers.ratio(median / self.ideal[size])
        if self.has_memory:
            row["memory"] = numbers.size(estimate(self[name], size, "memory"))
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
        return " ".join(said + self._told())

    @property
    def has_memory(self) -> bool:
        """Whether peak memory was measured."""
        return any(not math.isnan(self[name][self.sizes[0]].memory) for name in self.names)

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_sweep(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()) + below(self._told()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Sweep {self.title!r}: {', '.join(self.names)} at {self.unit} = {', '.join(map(str, self.sizes))}>"


def _enough(runs: Sequence[float], budget: float) -> bool:
    if len(runs) < 2:
        return bool(runs) and runs[0] > budget
    return sum(runs) + runs[-1] > budget


def within(budget: float, points: dict[int, Point], size: int) -> bool:
    """Say whether a run at `size` may be expected to stay within `budget`; at the first size nothing is known yet."""
    return not points or estimate(points, size, "median") <= budget


def estimate(points: Mapping[int, Point], size: int, what: str) -> float:
    """Return `what` ("median" or "memory") measured at `size`, else extended as a power from the last two measured."""
    known = {n: value for n, point in points.items() if not math.isnan(value := getattr(point, what))}
    if size in known or not known:
        return known.get(size, math.nan)
    (n, value), *before = list(known.items())[:-3:-1]
    power = 1.0
    if before and min(value, before[0][1]) > 0:
        power = max(0.0, math.log(value / before[0][1]) / math.log(n / before[0][0]))
    return value * math.exp(min(power * math.log(size / n), 20.0))  # a number that still fits its column


async def _peak(failed: str, function: Callable, size: int) -> int:
    """Return the most bytes that Python held at once during a run of its own, beyond what it held before."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        gc.collect()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        await run_once(failed, function, size)
        return max(1, tracemalloc.get_traced_memory()[1] - held)  # a logarithmic scale has no place for 0
    finally:
        if not tracing:
            tracemalloc.stop()


def checked_sizes(sizes: Iterable[int]) -> list[int]:
    """Return `sizes` if something can grow over them; else raise ValueError."""
    sizes = list(sizes)
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if len(sizes) < 2 or not whole or any(a >= b for a, b in itertools.pairwise(sizes)):
        raise ValueError(f"sizes must be at least two positive whole numbers, each larger than the last, not {sizes}")
    return sizes


def draw_sweep(result: Sweep) -> Figure:
    """Draw running time against size and, below it, peak memory if measured; both scales are logarithmic."""
    with style.applied():
        return _lines(result)


def _lines(result: Sweep) -> Figure:
    panels = {"median": 3.4, "memory": 2.0} if result.has_memory else {"median": 3.4}  # heights in inches
    left, right, caption, below = 0.75, 0.3, 0.2, 0.52
    right += max(style.text_width(f"{shorten(name)}  1,023 KiB", 9.5) for name in result.names)
    height = 0.4 + sum(panels.values()) + len(panels) * (caption + below)
    fig = style.figure(height=height)
    style.title(fig, result.title)
    top = 0.4
    for what, tall in panels.items():
        ax = style.inches(fig, left, height - top - caption - tall, right, top + caption)
        top += caption + tall + below
        _scales(ax, result, what)
        known = [name for name in result.names if result[name][result.sizes[0]].runs]
        ends = [_series(ax, result, name, what) for name in known]
        if what == "median":
            ends += _limits(ax, result)
        low, high = ax.get_ylim()
        ax.set_ylim(low / 1.5, high * 1.5)  # however flat the lines, a tick or two is in view
        _label_ends(ax, ends)
    ax.set_xlabel(result.unit)
    return fig


def _scales(ax: Axes, result: Sweep, what: str) -> None:
    first, last = result.sizes[0], result.sizes[-1]
    ax.set_xscale("log")
    ax.set_xlim(first * (last / first) ** -0.03, last)
    ax.set_xticks(_apart(result.sizes), labels=[f"{size:,}" for size in _apart(result.sizes)])
    if what == "median":
        caption = "running time (mark: median; upright line: fastest to slowest)"
        times = [t for name in result.names for point in result[name].values() for t in point.runs]
        ax.set_yscale("log", subs=[])
        ax.yaxis.set_major_locator(
            LogLocator(subs=[1] if max(times, default=1) > 100 * min(times, default=1) else [1, 2, 5])
        )
        ax.yaxis.set_major_formatter(EngFormatter("s"))
    else:
        caption = "peak memory"
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _round_size(y)))
    ax.minorticks_off()
    ax.grid(color=style.GRID, lw=0.8)
    ax.annotate(caption, (0, 1), (-46, 6), "axes fraction", "offset points", color=style.FAINT)


End = tuple[float, float, str, str]  # the end of a line: x, y, what to write there, the colour of the line


def _series(ax: Axes, result: Sweep, name: str, what: str) -> End:
    """Draw one variant as far as it was measured."""
    number = result.names.index(name) % 6
    color, mark = style.CYCLE[number], {"marker": style.MARKERS[number], "ms": 6.5, "mec": "white", "mew": 0.7}
    known = {size: point for size, point in result[name].items() if point.runs}
    sizes, values = list(known), [getattr(point, what) for point in known.values()]
    ax.plot(sizes, values, color=color, lw=1.8, zorder=4, clip_on=False, **mark)
    if what == "memory":
        return sizes[-1], values[-1], f"{shorten(name)}  {numbers.size(values[-1])}", color
    text = f"{shorten(name)}  {numbers.duration(values[-1])}"
    ranges = [p.fastest for p in known.values()], [p.slowest for p in known.values()]
    ax.vlines(sizes, *ranges, color=color, lw=1.2, clip_on=False)
    if name in result.stopped:
        ax.plot(sizes[-1], values[-1], "X", color=style.INK, ms=9, mec="white", zorder=6, clip_on=False)
        text += ", stopped: "
        if name in result.unmeasured:
            text += shorten(result.unmeasured[name], 50)
        else:
            text += f"next would take {numbers.duration(result.expected(name, result.stopped[name]))}"
    return sizes[-1], values[-1], text, color


def _limits(ax: Axes, result: Sweep) -> list[End]:
    """Draw the budget, if it stopped a variant, and the ideal, if there is one."""
    if result.stopped.keys() - result.unmeasured.keys():
        ax.axhline(result.budget, color=style.FAINT, lw=1, ls=":")
        budget = f"budget {numbers.duration(result.budget)}"
        ax.annotate(budget, (0, result.budget), (4, 3), ("axes fraction", "data"), "offset points", color=style.FAINT)
    if result.ideal is None:
        return []
    ax.plot(result.sizes, list(result.ideal.values()), color=style.INK, lw=1.3, ls=(0, (4, 3)), zorder=2)
    last = result.ideal[result.sizes[-1]]
    return [(result.sizes[-1], last, f"ideal  {numbers.duration(last)}", style.INK)]


def _label_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Write at the right of each end, or at its left where there is no room, no text over another.

    A text that had to move aside keeps a thin line to its end.
    """
    points = ax.transData + Affine2D().scale(72 / ax.figure.dpi)
    page = ax.figure.get_size_inches()[0] * 72
    boxes = []
    for x, y, text, color in ends:
        across, up = points.transform((x, y))
        width = style.text_width(text, 9.5) * 72
        left = across + 9 if across + 9 + width < page else across - 9 - width
        boxes.append({"left": left, "right": left + width, "y": up, "end": (x, y), "text": text, "color": color})
    boxes.sort(key=lambda box: box["y"])
    for _, (low, high) in itertools.product(range(40), itertools.combinations(boxes, 2)):
        lacking = 12 - (high["y"] - low["y"])
        if lacking > 0 and low["left"] < high["right"] and high["left"] < low["right"]:
            low["y"], high["y"] = low["y"] - lacking / 2, high["y"] + lacking / 2
    halo = [withStroke(linewidth=3, foreground="white")]
    for box in boxes:
        across, up = points.transform(box["end"])
        at_right = box["left"] > across
        x, y = points.inverted().transform((box["left" if at_right else "right"], box["y"]))
        if abs(box["y"] - up) > 3:
            ax.plot([box["end"][0], x], [box["end"][1], y], color=box["color"], lw=0.8, zorder=3, clip_on=False)
        ax.text(
            x,
            y,
            box["text"],
            ha="left" if at_right else "right",
            va="center",
            size=9.5,
            zorder=7,
            path_effects=halo,
            parse_math=False,
        )


def _apart(sizes: Sequence[int]) -> list[int]:
    """Return the sizes whose labels have room beside each other, at least the first and the last of them."""
    least = (sizes[-1] / sizes[0]) ** 0.07
    kept = [sizes[0]]
    for each in sizes[1:-1]:
        if each / kept[-1] >= least and sizes[-1] / each >= least:
            kept.append(each)
    return [*kept, sizes[-1]]


def _round_size(count: float) -> str:
    number, unit = numbers.size(count).split()
    return f"{float(number):g} {unit}"
