"""`trace()`: a trace that shows itself, as a picture and in words."""

from __future__ import annotations

from collections import Counter
from html import escape

from . import figures
from .drawing import busy, draw_crowd, draw_tasks, lanes, reason_in_words, shown_names, tree
from .figures import duration, percent
from .tracing import TaskRow, Trace

MANY = 30  # tasks: with more, a row for each would be too much to read


def trace(title: str = "", *, slow: float = 0.1, everything: bool = False, limit: int = 500_000) -> Timeline:
    """Record what the tasks of a `with` block do; let the cell end with the result to see it.

    `title` heads the picture. A run of `slow` seconds or more is marked as blocking the loop. `everything` and
    `limit` are those of `asynclab.tracing.Trace`, which also lists the errors raised on entry.

        with trace("Two naps") as naps:
            await asyncio.gather(nap(), nap())
        naps
    """
    return Timeline(title, slow=slow, everything=everything, limit=limit)


class Timeline(Trace):
    """A trace that displays itself: a picture, its alternative text, and a table with the same facts."""

    def __init__(self, title: str = "", *, slow: float = 0.1, everything: bool = False, limit: int = 500_000) -> None:
        super().__init__(everything=everything, limit=limit)
        if not isinstance(title, str):
            raise TypeError(f"a trace's title is a string, not {title!r}")
        self.title, self.slow = title, slow

    def plot(self, *, reasons: bool = True) -> Picture:
        """Return the picture; `reasons=False` leaves out what each task waited for."""
        return Picture(self, figures.image(self._figure(reasons), self.alt()))

    def replay(self) -> Picture:
        """Return the picture with a slider that reveals it from left to right, and a button that moves the slider.

        A replay lasts as long as the traced block did, but at least three seconds.
        """
        return Picture(self, _replay(self))

    def alt(self) -> str:
        """Return what the picture shows, as a text to be read aloud."""
        names = shown_names(self.tasks)
        rows = [row for row in self.tasks if not row.root]
        heading = f"Timeline “{self.title}”" if self.title else "Timeline"
        loop = f"the event loop was busy {percent(busy(self))} of the time"
        parts = [f"{heading}: {len(rows)} tasks in {duration(self.duration)}; {loop}."]
        if len(rows) > 8:
            parts.append(f"{_counted(rows)}.")
        else:
            parts += ["Ready means: it could run, but the loop was busy."] * bool(rows)
            parts += [f"{names[row]}: {_outcome(row)}, {_sums_in_words(self, row)}." for row in rows]
        parts += [f"In a thread or process: {len(self.work)} calls."] if self.work else []
        return " ".join(parts)

    def table(self) -> str:
        """Return the facts of the picture as a plain-text table."""
        rows = [row for row in self.tasks if not row.root]
        title = f"{self.title or 'Timeline'}: {len(rows)} tasks in {duration(self.duration)}"
        title += f", event loop busy {percent(busy(self))}"
        text = _table_of_kinds(self, title) if len(self.tasks) > MANY else _table_of_tasks(self, title)
        return text + (f"\nOnly the first {self.limit} steps were kept." if self.truncated else "")

    def _figure(self, reasons: bool = True) -> object:
        if len(self.tasks) > MANY:
            return draw_crowd(self, self.title, slow=self.slow)
        return draw_tasks(self, self.title, slow=self.slow, reasons=reasons)

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


class Picture:
    """A picture of a timeline, shown by being a cell's last expression."""

    def __init__(self, timeline: Timeline, html: str) -> None:
        self._bundle = figures.bundle(html, timeline.table())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._bundle


def _sums(timeline: Timeline, row: TaskRow) -> dict[str, float]:
    """Return the seconds that a task spent running, ready and waiting, and its longest run."""
    sums = {"running": 0.0, "ready": 0.0, "waiting": 0.0, "longest": 0.0}
    for state, start, end, _ in row.spans(timeline.duration):
        sums[state] += end - start
        if state == "running":
            sums["longest"] = max(sums["longest"], end - start)
    return sums


def _sums_in_words(timeline: Timeline, row: TaskRow) -> str:
    sums = _sums(timeline, row)
    end = timeline.duration if row.finished is None else row.finished
    return f"{duration(row.created)} to {duration(end)}: " + ", ".join(
        f"{state} {duration(sums[state])}" for state in ("running", "ready", "waiting")
    )


def _outcome(row: TaskRow) -> str:
    """Return how a task ended, and that it was asked to cancel if its end does not say so."""
    words = {"pending": "still pending", "destroyed": "garbage-collected"}.get(row.outcome, row.outcome)
    words += f" {row.error}" if row.error else ""
    if row.cancels and row.outcome != "cancelled":
        words += ", cancel() called"
    return words


