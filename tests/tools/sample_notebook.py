"""A small notebook that obeys every rule, for tests that then break one."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebook_file

_PREDICT = "**Predict.** What comes first?\n\n<details><summary>Then open this</summary>The first one.</details>"

_WAITS = """\
with trace("Three waits") as waits:
    async with asyncio.TaskGroup() as group:
        for seconds in (0.03, 0.02, 0.01):
            group.create_task(wait(seconds), name=f"wait {seconds}")
waits"""

# (id, source) is prose; (id, source, tags) is code.
_CELLS: list[tuple[str, str] | tuple[str, str, list[str]]] = [
    ("title", "# {n}. A sample\n\n10 minutes.{neighbours}"),
    ("goals", "You will be able to\n\n- begin\n- wait\n- end\n\nPrerequisites: none.\n\n[How long?](#How-long-is-it?)"),
    ("setup", "import asyncio\n\nfrom asynclab import begin, end, trace\n\nbegin()", []),
    ("how-long", "## How long *is* it?\n\n" + _PREDICT),
    ("define-wait", "async def wait(seconds: float) -> None:\n    await asyncio.sleep(seconds)", ["system"]),
    ("three-waits", _WAITS, []),
    ("read-the-picture", "Look at the top lane.\n\n### A detail"),
    ("count", "print(len(waits.tasks) - 1, 'tasks')", []),
    ("what-order", "## In what order?\n\n" + _PREDICT),
    ("order", "print('finished:', *waits.finished_order[:3], sep='  ')", []),
    ("what-else", "## What else?\n\n" + _PREDICT),
    ("remember", "Out", ["nbval-ignore-output"]),
    ("slide", "steps = 3", ["slider"]),
    ("claims", "## The guide says … we measured …"),
    ("claim", "assert waits.duration < 10", []),
    ("mistakes", "## Common mistakes"),
    ("mistake", "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(type(error).__name__)", []),
    ("exercises", "## Exercises"),
    ("exercise", "def twice(number):\n    ...", ["exercise"]),
    ("check", "print(twice(2))", ["check"]),
    ("quiz", "## Quick quiz"),
    ("more", "Documentation: [asyncio in the standard library](https://docs.python.org/3/library/asyncio.html)."),
    ("summary", "## Summary"),
    ("done", "done = True", []),
    ("end", "await end()", []),
]


def sample(number: int = 1, neighbours: Iterable[str] = ()) -> NotebookNode:
    """Return the sample as chapter `number`, linked to the files `neighbours`; never executed."""
    links = "".join(f" [{each}]({each})" for each in neighbours)
    cells = []
    for name, source, *tags in _CELLS:
        source = source.replace("{n}", str(number)).replace("{neighbours}", links)
        if tags:
            cells.append(new_code_cell(source, id=name, metadata={"tags": [*tags[0]]} if tags[0] else {}))
        else:
            cells.append(new_markdown_cell(source, id=name))
    return new_notebook(cells=cells)


def executed(notebook: NotebookNode) -> NotebookNode:
    """Return `notebook` as if it had been executed: counts, one output, the hash of its source."""
    for count, cell in enumerate(notebook_file.code_cells(notebook), start=1):
        cell.execution_count = count
        if cell.id == "count":
            cell.outputs = [new_output("stream", name="stdout", text="3 tasks\n")]
    notebook.metadata[notebook_file.OWN] = {"source_hash": notebook_file.source_hash(notebook)}
    return notebook_file.tidy(notebook)


def copy_outputs(source: NotebookNode, target: NotebookNode) -> NotebookNode:
    """Return `target` with the outputs of `source`, cell by cell, and the hash of its own source."""
    outputs = {cell.id: copy.deepcopy(cell.outputs) for cell in notebook_file.code_cells(source)}
    for count, cell in enumerate(notebook_file.code_cells(target), start=1):
        cell.execution_count = count
        cell.outputs = outputs.get(cell.id, [])
    target.metadata[notebook_file.OWN] = {"source_hash": notebook_file.source_hash(target)}
    return notebook_file.tidy(target)
