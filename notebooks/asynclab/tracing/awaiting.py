"""What a suspended task waits for, named as its author would name it (standard library only).

A suspended task is a chain of awaits: its coroutine awaits another one, and so on down to a future. The innermost
coroutine of the user's own says at which line the task waits. What comes below is a library's; it is named by the
first of its functions that a user knows, so that `async with lock` and `await lock.acquire()` read alike.
"""

from __future__ import annotations

import gc
import os
import sysconfig
import types
from builtins import getattr, isinstance, next, str, type  # noqa: UP029 (code that is traced may rebind them)
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = [
    "LIBRARY", "Place", "Waiting", "begin_of", "caller", "chain", "describe", "is_library", "look_through",
]  # fmt: skip

# Where libraries lie, and what records: code in these folders is not the user's.
LIBRARY = (
    *sorted({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}),
    os.path.dirname(__file__),
)

_KINDS = {  # of what can be awaited through: the attributes that hold its frame, its code and what it awaits
    types.CoroutineType: ("cr_frame", "cr_code", "cr_await"),
    types.GeneratorType: ("gi_frame", "gi_code", "gi_yieldfrom"),
    types.AsyncGeneratorType: ("ag_frame", "ag_code", "ag_await"),
}


class Place(NamedTuple):
    """A line of a function, and where that function is: its file, its qualified name and its first line."""

    file: str
    function: str
    first: int
    line: int


class Waiting(NamedTuple):
    """What a task waits for (None once it has ended), and at which line of the user's code.

    `places` are those of all the user's functions in which it is suspended, from the outermost inwards.
    """

    what: str | None
    line: int | None
    places: tuple[Place, ...] = ()


class Link(NamedTuple):
    """One coroutine or generator of a chain of awaits."""

    awaitable: Any
    frame: types.FrameType
    code: types.CodeType


def chain(awaitable: Any) -> Iterator[Link]:
    """Yield the links of a chain of awaits, from `awaitable` inwards, looking through wrappers that hide one."""
    while awaitable is not None:
        attributes = next((attributes for kind, attributes in _KINDS.items() if isinstance(awaitable, kind)), None)
        if attributes is None:
            awaitable = look_through(awaitable)
            continue
        frame, code, inner = (getattr(awaitable, name) for name in attributes)
        if frame is None:  # it has ended
            return
        yield Link(awaitable, frame, code)
        awaitable = inner


def look_through(awaitable: Any) -> types.CoroutineType | types.AsyncGeneratorType | None:
    """Return what hides behind the object of a coroutine's `__await__()` or of an asynchronous generator's `asend()`.

    None if `awaitable` is something else, such as a future.
    """
    if type(awaitable).__name__ not in _WRAPPERS:
        return None
    hidden = (each if isinstance(each, _HIDDEN) else look_through(each) for each in gc.get_referents(awaitable))
    return next(filter(None, hidden), None)


_HIDDEN = (types.CoroutineType, types.AsyncGeneratorType)
_WRAPPERS = {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"}


def is_library(code: types.CodeType) -> bool:
    """Return whether `code` is a library's, not the user's."""
    return code.co_filename.startswith(LIBRARY)


def describe(coro: Any) -> Waiting:
    """Return what the suspended `coro` waits for, as far as its chain of awaits tells.

    That is the first public function of a library below the user's innermost coroutine, such as "Queue.get"; a
    private one, such as "ClientSession._request", without its underscores; or "future" if there is none.
    """
    places, below = [], []
    for link in chain(coro):
        if is_library(link.code):
            below.append(link)
        else:
            places.append(_place(link.code, link.frame.f_lineno))
            below = []
    what = _known_name([_qualified_name(link) for link in below])
    return Waiting(what, places[-1].line if places else None, tuple(places))


def begin_of(coro: Any) -> Place | None:
    """Return where the code of a coroutine begins; None if it is a library's, or no plain one."""
    kind = type(coro)
    code = coro.cr_code if kind is types.CoroutineType else coro.gi_code if kind is types.GeneratorType else None
    return None if code is None or is_library(code) else _place(code, code.co_firstlineno)


def caller(frame: types.FrameType | None) -> Place | None:
    """Return the line that the user's code is at, in `frame` or in what called it."""
    while frame is not None and is_library(frame.f_code):
        frame = frame.f_back
    return None if frame is None else _place(frame.f_code, frame.f_lineno)


def _place(code: types.CodeType, line: int) -> Place:
    return Place(code.co_filename, code.co_qualname, code.co_firstlineno, line)


def _known_name(names: list[str]) -> str:
    """Return the one of a library's nested calls that a user knows; "future" if there is none."""
    plain = [name for name in names if not _last(name).startswith("__")]
    public = [name for name in plain if not _last(name).startswith("_")]
    if public:
        return public[0]
    # A private helper may bear the name of the special method that it serves: `__aexit__` and `_aexit`.
    helped = {_last(name).strip("_") for name in names if _last(name).startswith("__")}
    private = [name for name in plain if _last(name).strip("_") not in helped]
    if private:
        return private[0].replace("._", ".").lstrip("_")
    return names[0] if names else "future"


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _qualified_name(link: Link) -> str:
    """Return the qualified name of a link; that of a method made in a function is its object's class and own name.

    aiofiles and others make their methods so. The object is found among what the coroutine refers to. (Reading
    `frame.f_locals` would be simpler, but until Python 3.12 it keeps alive what the coroutine deletes later.)
    """
    name = getattr(link.awaitable, "__qualname__", link.code.co_qualname)
    if "<locals>" not in name:
        return name
    held = gc.get_referents(link.awaitable)
    methods = (
        f"{type(owner).__qualname__}.{attribute}"
        for function in held
        if isinstance(function, types.FunctionType) and function.__code__ is link.code
        for owner in held
        for kind in type(owner).__mro__
        for attribute, value in vars(kind).items()
        if value is function
    )
    return next(methods, _last(name))
