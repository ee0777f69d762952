"""`trace()`: a trace that shows itself, as a picture and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..page.html import bundle, image
from ..page.numbers import duration, percent
from ..page.table import shorten, table
from .drawing import Record, draw_crowd, draw_tasks, lanes, plain, tree
from .guess import Guessed, below, checked_guess, in_words, not_found, room_for
from .moments import Moments
from .recorder import TaskRow, Trace
from .replay import replay, steps

MANY = 30  # tasks: with more, a row for each would be too much to read
_LINES = 60  # of a table
_REASONS = 8  # that a table gives of a task


class Timeline(Trace):
    """Record what the tasks of a `with` block do; let the cell end with the result to see it.

    It displays itself as a picture, its alternative text, and a table with the same facts. `title` heads the picture.
    `guess` says for the name of each row after how many seconds it ends, or `...`: it is drawn over what was measured,
    and told in words; the row of what opened the trace is "this cell". TypeError or ValueError if a value makes no
    sense. A run of `slow` seconds or more is marked as blocking the loop. `everything` and `limit` are those of
    `asynclab.tracing.recorder.Trace`, which also lists the errors raised on entry.

        with trace("Two naps") as naps:
            await asyncio.gather(nap(), nap())
        naps
    """

    def __init__(
        self,
        title: str = "",
        guess: Mapping[str, object] | None = None,
        *,
        slow: float = 0.1,
        everything: bool = False,
        limit: int = 500_000,
    ) -> None:
        super().__init__(everything=everything, limit=limit)
        if not isinstance(title, str):
            raise TypeError(f"a trace's title is a string, not {title!r}")
        self.title, self.slow, self.guess = title, slow, checked_guess(guess)

    @classmethod
    def of(cls, trace: Trace, title: str, opener: str) -> Timeline:
        """Return what `trace` recorded, perhaps in another process, as a timeline; `opener` is who opened it."""
        timeline = cls(title, limit=trace.limit)
        timeline._recorder, timeline.opener = trace._recorder, opener
        return timeline

    def plot(self) -> Picture:
        """Return the picture."""
        record = Record(self)
        picture = image(self._figure(record), _alt(self, record))
        return Picture(picture + below(_guess_in_words(self, record)), _table(self, record))

    def replay(self) -> Picture:
        """Return the picture with a slider that reveals it from left to right, beside the loop's boxes and the code.

        Buttons and the arrow keys step from one moment to the next: where something changed. Played, it lasts as long
        as the traced block did, but at least three seconds.
        """
        record = Record(self)
        fig, moments, words = self._figure(record), Moments(record, self.slow), _table(self, record)
        axis = room_for(record.duration, self._guessed(record).values())
        said = below(_truncated(self, record) + _guess_in_words(self, record))
        html = replay(record, moments, fig, axis, image(fig, _alt(self, record)), said, self.title)
        return Picture(html, words, steps(moments, _LINES - words.count("\n")))

    def alt(self) -> str:
        """Return what the picture shows, as a text to be read aloud."""
        return _alt(self, Record(self))

    def table(self) -> str:
        """Return the facts of the picture as a plain-text table of at most 60 lines."""
        return _table(self, Record(self))

    def _figure(self, record: Record) -> object:
        if len(record.tasks) > MANY:
            return draw_crowd(self, self.title, slow=self.slow, record=record)
        return draw_tasks(self, self.title, slow=self.slow, record=record, guess=self._guessed(record))

    def _guessed(self, record: Record) -> dict[TaskRow, float]:
        """Return the seconds that were guessed, for each row that is drawn."""
        return {} if len(record.tasks) > MANY else _guessed_rows(self.guess, record)[0]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        if not self.tasks:
            return {"text/plain": repr(self)}
        return self.plot()._repr_mimebundle_()

    def __str__(self) -> str:
        return self.table() if self.tasks else repr(self)

    def __repr__(self) -> str:
        if not self.tasks:
            return f"<trace {self.title!r}: nothing recorded yet, use it in a with statement>"
        return f"<trace {self.title!r}: {len(self.tasks) - 1} tasks in {duration(self.duration)}>"


trace = Timeline  # as it reads in a `with` statement


class Picture:
    """A picture of a timeline, shown by being a cell's last expression."""

    def __init__(self, html: str, table: str, more: str = "") -> None:
        """Take the picture and its words; `more` words are in the HTML alone, below those."""
        self._bundle = bundle(html, table)
        if more:
            self._bundle["text/html"] = self._bundle["text/html"].removesuffix("</details>") + more + "</details>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._bundle


