"""The moments of a trace: what each task was doing after each turn of the loop, and a sentence on what happened.

A moment is when something changed: a task was created or became ready, or one gave the loop back and the next took
it. Of more than 200, those that lasted longest are kept; what happened in between is told as a number of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..page.numbers import duration
from ..page.table import shorten
from .awaiting import Place
from .drawing import Record, plain
from .recorder import TaskRow
from .source import Block, blocks, function_of

MOMENTS, TASKS = 200, 30  # at most so many moments, and tasks that are followed
# What happened to a task. At the same time, one gives the loop back first, and what that brings about follows.
_CANCEL, _ENDED, _CREATED, _READY, _STARTED = range(5)
_CLAUSES = 6  # of a sentence
_SLEPT, _BUSY = 5e-4, 2e-2  # seconds; see `_groups`


class Mark(NamedTuple):
    """What a task has to do with a line of code."""

    place: Place
    kind: str  # "running", "until", "new", "ready", "waiting" or "awaiting" (what is suspended further in)


class State(NamedTuple):
    """What a task is doing: `kind` is "running", "ready", "waiting" or "ended", `words` says more."""

    kind: str
    words: str
    marks: tuple[Mark, ...]


class Moment(NamedTuple):
    """One moment: when, in seconds since the trace began, what happened, and who changed."""

    when: float
    sentence: str
    changes: list[tuple[int, State]]  # of the tasks that are followed, by their place in `Record.tasks`
    counts: tuple[int, ...]  # of all tasks: running, ready, waiting, ended


class Moments:
    """The moments of a record, the names of the tasks that are followed, and the code in which they were seen.

    An event is something that happened to a task: its time, kind, task and step (-1: none) are columns of their own.
    """

    def __init__(self, record: Record, slow: float = 0.1) -> None:
        self._record, self._slow = record, slow
        self.names = [shorten(name, 40) for name in record.shown.values()]
        self.followed = range(min(TASKS, len(record.tasks)))
        self._time, self._kind, self._task, self._step = _events(record)
        self._first, self._final, self._cut = _kinds_of_step(record)
        self._over = (self._kind == _ENDED) & self._final[self._step]
        maker = np.array([row.parent.number if row.parent else -1 for row in record.tasks])
        self._maker = np.where(self._kind == _CREATED, maker[self._task], -1)

        counts = self._counts()
        all_ends = _groups(self._time, self._kind, self._over, counts[0] > 0)
        ends = _longest(all_ends, self._time, record.duration)
        self.count, self.merged = len(all_ends), len(all_ends) - len(ends)
        changes: list[list[tuple[int, int, State]]] = [[] for _ in ends]  # of each moment: by which event, who, what
        seen: dict[Place, None] = {}
        self.hidden: list[str] = []  # names of those seen in library code alone, whose lines are not shown
        for task in self.followed:
            own = list(self._changes(task, ends))
            for m, event, state in own:
                changes[m].append((event, task, state))
            marks = [mark for _, _, state in own for mark in state.marks]
            seen |= dict.fromkeys(mark.place for mark in marks)
            self.hidden += [self.names[task]] if own and not marks else []
        opened = next((row.begins for row in record.tasks if row.root), None)
        self.code: dict[tuple, Block] = blocks(seen, opened, record.opener)
        self.moments = list(self._tell(all_ends, ends, changes, counts))

    # ------------------------------------------------------------ what each task is doing

    def _changes(self, task: int, ends: np.ndarray) -> Iterator[tuple[int, int, State]]:
        """Yield what a task came to do: at which of the moments that end at `ends`, by which event, and what."""
        own = np.flatnonzero((self._task == task) & (self._kind != _CANCEL))
        makes = np.flatnonzero(self._maker == task)
        last, last_made = (np.append(-1, each)[np.searchsorted(each, ends, "right")] for each in (own, makes))
        new = (np.diff(last, prepend=-1) != 0) | (np.diff(last_made, prepend=-1) != 0)
        for m in np.flatnonzero(new & (last >= 0)):
            yield int(m), int(last[m]), self._state(int(last[m]), int(last_made[m]))

    def _state(self, event: int, created: int) -> State:
        """Return what a task is doing after its own `event`; `created` is that by which it last created another."""
        record, kind, task, step = self._record, self._kind[event], self._task[event], self._step[event]
        row = record.tasks[task]
        begins = (row.begins,) if row.begins else ()
        if kind == _CREATED:
            return State("ready", "new", _marks(begins, "new"))
        if self._over[event]:
            how = "garbage-collected" if row.outcome == "destroyed" else row.outcome
            return State("ended", "" if row.root else f"{how} {row.error}".rstrip(), ())
        before = begins if self._first[step] else record.places[self._awaited(task, step)]
        if kind == _READY:
            return State("ready", "", _marks(before, "ready"))
        resumed = kind == _STARTED and not self._first[step] and self._cut[step - 1]
        made = record.tasks[self._task[created]].made if created > (-1 if resumed else event) else None
        making = (made,) if made else ()
        if kind == _ENDED and self._cut[step]:
            return State("waiting", "the task that it runs", _marks(making, "waiting"))
        after = () if self._final[step] else record.places[record.after[step]]
        if kind == _ENDED:
            return State("waiting", self._reason(record.after[step]), _marks(after, "waiting"))
        here = before[:-1] + (making or before[-1:])
        until = _marks(after[-1:], "until") if after[-1:] != here[-1:] else ()
        return State("running", "", _marks(here, "running") + until)

    def _awaited(self, task: int, step: int) -> int:
        """Return what a task awaited before that step, or in the end, as an index of `names` and `places`."""
        return self._record.before[step] if step >= 0 else self._record.awaited[task]

    def _reason(self, awaited: int) -> str:
        return shorten(self._record.reason(self._record.names[awaited]), 60)

    def _counts(self) -> np.ndarray:
        """Return how many tasks are running, ready, waiting and ended after each event."""
        created, ready, started, ended = ((self._kind == k).astype(int) for k in (_CREATED, _READY, _STARTED, _ENDED))
        collected = ended * (self._step < 0)
        running, waiting = started - ended + collected, ended - self._over - ready - collected
        return np.cumsum([running, created + ready - started, waiting, self._over], axis=1)

    # ------------------------------------------------------------ what happened, in words

    def _tell(
        self, all_ends: np.ndarray, ends: np.ndarray, changes: list[list[tuple[int, int, State]]], counts: np.ndarray
    ) -> Iterator[Moment]:
        """Yield the moments that end at `ends`; others, which are not told, end at the rest of `all_ends`."""
        times, place = self._time[ends], np.searchsorted(all_ends, ends)
        lasts = np.diff(self._time[all_ends], append=self._record.duration)[place]  # until the next, told or not
        begins, passed = np.append(-1, all_ends)[place] + 1, np.diff(place, prepend=-1)
        for m, end in enumerate(ends):
            said = list(self._sentences(range(begins[m], end + 1)))
            if len(said) > _CLAUSES:
                more = len(said) - _CLAUSES
                words = f"{more} more changes" if more > 1 else "1 more change"
                said = [*said[: _CLAUSES // 2], words, *said[-_CLAUSES // 2 :]]
            if passed[m] > 1:
                said[:1] = [f"{passed[m]} changes in {duration(times[m] - times[m - 1])}, at last: {''.join(said[:1])}"]
            if counts[0, end]:
                said += self._blocking(end, lasts[m])
            elif not counts[1, end] and m + 1 < len(ends):
                busy = self._callbacks_within(times[m], times[m] + lasts[m]) > lasts[m] / 2
                said.append(
                    "no task is ready: the loop runs callbacks" if busy else "nothing is ready: the loop sleeps"
                )
            changed = [(task, state) for _, task, state in sorted(changes[m])]  # as they stand in line
            yield Moment(float(times[m]), "; ".join(said) + ".", changed, tuple(counts[:, end].tolist()))

    def _blocking(self, end: int, lasts: float) -> Iterator[str]:
        """Yield that the running task keeps the loop, if it does so for long."""
        start = np.flatnonzero(self._kind[: end + 1] == _STARTED)[-1]
        kept = min(lasts, self._record.end[self._step[start]] - self._time[end])
        if kept >= self._slow:
            yield f"{self.names[self._task[start]]} keeps the loop for {duration(kept)}"

    def _callbacks_within(self, start: float, end: float) -> float:
        """Return for how many seconds the loop ran callbacks between two moments."""
        return float(np.diff(np.clip(self._record.callbacks, start, end)).sum())

    def _sentences(self, group: Iterable[int]) -> Iterator[str]:
        """Yield what happened, event by event; what an end brings about comes after it."""
        events = sorted(group, key=lambda j: self._kind[j] != _ENDED)
        started = {self._task[j] for j in events if self._kind[j] == _STARTED}
        awake = {self._task[j] for j in events if self._kind[j] == _READY} & started
        for j in events:
            kind, task, step = self._kind[j], self._task[j], self._step[j]
            name, row = self.names[task], self._record.tasks[task]
            if kind == _CREATED:
                yield self._created(name, row, self._maker[j])
            elif kind == _READY and task not in awake:
                yield f"{self._woken(task, step)} is ready again"
            elif kind == _STARTED and self._first[step]:
                if not (row.root or row.eager):
                    yield f"{name} starts"
            elif kind == _STARTED:
                woken = self._woken(task, step) if task in awake else name
                yield f"{woken} goes on{self._at(self._record.places[self._record.before[step]], ' from')}"
            elif kind == _ENDED and not self._cut[step]:
                yield self._ended(name, row, step)
            elif kind == _CANCEL:
                by = next(cancel.by for cancel in row.cancels if cancel.when == self._time[j])
                whom = "itself" if by is row else name
                yield f"{self.names[by.number]} cancels {whom}" if by else f"{name} is asked to cancel"

    def _created(self, name: str, row: TaskRow, maker: int) -> str:
        """Return who created a task, and that it is ready."""
        if row.root:
            return f"the trace begins; {name} runs on{self._at((row.begins,) if row.begins else (), ' from')}"
        if maker < 0 or row.late:
            return f"{name} is ready"
        then = "it runs at once (an eager task)" if row.eager else f"{name} is ready"
        return f"{self.names[maker]} creates {name}{self._at((row.made,) if row.made else ())}: {then}"

    def _woken(self, task: int, step: int) -> str:
        """Return the beginning of a sentence: what the task waited for before that step is over, and it …"""
        record, name, awaited = self._record, self.names[task], self._awaited(task, step)
        idle, start = (record.idle[step], record.start[step]) if step >= 0 else (record.last[task], record.duration)
        if any(idle <= cancel.when <= start for cancel in record.tasks[task].cancels):
            return f"{name} is woken, to be cancelled: it"
        reason = self._reason(awaited)
        if not reason:
            return name
        return f"{name}’s {'sleep' if reason == 'sleep' else f'wait for {reason}'} is over: it"

    def _ended(self, name: str, row: TaskRow, step: int) -> str:
        """Return how a step ended."""
        if self._final[step]:
            if row.root:
                return f"{name} leaves the block: the trace ends"
            how = {"done": "ends", "cancelled": "ends, cancelled", "destroyed": "is garbage-collected"}
            return f"{name} {how.get(row.outcome) or f'raises {plain(row.error)} and ends'}"
        after = self._record.after[step]
        return f"{name} suspends{self._at(self._record.places[after])} and waits for {self._reason(after)}"

    def _at(self, places: tuple[Place, ...], word: str = " at") -> str:
        """Return the innermost of `places` in words, with its code."""
        if not places:
            return ""
        number = places[-1].line
        code = self.code.get(function_of(places[-1]), Block("", {})).code_at(number)
        return f"{word} line {number}" + (f" ({code})" if code else "")


def _marks(places: tuple[Place, ...], kind: str) -> tuple[Mark, ...]:
    """Return a mark for the innermost place, and one for each that awaits it."""
    return (*(Mark(place, "awaiting") for place in places[:-1]), *(Mark(place, kind) for place in places[-1:]))


def _kinds_of_step(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which steps were a task's first, which its final, and which an eager task's run cut short.

    The last of each stands for no step (-1): what ends by none is collected.
    """
    # A trace that reached its limit has not seen the last steps of those that ended later.
    ended = np.array([record.ended_at(row) for row in record.tasks], float)  # nan if it has not
    final = np.roll(record.first, -1) & (ended <= record.known)[record.owner]
    suspended = np.array([name is not None for name in record.names])[record.after]
    return np.append(record.first, False), np.append(final, True), np.append(~final & ~suspended, False)


