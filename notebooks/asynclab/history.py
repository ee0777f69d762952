"""`history()`: what was counted over time, as a picture and in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from .charts import draw_history
from .page import style
from .page.html import bundle, image
from .page.numbers import duration
from .page.table import table

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