def _alt(timeline: Timeline, record: Record) -> str:
    title = shorten(plain(timeline.title), 90)
    rows = [i for i, row in enumerate(record.tasks) if not row.root]
    heading = f"Timeline “{title}”" if title else "Timeline"
    loop = f"the event loop was busy {percent(record.busy)} of the time"
    parts = [f"{heading}: {len(rows)} tasks in {duration(record.duration)}; {loop}."]
    if len(rows) > 8:
        parts.append(f"{_counted([record.tasks[i] for i in rows])}.")
    else:
        parts += ["Ready means: it could run, but the loop was busy."] * bool(rows)
        sums = record.sums()
        for i in rows:
            row, end = record.tasks[i], _end(record, record.tasks[i])
            spent = ", ".join(f"{state} {duration(sums[state][i])}" for state in ("running", "ready", "waiting"))
            name = shorten(record.shown[row], 40)
            parts.append(f"{name}: {_outcome(row)}, {duration(row.created)} to {duration(end)}: {spent}.")
    parts += [f"In a thread or process: {len(record.work)} calls."] if record.work else []
    return " ".join(parts + _truncated(timeline, record) + _guess_in_words(timeline, record))


def _table(timeline: Timeline, record: Record) -> str:
    rows = [row for row in record.tasks if not row.root]
    title = f"{shorten(plain(timeline.title), 90) or 'Timeline'}: {len(rows)} tasks in {duration(record.duration)}"
    title += f", event loop busy {percent(record.busy)}"
    text = _table_of_kinds(record, title) if len(record.tasks) > MANY else _table_of_tasks(record, title)
    return "\n".join([text, *_truncated(timeline, record), *_guess_in_words(timeline, record)])


def _guess_in_words(timeline: Timeline, record: Record) -> list[str]:
    """Return the sentences about the guess: none where nothing was guessed."""
    guessed, unknown = _guessed_rows(timeline.guess, record)
    rows = [Guessed(record.shown[row], seconds, record.ended_at(row)) for row, seconds in guessed.items()]
    known = [name for row, name in record.shown.items() if not row.root]
    said = [in_words(rows, record.duration, drawn=len(record.tasks) <= MANY)] if rows else []
    return said + ([not_found(unknown, known, "task")] if unknown else [])


def _guessed_rows(guess: Mapping[str, float], record: Record) -> tuple[dict[TaskRow, float], list[str]]:
    """Return the seconds guessed for each task, and the names of none; a name is that shown, or else the task's own."""
    guessed, unknown = {}, []
    for name, seconds in guess.items():
        shown = [row for row, text in record.shown.items() if text == plain(name)]
        rows = shown or [row for row in record.tasks if row.name == name and not row.root]
        if len(rows) == 1:
            guessed[rows[0]] = seconds
        else:
            unknown.append(name)
    return guessed, unknown


def _truncated(timeline: Timeline, record: Record) -> list[str]:
    after = f"what came after {duration(record.known)} is not shown."
    return [f"Only the first {timeline.limit} steps were kept: {after}"] if record.truncated else []


def _end(record: Record, row: TaskRow) -> float:
    return record.duration if row.finished is None else row.finished


def _outcome(row: TaskRow) -> str:
    """Return how a task ended, and that it was asked to cancel if its end does not say so."""
    return _outcome_in_words(row.outcome, row.error, bool(row.cancels))


@lru_cache
def _outcome_in_words(outcome: str, error: str, cancelled: bool) -> str:
    words = {"pending": "still pending", "destroyed": "garbage-collected"}.get(outcome, outcome)
    words += f" {shorten(plain(error), 40)}" if error else ""
    if cancelled and outcome != "cancelled":
        words += ", cancel() called"
    return words


def _counted(rows: list[TaskRow]) -> str:
    """Return the number of tasks for each outcome, in words."""
    counts = sorted(Counter(_outcome(row) for row in rows).items())
    if len(counts) > 8:
        most = sorted(counts, key=lambda each: -each[1])[:7]
        counts = [*sorted(most), ("with other outcomes", len(rows) - sum(count for _, count in most))]
    return ", ".join(f"{count} {outcome}" for outcome, count in counts)


