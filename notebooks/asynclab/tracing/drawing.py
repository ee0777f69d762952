"""Pictures of a trace: `draw_tasks` gives each task a row, `draw_crowd` shows many tasks at once.

What a picture costs follows its size, not the length of the trace: a `Record` holds the trace as arrays, and what
would be drawn on the same spot is joined first.

A state differs from the others in height or texture as well as in colour, a mark in its shape: the pictures read
in grey too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from ..page import style
from ..page.numbers import duration, percent
from ..page.style import BLUE, FAINT, GREEN, GRID, INK, ORANGE, RULE, VERMILLION
from ..page.table import shorten
from . import guess as guessing
from .recorder import TaskRow, Trace, Work

READY_FACE, WAITING, IDLE, OTHER, CANCEL, BIRTH = "#FCEBC8", "#D5DCE4", "#F0F3F6", "#4A525C", "#A3317F", "#A9B2BC"
AREA, LINE = "#B9C4D0", "#C9D2DC"  # what waits, in a crowd
ROW = 0.31  # inches
_POINT = 72  # to the inch
_COLUMN = 2.88  # points: four pixels of the picture as it is shown; what begins in one column is joined
_LANES = 12  # threads; with more, those that began last share a lane
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


class Record:
    """What a trace holds, as arrays to compute with: half a million steps take no longer to draw than fifty.

    A task is its place in `tasks`, a time is in seconds since the trace began. The steps are in order of task and
    time; step i waited from `idle[i]` to `ready[i]`, was ready until `start[i]` and ran until `end[i]`. What it had
    waited for is `names[before[i]]`, what it waited for next `names[after[i]]`. After its last step (or its creation)
    at `last[k]`, task k waited until `due[k]` and was ready until `until[k]`.
    """

    def __init__(self, trace: Trace) -> None:
        self.tasks, self.work, self.truncated = list(trace.tasks), list(trace.work), trace.truncated
        self.duration, self.opener = trace.duration, trace.opener
        log = trace.log()
        self.names = [*(waiting.what for waiting in log.names), None]  # the last stands for nothing
        self.places = [*(waiting.places for waiting in log.names), ()]
        owner, place = np.array(log.owner, np.int64), np.array(log.place)
        ready, start, end = np.array([log.ready, log.start, log.end])
        self.callbacks = np.stack([start, end], axis=1)[owner < 0]
        # The time of which all is known: a trace that reached its limit records no more.
        self.known = min(self.duration, end.max(initial=0.0)) if self.truncated else self.duration

        order = np.argsort(owner, kind="stable")[len(self.callbacks) :]
        self.owner, self.after, self.start, self.end = owner[order], place[order], start[order], end[order]
        self.created = np.array([row.created for row in self.tasks], float)
        finished = [self.known if row.finished is None else row.finished for row in self.tasks]
        self.first = np.diff(self.owner, prepend=-1) != 0
        self.idle = np.where(self.first, self.created[self.owner], np.roll(self.end, 1))
        self.before = np.where(self.first, -1, np.roll(self.after, 1))
        self.ready = np.clip(ready[order], self.idle, np.maximum(self.idle, self.start))

        final = np.flatnonzero(np.diff(self.owner, append=-1))
        self.last, self.awaited = self.created.copy(), np.full(len(self.tasks), -1)
        self.last[self.owner[final]], self.awaited[self.owner[final]] = self.end[final], self.after[final]
        self.until = np.maximum(self.last, np.minimum(np.array(finished, float), self.known))
        woken = [np.inf if row.woken is None or self.truncated else row.woken for row in self.tasks]
        self.due = np.clip(np.array(woken, float), self.last, self.until)

    @cached_property
    def shown(self) -> dict[TaskRow, str]:
        """What each task is called in a picture."""
        return shown_names(self.tasks, self.opener)

    @cached_property
    def _called(self) -> dict[str, str]:
        """What is shown for each task's name, by which others tell what they wait for; not for one borne by two."""
        count = Counter(row.name for row in self.tasks)
        return {row.name: text for row, text in self.shown.items() if count[row.name] == 1}

    def reason(self, name: str | None) -> str:
        """Return what a task waits for, one of `names`, as a reader would say it; "" for None."""
        if name is None:
            return ""
        if name.startswith("task "):
            return "task " + (self._called.get(name[5:]) or plain(name[5:]))
        return plain(name.replace(".__aexit__", " exit").replace(".__aenter__", " entry"))

    def ended_at(self, row: TaskRow) -> float | None:
        """Return when a task ended, for its cell the trace's end; None if it has not, or was collected."""
        if row.outcome == "destroyed":
            return None
        return self.duration if row.root else row.finished

    @property
    def unbegun(self) -> np.ndarray:
        """The seconds that each task was ready in the end, for a step that it was not to begin."""
        return self.until - self.due

    @property
    def busy(self) -> float:
        """The share (0 to 1) of the time in which the loop ran something."""
        ran = (self.end - self.start).sum() + np.diff(self.callbacks).sum()
        return min(1.0, float(ran / self.known)) if self.known else 0.0

    def sums(self) -> dict[str, np.ndarray]:
        """Return the seconds that each task spent running, ready and waiting, and its longest run."""
        longest = np.zeros(len(self.tasks))
        np.maximum.at(longest, self.owner, self.end - self.start)
        return {
            "running": self._add(self.end - self.start),
            "longest": longest,
            "ready": self._add(self.start - self.ready) + self.until - self.due,
            "waiting": self._add(self.ready - self.idle) + self.due - self.last,
        }

    def _add(self, seconds: np.ndarray) -> np.ndarray:
        return np.bincount(self.owner, seconds, minlength=len(self.tasks))

    def begun(self) -> tuple[list[Work], np.ndarray, np.ndarray]:
        """Return the calls that threads and processes began, in order, with their starts and ends."""
        works = sorted((work for work in self.work if work.start is not None), key=lambda work: work.start)
        ends = [self.duration if work.end is None else work.end for work in works]
        return works, np.array([work.start for work in works], float), np.array(ends, float)

    def reasons(self, most: int) -> list[tuple[list[str], int]]:
        """Return what each task waited for, each reason once and in order: the first `most`, and how many there are."""
        numbers: dict[str | None, int] = {None: 0}
        number = np.array([numbers.setdefault(name, len(numbers)) for name in self.names])
        waited = number[self.after] > 0
        each = self.owner[waited] * len(numbers) + number[self.after[waited]]
        reason, first = np.unique(each, return_index=True)
        owner, reason = np.divmod(reason[np.argsort(first)], len(numbers))
        words = list(numbers)
        found = [reason[owner == i] for i in range(len(self.tasks))]
        return [([words[k] for k in numbers_of[:most]], len(numbers_of)) for numbers_of in found]


