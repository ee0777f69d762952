"""Replace functions of a loop or a class for a while, whatever others replace meanwhile (standard library only).

Replacements need not be taken back in the reverse order. One that is over while another function stands above it
stays where it is and passes every call on; it goes when that other one has gone. So no order of beginnings, ends
and failures in between loses a function of someone else's, or makes a function call itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Replacer", "Turns", "replace", "settle"]

_NOTHING = object()


class Replacer(Protocol):
    """What replaces functions, as long as it is not `over`."""

    over: bool


def replace(owner: Any, name: str, function: Callable, replacer: Replacer) -> None:
    """Put `function` in the place of `owner.name` until `replacer` is over.

    The function is made for this place alone: it calls what stood there before. When its replacer is over, it must
    do nothing else but `settle` the place.
    """
    function.replaced = vars(owner).get(name, _NOTHING)  # what the owner itself has, apart from its class
    function.itself = function
    function.replacer = replacer
    setattr(owner, name, function)


def settle(owner: Any, name: str) -> None:
    """Take away the functions on top of `owner.name` whose replacers are over."""
    while True:
        top = vars(owner).get(name)
        # `is not top`: a function that wraps one of ours may have copied its attributes.
        if top is None or getattr(top, "itself", None) is not top or not top.replacer.over:
            return
        if top.replaced is _NOTHING:
            delattr(owner, name)
        else:
            setattr(owner, name, top.replaced)


class Turns:
    """A context manager that threads enter one at a time, and one thread again from inside.

    An exception at the wrong moment can leave a lock taken. Whoever has waited a second for one that is held for
    microseconds takes a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        while not self._lock.acquire(timeout=1):
            self._lock = threading.RLock()

    def __exit__(self, *exc: object) -> None:
        if self._lock._is_owned():
            self._lock.release()
