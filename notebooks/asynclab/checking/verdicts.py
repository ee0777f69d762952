"""A verdict as bytes, and back: what comes out of a learner's process is data, and nothing in it is called here.

A pickle may name any function, to be called by whoever reads it. Here it may name the classes that a verdict and its
trace are made of, and no others: a name that a learner's code gave to a task can be an object with code of its own.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from .trial import Verdict

_TRACING = f"{__package__.rpartition('.')[0]}.tracing."
_PLAIN = {("array", "array"), ("array", "_array_reconstructor"), ("builtins", "object")}


def write(verdict: Verdict) -> bytes:
    """Return a verdict as bytes, without its trace if that holds something which `read` refuses."""
    try:
        read(written := pickle.dumps(verdict))
    except Exception:  # whatever a learner's object raises when it is packed, too
        verdict.trace = None
        return pickle.dumps(verdict)
    return written


def read(written: bytes) -> Verdict:
    """Return the verdict that `write` wrote. Raises pickle.UnpicklingError, or another Exception, if it is none."""
    verdict = _Reader(io.BytesIO(written)).load()
    if type(verdict) is not Verdict:
        raise pickle.UnpicklingError(f"{type(verdict).__name__} is no verdict")
    return verdict


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        ours = module.startswith(_TRACING) or (module, name) == (Verdict.__module__, Verdict.__name__)
        if ours or (module, name) in _PLAIN:
            found = super().find_class(module, name)
            # Defined there, and not only used: a module knows the names of others, too.
            if not ours or (isinstance(found, type) and found.__module__ == module):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a verdict")
