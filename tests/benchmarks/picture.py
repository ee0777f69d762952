"""The sections of the benchmarks as one picture: a row for each way, a column for each measure, a mark for a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from bench import Column, Section
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asynclab.page import style
from asynclab.page.style import BLUE, FAINT, GRID, INK, RULE, VERMILLION, WIDTH

ROW, HEAD, GAP = 0.19, 0.66, 0.28  # inches
LEFT, RIGHT = 2.05, 0.1
HEADER = 0.9
DRAWN = 6  # columns in a section at most
KEY = "Blue: ours. Bold: the best. Dashed line: to be reached. ✕: breaks the limit. Some scales are logarithmic."


def draw(sections: Sequence[Section], conditions: str) -> Figure:
    """Return the picture of all sections, under a line that says how they were measured."""
    with style.applied():
        heights = [HEAD + ROW * len(section.rows) for section in sections]
        total = HEADER + sum(heights) + GAP * len(sections)
        fig = style.figure(WIDTH, total)
        style.title(fig, "What the code of the guide costs, beside its peers")
        _text(fig, 0.08, total - 0.42, f"{conditions}.", 8)
        _text(fig, 0.08, total - 0.58, KEY, 8)
        top = total - HEADER
        for section, height in zip(sections, heights, strict=True):
            _section(fig, section, top)
            top -= height + GAP
    return fig


def _text(fig: Figure, x: float, y: float, text: str, size: float, **look: object) -> None:
    """Write `text` at `x`, `y`, in inches from the lower left."""
    width, height = fig.get_size_inches()
    look = {"color": FAINT, "va": "center", "parse_math": False} | look
    fig.text(x / width, y / height, text, size=size, **look)


def _section(fig: Figure, section: Section, top: float) -> None:
    page = fig.get_size_inches()
    title, _, said = section.title.partition(": ")
    _text(fig, 0.08, top, title, 10, color=INK, weight="bold")
    _text(fig, 0.08 + style.text_width(title, 10) * 1.12 + 0.15, top, said, 7.5)
    below = top - HEAD + 0.12
    for place, name in enumerate(section.rows):
        ours = name in section.ours
        look = {"color": BLUE if ours else INK, "weight": "bold" if ours else "normal"}
        if name in section.beside:
            look |= {"color": FAINT, "style": "italic"}
        _text(fig, 0.08, below - ROW * (place + 0.5), name, 8, **look)
    columns = [column for column in section.columns if column.drawn][:DRAWN]
    width = (WIDTH - LEFT - RIGHT) / DRAWN
    for place, column in enumerate(columns):
        left = LEFT + place * width
        goal = f"  {column.goal[0]} {column.show(column.goal[1])}" if column.goal else ""
        _text(fig, left, below + 0.24, column.name, 8, color=INK)
        _text(fig, left, below + 0.09, goal.strip(), 7)
        height = ROW * len(section.rows)
        axes = fig.add_axes((left / page[0], (below - height) / page[1], (width - 0.2) / page[0], height / page[1]))
        _column(axes, section, column)


def _column(axes: Axes, section: Section, column: Column) -> None:
    """Draw one column: marks in the left half of the axes, numbers at their right edge."""
    axes.set(xlim=(0, 1), ylim=(len(section.rows), 0))
    axes.axis("off")
    known = [value for row in section.rows.values() if (value := row.get(column.name)) is not None]
    limit = [column.goal[1]] if column.goal else []
    at = _scale(column, min(known + limit), max(known + limit))
    for each in limit:
        place = (at(each), at(each))
        axes.plot(place, (0, len(section.rows)), color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)), zorder=0)
    for place, name in enumerate(section.rows):
        axes.plot((0, 0.55), (place + 0.5, place + 0.5), color=GRID, linewidth=0.8, zorder=0)
        value = section.rows[name].get(column.name)
        if value is not None:
            _value(axes, at(value), place + 0.5, column.show(value), _look(section, column, name))


def _look(section: Section, column: Column, name: str) -> dict[str, object]:
    """Return how the value of a row is drawn."""
    mark, ours = section.mark(column, name), name in section.ours
    ink = VERMILLION if mark == "!" else BLUE if ours else INK
    return {
        "marker": "X" if mark == "!" else "o",
        "size": 6 if ours else 4.5,
        "ink": ink,
        "fill": "white" if name in section.beside else ink if ours or mark.strip() else RULE,
        "weight": "bold" if mark == "*" else "normal",
    }


def _value(axes: Axes, x: float, y: float, text: str, look: dict[str, object]) -> None:
    edge = look["ink"] if look["fill"] == look["ink"] else RULE
    axes.plot(x, y, look["marker"], color=edge, markerfacecolor=look["fill"], markersize=look["size"], clip_on=False)
    axes.text(1, y, text, size=7, ha="right", va="center_baseline", color=look["ink"], weight=look["weight"])


def _scale(column: Column, low: float, high: float) -> Callable[[float], float]:
    """Return the function that places a value between 0.03 and 0.52, on a logarithmic scale if the column says so."""
    if column.log and low > 0:
        low, high = math.log(low), math.log(high)
        return lambda value: 0.03 + 0.49 * (math.log(value) - low) / ((high - low) or 1)
    low = min(low, 0) if low < 0.5 * high else low
    return lambda value: 0.03 + 0.49 * (value - low) / ((high - low) or 1)