def plain(text: str) -> str:
    """Return `text` in one line, without what has no shape."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())


def shown_names(tasks: Sequence[TaskRow], opener: str = "this cell") -> dict[TaskRow, str]:
    """Return what each task is called in a picture: its name, or its coroutine's if nobody named it.

    Tasks that would be called alike are numbered in order of creation. The task that opened the trace is `opener`.
    """

    def name(row: TaskRow) -> str:
        given = row.name if row.named or not row.coro else ""
        return plain(given) or plain(row.coro.rsplit(".", 1)[-1]) or "task"

    names = {row: opener if row.root else name(row) for row in tasks}
    alike, seen, shown = Counter(names.values()), Counter(), {}
    for row, text in names.items():
        shown[row] = text
        while alike[text] > 1 and not row.root and shown[row] in alike:
            seen[text] += 1
            shown[row] = f"{text} {seen[text]}"
    return shown


def tree(tasks: Sequence[TaskRow]) -> list[tuple[TaskRow, int]]:
    """Return the tasks, each below its parent, with their depth: 0 for a task whose parent is not recorded."""
    known, children = set(tasks), {}
    for row in reversed(tasks):
        children.setdefault(row.parent if row.parent in known else None, []).append(row)
    order, to_come = [], [(row, 0) for row in children.get(None, ())]
    while to_come:
        row, depth = to_come.pop()
        order.append((row, depth))
        to_come += [(child, depth + 1) for child in children.get(row, ())]
    return order


def lanes(trace: Trace | Record) -> dict[str, str]:
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
            called[work.lane] = {"ProcessPoolExecutor": "process pool"}.get(work.lane, shorten(plain(work.lane), 40))
    return called


def draw_tasks(
    trace: Trace,
    title: str = "",
    *,
    slow: float = 0.1,
    record: Record | None = None,
    guess: Mapping[TaskRow, float] | None = None,
) -> Figure:
    """Draw one row per task, the loop's own lane on top, lanes of threads below.

    A run of `slow` seconds or more counts as blocking the loop. `record` spares making the trace's record again.
    `guess` says when somebody thought that tasks end, in seconds since the trace began: dashed outlines, for which the
    axis grows to three times the trace.

    Where steps are too close to be told apart, those that begin in the same three points of the axis are joined: they
    are drawn as one, ready, running and waiting as long as they were together. A short run is widened, so that it is
    seen, to one point at most and by no more than a sixteenth of the room beside it. Pauses shorter
    than a sixteenth of the runs beside them are bridged. So a row never looks busier than it was by more than a
    sixteenth of the time, but for a point at each of its ends.
    """
    with style.applied():
        return _Rows(record or Record(trace), title, slow, guess or {}).figure


class _Rows:
    """The drawing of `draw_tasks`, step by step: the rows first, for they decide the size of everything else."""

    def __init__(self, record: Record, title: str, slow: float, guess: Mapping[TaskRow, float]) -> None:
        self.record, self.slow, self.guess = record, slow, guess
        self.order = tree(record.tasks)
        self.lanes = lanes(record)
        seconds = guessing.room_for(record.duration, self.guess.values())
        self.scale, unit = _unit(seconds)
        self.total = seconds * self.scale or 1.0

        labels = self._place_rows()
        left = 0.2 + max(style.text_width(text, 9) + 11 * depth / _POINT for _, text, depth in labels)
        right = self._room_at_right(left)
        # In units of the axis: a point, one of its columns, and what the shortest of words needs.
        self.point = self.total / ((style.WIDTH - left - right) * _POINT)
        self.column, self.word = _COLUMN * self.point, 12 * self.point
        self.bars = self._join()
        key = self._key()
        legend_lines = -(-len(key) // _columns(key))
        margins = left, _AXIS + _LEGEND_LINE * legend_lines, right, _TITLE if title else 0.1
        height = margins[1] + margins[3] + ROW * (self.bottom - 0.1)
        self.figure = style.figure(height=height)
        self.axes = style.inches(self.figure, *margins)
        _dress(self.axes, self.total, unit)
        self.axes.set_ylim(self.bottom - 0.5, -0.5)
        self.axes.set_yticks([])
        self.axes.spines["left"].set_visible(False)
        for y, text, depth in labels:
            faint = y == 0 or y > self.rule
            offset = (6 - left * _POINT + 11 * depth, 0)
            self._note(text, (0, y), offset, 9, FAINT if faint else INK, xycoords=("axes fraction", "data"))
        _draw_loop(self.axes, record, self.scale, self.point, 0, slow)
        self._draw_waiting()
        self._draw_ready()
        self._draw_running()
        self._draw_marks()
        self._draw_lanes()
        self._draw_guess()
        _draw_unknown(self.axes, record, self.scale)
        _legend(self.figure, key)
        style.title(self.figure, shorten(plain(title), 90))

    def _place_rows(self) -> list[tuple[float, str, int]]:
        """Give each task and lane its place; return (place, label, depth) for all of them."""
        labels, self.at = [(0.0, "event loop", 0)], {}
        y = 1.2
        for row, depth in self.order:
            self.at[row] = y
            labels.append((y, shorten(self.record.shown[row], 30), min(depth, 6)))
            y += 1
        self.rule = y - 0.35  # the line between tasks and threads
        y += 0.35 if self.lanes else 0
        shown = list(self.lanes.items())[:_LANES]
        for lane, name in shown:
            self.at[lane] = y
            labels.append((y, shorten(name, 30), 0))
            y += 1
        if len(self.lanes) > len(shown):
            labels.append((y, f"… and {len(self.lanes) - len(shown)} more", 0))
            y += 1
        self.bottom = y
        return labels

    def _room_at_right(self, left: float) -> float:
        """Return the right margin, in inches, that lets the name of an error that comes late stay in the picture."""
        room = 0.78
        for row in self.record.tasks:
            if row.error and row.finished is not None:
                beyond = (1 - row.finished * self.scale / self.total) * (style.WIDTH - left - room)
                room = max(room, style.text_width(shorten(plain(row.error), 40), 8) + 0.2 - beyond)
        for seconds in self.guess.values():
            if seconds * self.scale > self.total:
                room = max(room, style.text_width(_beyond(seconds), 8) + 0.2)
        return room

    def _join(self) -> _Bars:
        """Return the steps as they are drawn: those of a task that begin in the same column are one bar."""
        record, scale = self.record, self.scale
        first = _firsts(record.owner, record.start * scale, self.column)
        ran, ready = record.end - record.start, record.start - record.ready
        blocking = np.where(ran >= self.slow, ran, 0.0)
        steps = np.diff(first, append=len(ran))
        longest = np.maximum.reduceat(blocking, first) if len(first) else blocking
        ran, blocking, ready = (_sums(seconds, first) * scale for seconds in (ran, blocking, ready))

        y = np.array([self.at[row] for row in record.tasks])[record.owner[first]]
        begin, end = record.ready[first] * scale, record.end[first + steps - 1] * scale
        # Tasks that take turns must not seem to run at once: of the steps joined, those of a lower row come later.
        between = ready - (record.start - record.ready)[first] * scale
        start = record.start[first] * scale + between * (y - 1.2) / max(1, len(record.tasks) - 1)
        return _Bars(first, y, begin, start, end, ran, blocking, longest, ready, steps > 1)

    def _draw_waiting(self) -> None:
        """Draw what the steps joined waited in between, what each bar waited before, and what followed the last."""
        record, bars = self.record, self.bars
        within = bars.joined & (bars.end - bars.begin > bars.ran + bars.ready)
        _boxes(self.axes, bars.y[within], bars.begin[within], bars.end[within], 0.5, WAITING, zorder=2)
        y = np.r_[[self.at[row] for row in record.tasks], bars.y]
        start = np.r_[record.last, record.idle[bars.first]] * self.scale
        end = np.r_[record.due * self.scale, bars.begin]
        _boxes(self.axes, y, start, end, 0.5, WAITING, zorder=2)
        place = np.r_[record.awaited, record.before[bars.first]]
        for i in np.flatnonzero((end - start > self.word) & (place >= 0)):
            words = record.reason(record.names[place[i]])
            self._write(start[i], end[i], y[i], [words, words.rsplit(".", 1)[-1]], color=FAINT, style="italic")

    def _draw_ready(self) -> None:
        bars, look = self.bars, {"edgecolor": ORANGE, "hatch": "/////", "zorder": 3}
        y = np.r_[bars.y, [self.at[row] for row in self.record.tasks]]
        begin = np.r_[bars.begin, self.record.due * self.scale]
        start = np.r_[bars.start, self.record.until * self.scale]
        # Narrower than a point, hatching says nothing.
        wide = np.r_[~bars.joined & (bars.ready > self.point), self.record.unbegun * self.scale > self.point]
        _boxes(self.axes, y[wide], begin[wide], start[wide], 0.5, READY_FACE, 0.5, **look)
        y, begin, start, ran, ready = (
            each[bars.joined] for each in (bars.y, bars.begin, bars.start, bars.ran, bars.ready)
        )
        _boxes(self.axes, y, begin, start, 0.5, READY_FACE, **look)
        _boxes(self.axes, y, start + ran, begin + ready + ran, 0.5, READY_FACE, **look)

    def _draw_running(self) -> None:
        bars = self.bars
        short = bars.ran - bars.blocking
        parts = (short, BLUE, 4), (bars.blocking, VERMILLION, 4)
        _bars(self.axes, bars.y, bars.start, parts, 0.7, 1, self.point)
        start, end = bars.start + short, bars.start + bars.ran
        for i in np.flatnonzero(bars.blocking > self.word):
            text = duration(bars.longest[i])
            self._write(start[i], end[i], bars.y[i], [text], color="white", weight="bold")

    def _draw_marks(self) -> None:
        record = self.record
        marks: dict[str, list[tuple[float, float]]] = {}
        births = []
        for row, _ in self.order:
            y, created = self.at[row], row.created * self.scale
            if row.late:
                marks.setdefault("late", []).append((created, y))
            elif row.parent in self.at:
                births.append([(created, self.at[row.parent]), (created, y)])
            cancels = np.array([cancel.when * self.scale for cancel in row.cancels])
            for when in cancels[_firsts(np.zeros(len(cancels), int), cancels, 2 * self.column)]:
                marks.setdefault("cancel", []).append((when, y - 0.44))
            if row.finished is not None:
                marks.setdefault(row.outcome, []).append((row.finished * self.scale, y))
                if row.error:
                    error = shorten(plain(row.error), 40)
                    self._note(error, (row.finished * self.scale, y), (8, 0), 8, VERMILLION, zorder=9)
            elif not row.root:
                marks.setdefault("pending", []).append((record.duration * self.scale, y))
        self._lines(births, 0.8)
        for kind, places in marks.items():
            mark, size, face, edge, _ = _OUTCOMES[kind]
            self.axes.plot(
                *zip(*places, strict=True), mark, ms=size, mfc=face, mec=edge, mew=0.8, ls="", zorder=8, clip_on=False
            )

    def _draw_guess(self) -> None:
        """Outline what was guessed: from a task's creation to its guessed end."""
        for row, seconds in self.guess.items():
            y, end = self.at[row], seconds * self.scale
            start = min(row.created * self.scale, end)
            guessing.outline(self.axes, start, end, y, 0.86)
            if end > self.total:
                self._note(_beyond(seconds), (1, y), (4, 0), 8, INK, xycoords=("axes fraction", "data"))
        ended = self.record.duration * self.scale
        if self.total > ended:
            self.axes.axvline(ended, color=RULE, lw=0.9, ls=":", zorder=1.2)
            words = "here it had ended"
            if (self.total - ended) / self.point > style.text_width(words, 8) * _POINT + 8:
                self._note(words, (ended, 0), (5, 0), 8, FAINT)

    def _draw_lanes(self) -> None:
        if not self.lanes:
            return
        self.axes.axhline(self.rule, color="#C4CBD3", lw=0.8)
        begun, start, end = self.record.begun()
        start, end = start * self.scale, end * self.scale
        at = np.array([self.at.get(work.lane, -1) for work in begun])
        for y in sorted({*at} - {-1}):
            self._draw_lane(y, [begun[i] for i in np.flatnonzero(at == y)], start[at == y], end[at == y])
        if (at == -1).any():
            others = start[at == -1], end[at == -1]
            _draw_pool(self.axes, *others, len(self.lanes) - _LANES, self.total, self.column, self.bottom - 1)

        handed: dict[tuple[float, float], list[float]] = {}
        for work, y in zip(begun, at, strict=True):
            if work.row in self.at and y != -1:
                handed.setdefault((self.at[work.row], y), []).append(work.submitted * self.scale)
        for (from_, to), times in handed.items():
            when = np.sort(times)
            when = when[_firsts(np.zeros(len(when), int), when, self.column)]
            width = np.minimum(0.8, 2 * _widening(np.zeros(len(when)), when, when, 0.8, self.point) / self.point)
            self._lines([[(x, from_), (x, to)] for x in when], width)

    def _draw_lane(self, y: float, works: list[Work], start: np.ndarray, end: np.ndarray) -> None:
        """Draw a thread's work, or a pool's, where several calls may overlap; join what is too close to tell apart."""
        end = np.maximum.accumulate(end)
        apart = np.flatnonzero(np.r_[True, start[1:] > end[:-1]])
        start, end = start[apart], np.r_[end[apart[1:] - 1], end[-1]]
        first = _firsts(np.zeros(len(apart), int), start, self.column)
        ran = _sums(end - start, first)
        start, calls = start[first], np.split(np.array(works, object), apart[first][1:])
        _bars(self.axes, np.full(len(first), y), start, [(ran, GREEN, 4)], 0.7, 1, self.point)
        for i in np.flatnonzero(ran > self.word):
            names = {plain(work.name) for work in calls[i]}
            if len(names) == 1:
                text = names.pop() + (f" × {len(calls[i])}" if len(calls[i]) > 1 else "")
                texts = [text, text.rsplit(".", 1)[-1]]
                self._write(start[i], start[i] + ran[i], y, texts, color="white", weight="bold")

    def _write(self, a: float, b: float, y: float, texts: Iterable[str], **look: object) -> None:
        """Write the first of `texts` that fits between `a` and `b`, if one does."""
        for text in texts:
            if text and (b - a) / self.point > style.text_width(text, 8) * _POINT + 6:
                self.axes.text(
                    (a + b) / 2, y, text, size=8, ha="center", va="center_baseline", zorder=6, parse_math=False, **look
                )
                return

    def _note(self, text: str, at: tuple, offset: tuple, size: float, color: str, **options: object) -> None:
        options |= {"textcoords": "offset points", "annotation_clip": False, "va": "center", "parse_math": False}
        self.axes.annotate(text, at, offset, size=size, color=color, **options)

    def _lines(self, lines: list, width: float | np.ndarray) -> None:
        self.axes.add_collection(LineCollection(lines, colors=BIRTH, linewidths=width, zorder=1.5), autolim=False)

    def _key(self) -> list[Artist]:
        """Return the legend: only what occurs."""
        record, bars = self.record, self.bars
        ready = np.r_[bars.ready, self.record.unbegun * self.scale]
        waited = (record.ready > record.idle).any() or (record.due > record.last).any()
        states = {
            ("running on the loop", BLUE, None): len(bars.first),
            (f"running ≥ {duration(self.slow)}: blocks the loop", VERMILLION, None): bars.blocking.any(),
            ("ready, but the loop is busy", READY_FACE, "/////"): (ready > self.total / 600).any(),
            ("waiting (suspended)", WAITING, None): waited,
            ("in a thread or process", GREEN, None): self.lanes,
        }
        key: list[Artist] = [
            Patch(fc=color, ec=ORANGE if hatch else color, hatch=hatch, label=text)
            for (text, color, hatch), occurs in states.items()
            if occurs
        ]
        present = {"pending" if row.finished is None else row.outcome for row in record.tasks if not row.root}
        present |= {"cancel" for row in record.tasks if row.cancels} | {"late" for row in record.tasks if row.late}
        key += [_mark(kind) for kind in _OUTCOMES if kind in present]
        return key + [guessing.key()] * bool(self.guess)


