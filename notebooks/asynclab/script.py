"""A script made of functions: what was written in the cells of a notebook runs from a terminal, too."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def write_script(path: str | Path, functions: Sequence[Callable], title: str = "") -> Path:
    """Write the script `path`, which calls the last of `functions`, and return the path.

    The script holds the imports, functions, classes and assignments of every cell, or file, in which one of
    `functions` was defined, in this order; what else such a cell does at its top level is left out, and so is an
    assignment that awaits. Names that come from other cells are not found: the script would raise NameError.
    Raises ValueError if the source of a function is not known, or does not define it with `def` at its top level.
    """
    imports: set[str] = set()
    parts: dict[str, None] = {}  # in order, each once: two functions may come from the same cell
    for function in functions:
        source = _whole_source(function)
        lines = source.splitlines()
        body = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT).body
        if function.__name__ not in {getattr(node, "name", "") for node in body}:
            raise ValueError(f"{function.__qualname__} has no name of its own in a cell: define it there with `def`")
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports |= _single_imports(node)
            elif isinstance(node, _KEPT) and not (isinstance(node, _KEPT[3:]) and _awaits(node)):
                first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
                parts["\n".join(lines[first - 1 : node.end_lineno])] = None
    start = f'if __name__ == "__main__":\n    {functions[-1].__name__}()'
    head = [f'"""{title}"""'] * bool(title) + ["\n".join(sorted(imports, key=_import_order))]
    Path(path).write_text("\n\n".join(head) + "\n\n\n" + "\n\n\n".join([*parts, start]) + "\n", "utf-8")
    return Path(path)


def _whole_source(function: Callable) -> str:
    """Return the source of the cell, or the file, in which `function` was defined."""
    try:
        return "".join(inspect.findsource(inspect.unwrap(function))[0])  # a decorator may be defined elsewhere
    except (OSError, TypeError) as error:
        name = getattr(function, "__name__", repr(function))
        raise ValueError(f"the source of {name} is not known ({error}): define it in a cell with `def`") from None


def _single_imports(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Return an import statement as several, of a name each."""
    if isinstance(node, ast.Import):
        return {ast.unparse(ast.Import([name])) for name in node.names}
    return {ast.unparse(ast.ImportFrom(node.module, [name], node.level)) for name in node.names}


def _import_order(line: str) -> tuple[int, bool, str]:
    """Sort `__future__` first, then the standard library, `import a` before `from a import b`, then by name."""
    module = line.split()[1].partition(".")[0]
    place = 0 if module == "__future__" else 1 if module in sys.stdlib_module_names else 2
    return place, line.startswith("from"), line


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Await) or getattr(each, "is_async", False) for each in ast.walk(node))
