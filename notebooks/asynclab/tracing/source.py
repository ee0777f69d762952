"""The source code in which tasks were seen, function by function, as far as Python still has it."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..page.table import shorten
from .awaiting import Place

_MOST = 40  # lines of a function; of a longer one, those around the lines that matter
_WIDEST = 120  # letters of a line

Function = tuple[str, str, int]  # its file, its qualified name, its first line


@dataclass
class Block:
    """A function, or that part of a cell that was traced: `lines` by number, empty if there is no source to be had."""

    name: str
    lines: dict[int, str] = field(default_factory=dict)

    def at(self, number: int) -> str:
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
    lines: dict[Function, set[int]] = {}
    for place in places:
        lines.setdefault(function_of(place), set()).add(place.line)
    found = {}
    for function, needed in lines.items():
        first, code = 1, []
        if opened is not None and function == function_of(opened):
            first, code = _with_statement(opened, needed)
        if not code:
            first, code = _whole(function)
        name = function[1].rpartition(".")[2]
        found[function] = Block(opener if name == "<module>" else name, _number(first, code, needed))
    return found


def _whole(function: Function) -> tuple[int, list[str]]:
    """Return the first line, and the lines, of a function or of a file."""
    file, name, first = function
    lines = linecache.getlines(file)
    if name == "<module>":
        return 1, lines
    if first > len(lines):
        return first, []
    try:
        return first, inspect.getblock(lines[first - 1 :])
    except (SyntaxError, ValueError):  # the file is not what it was
        return first, []


def _with_statement(opened: Place, needed: Collection[int]) -> tuple[int, list[str]]:
    """Return the statement that opened the trace, if all the lines that are needed lie in it."""
    lines = linecache.getlines(opened.file)
    try:
        nodes = list(ast.walk(ast.parse("".join(lines))))
    except (SyntaxError, ValueError):
        return 1, []
    for node in reversed(nodes):  # inner ones come later
        if not isinstance(node, ast.With | ast.AsyncWith):
            continue
        if node.lineno <= opened.line <= node.items[-1].context_expr.end_lineno:
            holds_all = all(node.lineno <= line <= node.end_lineno for line in needed)
            return (node.lineno, lines[node.lineno - 1 : node.end_lineno]) if holds_all else (1, [])
    return 1, []


def _number(first: int, code: list[str], needed: Collection[int]) -> dict[int, str]:
    """Return lines of code by their number, without those far from the ones needed if they are many."""
    lines = textwrap.dedent("".join(code)).rstrip().splitlines()
    near = {line + k for line in needed for k in range(-3, 4)} | {first, first + 1}
    shown = sorted(number for number in range(first, first + len(lines)) if len(lines) <= _MOST or number in near)
    return {number: shorten(lines[number - first], _WIDEST) for number in shown[: 3 * _MOST]}