class _Bars(NamedTuple):
    """Steps as they are drawn, in units of the axis: each is ready from `begin`, runs from `start`."""

    first: np.ndarray  # the step with which it begins
    y: np.ndarray
    begin: np.ndarray
    start: np.ndarray
    end: np.ndarray  # of the last step joined
    ran: np.ndarray
    blocking: np.ndarray  # the part of `ran`, at its end, that blocked the loop
    longest: np.ndarray  # in seconds, of the blocking runs
    ready: np.ndarray
    joined: np.ndarray  # True where it stands for several steps


def draw_crowd(trace: Trace, title: str = "", *, slow: float = 0.1, record: Record | None = None) -> Figure:
    """Draw many tasks: how many were waiting and how many ready, the loop's lane, and a line for each task.

    `record` spares making the trace's record again. A task's line is as blue as the share of its time that it ran; a
    short run is widened, so that it is seen, as in `draw_tasks`.
    """
    with style.applied():
        return _crowd(record or Record(trace), title, slow)


def _crowd(record: Record, title: str, slow: float) -> Figure:
    scale, unit = _unit(record.duration)
    total = record.duration * scale or 1.0
    rows = sorted((i for i, row in enumerate(record.tasks) if not row.root), key=lambda i: record.tasks[i].created)
    pools = lanes(record)
    columns, lines = 900, min(len(rows), 240)
    share = _shares(record, rows, lines, columns)
    waiting, ready = share["waiting"].sum(axis=0), share["ready"].sum(axis=0)

    ran = np.r_[np.diff(record.callbacks).ravel(), record.end - record.start]
    states = {
        ("waiting (suspended)", AREA): waiting.any(),
        ("ready, but the loop is busy", ORANGE): ready.any(),
        ("running on the loop", BLUE): len(record.start),
        ("other callbacks", OTHER): len(record.callbacks),
        (f"running ≥ {duration(slow)}: blocks the loop", VERMILLION): (ran >= slow).any(),
        ("in a thread or process", GREEN): pools,
    }
    key: list[Artist] = [Patch(color=color, label=text) for (text, color), occurs in states.items() if occurs]
    ended = Counter(record.tasks[i].outcome for i in rows)
    key += [_mark(kind) for kind in ("raised", "cancelled") if ended[kind]]
    bottom = _AXIS + _LEGEND_LINE * -(-len(key) // _columns(key))
    height, left, right, top = 4.6 + bottom, 0.75, 0.78, _TITLE if title else 0.1
    inner, lane = height - bottom - top, 0.3 if pools else 0.0
    fig = style.figure(height=height + lane)
    low = style.inches(fig, left, bottom, right, top + 0.48 * inner + lane)
    loop = style.inches(fig, left, bottom + 0.545 * inner + lane, right, top + 0.405 * inner)
    high = style.inches(fig, left, bottom + 0.62 * inner + lane, right, top)
    point = total / ((style.WIDTH - left - right) * _POINT)
    narrow = {"loop": loop}
    if pools:
        narrow["threads"] = style.inches(fig, left, bottom + 0.545 * inner, right, top + 0.405 * inner + lane)
        _, start, end = record.begun()
        _draw_pool(narrow["threads"], start * scale, end * scale, len(pools), total, _COLUMN * point, 0, 1.0)

    centres = (np.arange(columns) + 0.5) / columns * total
    high.stackplot(centres, waiting, ready, colors=[AREA, ORANGE], lw=0)
    high.set_ylim(0, max(1.0, (waiting + ready).max()) * 1.06)
    extent = (0, total, len(rows), 0)
    low.imshow(_paint(share, len(rows)), aspect="auto", extent=extent, interpolation="nearest")
    for kind in ("raised", "cancelled"):
        mark, size, face, edge, _ = _OUTCOMES[kind]
        when = [
            (record.tasks[i].finished * scale, y + 0.5) for y, i in enumerate(rows) if record.tasks[i].outcome == kind
        ]
        if when:
            spots = np.array(when) / (total, len(rows)) * (columns // 4, 120)
            apart = np.unique(spots.astype(int), axis=0, return_index=True)[1]
            low.plot(*np.array(when)[apart].T, mark, ms=size * 0.6, mfc=face, mec=edge, mew=0.3, ls="", zorder=5)
    for axes in (high, *narrow.values(), low):
        _dress(axes, total, unit)
        axes.grid(False)
        if axes is not low:
            axes.tick_params(labelbottom=False, bottom=False)
            axes.set_xlabel("")
    _draw_loop(loop, record, scale, point, 0, slow, 1.0)
    for name, axes in narrow.items():
        axes.set_ylim(-0.5, 0.5)
        axes.set_yticks([0], [name])
        axes.tick_params(left=False)
        axes.spines[["left", "bottom"]].set_visible(False)
    high.set_ylabel("tasks")
    low.set_ylabel("one line per task")
    _legend(fig, key)
    _draw_unknown(high, record, scale)
    _draw_unknown(low, record, scale)
    style.title(fig, shorten(plain(title), 90))
    return fig


def _shares(record: Record, rows: Sequence[int], lines: int, columns: int) -> dict[str, np.ndarray]:
    """Return how many tasks (the mean over time) of each line were in each state in each column."""
    line = np.zeros(len(record.tasks), int)
    line[rows] = np.arange(len(rows)) * lines // len(rows)
    task, ours = np.arange(len(record.tasks)), np.zeros(len(record.tasks), bool)
    ours[rows] = True
    width = record.duration / columns or 1.0

    def share(owner: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        keep = ours[owner]
        return _cover(line[owner[keep]], start[keep], end[keep], lines, columns, width)

    return {
        "waiting": share(record.owner, record.idle, record.ready) + share(task, record.last, record.due),
        "ready": share(record.owner, record.ready, record.start) + share(task, record.due, record.until),
        "running": share(record.owner, record.start, record.end),
    }


def _paint(share: dict[str, np.ndarray], tasks: int) -> np.ndarray:
    """Return the image of the lines: what `_shares` says, as colours."""
    lines, columns = share["running"].shape
    each = np.bincount(np.arange(tasks) * lines // tasks, minlength=lines)[:, None]  # tasks of a line
    waiting, ready, running = (np.clip(share[state] / each, 0, 1) for state in ("waiting", "ready", "running"))
    line, column = np.nonzero(running)
    # A short run is lost in its column, and among a line's other tasks.
    seen = _widening(line, column, column + 1, 1, 1) * np.minimum(1, 3 / each[line, 0])
    still = 1 - running
    running[line, column] += still[line, column] * seen
    image = np.ones((lines, columns, 3))
    for opacity, color in (
        (waiting / np.maximum(still - ready, 1e-9), LINE),
        (ready / np.maximum(still, 1e-9), ORANGE),
        (running, BLUE),
    ):
        opacity = np.clip(opacity, 0, 1)[..., None]
        image = image * (1 - opacity) + np.array(to_rgb(color)) * opacity
    return image


def _cover(line: np.ndarray, start: np.ndarray, end: np.ndarray, lines: int, columns: int, width: float) -> np.ndarray:
    """Return how many spans (the mean over time) cover each of `columns`, `width` wide, on each of `lines`."""
    own, later = np.zeros(
        (2, lines, columns + 1)
    )  # how much a span adds to the column of its end, and to all later ones
    for times, sign in ((start, 1), (end, -1)):
        at = np.clip(times / width, 0, columns)
        column = at.astype(int)
        place = line * (columns + 1) + column
        own += sign * np.bincount(place, column + 1 - at, lines * (columns + 1)).reshape(own.shape)
        later += sign * np.bincount(place, minlength=lines * (columns + 1)).reshape(own.shape)
    return np.maximum(0, own + np.cumsum(later, axis=1) - later)[:, :columns]


def _firsts(line: np.ndarray, times: np.ndarray, column: float) -> np.ndarray:
    """Return where a column begins: the first of each run of `times`, sorted on each line, that share one."""
    columns = (times / column).astype(int)
    return np.flatnonzero((np.diff(line, prepend=-1) != 0) | (np.diff(columns, prepend=-1) != 0))


def _sums(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the sum of `values` from each `first` to the next."""
    return np.add.reduceat(values, first) if len(first) else values


def _widening(line: np.ndarray, start: np.ndarray, end: np.ndarray, most: float, point: float) -> np.ndarray:
    """Return by how much each bar is widened, so that the shortest is seen: `most` points where there is room.

    It is never more than a sixteenth of the room beside the bar. The bars are in order on each line; beyond the
    first and the last there is room.
    """
    gap = np.where(np.diff(line) == 0, np.maximum(0, start[1:] - end[:-1]), np.inf)
    if not len(start):
        return start
    return np.minimum((np.r_[np.inf, gap] + np.r_[gap, np.inf]) / 32, most * point)


def _draw_loop(
    axes: Axes, record: Record, scale: float, point: float, y: float, slow: float, height: float = 0.5
) -> None:
    """Draw what the loop ran, whoever it ran, and say how busy that kept it."""
    _boxes(axes, np.array([y]), np.zeros(1), np.array([record.known * scale]), height, IDLE, zorder=1)
    start, end = np.r_[record.callbacks[:, 0], record.start], np.r_[record.callbacks[:, 1], record.end]
    order = np.argsort(start, kind="stable")
    start, ran = start[order] * scale, (end - start)[order] * scale
    long = ran >= slow * scale
    other = (order < len(record.callbacks)) & ~long
    first = _firsts(np.zeros(len(start), int), start, _COLUMN * point)
    kinds = (other, OTHER, 2), (~other & ~long, BLUE, 2), (long, VERMILLION, 3)
    parts = [(_sums(np.where(which, ran, 0.0), first), color, zorder) for which, color, zorder in kinds]
    _bars(axes, np.full(len(first), y), start[first], parts, height, 0.5, point)
    axes.annotate(f"{percent(record.busy)} busy", (1, y), (6, 0), xycoords=("axes fraction", "data"),
                  textcoords="offset points", va="center", size=8, color=FAINT)  # fmt: skip


def _draw_pool(
    axes: Axes,
    start: np.ndarray,
    end: np.ndarray,
    places: int,
    total: float,
    column: float,
    y: float,
    most: float = 0.7,
) -> None:
    """Draw how many of several threads work, as a height: `most` if all `places` do."""
    columns = max(1, round(total / column))
    edges = np.linspace(0, total, columns + 1)
    working = _cover(np.zeros(len(start), int), start, end, 1, columns, total / columns)[0]
    height = most * working / max(places, working.max())  # a pool of processes is one lane, whatever it does at once
    _boxes(axes, np.full(columns, y), edges[:-1], edges[1:], height, GREEN, zorder=4)


def _draw_unknown(axes: Axes, record: Record, scale: float) -> None:
    """Cover the time in which nothing was recorded any more."""
    if record.known == record.duration:
        return
    axes.axvspan(record.known * scale, record.duration * scale, fc="white", ec=RULE, ls=":", zorder=7)
    if record.known < 0.85 * record.duration:
        middle = (record.known + record.duration) / 2 * scale
        look = {"ha": "center", "va": "center", "size": 9, "color": FAINT, "zorder": 7}
        axes.annotate("not recorded", (middle, 0.5), xycoords=("data", "axes fraction"), **look)


def _bars(
    axes: Axes, y: np.ndarray, start: np.ndarray, parts: Sequence[tuple], height: float, most: float, point: float
) -> None:
    """Draw bars of what ran, in order on each y, widened by `most` points at most.

    The parts of a bar stand side by side: (lengths, color, zorder) each.
    """
    end = sum((length for length, *_ in parts), start)
    edge = _widening(y, start, end, most, point)
    at = start
    for length, color, zorder in parts:
        from_, at = at, at + length
        some = (length > 0) | ((end == start) & (from_ is start))
        left = np.where(from_ == start, start - edge / 2, from_)[some]
        right = np.where(at == end, end + edge / 2, at)[some]
        # What all but touches is one bar: a light seam would tell of a pause that is none.
        near = np.clip((right - left)[1:] + (right - left)[:-1], point, 32 * most * point) / 32
        apart = (np.diff(y[some]) != 0) | (left[1:] - right[:-1] > near)
        first = np.flatnonzero(np.r_[True, apart][: len(left)])
        last = np.r_[first[1:], len(left)][: len(first)] - 1
        rows, edges, left, right = y[some][first], edge[some][first], left[first], right[last]
        stroke = most * point
        bold = (right - left > _COLUMN * point) | ((edges >= stroke) & (right - left > 0.999 * stroke))
        a, b = left[bold] + stroke / 2, right[bold] - stroke / 2
        _boxes(axes, rows[bold], a, b, height, color, most, zorder=zorder)
        # The others are not put on whole pixels: narrower than one, a bar is paler.
        pale = ~bold
        tall = height + most / (ROW * _POINT)
        _boxes(axes, rows[pale], left[pale], right[pale], tall, color, snap=False, zorder=zorder)


def _boxes(
    axes: Axes,
    y: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    height: float | np.ndarray,
    color: str,
    edge: float = 0.0,
    **options: object,
) -> None:
    """Draw rectangles; an edge, in points, keeps the shortest visible."""
    some = end > start if not edge else slice(None)
    y, start, end, half = y[some], start[some], end[some], np.broadcast_to(np.asarray(height) / 2, y.shape)[some]
    if not len(y):
        return
    corners = np.stack([start, y - half, end, y - half, end, y + half, start, y + half], axis=1).reshape(-1, 4, 2)
    options.setdefault("edgecolor", color)
    if "hatch" not in options:
        axes.add_collection(PolyCollection(corners, facecolors=color, linewidths=edge, **options), autolim=False)
        return
    # The pattern is made anew for each path, which takes long: all boxes are one path.
    closed = np.concatenate([corners, corners[:, :1]], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(corners))
    axes.add_artist(PathPatch(Path(closed, codes), facecolor=color, linewidth=edge, **options))


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
    widths = [style.text_width(artist.get_label(), 8) + 0.36 for artist in key]
    for columns in range(len(key), 1, -1):
        if sum(map(max, np.array_split(widths, columns))) < style.WIDTH - 0.1:  # filled column by column
            return columns
    return 1


def _beyond(seconds: float) -> str:
    return f"→ {guessing.time(seconds)}"


def _mark(kind: str) -> Line2D:
    mark, size, face, edge, words = _OUTCOMES[kind]
    return Line2D([], [], ls="", marker=mark, ms=size, mfc=face, mec=edge, label=words)


def _unit(seconds: float) -> tuple[float, str]:
    """Return the scale and name of the unit in which a time axis of that length reads best."""
    return (1e6, "µs") if seconds < 2e-3 else (1e3, "ms") if seconds < 2 else (1.0, "s")
