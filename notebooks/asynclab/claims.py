"""What the notebooks claim, in one table: the rows that stand under one heading of each of them.

    claims("The guide says … we measured")

There, each notebook has a table of four columns: a claim, what was found, a verdict, and a link to the cell that shows
it. Nothing is kept twice: the notebooks are read whenever this is called.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from .taught import NOTEBOOKS

_HEADING = re.compile(r"#+ +(.+)")
_LINK = re.compile(r"\[(.+)\]\(([^)#\s]*)(#cell-id=[\w-]+)\)")
_LEFT = 'style="text-align:left"'  # JupyterLab sets tables to the right


@dataclass(frozen=True)
class Row:
    """One row of a notebook's table. `cell` is where its link, `where`, leads: "notebook.ipynb#cell-id=word"."""

    notebook: str
    claim: str
    found: str
    verdict: str
    where: str
    cell: str


@dataclass(frozen=True)
class Claims:
    """The rows of all notebooks, in order, shown by being a cell's last expression; `head` names their columns."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def verdicts(self) -> Counter[str]:
        """How many rows have each verdict."""
        return Counter(row.verdict for row in self.rows)

    def _title(self) -> str:
        counts = ", ".join(f"{word}: {count}" for word, count in self.verdicts.most_common())
        return f"{len(self.rows)} claims. {counts}"

    def __str__(self) -> str:
        lines, wide = [self._title()], max(map(len, self.verdicts))
        for notebook, rows in groupby(self.rows, lambda row: row.notebook):
            lines += ["", notebook]
            for row in rows:
                lines += [f"{row.verdict:<{wide}}  {row.claim}", f"{'':{wide}}  {row.found} → {row.cell}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        lines = [
            "<!-- run this cell to see the table -->",
            f"<table><caption {_LEFT}><strong>{escape(self._title())}</strong></caption>",
            _line("th", "Chapter", *map(_html, self.head)),
        ]
        for row in self.rows:
            notebook = f'<a href="{row.notebook}">{int(row.notebook[:2])}</a>'
            link = f'<a href="{row.cell}">{_html(row.where)}</a>'
            lines.append(_line("td", notebook, _html(row.claim), _html(row.found), _html(row.verdict), link))
        return {"text/html": "\n".join([*lines, "</table>"]), "text/plain": str(self)}


def claims(heading: str, folder: Path = NOTEBOOKS) -> Claims:
    """Return the rows that stand in the notebooks of `folder` under a heading with the words `heading` in it.

    Raises LookupError if there are none, ValueError, naming the notebook, if a row has not four columns, the last of
    which is a link to a cell.
    """
    head, rows = (), []
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        lines = list(_table(path, heading))
        head = head or tuple(map(tuple, lines[:1]))
        rows += [_row(path.name, line) for line in lines[2:]]  # after the head and the line below it
    if not rows:
        raise LookupError(f"no notebook has a table below a heading with the words {heading!r}")
    return Claims(head[0], tuple(rows))


def _table(path: Path, heading: str) -> Iterator[list[str]]:
    """Yield the lines of the first table under `heading`, each as its columns."""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            here = False
            for line in "".join(cell["source"]).splitlines():
                if found := _HEADING.match(line):
                    here = heading in found[1]
                elif here and line.startswith("|"):
                    yield [column.strip() for column in line.strip().strip("|").split("|")]


def _row(notebook: str, columns: list[str]) -> Row:
    link = _LINK.fullmatch(columns[-1])
    if len(columns) != 4 or not link:
        raise ValueError(f"{notebook}: a row needs four columns, the last of which is a link to a cell: {columns}")
    words, file, cell = link.groups()
    return Row(notebook, *columns[:3], words, f"{file or notebook}{cell}")


def _line(tag: str, *columns: str) -> str:
    return "<tr>" + "".join(f"<{tag} {_LEFT}>{column}</{tag}>" for column in columns) + "</tr>"


def _html(markdown: str) -> str:
    """Return a text in which markdown marks nothing but code."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escape(markdown))
