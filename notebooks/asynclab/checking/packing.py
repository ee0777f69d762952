"""Pack a learner's function, with all that it uses, so that another process can run it."""

from __future__ import annotations

import collections
import contextlib
import functools
import inspect
import io
import linecache
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import cloudpickle


class CannotBePacked(Exception):
    """Something that the function uses cannot be taken into another process; the message names it."""


def pack(function: Callable[..., Any]) -> tuple[bytes, dict[str, str]]:
    """Return `function` as bytes, and the text of each file that holds code of it, by the file's name.

    Helpers, constants and classes of a notebook come along. Raises CannotBePacked.
    """
    functions = list(_functions(function))
    sources = {each.__code__.co_filename: "" for each in functions}
    for name in sources:
        sources[name] = "".join(linecache.getlines(name))
    modules = [sys.modules[name] for name in {each.__module__ for each in functions} if name in sys.modules]
    # Nobody can import what was made by hand, as `taught` makes modules.
    modules += [each for each in list(sys.modules.values()) if type(each) is types.ModuleType and each.__spec__ is None]
    with _by_value({module for module in modules if module.__name__ != "__main__"}):
        try:
            packed = io.BytesIO()
            _Pickler(packed).dump(function)
            return packed.getvalue(), sources
        except Exception as error:
            raise CannotBePacked(_why(functions) or _in_general(error)) from None


class _Pickler(cloudpickle.Pickler):
    """It keeps the file name of code, by which a message finds the learner's line; cloudpickle's own drops it."""

    dispatch_table: ClassVar = collections.ChainMap({}, cloudpickle.Pickler.dispatch_table)

    def _reduced(code: types.CodeType, reduce: Callable[..., Any] = dispatch_table[types.CodeType]) -> tuple:
        make, arguments = reduce(code)
        return make, tuple(code.co_filename if each == "<dynamic-code>" else each for each in arguments)

    dispatch_table[types.CodeType] = _reduced


def code_of(function: Any) -> types.FunctionType | None:
    """Return the Python function behind a method, a partial or a decorator; None if there is none."""
    with contextlib.suppress(Exception):
        while isinstance(function, functools.partial | types.MethodType):
            function = function.func if isinstance(function, functools.partial) else function.__func__
        function = inspect.unwrap(function)
        if not isinstance(function, types.FunctionType) and not isinstance(function, type):
            function = type(function).__call__
        return function if isinstance(function, types.FunctionType) else None
    return None


def _functions(function: Any, known: set[int] | None = None) -> Iterator[types.FunctionType]:
    """Yield the learner's functions that `function` is made of: itself, and the helpers that it names."""
    known = set() if known is None else known
    if isinstance(function, type):
        found = [each for each in vars(function).values() if isinstance(each, types.FunctionType)]
    else:
        found = [code] if (code := code_of(function)) else []
    for each in found:
        if id(each) in known or not _is_theirs(each):
            continue
        known.add(id(each))
        yield each
        for _, value in _used_by(each):
            if callable(value):
                yield from _functions(value, known)


def _used_by(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the names of other places that `function` uses, with their values."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not set yet
            yield name, cell.cell_contents
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _names(each)


def _is_theirs(function: types.FunctionType) -> bool:
    """Return whether a function is of the notebook, the script or the module that is being worked on."""
    file = getattr(sys.modules.get(function.__module__), "__file__", None) or ""
    return function.__module__ == "__main__" or not any(file.startswith(folder) for folder in _LIBRARIES)


_LIBRARIES = tuple(
    {path for path in (sys.prefix, sys.base_prefix) if path} - {"/usr"}
    | {folder for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))}
    | {str(inspect.getfile(inspect)).rpartition("inspect")[0]}
)


@contextlib.contextmanager
def _by_value(modules: set[types.ModuleType]) -> Iterator[None]:
    """Let functions of these modules be packed whole: the other process may be unable to import them."""
    registered = []
    for module in modules:
        if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
            registered.append(module)
    try:
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _why(functions: list[types.FunctionType]) -> str:
    """Return which name it is that cannot be packed, and what to use instead."""
    for function in functions:
        for name, value in _used_by(function):
            if callable(value) and code_of(value) in functions:
                continue
            try:
                cloudpickle.dumps(value)
            except Exception:
                kind = type(value).__name__
                return (
                    f"`{function.__name__}` uses `{name}`, {_an(kind)} of this notebook that cannot be taken into the "
                    "process in which it runs. Make one inside your function, or use what it is given."
                )
    return ""


def _in_general(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        f"your function cannot be taken into the process in which it is checked: {type(error).__name__} ({text[:80]})."
    )


def _an(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} `{noun}`"