def _table_of_tasks(record: Record, title: str) -> str:
    sums, reasons = record.sums(), record.reasons(_REASONS)
    place = {row: i for i, row in enumerate(record.tasks)}
    header = ("task", "outcome", "from", "to", "running", "longest", "ready", "waiting", "waited for")
    lines = []
    for row, depth in tree(record.tasks):
        i = place[row]
        some, count = reasons[i]
        waited = list(dict.fromkeys(shorten(record.reason(reason), 60) for reason in some))
        waited += [f"… and {count - len(some)} more"] * (count > len(some))
        numbers = (row.created, _end(record, row), *(sums[s][i] for s in ("running", "longest", "ready", "waiting")))
        outcome = ("cancel() called" if row.cancels else "") if row.root else _outcome(row)
        name = "  " * depth + shorten(record.shown[row], 60)
        lines.append((name, outcome, *map(duration, numbers), ", ".join(waited)))
    for calls in _calls(record, _LINES - 4 - len(lines)):
        times = [calls.start, calls.end, calls.total, calls.longest]
        numbers = map(duration, times) if calls.begun else [""] * 4
        lines.append((calls.name, calls.outcome, *numbers, "", "", ""))
    return table(header, lines, title, words=("outcome", "waited for"))


def _table_of_kinds(record: Record, title: str) -> str:
    work = [
        (calls.name, calls.outcome, "", *(map(duration, (calls.total, calls.longest)) if calls.begun else "  "), "", "")
        for calls in _calls(record, 20, together=True)
    ]
    rows = [i for i, row in enumerate(record.tasks) if not row.root]
    kinds: dict[tuple[str, str], int] = {}
    kind = np.array([
        kinds.setdefault((record.tasks[i].coro.rsplit(".", 1)[-1], _outcome(record.tasks[i])), len(kinds)) for i in rows
    ])  # fmt: skip
    sums = {state: seconds[rows] for state, seconds in record.sums().items()}
    count = np.bincount(kind)
    total = {state: np.bincount(kind, sums[state]) for state in ("running", "ready", "waiting")}
    longest = np.zeros(len(kinds))
    np.maximum.at(longest, kind, sums["longest"])

    def line(coro: str, outcome: str, which: Sequence[int]) -> tuple[str, ...]:
        running, ready, waiting = (total[state][which].sum() for state in ("running", "ready", "waiting"))
        numbers = map(duration, (running, longest[which].max(), ready, waiting))
        return (coro, outcome, f"{count[which].sum()}", *numbers)

    room = _LINES - 4 - len(work)
    shown = sorted(np.argsort(-count, kind="stable")[: room - (len(kinds) > room)])
    words = list(kinds)
    lines = [line(shorten(plain(words[i][0]), 60), words[i][1], [i]) for i in shown]
    if len(shown) < len(kinds):
        others = np.setdiff1d(np.arange(len(kinds)), shown)
        lines.append(line(f"… and {len(others)} more kinds", "", others))
    header = ("coroutine", "outcome", "tasks", "running", "longest", "ready", "waiting")
    return table(header, lines + work, title, words=("outcome",))


class _Calls(NamedTuple):
    """Calls made in threads or processes, told in one line; times are in seconds."""

    name: str
    outcome: str
    begun: bool
    start: float = 0.0
    end: float = 0.0
    total: float = 0.0
    longest: float = 0.0


def _calls(record: Record, room: int, together: bool = False) -> list[_Calls]:
    """Return a line for each call, or for those alike where there are more than `room`, or if `together`."""
    threads, alike = lanes(record), {}
    together = together or len(record.work) > room
    for i, work in enumerate(record.work):
        place, outcome = "in a thread", "never begun"
        if work.start is not None:
            place = "in a thread" if threads[work.lane].startswith("thread ") else f"in {threads[work.lane]}"
            raised = f"raised {shorten(plain(work.error), 40)}"
            outcome = raised if work.error else "still running" if work.end is None else "done"
        alike.setdefault((work.name, place, outcome, 0 if together else i), []).append(work)

    def line(name: str, outcome: str, works: list) -> _Calls:
        times = [
            (each.start, record.duration if each.end is None else each.end) for each in works if each.start is not None
        ]
        if not times:
            return _Calls(name, outcome, False)
        start, end = np.array(times).T
        return _Calls(name, outcome, True, start.min(), end.max(), (end - start).sum(), (end - start).max())

    lines = []
    largest = sorted(alike, key=lambda key: -len(alike[key]))[: room - (len(alike) > room)]
    shown = set(largest)
    for name, place, outcome, i in alike:
        if (name, place, outcome, i) in shown:
            works = alike[name, place, outcome, i]
            words = f"{shorten(plain(name), 60)} {place}"
            if len(works) > 1:
                words = f"{len(works)} calls of {words.replace(' in a thread', ' in threads')}"
            lines.append(line(words, outcome, works))
    if len(shown) < len(alike):
        others = [work for key, works in alike.items() if key not in shown for work in works]
        lines.append(line(f"… and {len(others)} more calls", "", others))
    return lines
