"""The replay: a trace's picture with a slider, and beside it the loop's boxes and the code, from moment to moment.

It is HTML with one script in the handlers of its own element: it needs neither a kernel nor another file, and where
scripts do not run, there are the picture, the code and the words.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ..page.numbers import duration
from ..page.table import shorten
from .drawing import Record, plain
from .moments import TASKS, Moments, State
from .source import Block, function_of

# What stands between these two differs from run to run: tests/notebooks/nbval_sanitize.cfg blanks it.
_BEGIN, _END = "<!-- moments, as measured -->", "<!-- end of the moments -->"


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8").strip()


def replay(record: Record, moments: Moments, fig: Figure, axis: float, picture: str, below: str, title: str) -> str:
    """Return the replay as HTML; `picture` is `fig` as HTML, `axis` the length of its axis in seconds."""
    boxes = [axes.get_position() for axes in fig.axes]
    return Template(_file("replay.html")).substitute(
        label=escape(f"Replay of “{shorten(plain(title), 90)}”" if title else "Replay"),
        data=_quoted(_data(record, moments, axis, boxes[0])),
        script=_quoted(_file("replay.js")),
        style=_file("replay.css"),
        picture=picture,
        top=f"{100 * (1 - max(box.y1 for box in boxes)):.2f}",
        bottom=f"{100 * min(box.y0 for box in boxes):.2f}",
        below=below,
        code="\n".join(_code(number, block) for number, block in enumerate(moments.code.values())),
        notes="".join(f'<p class="asynclab-note">{escape(note)}</p>\n' for note in _notes(record, moments)),
    )


def _quoted(text: str) -> str:
    """Return `text` as the value of an attribute in single quotes: JSON and scripts are full of the others."""
    return escape(text, quote=False).replace("'", "&#x27;")


def steps(moments: Moments, room: int) -> str:
    """Return the moments as a list of at most `room` lines of text, as HTML; "" if they are more."""
    if len(moments.moments) + 2 > room:
        return ""
    lines = [f"{duration(moment.when):>8}  {moment.sentence}" for moment in moments.moments]
    return f"{_BEGIN}<pre>{escape(chr(10).join(['Step by step', '', *lines]))}</pre>{_END}"


def _data(record: Record, moments: Moments, axis: float, box: Bbox) -> str:
    """Return what the script needs to know, as JSON; the picture's axis lies in `box`.

    A change is a task and the number of its new state: few states differ, however many moments there are.
    """
    places = {function: number for number, function in enumerate(moments.code)}
    numbers: dict[State, int] = {}
    told = []
    for moment in moments.moments:
        at, say = round(1000 * moment.when / (axis or 1), 3), [duration(moment.when), moment.sentence]
        changes = [[k, numbers.setdefault(state, len(numbers))] for k, state in moment.changes]
        told.append({"at": at, "say": say, "changes": changes, "counts": moment.counts})
    states = [
        [state.kind, state.words, [[places[function_of(place)], place.line, kind] for place, kind in state.marks]]
        for state in numbers
    ]
    data = {
        "left": round(100 * box.x0, 2),
        "span": round(100 * (box.x1 - box.x0), 2),
        "lasts": max(3000, round(record.duration * 1000)),
        "names": [moments.names[k] for k in moments.followed],
        "states": states,
        "moments": told,
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _code(number: int, block: Block) -> str:
    """Return a function's code: a line of HTML for each line, with room for what tasks do there."""
    name = escape(shorten(plain(block.name), 60))
    if not block.lines:
        return f'<p class="asynclab-note">{name}: its source is not available.</p>'
    width, lines, before = max(3, len(str(max(block.lines)))), [], None
    for line, text in block.lines.items():
        if before is not None and line != before + 1:
            lines.append(f'<span class="asynclab-line"><b>{"⋯":>{width}}</b>\n</span>')
        code = f"<b>{line:>{width}}</b>  {escape(text)}<span></span>"
        lines.append(f'<span class="asynclab-line" data-line="{number}:{line}">{code}\n</span>')
        before = line
    return f'<pre class="asynclab-source" role="group" aria-label="The code of {name}">{"".join(lines)}</pre>'


def _notes(record: Record, moments: Moments) -> list[str]:
    notes = []
    if moments.hidden:
        names = [*moments.hidden[:5], *[f"{len(moments.hidden) - 5} more"] * (len(moments.hidden) > 5)]
        notes.append(f"Of library code alone, which is not shown here: {', '.join(names)}.")
    if len(record.tasks) > TASKS:
        notes.append(f"Of {len(record.tasks)} tasks, the first {TASKS} are followed; the others are counted.")
    if moments.merged:
        notes.append(
            f"There were {moments.count:,} moments; the {len(moments.moments)} that lasted longest are shown, "
            "and the changes in between are counted."
        )
    return notes
