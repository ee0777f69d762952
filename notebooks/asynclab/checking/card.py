"""The cards in which an exercise speaks: a note, and the verdict on a learner's function."""

from __future__ import annotations

import functools
import re
import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

from ..page.style import BLUE, FAINT, GREEN, INK, RULE, VERMILLION
from .progress import MARKS

_PRINTED = 2000  # characters of what the learner's function printed that are shown


@dataclass(frozen=True)
class Outcome:
    """The verdict on one function: `status` is "correct", "not yet" or "not attempted", `message` one line.

    True if it is correct.
    """

    id: str  # of the exercise
    status: str
    message: str
    evidence: str = ""  # in how many worlds it was tried, or which world it was that shows what is wrong
    trace: Any = field(default=None, repr=False)  # what the function did in that world, to be shown
    output: str = field(default="", repr=False)  # what it printed there
    news: str = field(default="", repr=False)  # about the file with the learner's progress

    def __bool__(self) -> bool:
        return self.status == "correct"

    def __str__(self) -> str:
        parts = ["\n".join(filter(None, [f"{MARKS[self.status]} {self.message}", self.evidence, self._next]))]
        parts += [str(self.trace)] if self.trace is not None else []
        parts += [f"It printed:\n{self._printed}"] if self._printed else []
        return "\n\n".join(filter(None, [*parts, self.news]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        verdict, _, rest = self.message.partition(". " if self.status == "correct" else ": ")
        verdict += "." if self.status == "correct" else ":"
        colour = {"correct": GREEN, "not yet": VERMILLION, "not attempted": BLUE}[self.status]
        small = f'<p style="margin:4px 0 0;color:{FAINT}">'
        lines = [
            "<!-- run this cell to check your function -->",
            f'<div role="status" style="{_card(colour)}">',
            '<p style="margin:0"><strong>',
            f'<span aria-hidden="true" style="color:{colour}">{MARKS[self.status]}</span> {verdict}</strong>',
            f"{inline(rest)}</p>",
            *(f"{small}{inline(text)}</p>" for text in (self.evidence, self._next, self.news) if text),
            "</div>",
        ]
        if self._printed:
            lines.append(f"<details><summary>What it printed</summary><pre>{escape(self._printed)}</pre></details>")
        if self.trace is not None:
            lines.append(self.trace._repr_mimebundle_().get("text/html", ""))
        return {"text/html": "\n".join(lines), "text/plain": str(self)}

    @property
    def _next(self) -> str:
        """What a learner may do now; it depends on the status alone, so that no output depends on a past."""
        return {
            "correct": "See how we would do it: `ex.solution()`.",
            "not yet": "Stuck? `ex.hint()` takes you a step further.",
            "not attempted": "No idea how to begin? `ex.hint()` takes you a step further.",
        }[self.status]

    @property
    def _printed(self) -> str:
        text = self.output.rstrip()
        return text if len(text) <= _PRINTED else text[:_PRINTED] + " …"


@dataclass(frozen=True)
class Note:
    """A few paragraphs for the learner under a heading, perhaps with code; words in backticks are code, too."""

    heading: str
    text: str
    code: str = ""

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self.heading, self.code, textwrap.dedent(self.text).strip()) if part)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        paragraphs = textwrap.dedent(self.text).strip().split("\n\n")
        lines = [
            "<!-- run this cell to read it -->",
            f'<div style="{_card(BLUE)}"><p style="margin:0"><strong>{inline(self.heading)}</strong></p>',
            *([highlighted(self.code)] if self.code else []),
            *(f'<p style="margin:6px 0 0">{inline(" ".join(each.split()))}</p>' for each in paragraphs),
            "</div>",
        ]
        return {"text/html": "\n".join(lines), "text/plain": str(self)}


def highlighted(source: str) -> str:
    """Return Python source as HTML, in colours that are told from white at a ratio of 4.5 to 1 or more."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    # Colours as attributes: a notebook has no style sheet of its own, and a dark theme must not mix with ours.
    inner = f"margin:8px 0;padding:8px 10px;border:1px solid {RULE};background:#fff;color:{INK};overflow-x:auto"
    html = highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, style=_Colours(), nowrap=True))
    return f'<pre style="{inner}">{html.rstrip()}</pre>'


@functools.cache
def _Colours() -> type:
    from pygments.style import Style
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    class Colours(Style):
        """The few colours that help to read: words of the language, texts, comments, numbers, names defined."""

        styles: ClassVar[dict] = {
            Comment: f"italic {FAINT}",
            Keyword: "bold #0058A3",
            Operator.Word: "bold #0058A3",
            Name.Function: "#7A3E9D",
            Name.Class: "#7A3E9D",
            Number: "#8A4B00",
            String: "#00694D",
        }

    return Colours


def _card(colour: str) -> str:
    # White in a dark theme, too, like the pictures: the colours are chosen for white.
    return (
        f"border:1px solid {RULE};border-left:6px solid {colour};border-radius:3px;background:#fff;color:{INK};"
        "padding:8px 12px;margin:2px 0 6px;max-width:934px;line-height:1.5"
    )


def inline(text: str) -> str:
    """Return `text` as HTML; what stands in backticks becomes code."""
    style = f"background:#F1F3F6;color:{INK};padding:1px 4px;border-radius:3px"
    return re.sub(r"`([^`]+)`", rf'<code style="{style}">\1</code>', escape(text, quote=False))
