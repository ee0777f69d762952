"""The code that a chapter teaches, as a module: what the notebook's cells with the tag `system` define.

    AsyncRateLimiter = taught(3).AsyncRateLimiter

A later chapter builds on the very cells that a learner has read, tests and benchmarks attack them, and nothing is
written twice. Executed are the import statements of the notebook's cells and then, in order, its system cells: no demo
runs. A traceback shows the cell's own lines, under a name such as `02_async_http_requests.ipynb[fetch-url]`.
"""

from __future__ import annotations

import ast
import builtins
import json
import linecache
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

TAG = "system"
BESIDE = ("_deeper", "_project")  # ends the name of a notebook that stands beside its chapter's
NOTEBOOKS = Path(__file__).resolve().parents[1]


class NotAlone(Exception):
    """A system cell needs what a demo defined, or cannot be executed at all; the message names the cell."""


class Cell(NamedTuple):
    """A code cell: where it stands, as "notebook.ipynb[id]", its source, and whether it defines what is taught."""

    place: str
    source: str
    is_system: bool


def taught(chapter: int | str, folder: Path = NOTEBOOKS) -> ModuleType:
    """Return a new module with what the system cells of a notebook define: that of a chapter, or the one so called.

    `chapter` is a number, such as 3, or a notebook's name, such as "03_concurrency_patterns", which is also that of the
    module. Raises FileNotFoundError if there is no such notebook, LookupError if it has no system cell, NotAlone if one
    of them does not work without the demos.
    """
    path = _notebook(chapter, folder)
    cells = _code_cells(path)
    if not any(cell.is_system for cell in cells):
        raise LookupError(f"no cell of {path.name} has the tag {TAG!r}")

    module = ModuleType(path.stem, f"The systems of {path.name}")
    sys.modules[path.stem] = module  # as an import does: a dataclass looks its module up, and so does a pickle
    try:
        _fill(module, cells)
    except NotAlone:
        del sys.modules[path.stem]
        raise
    return module


def _notebook(chapter: int | str, folder: Path) -> Path:
    """Return the path of a notebook; a chapter's own comes before those beside it."""
    name = f"{chapter:02}_*" if isinstance(chapter, int) else chapter
    found = sorted(folder.glob(f"{name}.ipynb"), key=lambda path: path.stem.endswith(BESIDE))
    if not found:
        there = ", ".join(sorted(each.stem for each in folder.glob("*.ipynb"))) or "none"
        raise FileNotFoundError(f"no notebook is called {name}; there are {there}")
    return found[0]


def _code_cells(path: Path) -> list[Cell]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        Cell(f"{path.name}[{cell['id']}]", "".join(cell["source"]), TAG in cell["metadata"].get("tags", []))
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def _fill(module: ModuleType, cells: list[Cell]) -> None:
    systems = [cell for cell in cells if cell.is_system]
    for cell in cells:
        if not cell.is_system:
            _execute(_imports(cell), module, cell)
    for cell in systems:
        _execute(_parsed(cell), module, cell)
    for cell in systems:
        if missing := [each for each in _globals(cell) if not hasattr(module, each)]:
            raise NotAlone(f"{cell.place} uses {', '.join(missing)}: no import and no system cell defines that")


def _parsed(cell: Cell) -> ast.Module:
    try:
        return ast.parse(cell.source, cell.place)
    except SyntaxError as error:
        raise NotAlone(f"{cell.place} is not plain Python: {error}") from error


def _imports(cell: Cell) -> ast.Module:
    """Return the import statements of a cell, those at its top level, without the rest."""
    tree = _parsed(cell)
    tree.body = [line for line in tree.body if isinstance(line, ast.Import | ast.ImportFrom)]
    return tree


def _execute(tree: ast.Module, module: ModuleType, cell: Cell) -> None:
    # Without a time of change linecache keeps an entry for good, although there is no file of that name.
    linecache.cache[cell.place] = (len(cell.source), None, cell.source.splitlines(keepends=True), cell.place)
    try:
        # dont_inherit: the code is compiled as in the notebook, without this file's `from __future__`.
        exec(compile(tree, cell.place, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise NotAlone(
            f"{cell.place} does not work without the demos: {type(error).__name__}: {error}. A system cell may use the "
            "notebook's imports and the system cells before it"
        ) from error


def _globals(cell: Cell) -> list[str]:
    """Return the global names that the functions of a cell look up when they are called."""

    def visit(table: symtable.SymbolTable) -> Iterator[str]:
        for symbol in table.get_symbols():
            known = hasattr(builtins, symbol.get_name()) or symbol.is_declared_global()
            if symbol.is_global() and symbol.is_referenced() and not known:
                yield symbol.get_name()
        for child in table.get_children():
            yield from visit(child)

    top = symtable.symtable(cell.source, cell.place, "exec")
    return sorted({name for child in top.get_children() for name in visit(child)})
