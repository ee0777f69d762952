"""`steps()`: what each repair of a service changed, measure by measure: one picture, with a column for each state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..load import Load, rank
from ..page import style
from ..page.html import bundle, image
from ..page.numbers import duration, size
from ..page.table import shorten, table

MOST = 8  # states: more columns would be too narrow for their names
CLEARLY = 1.75  # times as good, or as bad, as one step before: less may be the machine's mood
_BETTER, _WORSE, _ALIKE = style.BLUE, style.VERMILLION, "#C3CCD6"
_KINDS = (  # of errors: the colour and the hatching of each that nothing says, in this order, …
    (style.VERMILLION, "////"), (style.ORANGE, "xxxx"), (style.PURPLE, "...."),
)  # fmt: skip
_SAID = (  # … and of each that the service said
    (style.SKY, ""), (style.GREEN, "\\\\\\\\"), (style.YELLOW, "----"), (style.BLUE, "||||"),
)  # fmt: skip


class _Measure(NamedTuple):
    """A panel: what it shows, its value in a state, which direction is good, and how the value is written."""

    name: str
    value: Callable[[Load], float]
    more_is_better: bool
    written: Callable[[float], str]


_MEASURES = (
    _Measure("right answers a second", lambda load: load.rate, True, "{:,.0f}".format),
    _Measure("connections opened", lambda load: load.opened, False, "{:,}".format),
    _Measure("99 of 100 within (p99)", lambda load: load.p99, False, duration),
    _Measure("memory grew by", lambda load: load.memory, False, size),
    _Measure("connections left open", lambda load: load.left, False, "{:,}".format),
)
_ERRORS_AT = 3  # the panel of the errors comes before the fourth of these


def steps(title: str, states: Mapping[str, Load]) -> Steps:
    """Return a picture of `states`: what `under_load` measured of a service, one repair after another, by name.

    Raises TypeError or ValueError if there is nothing to draw.
    """
    if not isinstance(states, Mapping) or not all(isinstance(each, Load) for each in states.values()):
        raise TypeError('states are what was measured, by name: {"as it was": await under_load(…), …}')
    if not 1 <= len(states) <= MOST:
        raise ValueError(f"a picture has 1 to {MOST} states, not {len(states)}")
    return Steps(title, dict(states))


@dataclass(frozen=True, eq=False, repr=False)
class Steps:
    """The states of a service. As the last expression of a cell it shows a figure and a table."""

    title: str
    states: dict[str, Load]

    @property
    def kinds(self) -> list[str]:
        """The kinds of errors there are: those that nothing says first."""
        found = {kind for load in self.states.values() for kind in load.errors}
        return sorted(found, key=rank)

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows of the table: a measure, and its value in each state."""
        columns = [dict(load.rows(self.kinds)) for load in self.states.values()]
        for name in columns[0]:
            yield [name, *(column[name] for column in columns)]

    def text(self) -> str:
        """Return the table."""
        return table(["measure", *self.states], self.rows(), self.title)

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        said = [f'"{self.title}": a column for each of {len(self.states)} states, a panel of bars for each measure.']
        rows = list(self.rows())
        for column, name in enumerate(self.states, start=1):
            said.append(f"{name}: " + ", ".join(f"{row[0]} {row[column]}" for row in rows) + ".")
        return " ".join(said)

    def plot(self) -> Figure:
        """Return the figure."""
        with style.applied():
            return _panels(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Steps {self.title!r}: {', '.join(self.states)}>"


_LEFT, _RIGHT, _GAP = 2.05, 0.1, 0.2  # inches
_PANEL, _LEGEND_ROW = 0.72, 0.175
_THIN = 0.17  # of a bar, in inches: too thin for a number


def _panels(result: Steps) -> Figure:
    top, bottom = 0.72, 0.42
    heights = [_PANEL] * len(_MEASURES)
    heights.insert(_ERRORS_AT, max(1.25, 0.45 + _LEGEND_ROW * len(result.kinds)))
    height = top + bottom + sum(heights) + _GAP * (len(heights) - 1)
    fig = style.figure(height=height)
    style.title(fig, result.title)
    measures: list[_Measure | None] = list(_MEASURES)
    measures.insert(_ERRORS_AT, None)
    y = top
    for measure, tall in zip(measures, heights, strict=True):
        ax = style.inches(fig, _LEFT, height - y - tall, _RIGHT, y)
        ax.set_xlim(-0.5, len(result.states) - 0.5)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        if measure is None:
            _draw_errors(ax, result)
        else:
            _draw_measure(ax, list(result.states.values()), measure)
        if y == top:
            for column, name in enumerate(result.states):
                ax.annotate(
                    shorten(name, 16), (column, 1), (0, 15), ("data", "axes fraction"), "offset points",
                    ha="center", weight="bold", size=9.5, parse_math=False, annotation_clip=False,
                )  # fmt: skip
        y += tall + _GAP
    looks = {"ec": "white", "lw": 0}
    fig.legend(
        handles=[
            Patch(fc=_BETTER, label="clearly better than one step before", **looks),
            Patch(fc=_light(_WORSE), hatch="////", ec=_WORSE, lw=0, label="clearly worse"),
            Patch(fc=_ALIKE, label=f"about the same: less than {CLEARLY:g} times", **looks),
        ],
        loc="lower left", bbox_to_anchor=((_LEFT - 0.1) / style.WIDTH, 0.02 / height), ncols=3, borderaxespad=0.3,
    )  # fmt: skip
    return fig


def _draw_measure(ax: Axes, loads: list[Load], measure: _Measure) -> None:
    values = [measure.value(load) for load in loads]
    highest = max(values) or 1
    ax.set_ylim(0, highest * 1.32)
    _name(ax, measure.name, "more is better ↑" if measure.more_is_better else "less is better ↓")
    for column, value in enumerate(values):
        change = _change(values[column - 1], value, measure.more_is_better) if column else 0
        look = {1: {"fc": _BETTER}, 0: {"fc": _ALIKE}, -1: {"fc": _light(_WORSE), "ec": _WORSE, "hatch": "////"}}
        ax.bar(column, value, 0.62, lw=0, **look[change])
        colour = {1: _BETTER, 0: style.INK, -1: "#A84600"}[change]
        _write(ax, column, value, measure.written(value), colour, "bold" if change else "normal")


def _change(before: float, now: float, more_is_better: bool) -> int:
    """Return 1 if `now` is clearly better than `before`, -1 if it is clearly worse, else 0."""
    if max(before, now) < CLEARLY * min(before, now) or before == now:
        return 0
    return 1 if (now > before) == more_is_better else -1


def _draw_errors(ax: Axes, result: Steps) -> None:
    """Stack the kinds of errors, each in its own colour and hatching, with its count."""
    looks: dict[str, tuple[str, str]] = {}
    for kind in result.kinds:
        family = _SAID if kind.startswith("said") else _KINDS
        number = sum(each.startswith("said") == kind.startswith("said") for each in looks)
        looks[kind] = family[number % len(family)]
    totals = [sum(load.errors.values()) for load in result.states.values()]
    top = (max(totals) or 1) * 1.18
    ax.set_ylim(0, top)
    per_error = ax.get_position().height * ax.figure.get_size_inches()[1] / top
    box = {"fc": "white", "ec": "none", "pad": 1.2, "alpha": 0.9}
    _name(ax, "errors", "less is better ↓, and said is better")
    for column, load in enumerate(result.states.values()):
        at = 0
        for kind in result.kinds:
            if count := load.errors.get(kind, 0):
                colour, hatch = looks[kind]
                ax.bar(column, count, 0.62, at, fc=_light(colour), ec=colour, hatch=hatch, lw=0.8)
                if count * per_error >= _THIN:
                    ax.text(column, at + count / 2, f"{count:,}", ha="center", va="center", size=9, bbox=box)
                at += count
        if not at:
            _write(ax, column, 0, "0", style.INK, "normal")
    handles = [Patch(fc=_light(looks[k][0]), ec=looks[k][0], hatch=looks[k][1], label=k) for k in result.kinds]
    width = style.WIDTH - _LEFT - _RIGHT
    legend = ax.legend(
        handles=handles[::-1], loc="upper left", bbox_to_anchor=(-(_LEFT - 0.08) / width, 0.68), borderaxespad=0,
        handlelength=1.4, handletextpad=0.5, borderpad=0.1, labelspacing=0.35,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _name(ax: Axes, name: str, direction: str) -> None:
    look = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    left = -_LEFT * 72 + 6
    ax.annotate(name, (0, 1), (left, -4), va="top", weight="bold", **look)
    ax.annotate(direction, (0, 1), (left, -17), va="top", size=8, color=style.FAINT, **look)


def _write(ax: Axes, column: int, value: float, text: str, colour: str, weight: str) -> None:
    ax.annotate(
        text, (column, value), (0, 3), textcoords="offset points", ha="center", color=colour, weight=weight, size=9
    )


def _light(colour: str) -> tuple[float, ...]:
    return tuple(0.72 + 0.28 * part for part in to_rgb(colour))
