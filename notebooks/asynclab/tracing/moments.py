"""The moments of a trace: what each task was doing after each turn of the loop, and a sentence on what happened.

A moment is when something changed: a task was created or became ready, or one gave the loop back and the next took
it. Of more than 200, those that lasted longest are kept; what happened in between is told as a number of changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..page.numbers import duration
from ..page.table import shorten
from .awaiting import Place, is_library_file
from .drawing import Record, known_names, plain, reason_in_words, shown_names
from .source import Block, blocks, function_of

MOMENTS, TASKS = 200, 30  # at most so many moments, and tasks that are followed
_CREATED, _CANCEL, _READY, _STARTED, _ENDED = range(5)
_CLOSE = 20_000  # events that are grouped with care
_CLAUSES = 6  # of a sentence
_SLEPT, _BUSY, _LAST_ACT = 5e-4, 2e-2, 5e-4  # seconds; see `_groups`


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
    """The moments of a record, the names of the tasks that are followed, and the code in which they were seen."""

    def __init__(self, record: Record, slow: float = 0.1) -> None:
        self._record, self._slow = record, slow
        self._name = {row: shorten(name, 40) for row, name in shown_names(record.tasks, record.opener).items()}
        self.names, self._called = [*self._name.values()], known_names(self._name)
        self._time, self._kind, self._task, self._step = _events(record)
        # A trace that reached its limit has not seen the last steps of those that ended later.
        ended = [record.duration if row.root else row.finished for row in record.tasks]
        over = np.array([  # what is collected ends by no step
            when is not None and when <= record.known and row.outcome != "destroyed"
            for when, row in zip(ended, record.tasks, strict=True)
        ])  # fmt: skip
        self._first = np.diff(record.owner, prepend=-1) != 0
        self._final = (np.diff(record.owner, append=-1) != 0) & over[record.owner]
        all_ends = _groups(self._time, self._kind, self._step, self._is_end)
        self.count = len(all_ends)
        ends = _longest(all_ends, self._time, record.duration)
        self.merged = self.count - len(ends)
        self.followed = range(min(TASKS, len(record.tasks)))
        self._makes: dict[object, list[int]] = {}  # for each task, the events by which it created others
        for j in np.flatnonzero(self._kind == _CREATED):
            self._makes.setdefault(record.tasks[self._task[j]].parent, []).append(int(j))
        self._came: list[np.ndarray] = []  # for each task that is followed: by which event into which state
        states = [self._states(task, ends) for task in self.followed]
        # Of library code it suffices that it is named: nobody learns from its lines here.
        seen = [mark.place for each in states for state in each if state for mark in state.marks]
        root = next((row for row in record.tasks if row.root), None)
        self.code: dict[tuple, Block] = blocks(dict.fromkeys(seen), root and root.begins, record.opener)
        self.hidden = [
            self.names[task]
            for task in self.followed
            if any(states[task]) and not any(s and s.marks for s in states[task])
        ]
        self.moments = list(self._tell(all_ends, ends, states))

    def _is_end(self, step: int) -> bool:
        """Return whether the task ended with that step; what ends by no step (-1) is collected."""
        return step < 0 or bool(self._final[step])

    def _is_cut(self, step: int) -> bool:
        """Return whether the step was cut short because an eager task ran inside of it."""
        return not self._is_end(step) and self._record.names[self._record.after[step]] is None

    # ------------------------------------------------------------ what each task is doing

    def _states(self, task: int, ends: list[int]) -> list[State | None]:
        """Return what a task was doing after each of the events at `ends`; None before it was created."""
        own = np.flatnonzero((self._task == task) & (self._kind != _CANCEL))
        at = np.searchsorted(own, ends, "right") - 1
        self._came.append(own[np.maximum(at, 0)] if len(own) else at)
        positions, known, states = self._makes.get(self._record.tasks[task], []), {}, []
        for end, k in zip(ends, at, strict=True):
            if k < 0:
                states.append(None)
                continue
            j = int(own[k])
            upto = bisect_right(positions, end)
            resumed = self._kind[j] == _STARTED and not self._first[self._step[j]] and self._is_cut(self._step[j] - 1)
            making = positions[upto - 1] if upto and (positions[upto - 1] > j or resumed) else None
            if (j, making) not in known:
                made = None if making is None else self._record.tasks[self._task[making]].made
                known[j, making] = self._state(j, made)
            states.append(known[j, making])
        return states

    def _state(self, j: int, making: Place | None) -> State:
        """Return what the task of event `j` is doing after it; `making` is the line that created another task."""
        record, kind, step = self._record, self._kind[j], int(self._step[j])
        row = record.tasks[self._task[j]]
        begins = (row.begins,) if row.begins and not is_library_file(row.begins.file) else ()
        if kind == _CREATED:
            return State("ready", "new", _marks(begins, "new"))
        if kind == _ENDED and self._is_end(step):
            how = "garbage-collected" if row.outcome == "destroyed" else row.outcome
            return State("ended", "" if row.root else " ".join(filter(None, [how, row.error])), ())
        if step < 0:  # ready for a step that it was not to begin
            return State("ready", "", _marks(record.places[record.awaited[self._task[j]]], "ready"))
        before = begins if self._first[step] else record.places[record.before[step]]
        after = () if self._is_end(step) else record.places[record.after[step]]
        if kind == _ENDED and self._is_cut(step):
            return State("waiting", "the task that it runs", _marks((making,) if making else (), "waiting"))
        if kind == _ENDED:
            return State("waiting", self._reason(record.names[record.after[step]]), _marks(after, "waiting"))
        if kind == _READY:
            return State("ready", "", _marks(before, "ready"))
        at = _marks((*before[:-1], making) if making else before, "running")
        until = tuple(Mark(place, "until") for place in after[-1:] if place not in [mark.place for mark in at[-1:]])
        return State("running", "", at + until)

    def _reason(self, name: str | None) -> str:
        return shorten(reason_in_words(name or "", self._called), 60)

    # ------------------------------------------------------------ what happened, in words

    def _tell(self, all_ends: np.ndarray, ends: list[int], states: list[list[State | None]]) -> Iterator[Moment]:
        counts = self._counts()[:, ends].T
        times = self._time[ends]
        place = np.searchsorted(all_ends, ends)
        lasts = np.diff(self._time[all_ends], append=self._record.duration)[place]  # until the next, told or not
        for m, end in enumerate(ends):
            i = int(place[m])
            since = place[m - 1] if m else -1
            said = list(self._sentences(range(all_ends[i - 1] + 1 if i else 0, end + 1)))
            if len(said) > _CLAUSES:
                said = [*said[: _CLAUSES // 2], _more(len(said) - _CLAUSES), *said[-_CLAUSES // 2 :]]
            if i - since > 1:
                said[:1] = [f"{i - since} changes in {duration(times[m] - times[m - 1])}, at last: {''.join(said[:1])}"]
            running, ready = counts[m][:2]
            if not running and not ready and m + 1 < len(ends):
                busy = self._callbacks_within(times[m], times[m] + lasts[m]) > lasts[m] / 2
                said.append(
                    "no task is ready: the loop runs callbacks" if busy else "nothing is ready: the loop sleeps"
                )
            elif running:
                last = np.flatnonzero(self._kind[: end + 1] == _STARTED)[-1]
                kept = min(lasts[m], self._record.end[self._step[last]] - times[m])
                if kept >= self._slow:
                    said.append(f"{self.names[self._task[last]]} keeps the loop for {duration(kept)}")
            now = [(k, each[m], each[m - 1] if m else None) for k, each in enumerate(states)]
            changes = [(k, state) for k, state, before in now if state and state is not before]
            changes.sort(key=lambda change: self._came[change[0]][m])  # who is ready stands in line in that order
            yield Moment(float(times[m]), "; ".join(said) + ".", changes, tuple(map(int, counts[m])))

    def _callbacks_within(self, start: float, end: float) -> float:
        """Return for how many seconds the loop ran callbacks between two moments."""
        return float(np.clip(np.diff(np.clip(self._record.callbacks, start, end)), 0, None).sum())

    def _counts(self) -> np.ndarray:
        """Return how many tasks are running, ready, waiting and ended after each event."""
        unseen = (self._kind == _ENDED) & (self._step < 0)
        final = (self._kind == _ENDED) & np.append(self._final, True)[self._step]
        deltas = np.zeros((4, len(self._kind)), int)
        created, ready, started, ended = (self._kind == k for k in (_CREATED, _READY, _STARTED, _ENDED))
        deltas[0] = started.astype(int) - (ended & ~unseen)
        deltas[1] = created.astype(int) + ready - started
        deltas[2] = (ended & ~final).astype(int) - ready - unseen
        deltas[3] = final
        return np.cumsum(deltas, axis=1)

    def _sentences(self, group: Iterable[int]) -> Iterator[str]:
        """Yield what happened, event by event; what an end brings about comes after it."""
        events = sorted(group, key=lambda j: self._kind[j] != _ENDED)
        started = {int(self._task[j]) for j in events if self._kind[j] == _STARTED}
        awake = {int(self._task[j]) for j in events if self._kind[j] == _READY} & started
        for j in events:
            kind, task, step = self._kind[j], int(self._task[j]), int(self._step[j])
            name, row = self.names[task], self._record.tasks[task]
            if kind == _CREATED:
                if row.root:
                    yield f"the trace begins; {name} runs on{self._at(row.begins and (row.begins,), ' from')}"
                elif row.parent in self._name and not row.late:
                    parent = self._name[row.parent]
                    then = "it runs at once (an eager task)" if row.eager else f"{name} is ready"
                    yield f"{parent} creates {name}{self._at(row.made and (row.made,))}: {then}"
                else:
                    yield f"{name} is ready"
            elif kind == _READY and task not in awake:
                yield f"{self._over(name, task, step)} is ready again"
            elif kind == _STARTED and not ((row.root or row.eager) and self._first[step]):
                places = self._record.places[self._record.before[step]]
                woken = self._over(name, task, step) if task in awake else name
                yield f"{name} starts" if self._first[step] else f"{woken} goes on{self._at(places, ' from')}"
            elif kind == _ENDED and not self._is_cut(step):
                yield self._how_it_ended(name, row, step)
            elif kind == _CANCEL:
                by = next((c.by for c in row.cancels if abs(c.when - self._time[j]) < 1e-9), None)
                yield (
                    f"{self._name[by]} cancels {'itself' if by is row else name}"
                    if by
                    else f"{name} is asked to cancel"
                )

    def _how_it_ended(self, name: str, row: object, step: int) -> str:
        if self._is_end(step):
            if row.root:
                return f"{name} leaves the block: the trace ends"
            how = {"done": "ends", "cancelled": "ends, cancelled", "destroyed": "is garbage-collected"}
            return f"{name} {how.get(row.outcome) or f'raises {plain(row.error)} and ends'}"
        after = self._record.after[step]
        reason = self._reason(self._record.names[after])
        return f"{name} suspends{self._at(self._record.places[after])} and waits for {reason}"

    def _over(self, name: str, task: int, step: int) -> str:
        """Return the beginning of a sentence: what the task waited for before that step is over, and it …"""
        record, row = self._record, self._record.tasks[task]
        idle, before, start = record.last[task], record.awaited[task], record.duration
        if step >= 0:
            idle, before, start = record.idle[step], record.before[step], record.start[step]
        reason = record.names[before]
        if any(idle <= cancel.when <= start for cancel in row.cancels):
            return f"{name} is woken, to be cancelled: it"
        if not reason:
            return name
        return f"{name}’s {'sleep' if reason == 'sleep' else f'wait for {self._reason(reason)}'} is over: it"

    def _at(self, places: Iterable[Place] | None, word: str = " at") -> str:
        """Return the innermost of `places` in words, with its code."""
        place = [*places][-1] if places else None
        if place is None or is_library_file(place.file):
            return ""
        block = self.code.get(function_of(place))
        code = block.at(place.line) if block else ""
        return f"{word} line {place.line}" + (f" ({code})" if code else "")


def _more(count: int) -> str:
    return f"{count} more changes" if count > 1 else "1 more change"


def _marks(places: tuple[Place, ...], kind: str) -> tuple[Mark, ...]:
    """Return a mark for the innermost place, and one for each that awaits it."""
    return (*(Mark(place, "awaiting") for place in places[:-1]), *(Mark(place, kind) for place in places[-1:]))


def _events(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return all that happened to tasks, in order: when, what, to which task, and by which step (-1: by none)."""
    count, steps = len(record.tasks), np.arange(len(record.owner))
    first = np.diff(record.owner, prepend=-1) != 0
    created = np.array([row.created for row in record.tasks], float)
    gone = np.array([k for k, row in enumerate(record.tasks) if row.outcome == "destroyed"], int)
    woken = np.flatnonzero((record.due < record.until) & (record.last > created))
    cancels = [(cancel.when, k) for k, row in enumerate(record.tasks) for cancel in row.cancels]
    parts = [  # a step takes a nanosecond at least, so that its end comes after its start
        (created, _CREATED, np.arange(count), np.full(count, -1)),
        (record.ready[~first], _READY, record.owner[~first], steps[~first]),
        (record.due[woken], _READY, woken, np.full(len(woken), -1)),
        (record.start, _STARTED, record.owner, steps),
        (np.maximum(record.end, record.start + 1e-9), _ENDED, record.owner, steps),
        (np.array([record.tasks[k].finished for k in gone], float), _ENDED, gone, np.full(len(gone), -1)),
        (np.array([when for when, _ in cancels], float), _CANCEL, np.array([k for _, k in cancels], int),
         np.full(len(cancels), -1)),
    ]  # fmt: skip
    time, task, step = (np.concatenate([part[i] for part in parts]) for i in (0, 2, 3))
    kind = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])
    # At the same time: who gives the loop back goes first, but for what it cancels; then as things follow in a task.
    order = np.lexsort((kind, (kind != _ENDED) & (kind != _CANCEL), time))
    order = order[time[order] <= record.known]
    return time[order], kind[order], task[order], step[order]


