"""Pictures of a trace: `draw_tasks` gives each task a row, `draw_crowd` shows many tasks at once.

A state differs from the others in height or texture as well as in colour, a mark in its shape: the pictures read
in grey too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from . import figures
from .figures import BLUE, FAINT, GREEN, GRID, INK, ORANGE, RULE, VERMILLION, duration, percent
from .tracing import TaskRow, Trace

READY_FACE, WAITING, IDLE, OTHER, CANCEL, BIRTH = "#FCEBC8", "#D5DCE4", "#F0F3F6", "#4A525C", "#A3317F", "#A9B2BC"
ROW = 0.31  # inches
_POINT = 72  # to the inch
_TITLE, _AXIS, _LEGEND_LINE = 0.40, 0.46, 0.19  # inches: above the rows, below them, a line of the legend
_OUTCOMES = {  # mark, size in points, face, edge, words of the legend
    "done": ("o", 5.5, INK, "white", "done"),
    "raised": ("X", 8.0, VERMILLION, "white", "raised"),
    "cancelled": ("D", 6.0, CANCEL, "white", "cancelled"),
    "cancel": ("v", 6.5, CANCEL, "white", "cancel() called"),
    "pending": (">", 6.5, "white", INK, "still pending"),
    "destroyed": ("s", 6.0, "white", INK, "garbage-collected"),
    "late": ("<", 6.5, "white", INK, "had begun unseen"),
}


def shown_names(tasks: Sequence[TaskRow], root: str = "this cell") -> dict[TaskRow, str]:
    """Return what each task is called in a picture: its name, or its coroutine's if nobody named it.

    Tasks that would be called alike are numbered in order of creation. The task that opened the trace is `root`.
    """

    def name(row: TaskRow) -> str:
        return row.coro.rsplit(".", 1)[-1] if row.name.startswith("Task-") and row.coro else row.name

    alike, seen, shown = Counter(name(row) for row in tasks if not row.root), Counter(), {}
    for row in tasks:
        text = name(row)
        seen[text] += not row.root
        shown[row] = root if row.root else f"{text} {seen[text]}" if alike[text] > 1 else text
    return shown


def tree(tasks: Sequence[TaskRow]) -> list[tuple[TaskRow, int]]:
    """Return the tasks, each below its parent, with their depth: 0 for a task whose parent is not recorded."""
    known, children = set(tasks), {}
    for row in tasks:
        children.setdefault(row.parent if row.parent in known else None, []).append(row)

    def walk(parent: TaskRow | None, depth: int) -> Iterator[tuple[TaskRow, int]]:
        for row in children.get(parent, ()):
            yield row, depth
            yield from walk(row, depth + 1)

    return list(walk(None, 0))


def reason_in_words(reason: str, called: dict[str, str]) -> str:
    """Return what a task waits for as a reader would say it; `called` maps tasks' names to those shown."""
    if reason.startswith("task "):
        return "task " + called.get(reason[5:], reason[5:])
    return reason.replace(".__aexit__", " exit").replace(".__aenter__", " entry")


def lanes(trace: Trace) -> dict[str, str]:
    """Return the threads (and process pools) that worked, in order of their first work, and what each is called."""
    worked = sorted((work for work in trace.work if work.start is not None), key=lambda work: work.start)
    called, count = {}, 0
    for work in worked:
        if work.lane in called:
            continue
        if work.lane.startswith("asyncio_"):  # the loop's own pool: its numbers tell of work done before, too
            count += 1
            called[work.lane] = f"thread {count}"
        else:
            called[work.lane] = {"ProcessPoolExecutor": "process pool"}.get(work.lane, work.lane)
    return called


def busy(trace: Trace) -> float:
    """Return the share (0 to 1) of the trace in which the loop ran something."""
    ran = sum(step.end - step.start for row in trace.tasks for step in row.steps)
    ran += sum(callback.end - callback.start for callback in trace.callbacks)
    return min(1.0, ran / trace.duration) if trace.duration else 0.0


