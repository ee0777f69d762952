"""The code that a chapter teaches, as a module: what the notebook's cells with the tag `system` define.

    http = load("02_async_http_requests")
    result = await http.safe_fetch(session, url)

Tests and benchmarks attack the very cells that a learner reads, and nothing is written twice. Executed are the import
statements of the notebook's cells and then, in order, its system cells: no demo runs. A traceback shows the cell's own
lines, under a name such as `02_async_http_requests.ipynb[fetch-url]`.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from nbformat import NotebookNode

import stored

TAG = "system"
NOTEBOOKS = stored.ROOT / "notebooks"


class NotAlone(Exception):
    """A system cell needs what a demo defined, or cannot be executed at all; the message names the cell."""


def load(name: str, folder: Path = NOTEBOOKS) -> ModuleType:
    """Return a new module called `name` with what the system cells of the notebook `name`.ipynb define.

    Raises FileNotFoundError if there is no such notebook, LookupError if it has no system cell, NotAlone if one of
    them does not work without the demos.
    """
    path = folder / f"{name}.ipynb"
    if not path.exists():
        there = ", ".join(sorted(each.stem for each in folder.glob("*.ipynb"))) or "none"
        raise FileNotFoundError(f"no notebook is called {name}; there are {there}")
    cells = stored.code_cells(stored.read(path))
    if not any(map(is_system, cells)):
        raise LookupError(f"no cell of {path.name} has the tag {TAG!r}")

    module = ModuleType(name, f"The systems of {path.name}")
    sys.modules[name] = module  # as an import does: a dataclass looks its module up, and so does a pickle
    try:
        _fill(module, cells, path)
    except NotAlone:
        del sys.modules[name]
        raise
    return module


def _fill(module: ModuleType, cells: list[NotebookNode], path: Path) -> None:
    taught = [cell for cell in cells if is_system(cell)]
    for cell in cells:
        if not is_system(cell):
            _execute(_imports(cell, path), module, cell, path)
    for cell in taught:
        _execute(_parsed(cell, path), module, cell, path)
    for cell in taught:
        if missing := [each for each in _globals(cell, path) if not hasattr(module, each)]:
            raise NotAlone(f"{_place(cell, path)} uses {', '.join(missing)}: no import and no system cell defines that")


def names(folder: Path = NOTEBOOKS) -> list[str]:
    """Return the names of the notebooks in `folder` that have system cells, in order."""
    paths = sorted(folder.glob("*.ipynb"))
    return [path.stem for path in paths if any(map(is_system, stored.code_cells(stored.read(path))))]


def is_system(cell: NotebookNode) -> bool:
    """Return whether the cell defines what is taught."""
    return TAG in cell.metadata.get("tags", [])


def _place(cell: NotebookNode, path: Path) -> str:
    return f"{path.name}[{cell.id}]"


def _parsed(cell: NotebookNode, path: Path) -> ast.Module:
    try:
        return ast.parse(cell.source, _place(cell, path))
    except SyntaxError as error:
        raise NotAlone(f"{_place(cell, path)} is not plain Python: {error}") from error


def _imports(cell: NotebookNode, path: Path) -> ast.Module:
    """Return the import statements of a cell, those at its top level, without the rest."""
    tree = _parsed(cell, path)
    tree.body = [line for line in tree.body if isinstance(line, ast.Import | ast.ImportFrom)]
    return tree


def _execute(tree: ast.Module, module: ModuleType, cell: NotebookNode, path: Path) -> None:
    place = _place(cell, path)
    # Without a time of change linecache keeps an entry for good, although there is no file of that name.
    linecache.cache[place] = (len(cell.source), None, cell.source.splitlines(keepends=True), place)
    try:
        # dont_inherit: the code is compiled as in the notebook, without this file's `from __future__`.
        exec(compile(tree, place, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise NotAlone(
            f"{place} does not work without the demos: {type(error).__name__}: {error}. A system cell may use the "
            "notebook's imports and the system cells before it"
        ) from error


def _globals(cell: NotebookNode, path: Path) -> list[str]:
    """Return the global names that the functions of a cell look up when they are called."""

    def visit(table: symtable.SymbolTable) -> Iterator[str]:
        for symbol in table.get_symbols():
            known = hasattr(builtins, symbol.get_name()) or symbol.is_declared_global()
            if symbol.is_global() and symbol.is_referenced() and not known:
                yield symbol.get_name()
        for child in table.get_children():
            yield from visit(child)

    top = symtable.symtable(cell.source, _place(cell, path), "exec")
    return sorted({name for child in top.get_children() for name in visit(child)})