def _groups(time: np.ndarray, kind: np.ndarray, step: np.ndarray, is_end: object) -> np.ndarray:
    """Return the last of the events that make a moment together, for each moment.

    A task gives the loop back, others become ready by that, the next one starts: that is one moment, unless callbacks
    hold the loop in between. What becomes ready while nothing runs opens a new one, unless it follows at once. What
    happens while a task runs is a moment of its own, but for what its end brings about.
    """
    if len(time) > _CLOSE:
        return np.union1d(np.flatnonzero((kind == _STARTED) | (np.diff(time, append=np.inf) > _SLEPT)), len(time) - 1)
    ends: list[int] = []
    current: list[int] = []

    def close() -> None:
        if current:
            ends.append(current[-1])
            current.clear()

    others, running = np.flatnonzero(kind != _READY), False
    for j, what in enumerate(kind):
        since = time[j] - time[current[-1]] if current else 0.0
        if what == _STARTED:
            if since > _BUSY:
                close()
            current.append(j)
            close()
            running = True
        elif what == _ENDED:
            current.append(j)
            running = False
        elif not running:
            if since > _SLEPT:
                close()
            current.append(j)
        else:
            following = next(iter(others[np.searchsorted(others, j, "right") :][:1]), None)
            last_act = following is not None and kind[following] == _ENDED and is_end(int(step[following]))
            if what == _READY and last_act and time[following] - time[j] < _LAST_ACT:
                current.append(j)
            else:
                current.append(j)
                if j + 1 == len(time) or time[j + 1] > time[j]:  # a cancellation wakes at once
                    close()
    close()
    return np.array(ends)


def _longest(ends: np.ndarray, time: np.ndarray, end: float) -> list[int]:
    """Return those of `ends` after which things stayed as they were for longest, in order."""
    if len(ends) <= MOMENTS:
        return ends.tolist()
    lasts = np.diff(time[ends], append=end)
    lasts[[0, -1]] = np.inf
    return np.sort(ends[np.argsort(-lasts, kind="stable")[:MOMENTS]]).tolist()