def _events(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return all that happened to tasks, in order: when, what, to which task, and by which step (-1: by none)."""
    steps, resumes = np.arange(len(record.owner)), np.flatnonzero(~record.first)
    woken = np.flatnonzero((record.due < record.until) & (record.last > record.created))
    gone = [row for row in record.tasks if row.outcome == "destroyed"]
    cancels = [(cancel.when, k) for k, row in enumerate(record.tasks) for cancel in row.cancels]
    parts = [
        (record.created, _CREATED, np.arange(len(record.tasks)), -1),
        (record.ready[resumes], _READY, record.owner[resumes], resumes),
        (record.due[woken], _READY, woken, -1),
        (record.start, _STARTED, record.owner, steps),
        # A step takes a nanosecond at least, so that its end comes after its start.
        (np.maximum(record.end, record.start + 1e-9), _ENDED, record.owner, steps),
        ([row.finished for row in gone], _ENDED, [row.number for row in gone], -1),
        ([when for when, _ in cancels], _CANCEL, [k for _, k in cancels], -1),
    ]
    columns = zip(*(np.broadcast_arrays(*part) for part in parts), strict=True)
    time, kind, task, step = (np.concatenate(column) for column in columns)
    order = np.lexsort((kind, time))
    order = order[time[order] <= record.known]
    return time[order], kind[order].astype(int), task[order].astype(int), step[order].astype(int)


def _groups(time: np.ndarray, kind: np.ndarray, over: np.ndarray, running: np.ndarray) -> np.ndarray:
    """Return the last of the events that make a moment together, for each moment.

    A task gives the loop back, others become ready by that, the next one starts: that is one moment, unless callbacks
    hold the loop in between. What becomes ready while nothing runs opens a new one, unless it follows at once. What
    happens while a task runs is a moment of its own, but for what its end brings about.
    """
    later = np.diff(time, append=np.inf)  # until the next event
    place = np.arange(len(kind))
    following = np.minimum.accumulate(np.where(kind == _READY, len(kind), place)[::-1])[::-1]  # but what becomes ready
    soon = np.append(time, np.inf)[following] - time < _SLEPT
    by_its_end = (kind == _READY) & np.append(over, False)[following] & soon
    apart = later > np.where(np.append(kind[1:], _ENDED) == _STARTED, _BUSY, _SLEPT)
    # What happens at the same time, such as a cancellation and what it wakes, is together.
    return np.flatnonzero((kind == _STARTED) | apart | (running & ~by_its_end & (later > 0)))


def _longest(ends: np.ndarray, time: np.ndarray, end: float) -> np.ndarray:
    """Return those of `ends` after which things stayed as they were for longest, in order."""
    if len(ends) <= MOMENTS:
        return ends
    lasts = np.diff(time[ends], append=end)
    lasts[[0, -1]] = np.inf
    return np.sort(ends[np.argsort(-lasts, kind="stable")[:MOMENTS]])
