"""The source code in which tasks were seen, function by function, as far as Python still has it."""

from __future__ import annotations

import ast
import linecache
import textwrap
import warnings
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ..page.table import shorten
from .awaiting import Place

_MOST = 40  # lines of a function; of a longer one, those around the lines that matter
_WIDEST = 120  # letters of a line

Function = tuple[str, str, int]  # its file, its qualified name, its first line


class Block(NamedTuple):
    """A function, or that part of a cell that was traced: `lines` by number, empty if there is no source to be had."""

    name: str
    lines: dict[int, str]

    def code_at(self, number: int) -> str:
        """Return the code at that line, short enough to be said in a sentence; "" if there is none."""
        return shorten(self.lines.get(number, "").strip(), 50)


def function_of(place: Place) -> Function:
    """Return the function in which a place is."""
    return place[:3]


def blocks(places: Iterable[Place], opened: Place | None, opener: str) -> dict[Function, Block]:
    """Return the source of every function that `places` lie in, in their order.

    `opened` is where the trace was opened, by a piece of code that is called `opener`: of that, the `with` statement
    is enough, if it holds all the places.
    """
    needed: dict[Function, set[int]] = {}
    for place in places:
        needed.setdefault(function_of(place), set()).add(place.line)
    files = {file: _read(file) for file in {file for file, *_ in needed}}
    found = {}
    for function, numbers in needed.items():
        code, tree = files[function[0]]
        first, last = _extent(function, tree)
        if opened is not None and function == function_of(opened):
            first, last = _with_statement(opened, numbers, tree) or (first, last)
        name = _own_name(function)
        name = opener if name == "<module>" else name
        found[function] = Block(name, _number(first, code[first - 1 : last], numbers))
    return found


def _own_name(function: Function) -> str:
    return function[1].rpartition(".")[2]


def _read(file: str) -> tuple[list[str], list[ast.AST]]:
    """Return the lines of a file and the nodes of its syntax tree, inner ones later; none if it cannot be read."""
    lines = linecache.getlines(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the source is warned of was said when it was first compiled
        try:
            return lines, list(ast.walk(ast.parse("".join(lines))))
        except (SyntaxError, ValueError):
            return lines, []


def _extent(function: Function, tree: list[ast.AST]) -> tuple[int, int]:
    """Return the first and last line of a function, (1, 0) if it is not there: the file may not be what it was."""
    name, first = _own_name(function), function[2]
    if name == "<module>":
        return 1, max((getattr(node, "end_lineno", 0) for node in tree), default=0)
    extents = [(1, 0)]
    for node in tree:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            if min([node.lineno, *(each.lineno for each in node.decorator_list)]) == first:
                return first, node.end_lineno
        elif name.startswith("<") and isinstance(node, ast.stmt) and node.lineno <= first <= node.end_lineno:
            extents.append((node.lineno, node.end_lineno))  # of a lambda or a generator, the innermost statement
    return extents[-1]


def _with_statement(opened: Place, needed: Collection[int], tree: list[ast.AST]) -> tuple[int, int] | None:
    """Return the extent of the statement that opened the trace, if all the lines that are needed lie in it."""
    for node in reversed(tree):
        if not isinstance(node, ast.With | ast.AsyncWith):
            continue
        if node.lineno <= opened.line <= node.items[-1].context_expr.end_lineno:
            holds_all = all(node.lineno <= line <= node.end_lineno for line in needed)
            return (node.lineno, node.end_lineno) if holds_all else None
    return None


def _number(first: int, code: list[str], needed: Collection[int]) -> dict[int, str]:
    """Return lines of code by their number, without those far from the ones needed if they are many."""
    # Not splitlines(): a string may hold what that takes for the end of a line, and Python does not.
    lines = dict(enumerate(textwrap.dedent("".join(code)).rstrip().split("\n"), first)) if code else {}
    near = {line + k for line in needed for k in range(-3, 4)} | {first, first + 1}
    shown = [number for number in lines if len(lines) <= _MOST or number in near]
    return {number: shorten(lines[number], _WIDEST) for number in shown[: 3 * _MOST]}
