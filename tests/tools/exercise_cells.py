"""The cells of a notebook that show its exercises: made from their folders, never written by hand.

They stand between the cell `exercises-begin` and the next heading of the second level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from asynclab.checking.exercise import Exercise

_BEGIN = "exercises-begin"  # the id of the cell before them


def fill(notebook: NotebookNode, exercises: list[Exercise]) -> bool:
    """Let `notebook` show these exercises, in place; return whether that changed anything.

    Outputs of cells that stay the same are kept. Raises LookupError if there are exercises and no place for them.
    """
    ids = [cell.id for cell in notebook.cells]
    if _BEGIN not in ids:
        if exercises:
            raise LookupError(f"a notebook with exercises needs a cell with the id {_BEGIN!r}")
        return False
    first = ids.index(_BEGIN) + 1
    last = next(i for i in range(first, len(ids)) if notebook.cells[i].source.startswith("## "))
    old = {(cell.id, cell.source): cell for cell in notebook.cells[first:last]}
    new = [old.get((cell.id, cell.source), cell) for ex in exercises for cell in _cells(ex)]
    changed = new != notebook.cells[first:last]
    notebook.cells[first:last] = new
    return changed


def _cells(ex: Exercise) -> Iterator[NotebookNode]:
    """Yield the cells of one exercise: its task, its stub, its check."""
    slug = ex.folder.name.partition("_")[2].replace("_", "-")
    title = f"### Exercise {ex.id}. {ex.title} {'★' * ex.stars} ({ex.minutes} minutes)"
    task = re.sub(r"(?<!\n)\n(?![\n\-*\d])", " ", ex.task)
    prose = f"{title}\n\n{task}\n\nA step further: `ex.hint()`. Our way: `ex.solution()`."
    yield nbformat.v4.new_markdown_cell(prose, id=slug)
    yield nbformat.v4.new_code_cell(ex.stub, id=f"{slug}-stub", metadata={"tags": ["exercise"]})
    check = f'ex = exercise("{ex.id}")\nawait ex.check({ex.name})'
    yield nbformat.v4.new_code_cell(check, id=f"{slug}-check", metadata={"tags": ["check"]})