def draw_tasks(trace: Trace, title: str = "", *, slow: float = 0.1, reasons: bool = True) -> Figure:
    """Draw one row per task, the loop's own lane on top, lanes of threads below.

    A run of `slow` seconds or more counts as blocking the loop. `reasons` writes what a task waits for into its
    bars, where there is room.
    """
    with figures.style():
        return _Rows(trace, title, slow, reasons).figure


class _Rows:
    """The drawing of `draw_tasks`, step by step: the rows first, for they decide the size of everything else."""

    def __init__(self, trace: Trace, title: str, slow: float, reasons: bool) -> None:
        self.trace, self.slow, self.reasons = trace, slow, reasons
        self.order = tree(trace.tasks)
        self.names = shown_names(trace.tasks)
        self.called = {row.name: name for row, name in self.names.items()}
        self.lanes = lanes(trace)
        self.scale, unit = _unit(trace.duration)
        self.total = trace.duration * self.scale or 1.0

        labels = self._place_rows()
        key = self._key()
        legend_lines = -(-len(key) // _columns(key))
        left = 0.2 + max(figures.text_width(text, 9) + 11 * depth / _POINT for _, text, depth in labels)
        margins = left, _AXIS + _LEGEND_LINE * legend_lines, self._room_at_right(left), _TITLE if title else 0.1
        height = margins[1] + margins[3] + ROW * (self.bottom - 0.1)
        self.figure = figures.figure(height=height)
        self.axes = figures.inches(self.figure, *margins)
        self.point = self.total / ((figures.WIDTH - margins[0] - margins[2]) * _POINT)  # in units of the time axis
        _dress(self.axes, self.total, unit)
        self.axes.set_ylim(self.bottom - 0.5, -0.5)
        self.axes.set_yticks([])
        self.axes.spines["left"].set_visible(False)
        for y, text, depth in labels:
            faint = y == 0 or y > self.rule
            offset = (6 - left * _POINT + 11 * depth, 0)
            self._note(text, (0, y), offset, 9, FAINT if faint else INK, xycoords=("axes fraction", "data"))
        _draw_loop(self.axes, trace, self.scale, 0, slow)
        self._draw_life()
        self._draw_lanes()
        _legend(self.figure, key)
        figures.title(self.figure, title)

    def _place_rows(self) -> list[tuple[float, str, int]]:
        """Give each task and lane its place; return (place, label, depth) for all of them."""
        labels, self.at = [(0.0, "event loop", 0)], {}
        y = 1.2
        for row, depth in self.order:
            self.at[row] = y
            labels.append((y, figures.shorten(self.names[row], 30), min(depth, 6)))
            y += 1
        self.rule = y - 0.35  # the line between tasks and threads
        y += 0.35 if self.lanes else 0
        for lane, name in self.lanes.items():
            self.at[lane] = y
            labels.append((y, figures.shorten(name, 30), 0))
            y += 1
        self.bottom = y
        return labels

    def _room_at_right(self, left: float) -> float:
        """Return the right margin, in inches, that lets the name of an error that comes late stay in the picture."""
        room = 0.78
        for row in self.trace.tasks:
            if row.error and row.finished is not None:
                beyond = (1 - row.finished * self.scale / self.total) * (figures.WIDTH - left - room)
                room = max(room, figures.text_width(row.error, 8) + 0.2 - beyond)
        return room

    def _draw_life(self) -> None:
        boxes = {"running": [], "blocking": [], "ready": [], "waiting": []}
        births, marks = [], {}
        for row, _ in self.order:
            y = self.at[row]
            for state, start, end, reason in row.spans(self.trace.duration):
                a, b = start * self.scale, end * self.scale
                if state == "running" and end - start >= self.slow:
                    state = "blocking"
                    self._write(a, b, y, [duration(end - start)], color="white", weight="bold")
                elif state == "waiting" and self.reasons and reason:
                    words = reason_in_words(reason, self.called)
                    self._write(a, b, y, [words, words.rsplit(".", 1)[-1]], color=FAINT, style="italic")
                if state != "ready" or b - a > self.point:  # narrower than a point, hatching says nothing
                    boxes[state].append((y, a, b))
            created = row.created * self.scale
            if row.late:
                marks.setdefault("late", []).append((created, y))
            elif row.parent in self.at:
                births.append([(created, self.at[row.parent]), (created, y)])
            for cancel in row.cancels:
                marks.setdefault("cancel", []).append((cancel.when * self.scale, y - 0.44))
            if row.finished is not None:
                marks.setdefault(row.outcome, []).append((row.finished * self.scale, y))
                if row.error:
                    self._note(row.error, (row.finished * self.scale, y), (8, 0), 8, VERMILLION, zorder=9)
            elif not row.root:
                marks.setdefault("pending", []).append((self.total, y))
        _boxes(self.axes, boxes["waiting"], 0.5, WAITING, zorder=2)
        _boxes(self.axes, boxes["ready"], 0.5, READY_FACE, 0.5, edgecolors=ORANGE, hatch="/////", zorder=3)
        _boxes(self.axes, boxes["running"], 0.7, BLUE, 1, zorder=4)
        _boxes(self.axes, boxes["blocking"], 0.7, VERMILLION, 1, zorder=4)
        self._lines(births)
        for kind, places in marks.items():
            mark, size, face, edge, _ = _OUTCOMES[kind]
            self.axes.plot(
                *zip(*places, strict=True), mark, ms=size, mfc=face, mec=edge, mew=0.8, ls="", zorder=8, clip_on=False
            )

    def _draw_lanes(self) -> None:
        if not self.lanes:
            return
        self.axes.axhline(self.rule, color="#C4CBD3", lw=0.8)
        handed_over = []
        for work in self.trace.work:
            if work.start is None:
                continue
            y = self.at[work.lane]
            a, b = work.start * self.scale, (self.trace.duration if work.end is None else work.end) * self.scale
            _boxes(self.axes, [(y, a, b)], 0.7, GREEN, 1, zorder=4)
            self._write(a, b, y, [work.name, work.name.rsplit(".", 1)[-1]], color="white", weight="bold")
            if work.row in self.at:
                at = work.submitted * self.scale
                handed_over.append([(at, self.at[work.row]), (at, y)])
        self._lines(handed_over)

    def _write(self, a: float, b: float, y: float, texts: Iterable[str], **look: object) -> None:
        """Write the first of `texts` that fits between `a` and `b`, if one does."""
        for text in texts:
            if (b - a) / self.point > figures.text_width(text, 8) * _POINT + 6:
                self.axes.text(
                    (a + b) / 2, y, text, size=8, ha="center", va="center_baseline", zorder=6, parse_math=False, **look
                )
                return

    def _note(self, text: str, at: tuple, offset: tuple, size: float, color: str, **options: object) -> None:
        options |= {"textcoords": "offset points", "annotation_clip": False, "va": "center", "parse_math": False}
        self.axes.annotate(text, at, offset, size=size, color=color, **options)

    def _lines(self, lines: list) -> None:
        self.axes.add_collection(LineCollection(lines, colors=BIRTH, linewidths=0.8, zorder=1.5), autolim=False)

    def _key(self) -> list[Artist]:
        """Return the legend: only what occurs."""
        spans = [span for row in self.trace.tasks for span in row.spans(self.trace.duration)]
        states = {span.state for span in spans}
        key: list[Artist] = []
        if "running" in states:
            key.append(Patch(color=BLUE, label="running on the loop"))
        if any(span.state == "running" and span.end - span.start >= self.slow for span in spans):
            key.append(Patch(color=VERMILLION, label=f"running ≥ {duration(self.slow)}: blocks the loop"))
        if any(span.state == "ready" and span.end - span.start > self.trace.duration / 600 for span in spans):
            key.append(Patch(fc=READY_FACE, ec=ORANGE, hatch="/////", label="ready, but the loop is busy"))
        if "waiting" in states:
            key.append(Patch(color=WAITING, label="waiting (suspended)"))
        if self.lanes:
            key.append(Patch(color=GREEN, label="in a thread or process"))
        present = {"pending" if row.finished is None else row.outcome for row in self.trace.tasks if not row.root}
        present |= {"cancel" for row in self.trace.tasks if row.cancels} | {"late" for r in self.trace.tasks if r.late}
        return key + [_mark(kind) for kind in _OUTCOMES if kind in present]


def draw_crowd(trace: Trace, title: str = "", *, slow: float = 0.1) -> Figure:
    """Draw many tasks: how many were waiting and how many ready, the loop's lane, and a line for each task."""
    with figures.style():
        return _crowd(trace, title, slow)


def _crowd(trace: Trace, title: str, slow: float) -> Figure:
    scale, unit = _unit(trace.duration)
    rows = sorted((row for row in trace.tasks if not row.root), key=lambda row: row.created)
    columns, lines = 900, min(len(rows), 240)
    edges = np.linspace(0, trace.duration, columns + 1)
    waiting, ready, shade = _count(trace, rows, edges, lines)

    key: list[Artist] = [Patch(color=c, label=text) for c, text in (
        ("#B9C4D0", "waiting (suspended)"), (ORANGE, "ready, but the loop is busy"), (BLUE, "running on the loop"),
        (OTHER, "other callbacks"), (VERMILLION, f"running ≥ {duration(slow)}: blocks the loop"))]  # fmt: skip
    ended = Counter(row.outcome for row in rows)
    key += [_mark(kind) for kind in ("raised", "cancelled") if ended[kind]]
    bottom = _AXIS + _LEGEND_LINE * -(-len(key) // _columns(key))
    height, left, right, top = 4.6 + bottom, 0.75, 0.78, _TITLE if title else 0.1
    fig = figures.figure(height=height)
    inner = height - bottom - top
    low = figures.inches(fig, left, bottom, right, top + 0.48 * inner)
    loop = figures.inches(fig, left, bottom + 0.545 * inner, right, top + 0.405 * inner)
    high = figures.inches(fig, left, bottom + 0.62 * inner, right, top)

    centres = (edges[:-1] + edges[1:]) / 2 * scale
    high.stackplot(centres, waiting, ready, colors=["#B9C4D0", ORANGE], lw=0)
    high.set_ylim(0, max(1.0, (waiting + ready).max()) * 1.06)
    image = np.ones((lines, columns, 3))
    for state, color in (("waiting", "#C9D2DC"), ("ready", ORANGE), ("running", BLUE)):
        opacity = np.clip(shade[state], 0, 1)[..., None]
        image = image * (1 - opacity) + np.array(to_rgb(color)) * opacity
    low.imshow(image, aspect="auto", extent=(0, trace.duration * scale, len(rows), 0), interpolation="nearest")
    for kind in ("raised", "cancelled"):
        mark, size, face, edge, _ = _OUTCOMES[kind]
        places = [(row.finished * scale, i + 0.5) for i, row in enumerate(rows) if row.outcome == kind]
        if places:
            low.plot(*zip(*places, strict=True), mark, ms=size * 0.6, mfc=face, mec=edge, mew=0.3, ls="", zorder=5)
    for axes in (high, loop, low):
        _dress(axes, trace.duration * scale, unit)
        axes.grid(False)
    for axes in (high, loop):
        axes.tick_params(labelbottom=False, bottom=False)
        axes.set_xlabel("")
    _draw_loop(loop, trace, scale, 0, slow, 1.0)
    loop.set_ylim(-0.5, 0.5)
    loop.set_yticks([0], ["loop"])
    loop.tick_params(left=False)
    loop.spines[["left", "bottom"]].set_visible(False)
    high.set_ylabel("tasks")
    low.set_ylabel("one line per task")
    _legend(fig, key)
    figures.title(fig, title)
    return fig


def _count(trace: Trace, rows: Sequence[TaskRow], edges: np.ndarray, lines: int) -> tuple:
    """Return the mean number of tasks waiting and ready between `edges`, and each state's shade on each line."""
    columns = len(edges) - 1
    width = trace.duration / columns or 1.0
    events: dict[str, list] = {"waiting": [], "ready": [], "running": []}
    shade = {state: np.zeros((lines, columns)) for state in events}
    for i, row in enumerate(rows):
        for state, start, end, _ in row.spans(trace.duration):
            events[state] += [(start, 1), (end, -1)]
            first, last = min(int(start / width), columns - 1), min(int(end / width), columns - 1)
            # A run is short: without weight it would drown among a line's other tasks.
            shade[state][i * lines // len(rows), first : last + 1] += 3 if state == "running" else 1
    for state in shade:
        shade[state] /= np.bincount(np.arange(len(rows)) * lines // len(rows), minlength=lines)[:, None]

    def mean(changes: list[tuple[float, int]]) -> np.ndarray:
        if not changes:
            return np.zeros(columns)
        times, steps = np.array(sorted(changes)).T
        area = np.concatenate([[0], np.cumsum(np.cumsum(steps)[:-1] * np.diff(times))])
        return np.diff(np.interp(edges, times, area)) / width

    return mean(events["waiting"]), mean(events["ready"]), shade


def _draw_loop(axes: Axes, trace: Trace, scale: float, y: float, slow: float, height: float = 0.5) -> None:
    """Draw what the loop ran, whoever it ran, and say how busy that kept it."""
    _boxes(axes, [(y, 0, trace.duration * scale)], height, IDLE, zorder=1)
    steps = [(step.start, step.end) for row in trace.tasks for step in row.steps]
    others = [(callback.start, callback.end) for callback in trace.callbacks]
    for spans, color in ((others, OTHER), (steps, BLUE)):
        short = [(y, a * scale, b * scale) for a, b in spans if b - a < slow]
        _boxes(axes, short, height, color, 0.5, zorder=2)
    long = [(y, a * scale, b * scale) for a, b in steps + others if b - a >= slow]
    _boxes(axes, long, height, VERMILLION, 0.5, zorder=3)
    axes.annotate(f"{percent(busy(trace))} busy", (1, y), (6, 0), xycoords=("axes fraction", "data"),
                  textcoords="offset points", va="center", size=8, color=FAINT)  # fmt: skip


def _boxes(axes: Axes, boxes: list, height: float, color: str, edge: float = 0.0, **options: object) -> None:
    """Draw rectangles (y, from, to); the edge keeps the shortest visible."""
    half = height / 2
    corners = [[(a, y - half), (b, y - half), (b, y + half), (a, y + half)] for y, a, b in boxes]
    options.setdefault("edgecolors", color)
    if corners:
        axes.add_collection(PolyCollection(corners, facecolors=color, linewidths=edge, **options), autolim=False)


def _dress(axes: Axes, total: float, unit: str) -> None:
    axes.set_xlim(0, total)
    axes.set_xlabel(f"time since the trace began ({unit})")
    axes.tick_params(labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="x", color=GRID, lw=0.8)


def _legend(fig: Figure, key: list[Artist]) -> None:
    fig.legend(handles=key, loc="lower left", bbox_to_anchor=(0.004, 0), ncols=_columns(key), handlelength=1.5,
               handletextpad=0.5, columnspacing=1.3, borderpad=0.2, labelspacing=0.35)  # fmt: skip


def _columns(key: Sequence[Artist]) -> int:
    """Return how many columns of the legend fit beside each other."""
    widths = [figures.text_width(artist.get_label(), 8) + 0.36 for artist in key]
    for columns in range(len(key), 1, -1):
        lines = -(-len(key) // columns)  # a legend is filled column by column
        if sum(max(widths[i : i + lines]) for i in range(0, len(key), lines)) < figures.WIDTH - 0.1:
            return columns
    return 1


def _mark(kind: str) -> Line2D:
    mark, size, face, edge, words = _OUTCOMES[kind]
    return Line2D([], [], ls="", marker=mark, ms=size, mfc=face, mec=edge, label=words)


def _unit(seconds: float) -> tuple[float, str]:
    """Return the scale and name of the unit in which a time axis of that length reads best."""
    return (1e6, "µs") if seconds < 2e-3 else (1e3, "ms") if seconds < 2 else (1.0, "s")
