"""The cells of a notebook in any order, after its first one: each works, or says what is missing; then Run All works.

Whoever clicks around in a notebook meets a NameError, which names what an earlier cell defines. Nothing else may stop
such a reader: no hang, no puzzle from within the bench, and nothing that keeps Run All from working afterwards.
"""

from __future__ import annotations

import ast
import random
import re

import pytest

from bad_days import CELL_TIMEOUT, bad_day, cells, every_notebook

# What a cell may say that runs before the cells it builds on: it names what is missing, or what to do.
CLEAR = re.compile(
    r"NameError\W+name '\w+' is not defined"  # also inside an ExceptionGroup, or as the reason of another error
    r"|ServicesError: .* `await \w+\.start\(\)`"  # the cell that stops the servers came first
    r"|Cannot connect to host 127\.0\.0\.1"  # aiohttp's words, where it came before the URL was asked for
    r"|RuntimeError: Session is closed"  # where the cell that closes the session came first
    r"|FileNotFoundError: .*'.+'"  # where the cell that writes the file has not run, or the one that removes it has
    r"|CancelledError: $"  # end() came first, named the task and cancelled it
    r"|Unfinished: "
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def names(source: str, kind: type) -> set[str]:
    """Return the names that a cell assigns (ast.Store) or uses (ast.Load)."""
    tree = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, kind)}


@pytest.mark.parametrize(("path", "seed"), every_notebook((1, 2, 3), quick=("00_start_here", 1)))
def test_each_works_or_says_what_is_missing_and_run_all_works(path, seed):
    setup, *others = cells(path)
    unclear, assigned = [], [name for cell in others for name in names(cell.source, ast.Store)]
    reused = {name for name in assigned if assigned.count(name) > 1}  # which may have what another section gave it
    half_made = set()  # what a cell that failed may have assigned
    with bad_day() as day, day.kernel() as kernel:
        assert kernel.run(setup.source, CELL_TIMEOUT).problem == ""
        for cell in [*random.Random(seed).sample(others, len(others)), others[-1]]:  # whose last one tidies up
            reply = kernel.run(cell.source, CELL_TIMEOUT)
            said = COLOURS.sub("", reply.text + reply.problem).rstrip("\n")
            if not reply.problem:
                half_made -= names(cell.source, ast.Store)
            elif not CLEAR.search(said) and not (half_made | reused) & names(cell.source, ast.Load):
                unclear.append(f"{cell.id}: {said[-500:]}")
            else:
                half_made |= names(cell.source, ast.Store)
        sent = [(cell, kernel.start(cell.source)) for cell in [setup, *others]]
        failed = [
            f"{cell.id}: {problem}" for cell, each in sent if (problem := kernel.wait(each, CELL_TIMEOUT).problem)
        ]
    assert unclear == []
    assert failed == []