def _counted(rows: list[TaskRow]) -> str:
    """Return the number of tasks for each outcome, in words."""
    counts = Counter(_outcome(row) for row in rows)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _table_of_tasks(timeline: Timeline, title: str) -> str:
    names = shown_names(timeline.tasks)
    called = {row.name: name for row, name in names.items()}
    header = ("task", "outcome", "from", "to", "running", "longest", "ready", "waiting", "waited for")
    lines = []
    for row, depth in tree(timeline.tasks):
        sums = _sums(timeline, row)
        reasons = dict.fromkeys(reason_in_words(step.awaiting, called) for step in row.steps if step.awaiting)
        end = timeline.duration if row.finished is None else row.finished
        numbers = (row.created, end, sums["running"], sums["longest"], sums["ready"], sums["waiting"])
        outcome = ("cancel() called" if row.cancels else "") if row.root else _outcome(row)
        lines.append(("  " * depth + names[row], outcome, *map(duration, numbers), ", ".join(reasons)))
    threads = lanes(timeline)
    for work in timeline.work:
        if work.start is None:
            lines.append((f"{work.name} in a thread", "never begun", *[""] * 6, ""))
            continue
        end = timeline.duration if work.end is None else work.end
        outcome = f"raised {work.error}" if work.error else "still running" if work.end is None else "done"
        place = "in a thread" if threads[work.lane].startswith("thread ") else f"in {threads[work.lane]}"
        ran = duration(end - work.start)
        lines.append((f"{work.name} {place}", outcome, duration(work.start), duration(end), ran, ran, "", "", ""))
    return figures.table(header, lines, title, words=("outcome", "waited for"))


def _table_of_kinds(timeline: Timeline, title: str) -> str:
    kinds: dict[tuple[str, str], list[TaskRow]] = {}
    for row in timeline.tasks:
        if not row.root:
            kinds.setdefault((row.coro.rsplit(".", 1)[-1], _outcome(row)), []).append(row)
    lines = []
    for (coro, outcome), rows in kinds.items():
        sums = [_sums(timeline, row) for row in rows]
        totals = [sum(each[state] for each in sums) for state in ("running", "ready", "waiting")]
        longest = max(each["longest"] for each in sums)
        lines.append((coro, outcome, f"{len(rows)}", *map(duration, (totals[0], longest, *totals[1:]))))
    header = ("coroutine", "outcome", "tasks", "running", "longest", "ready", "waiting")
    return figures.table(header, lines, title, words=("outcome",))


# Everything is found from the element that was touched: no identifiers, so two replays in a page do not meet.
_MOVE = (
    "const r=this.closest('.asynclab-replay'),s=r.querySelector('input'),c=r.querySelector('.asynclab-cover');"
    "const at=v=>{{s.value=v;c.style.left=({left}+{span}*v/1000)+'%';c.style.display=v>=1000?'none':'block'}};"
)
_PLAY = (
    "const t0=performance.now();const f=t=>{{const v=Math.min(1000,Math.max(0,(t-t0)/{ms}*1000));at(v);"
    "if(v<1000&&r.isConnected)requestAnimationFrame(f)}};requestAnimationFrame(f)"
)


def _replay(timeline: Timeline) -> str:
    fig = timeline._figure()
    box = fig.axes[0].get_position()
    left, span = 100 * box.x0, 100 * (box.x1 - box.x0)
    top, bottom = (
        100 * (1 - max(a.get_position().y1 for a in fig.axes)),
        100 * min(a.get_position().y0 for a in fig.axes),
    )
    move = _MOVE.format(left=round(left, 2), span=round(span, 2))
    play = _PLAY.format(ms=max(3000, round(timeline.duration * 1000)))
    return (
        f'<div class="asynclab-replay" style="position:relative;max-width:{figures.WIDTH * 100:.0f}px">'
        f'<div style="position:relative">{figures.image(fig, timeline.alt())}'
        f'<div class="asynclab-cover" style="position:absolute;display:none;right:0;top:{top:.2f}%;'
        f"bottom:{bottom:.2f}%;"
        'background:#fff;opacity:.93;border-left:2px solid #22272E"></div></div>'
        '<div style="display:flex;gap:8px;align-items:center">'
        f'<button type="button" onclick="{escape(move + play)}">▶ Replay</button>'
        '<input type="range" min="0" max="1000" value="1000" aria-label="How much of the timeline is shown" '
        f'style="flex:1" oninput="{escape(move)}at(+s.value)"></div></div>'
    )
