"""How many connections and files a server's process may have open at once."""

from __future__ import annotations

import contextlib

_FILES = 10_240  # macOS begins with 256


def allow_many_files() -> None:
    """Lift the limit of open files as far as the system allows, each connection being one."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
