"""Charts of results: bars for a comparison, lines for a sweep, steps for a history."""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator
from matplotlib.transforms import Affine2D

from .page import style
from .page.numbers import duration, ratio, size
from .page.table import shorten

if TYPE_CHECKING:  # they import this module
    from .history import History
    from .measure import Comparison, Runs, Sweep

_TEXT = {"size": 10, "va": "center", "annotation_clip": False, "parse_math": False}


def draw_comparison(result: Comparison) -> Figure:
    """Draw a row for each variant: a bar to its median, a mark for each run, the range, and the numbers at its end."""
    with style.applied():
        return _bars(result)


def draw_sweep(result: Sweep) -> Figure:
    """Draw running time against size and, below it, peak memory if measured; both scales are logarithmic."""
    with style.applied():
        return _lines(result)


def draw_history(result: History) -> Figure:
    """Draw each count as a line of steps, labelled at the level of its highest value, and the limit if there is one."""
    with style.applied():
        return _steps(result)


def _bars(result: Comparison) -> Figure:
    names, first = result.names, result.names[0]
    overlapping = {name for pair in result.overlaps if first in pair for name in pair} - {first}
    numbers = {
        name: [
            duration(result[name].median),
            "   = 1x" if name == first else f"   {ratio(result.ratio(name))} as fast",
            "   but the ranges overlap" if name in overlapping else "",
        ]
        for name in names
    }
    left = 0.3 + max(style.text_width(shorten(name), 10) for name in names)
    end = max([result[name].slowest for name in names] + [result.ideal or 0])
    # The axis is as long as it can be while the numbers at the end of every bar still fit on the page.
    ends = ((style.text_width("".join(numbers[name]), 10.4) + 0.25, end / result[name].slowest) for name in names)
    length = min([style.WIDTH - left - 0.6] + [(style.WIDTH - left - width) * share for width, share in ends])
    bottom, top = 0.62, 0.42 if result.ideal is None else 0.66
    fig = style.figure(height=bottom + top + 0.48 * len(names))
    ax = style.inches(fig, left, bottom, style.WIDTH - left - length, top)
    style.title(fig, result.title)
    for row, name in enumerate(names):
        _bar(ax, row, result[name])
        ax.annotate(shorten(name), (0, row), (8 - left * 72, 0), textcoords="offset points", **_TEXT)
        text = ax.annotate(
            numbers[name][0], (result[name].slowest, row), (9, 0), textcoords="offset points", weight="bold", **_TEXT
        )
        for more, color in zip(numbers[name][1:], (style.INK, style.FAINT), strict=True):
            text = ax.annotate(more, (1, 0.5), xycoords=text, color=color, **_TEXT)
    ax.set_xlim(0, end)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks([])
    ax.grid(axis="x", color=style.GRID, lw=0.8)
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    count = len(result[first].runs)
    ax.set_xlabel(f"running time (bar: median of {count} runs; mark: one run; line: fastest to slowest)", loc="left")
    if result.ideal is not None:
        ax.axvline(result.ideal, color=style.INK, lw=1.3, ls=(0, (4, 3)), zorder=4)
        ideal = f"ideal {duration(result.ideal)}"
        ax.annotate(ideal, (result.ideal, 1), (0, 3), ("data", "axes fraction"), "offset points", ha="center")
    return fig


def _bar(ax: Axes, row: int, runs: Runs) -> None:
    color, marker = style.CYCLE[row % 6], style.MARKERS[row % 6]
    ax.barh(row, runs.median, 0.56, color=[0.65 + 0.35 * part for part in to_rgb(color)])
    ax.plot([runs.median] * 2, [row - 0.28, row + 0.28], color=color, lw=2.5, solid_capstyle="butt")
    ax.plot([runs.fastest, runs.slowest], [row, row], color=style.INK, lw=1.2, marker="|", ms=7, clip_on=False)
    step = 0.32 / (len(runs.runs) - 1)  # the runs one below the other, in the order they were made
    heights = [row - 0.16 + step * k for k in range(len(runs.runs))]
    ax.plot(runs.runs, heights, marker, color=color, ms=6, mec="white", mew=0.7, clip_on=False, zorder=5)


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
        ends = [_series(ax, result, name, what) for name in result.names]
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
        ax.yaxis.set_major_locator(LogLocator(subs=[1] if max(times) > 100 * min(times) else [1, 2, 5]))
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
        return sizes[-1], values[-1], f"{shorten(name)}  {size(values[-1])}", color
    text = f"{shorten(name)}  {duration(values[-1])}"
    ranges = [p.fastest for p in known.values()], [p.slowest for p in known.values()]
    ax.vlines(sizes, *ranges, color=color, lw=1.2, clip_on=False)
    if name in result.stopped:
        ax.plot(sizes[-1], values[-1], "X", color=style.INK, ms=9, mec="white", zorder=6, clip_on=False)
        text += f", stopped: next would take {duration(result.expected(name, result.stopped[name]))}"
    return sizes[-1], values[-1], text, color


def _limits(ax: Axes, result: Sweep) -> list[End]:
    """Draw the budget, if it stopped a variant, and the ideal, if there is one."""
    if result.stopped:
        ax.axhline(result.budget, color=style.FAINT, lw=1, ls=":")
        budget = f"budget {duration(result.budget)}"
        ax.annotate(budget, (0, result.budget), (4, 3), ("axes fraction", "data"), "offset points", color=style.FAINT)
    if result.ideal is None:
        return []
    ax.plot(result.sizes, list(result.ideal.values()), color=style.INK, lw=1.3, ls=(0, (4, 3)), zorder=2)
    last = result.ideal[result.sizes[-1]]
    return [(result.sizes[-1], last, f"ideal  {duration(last)}", style.INK)]


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
    number, unit = size(count).split()
    return f"{float(number):g} {unit}"


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
        ax.annotate(text, (1 + 0.36 * wide, place), xycoords="axes fraction", **_TEXT)
