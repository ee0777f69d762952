"""`await compare(…)`: variants of one piece of work side by side, each run several times, and every run shown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from ..page import style
from ..page.html import bundle, image
from ..page.numbers import duration, ratio
from ..page.table import shorten, table
from ..tracing import guess as guessing
from ..tracing.guess import Guessed, below, checked_guess, in_words, not_found
from .runs import CannotRun, Progress, Runs, check_seconds, checked_variants, enter, look_up, run_once, told

_TEXT = {"size": 10, "va": "center", "annotation_clip": False, "parse_math": False}
_OVER = {"fc": "white", "ec": "none", "pad": 0.2}  # of what is written over an outline


async def compare(
    title: str,
    variants: Mapping[str, Callable[[], Any]],
    *,
    repeats: int = 3,
    ideal: float | None = None,
    guess: Mapping[str, object] | None = None,
    guess_by: str = "",
) -> Comparison:
    """Run each of `variants` `repeats` times and return the times, with ratios against the first variant.

    The variants take turns, so that a machine that slows down meanwhile slows them all. What a function returns is
    awaited if it can be. A variant that is a context manager too (such as `work.processes`) is entered before the
    clock starts and left at the end, whatever happens. `ideal` is the best time possible in seconds, if one is known.
    `guess` says how many seconds each variant will take, or `...`: it is drawn over what was measured. It is called
    the learner's, or, with `guess_by="the formula"`, what the formula predicted.
    Garbage is collected before each run; during the measurement the collector ignores all that existed before it.

    Meant for runs from a tenth of a millisecond to minutes: for less, let the variant repeat its work itself.
    A variant for which this machine has no room (no thread, process or memory for it) is not measured: the result
    says why, and its times and ratios are nan.
    Raises ValueError or TypeError if an argument makes no sense, and RuntimeError, caused by the variant's own
    error, if a variant fails. An interrupt or a cancellation passes through as it is.
    """
    variants = checked_variants(variants)
    _check_repeats(repeats)
    if ideal is not None:
        check_seconds("ideal", ideal)
    guessed = _check_guess(guess, variants)
    times: dict[str, list[float]] = {name: [] for name in variants}
    values = {}
    with Progress(title) as progress, ExitStack() as started:
        unmeasured = enter(variants, started)
        for turn, (name, function) in itertools.product(range(1, repeats + 1), variants.items()):
            if name in unmeasured:
                continue
            progress.show(f"{name}, run {turn} of {repeats}", (turn - 1) / repeats)
            try:
                seconds, values[name] = await run_once(f'variant "{name}" failed in run {turn} of {repeats}', function)
                times[name].append(seconds)
            except CannotRun as why:
                unmeasured[name], times[name] = str(why), []
    measured = {name: Runs(tuple(times[name]), values.get(name)) for name in variants}
    return Comparison(title, measured, ideal, guessed, guess_by, unmeasured)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` measured. As the last expression of a cell it shows a figure and a table.

    `result["name"]` holds the `Runs` of a variant; `names` are in the order given.
    """

    title: str
    measured: dict[str, Runs]
    ideal: float | None = None
    guess: dict[str, float] = field(default_factory=dict)  # seconds, of the variants that were guessed
    guess_by: str = ""  # whose guess it is, if not the learner's
    unmeasured: dict[str, str] = field(default_factory=dict)  # why, of the variants that this machine could not run

    @property
    def names(self) -> list[str]:
        return list(self.measured)

    def __getitem__(self, name: str) -> Runs:
        return look_up(self.measured, name)

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
        first, count = self.names[0], self._count
        header = ["variant", "median", "fastest", "slowest", "as fast", "at least", "at most"]
        rows = []
        for name in self.names:
            runs, least_and_most = self[name], self.ratio_range(name) if name != first else (1.0, 1.0)
            times = [duration(t) for t in (runs.median, runs.fastest, runs.slowest)]
            rows.append([name, *times, *map(ratio, (self.ratio(name), *least_and_most))])
            if not runs.runs:
                rows[-1][1:] = ["not measured", *["–"] * 5]
        notes = [
            f'{count} runs each, by turns. "as fast": the median of "{first}" over this median, so above 1x is faster;',
            "at least and at most, from the fastest and slowest runs. If 1x lies between these two, the ranges overlap",
            "and the runs do not tell which is faster.",
        ]
        if self.ideal is not None:
            header.append("over ideal")
            rows = [[*row, ratio(self[row[0]].median / self.ideal) if self[row[0]].runs else "–"] for row in rows]
            notes.append(f"ideal: {duration(self.ideal)}; over ideal: the median over that.")
        return "\n".join([table(header, rows, self.title), "", *notes, *self._in_words()])

    def _in_words(self) -> list[str]:
        """Return what is said below the figure."""
        unmeasured = [told(name, "", why) for name, why in self.unmeasured.items()]
        rows = [Guessed(name, seconds, self[name].median) for name, seconds in self.guess.items() if self[name].runs]
        if not rows:
            return unmeasured
        if not self.guess_by:
            return [*unmeasured, in_words(rows, self._length, "took {} more", "took {} less")]
        said = [f"{shorten(name)} {duration(end)} for {guessing.time(guess)}" for name, guess, end in rows]
        return [*unmeasured, f"Measured, for what {self.guess_by} predicted: {', '.join(said)}."]

    @property
    def _length(self) -> float:
        return max([self[name].slowest for name in self.names if self[name].runs] + [self.ideal or 0]) or 1.0

    @property
    def _count(self) -> int:
        return max(len(self[name].runs) for name in self.names)

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        first, count = self.names[0], self._count
        said = [f'"{self.title}": bars of running time, the median of {count} runs each, with every run as a mark.']
        for name in self.names:
            runs = self[name]
            if not runs.runs:
                continue
            low, high = duration(runs.fastest), duration(runs.slowest)
            said.append(f"{name}: {duration(runs.median)}, between {low} and {high}")
            if name != first and self[first].runs:
                least, most = map(ratio, self.ratio_range(name))
                said[-1] += f"; {ratio(self.ratio(name))} as fast as {first}, between {least} and {most}"
            said[-1] += "."
        if self.ideal is not None:
            said.append(f"A dashed line marks the ideal, {duration(self.ideal)}.")
        return " ".join(said + self._in_words())

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_comparison(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()) + below(self._in_words()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        medians = ", ".join(f"{name} {duration(self[name].median)}" for name in self.names)
        return f"<Comparison {self.title!r}: {medians}>"


def _check_repeats(repeats: int) -> None:
    if not isinstance(repeats, int) or repeats < 2:
        raise ValueError(f"repeats must be a whole number of at least 2, not {repeats!r}: one run proves nothing")


def _check_guess(guess: Mapping[str, object] | None, variants: Mapping[str, Any]) -> dict[str, float]:
    seconds = checked_guess(guess)
    unknown = [name for name in guess if name not in variants] if isinstance(guess, Mapping) else []
    if unknown:
        raise ValueError(not_found(unknown, list(variants), "variant"))
    return seconds


def draw_comparison(result: Comparison) -> Figure:
    """Draw a row for each variant: a bar to its median, a mark for each run, the range, and the numbers at its end."""
    with style.applied():
        return _bars(result)


def _bars(result: Comparison) -> Figure:
    names, first, guess = result.names, result.names[0], result.guess
    end = guessing.room_for(result._length, guess.values())
    said = "predicted" if result.guess_by else "your guess"
    beyond = {name for name, seconds in guess.items() if seconds > end}
    overlapping = {name for pair in result.overlaps if first in pair for name in pair} - {first}
    numbers = {
        name: [
            duration(result[name].median),
            "   = 1x" if name == first else f"   {_against_the_first(result.ratio(name))}",
            "   but the runs do not tell" if name in overlapping else "",
            f"   → {said} {guessing.time(guess[name])}" if name in beyond else "",
        ]
        if result[name].runs
        else ["not measured", f"   {shorten(result.unmeasured.get(name, ''), 60)}", "", ""]
        for name in names
    }
    left = 0.3 + max(style.text_width(shorten(name), 10) for name in names)
    # The axis is as long as it can be while the numbers at the end of every bar still fit on the page.
    known = [name for name in names if result[name].runs]
    ends = ((style.text_width("".join(numbers[name]), 10.4) + 0.25, end / result[name].slowest) for name in known)
    length = min([style.WIDTH - left - 0.6] + [(style.WIDTH - left - width) * share for width, share in ends])
    bottom, top = 0.62, 0.42 if result.ideal is None else 0.66
    fig = style.figure(height=bottom + top + 0.48 * len(names))
    ax = style.inches(fig, left, bottom, style.WIDTH - left - length, top)
    style.title(fig, result.title)
    for row, name in enumerate(names):
        if name in known:
            _bar(ax, row, result[name])
        ax.annotate(shorten(name), (0, row), (8 - left * 72, 0), textcoords="offset points", **_TEXT)
        look = _TEXT | ({"bbox": _OVER} if name in guess else {})
        at = (result[name].slowest if name in known else 0, row)
        text = ax.annotate(numbers[name][0], at, (9, 0), textcoords="offset points", weight="bold", **look)
        for more, color in zip(numbers[name][1:], (style.INK, style.FAINT, style.INK), strict=True):
            text = ax.annotate(more, (1, 0.5), xycoords=text, color=color, **(look if more else _TEXT))
    ax.set_xlim(0, end)
    for name, seconds in guess.items():
        guessing.outline(ax, 0, seconds, names.index(name), 0.76, zorder=2.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks([])
    ax.grid(axis="x", color=style.GRID, lw=0.8)
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    dashed = f"; dashed: {said}" if guess else ""
    legend = f"running time (bar: median of {result._count} runs; mark: one run; line: fastest to slowest{dashed})"
    ax.set_xlabel(legend, loc="left")
    if result.ideal is not None:
        ax.axvline(result.ideal, color=style.INK, lw=1.3, ls=(0, (4, 3)), zorder=4)
        ideal = f"ideal {duration(result.ideal)}"
        ax.annotate(ideal, (result.ideal, 1), (0, 3), ("data", "axes fraction"), "offset points", ha="center")
    return fig


def _against_the_first(times_as_fast: float) -> str:
    if math.isnan(times_as_fast):  # the first could not be run
        return ""
    if times_as_fast > 0.995:  # 1.00x slower would be none
        return f"{ratio(times_as_fast)} as fast"
    return f"{ratio(1 / times_as_fast)} slower"


def _bar(ax: Axes, row: int, runs: Runs) -> None:
    color, marker = style.CYCLE[row % 6], style.MARKERS[row % 6]
    ax.barh(row, runs.median, 0.56, color=[0.65 + 0.35 * part for part in to_rgb(color)])
    ax.plot([runs.median] * 2, [row - 0.28, row + 0.28], color=color, lw=2.5, solid_capstyle="butt")
    ax.plot([runs.fastest, runs.slowest], [row, row], color=style.INK, lw=1.2, marker="|", ms=7, clip_on=False)
    step = 0.32 / (len(runs.runs) - 1)  # the runs one below the other, in the order they were made
    heights = [row - 0.16 + step * k for k in range(len(runs.runs))]
    ax.plot(runs.runs, heights, marker, color=color, ms=6, mec="white", mew=0.7, clip_on=False, zorder=5)
