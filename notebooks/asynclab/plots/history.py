"""`history()`: what was counted over time, as a picture and in words."""

from __future__ import annotations

import itertools
import math
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from ..page import style
from ..page.html import bundle, image
from ..page.numbers import duration
from ..page.table import shorten, table

MOST_SERIES = len(style.CYCLE)  # more would not be told apart in one picture

Point = tuple[float, float]  # a moment in seconds, and the value from then on


def at_most(value: float) -> str:
    """Return the highest of all values, such as "60 at most". It may differ from run to run, and strict nbval lets it.

    Only `duration`, `ratio`, `percent` and `size` are blanked likewise; a bare number is compared.
    """
    return f"{_number(value)} at most"


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """One or more counts over time. As the last expression of a cell it shows a figure and a table.

    `series` holds, for each name, its points: a moment in seconds and the value from then on. The value of the last
    point lasts no time: that is where the series ends.
    """

    title: str
    series: dict[str, tuple[Point, ...]]
    unit: str
    limit: float | None = None
    limit_name: str = "limit"

    @property
    def names(self) -> list[str]:
        return list(self.series)

    def __getitem__(self, name: str) -> tuple[Point, ...]:
        if name not in self.series:
            raise KeyError(f"no series {name!r}: there are {', '.join(self.series)}")
        return self.series[name]

    def highest(self, name: str) -> float:
        """Return the highest value of the series `name`."""
        return max(value for _, value in self[name])

    def reached(self, name: str) -> float:
        """Return the moment in seconds at which the series `name` first had its highest value."""
        return next(moment for moment, value in self[name] if value == self.highest(name))

    def ended(self, name: str) -> float:
        """Return the moment of the last point of the series `name`, in seconds."""
        return self[name][-1][0]

    def exceeds(self, name: str) -> bool:
        """Return whether the series `name` was ever above the limit; False if there is no limit."""
        return self.limit is not None and self.highest(name) > self.limit

    def above(self, name: str) -> float:
        """Return for how many seconds the series `name` was above the limit; 0 if there is no limit."""
        limit = math.inf if self.limit is None else self.limit
        return sum(end - start for (start, value), (end, _) in itertools.pairwise(self[name]) if value > limit)

    def peak(self, name: str) -> str:
        """Return the highest value of the series `name` as it is printed, such as "60 at most"."""
        return at_most(self.highest(name))

    @property
    def limit_label(self) -> str:
        """The limit and its name, such as "limit 10"; "" if there is none."""
        return "" if self.limit is None else f"{self.limit_name} {_number(self.limit)}"

    def text(self) -> str:
        """Return the table. Its words tell which series exceed the limit; all else that may vary is a number."""
        header, words = ["series", "highest value", "reached at", "ended at"], self.limit_label
        rows = [
            [name, self.peak(name), duration(self.reached(name)), duration(self.ended(name))] for name in self.names
        ]
        if words:
            header += ["above for", words]
            rows = [[*row, duration(self.above(row[0])), self._verdict(row[0])] for row in rows]
        return f"{table(header, rows, self.title, words=(words,))}\n\nCounted: {self.unit}."

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        each = f", one for each of {len(self.names)} series" if len(self.names) > 1 else ""
        said = [f'"{self.title}": a line of steps, {self.unit} over time{each}.']
        for name in self.names:
            words = f"{name}: {self.peak(name)}, first at {duration(self.reached(name))}"
            if self.limit is not None:
                words += f", {self._verdict(name)}"
                words += f" (for {duration(self.above(name))})" if self.exceeds(name) else ""
            said.append(f"{words}; ended at {duration(self.ended(name))}.")
        if self.limit is not None:
            said.append(f"A dashed line marks the {self.limit_label}.")
        return " ".join(said)

    def _verdict(self, name: str) -> str:
        return f"above the {self.limit_name}" if self.exceeds(name) else f"never above the {self.limit_name}"

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_history(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<History {self.title!r}: {', '.join(self.names)}>"


def history(
    title: str,
    series: Mapping[str, Iterable[Point]],
    *,
    unit: str,
    limit: float | None = None,
    limit_name: str = "limit",
) -> History:
    """Return what was counted over time, to be shown by being a cell's last expression.

    Each of `series` is a list of (seconds, value): the value holds until the next point, and the last point ends the
    series. Moments and values are 0 or more, moments never go back. `unit` says what a value counts, such as
    "items in the queue"; `limit` is the value that none should exceed, and `limit_name` what to call it.

    Raises ValueError if there is no series, one of them has no points, or a number makes no sense.
    """
    if not isinstance(series, Mapping) or not series:
        raise ValueError('nothing to show: give the series as {"name": [(seconds, value), ...], ...}')
    if len(series) > MOST_SERIES:
        raise ValueError(f"{len(series)} series cannot be told apart in one picture: show at most {MOST_SERIES}")
    if limit is not None and not (isinstance(limit, (int, float)) and 0 <= limit < math.inf):
        raise ValueError(f"limit must be a number from 0, or None, not {limit!r}")
    checked = {name: _checked(name, list(points)) for name, points in series.items()}
    return History(title, checked, unit, limit, limit_name)


def _checked(name: str, points: Sequence[Point]) -> tuple[Point, ...]:
    """Return `points` if they are a step line; else raise a ValueError that names the series."""
    if not points:
        raise ValueError(f'series "{name}" is empty: it needs at least one point, (seconds, value)')
    for point in points:
        try:
            moment, value = point
            sensible = 0 <= moment < math.inf and 0 <= value < math.inf  # nan is neither
        except (TypeError, ValueError):
            sensible = False
        if not sensible:
            raise ValueError(f'series "{name}": a point is (seconds, value), two finite numbers from 0, not {point!r}')
    for (before, _), (after, _) in itertools.pairwise(points):
        if after < before:
            raise ValueError(f'series "{name}": time goes back, from {before!r} to {after!r} s')
    return tuple((moment, value) for moment, value in points)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def draw_history(result: History) -> Figure:
    """Draw each count as a line of steps, labelled at the level of its highest value, and the limit if there is one."""
    with style.applied():
        return _steps(result)


def _steps(result: History) -> Figure:
    names, limit = result.names, result.limit
    labels = {name: f"{shorten(name)}:  {result.peak(name)}" for name in names}
    top = max(1.0, limit or 0, *map(result.highest, names))
    left = 0.25 + style.text_width(f"{top:,.0f}", 9.5)
    right = 0.55 + max(style.text_width(text, 10) for text in [*labels.values(), result.limit_label])
    fig = style.figure(height=3.4)
    ax = style.inches(fig, left, 0.56, right, 0.64)
    style.title(fig, result.title)
    ax.set_xlim(0, max(map(result.ended, names)) or 1.0)
    ax.set_ylim(0, 1.06 * top)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    ax.grid(color=style.GRID, lw=0.8)
    for number, name in enumerate(names):
        _step_line(ax, result, name, number)
    levels: list[Level] = [(result.highest(name), labels[name], number) for number, name in enumerate(names)]
    caption = result.unit
    if limit is not None:
        ax.axhline(limit, color=style.INK, lw=1.3, ls=(0, (4, 4)), zorder=6)
        levels.insert(0, (limit, result.limit_label, None))
        if any(map(result.exceeds, names)):
            caption += f" (hatched: above the {result.limit_name})"
    _label_levels(ax, levels)
    where = {"xytext": (8 - left * 72, 7), "textcoords": "offset points"}
    ax.annotate(caption, (0, 1), xycoords="axes fraction", color=style.FAINT, parse_math=False, **where)
    ax.set_xlabel("time from the start", loc="left")
    return fig


def _step_line(ax: Axes, result: History, name: str, number: int) -> None:
    """Draw one count: a line, hatched where it is above the limit, with marks, and a dotted line on to its label."""
    color, end = style.CYCLE[number], ax.get_xlim()[1]
    moments, values = zip(*result[name], strict=True)
    area = {"step": "post", "fc": (color, 0.12), "lw": 0, "zorder": 2}
    if result.limit is None:
        ax.fill_between(moments, values, **area)
    elif result.exceeds(name):
        over = [max(value, result.limit) for value in values]
        ax.fill_between(moments, over, result.limit, ec=(color, 0.55), hatch="////", **area)
    # Where two lines lie on each other, the later is the thinner, and their marks take turns: both are seen.
    ax.step(moments, values, where="post", color=color, lw=(2.6, 1.9, 1.2)[min(number, 2)], zorder=3)
    marks = [end / 9 * (k + (number + 0.5) / len(result.names)) for k in range(9)]
    marks = [moment for moment in marks if moments[0] <= moment < moments[-1]]
    heights = [values[bisect(moments, moment) - 1] for moment in marks or moments[:1]]
    mark = {"marker": style.MARKERS[number], "ms": 7, "mec": "white", "mew": 0.8}
    ax.plot(marks or moments[:1], heights, color=color, lw=0, zorder=5, clip_on=False, **mark)
    # A dotted line from the last moment at the highest value to the label at the right.
    highest = result.highest(name)
    last = max(until for value, until in zip(values, [*moments[1:], moments[-1]], strict=True) if value == highest)
    ax.plot([last, end], [highest] * 2, color=color, lw=1.2, ls=(0, (1, 2)), zorder=3)


Level = tuple[float, str, int | None]  # a value, what to write beside it, the number of the series (None: the limit)


def _label_levels(ax: Axes, levels: Sequence[Level]) -> None:
    """Write each text at the right of the axes, at its level or, where that is taken, near it.

    Of texts at one level, the first in `levels` is on top.
    """
    inch = 1 / (ax.get_position().height * ax.figure.get_size_inches()[1])  # as a share of the axes
    wide = 1 / (ax.get_position().width * ax.figure.get_size_inches()[0])
    order = sorted(range(len(levels)), key=lambda k: (levels[k][0], -k))  # from the bottom to the top
    levels = [levels[k] for k in order]
    ends = [level / ax.get_ylim()[1] for level, *_ in levels]
    places = list(ends)
    for _ in range(200):  # push neighbours apart until there is room for all
        for k in range(len(places) - 1):
            lacking = max(0.0, 0.21 * inch - (places[k + 1] - places[k]))
            places[k], places[k + 1] = places[k] - lacking / 2, places[k + 1] + lacking / 2
        places[0], places[-1] = max(0.03, places[0]), min(1.05, places[-1])
    for end, place, (_, text, number) in zip(ends, places, levels, strict=True):
        color = style.INK if number is None else style.CYCLE[number]
        to_text = {"color": color, "transform": ax.transAxes, "clip_on": False}
        bend = [1 + inches * wide for inches in (0, 0.05, 0.15, 0.3 if number is None else 0.2)]
        ax.plot(bend, [end, end, place, place], lw=1.2, **to_text)
        if number is not None:
            ax.plot(1 + 0.25 * wide, place, style.MARKERS[number], ms=7, **to_text)
        look = {"size": 10, "va": "center", "annotation_clip": False, "parse_math": False}
        ax.annotate(text, (1 + 0.36 * wide, place), xycoords="axes fraction", **look)
