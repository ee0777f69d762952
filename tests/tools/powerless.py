"""A user whom a file's mode can keep out, for tests that are run by root."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def powerless() -> Iterator[None]:
    """Be such a user during the block: root is none, anyone else is one already."""
    root = os.name == "posix" and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
