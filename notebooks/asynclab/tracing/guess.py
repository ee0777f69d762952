"""A learner's guess of when each row of a picture ends: checked, and told in words beside what was measured.

Nothing else of the bench is imported but `page`: `compare` takes a guess as `trace` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from numbers import Real
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from ..page.numbers import duration
from ..page.style import INK
from ..page.table import shorten

_LOOK = {"fill": False, "ec": INK, "lw": 1.4, "ls": (0, (3.5, 2))}  # dashed: told apart without colour
_SHOWN = 10  # names that are listed where a name is not found
_ROOM = 3  # times the measurement: if an axis grew by more for a guess, nothing were seen of what was measured


class Guessed(NamedTuple):
    """A row that was guessed; times are in seconds."""

    name: str
    guess: float
    end: float | None  # as measured; None if it had not ended


def checked_guess(guess: Mapping[str, object] | None) -> dict[str, float]:
    """Return the seconds that were guessed, by name, without those left as `...`.

    Raises TypeError or ValueError, naming the key, unless each value is `...` or a time of at least 0 seconds.
    """
    if guess is None or guess is ...:
        return {}
    if not isinstance(guess, Mapping):
        raise TypeError(f'a guess is written as {{"name of a row": seconds, …}}, not {_shown(guess)}')
    for name in guess:
        if not isinstance(name, str):
            raise TypeError(f"guess: {_shown(name)} is not the name of a row: write it in quotes")
    return {name: _seconds(name, value) for name, value in guess.items() if value is not ...}


def _seconds(name: str, value: object) -> float:
    is_, write = f"guess[{_in_quotes(name)}] is {_shown(value)}", "write the seconds until it ends, such as 0.5, or ..."
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise TypeError(f"{is_}, which is not a number: {write} for no guess")
    try:
        seconds = float(value)
    except OverflowError:  # larger than any float
        seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{is_}, which is not a time: {write} for no guess")
    return abs(seconds)  # -0.0 is 0


def _in_quotes(name: str) -> str:
    return json.dumps(shorten(name, 40), ensure_ascii=False)


def _shown(value: object) -> str:
    return shorten(repr(value), 60)


def room_for(length: float, guesses: Iterable[float]) -> float:
    """Return how long an axis is that shows `length` seconds measured, and the guesses up to three times that."""
    return min(max([length, *(1.02 * seconds for seconds in guesses)]), _ROOM * length)


def outline(axes: Axes, start: float, end: float, y: float, height: float, zorder: float = 5.5) -> None:
    """Outline what was guessed, to the `end` that was guessed: what lies beyond the axes is not drawn."""
    corner, width = (start, y - height / 2), min(end, 2 * axes.get_xlim()[1]) - start
    white = {**_LOOK, "ec": "white", "lw": 3.2, "ls": "-", "alpha": 0.7}  # lets it be seen on every colour
    for look in (white, _LOOK):
        axes.add_artist(Rectangle(corner, width, height, zorder=zorder, **look))


def key() -> Patch:
    """Return the legend's entry for an outline."""
    return Patch(label="your guess", **_LOOK)


def time(seconds: float) -> str:
    """Return a time that somebody guessed, however long it is."""
    return duration(seconds) if seconds < 1e7 else f"{seconds:.0e} s"


def not_found(names: Sequence[str], known: Sequence[str], kind: str) -> str:
    """Return the sentence that nothing of this `kind` bears these names, and what they could have been."""
    listed = [shorten(name, 40) for name in known[:_SHOWN]]
    listed += [f"and {len(known) - len(listed)} more"] * (len(known) > len(listed))
    called = " or ".join(map(_in_quotes, names[:_SHOWN]))
    return f"guess: no {kind} is called {called}; the {kind}s are {', '.join(listed) or 'none'}"


def in_words(
    rows: Sequence[Guessed],
    length: float,
    more: str = "ended {} later",
    less: str = "ended {} earlier",
    drawn: bool = True,
) -> str:
    """Return one sentence about a guess, "" if there is none: how many are in order, and the largest miss.

    `length` is that of the picture, in seconds: ends that lie closer than two hundredths of it are as one. A guess is
    right if it is off by no more than a hundredth of a second, or a tenth of what was measured. `more` and `less` say
    how a row was off. If it is `drawn`, what does not fit into the picture is named.
    """
    ended = [row for row in rows if row.end is not None]
    said = [f"{shorten(row.name, 40)} had not ended" for row in rows if row.end is None]
    beyond = [f"{time(row.guess)} for {shorten(row.name, 40)}" for row in rows if drawn and row.guess > _ROOM * length]
    said += [f"beyond the picture: {', '.join(beyond[:3])}"] if beyond else []
    if ended:
        worst = max(ended, key=lambda row: abs(row.end - row.guess))
        off = worst.end - worst.guess
        if all(abs(row.end - row.guess) <= max(0.01, 0.1 * row.end) for row in ended):
            miss = f"right within {duration(abs(off))}" if abs(off) >= 5e-4 else "right to the millisecond"
        else:
            miss = f"{shorten(worst.name, 40)} {(more if off > 0 else less).format(time(abs(off)))} than you thought"
        said.insert(0, miss)
        if len(ended) > 1:
            said.insert(0, _order(ended, length / 50))
    return f"Your guess: {'; '.join(said)}." if said else ""


def _order(rows: Sequence[Guessed], near: float) -> str:
    """Return how many rows ended in the order guessed; those that ended within `near` seconds are in any order."""
    place, first = {}, -math.inf
    for row in sorted(rows, key=lambda row: row.end):
        if row.end - first > near:
            first = row.end
        place[row.name] = first
    as_guessed = sorted((row.guess, place[row.name]) for row in rows)
    lengths: list[int] = []  # of the longest run in order that ends with each
    for seconds, at in as_guessed:
        # What was guessed to end together is in order if it did.
        runs = [
            length
            for length, (earlier, before) in zip(lengths, as_guessed, strict=False)
            if (before <= at if earlier < seconds else before == at)
        ]
        lengths.append(1 + max(runs, default=0))
    count = max(lengths)
    if count == len(rows):
        return "both in order" if count == 2 else f"all {count} in order"
    reverse = count == 1 and len({row.guess for row in rows}) == len(rows)
    return "in reverse order" if reverse else f"{count} of {len(rows)} in order"


def below(sentences: Sequence[str]) -> str:
    """Return the HTML that says `sentences` below a picture; "" if there is none."""
    return f'<p style="margin:4px 0 8px">{"<br>".join(map(escape, sentences))}</p>' if sentences else ""
