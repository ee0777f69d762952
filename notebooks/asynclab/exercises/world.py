"""What a learner's code may rebind or set outside itself, as it was before, and the way back."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import functools
import gc
import inspect
import itertools
import os
import signal
import sys
import threading
import time
import types
import weakref
from collections.abc import Iterable

__all__ = ["HOOKS", "NEEDED", "Names", "World", "files"]

NEEDED = (builtins, time, asyncio)  # by every step of every task
_MISSING = object()


def _is_watched(module: types.ModuleType, name: str) -> bool:
    # A kernel puts `_`, the last result, among the builtins; private names are caches, elsewhere.
    return name != "_" if module is builtins else not name.startswith("_")


class Names:
    """The names of some modules, as they were."""

    def __init__(self, modules: Iterable[types.ModuleType]) -> None:
        self.modules = list(modules)
        self.dicts = [dict(vars(module)) for module in self.modules]

    def differs(self) -> bool:
        """Say whether anything was rebound, by a private name or not."""
        return any(vars(module) != then for module, then in zip(self.modules, self.dicts, strict=True))

    def restore(self) -> list[str]:
        """Put back what was rebound, and return the names."""
        found = []
        for module, then in zip(self.modules, self.dicts, strict=True):
            now = vars(module)
            for name, value in then.items():
                if now.get(name, _MISSING) is not value and _is_watched(module, name):
                    found.append(f"{module.__name__}.{name}")
                    now[name] = value
            for name in [name for name in now if name not in then and _is_watched(module, name)]:
                if not isinstance(now[name], types.ModuleType):
                    found.append(f"{module.__name__}.{name}")
                    del now[name]
        return found


class World:
    """What must be after a run as it was before."""

    def __init__(self, loop: asyncio.BaseEventLoop) -> None:
        self.loop = loop
        modules = [module for name, module in list(sys.modules.items()) if name.startswith("asyncio.")]
        self.names = Names([*NEEDED, *modules, *_OTHERS])
        self.classes = {
            value: dict(vars(value))
            for module in modules
            for value in vars(module).values()
            if isinstance(value, type) and value.__flags__ & (1 << 9) and value.__module__.startswith("asyncio")
        }
        self.loop_dict = dict(loop.__dict__)
        self.loop_debug = loop.get_debug()
        self.system = {name: getattr(sys, name) for name in _SYSTEM if hasattr(sys, name)}
        self.path = list(sys.path)
        self.modules = {
            name: sys.modules[name] for name in ("builtins", "time", "asyncio", "sys") if name in sys.modules
        }
        self.limit, self.interval = sys.getrecursionlimit(), sys.getswitchinterval()
        self.profile, self.tracer = sys.getprofile(), sys.gettrace()
        self.hooks = sys.get_asyncgen_hooks()
        self.gc = gc.isenabled(), gc.get_threshold(), gc.get_debug()
        self.environ = dict(os.environ)
        try:
            self.directory = os.getcwd()
        except OSError:
            self.directory = None

    def restore(self) -> list[str]:
        """Put everything back, and return the names of what was changed."""
        found = [*self.names.restore(), *self.restore_loop()]
        for kind, then in self.classes.items():
            now = vars(kind)
            for name, value in then.items():
                if now.get(name, _MISSING) is not value:
                    found.append(f"{kind.__name__}.{name}")
                    setattr(kind, name, value)
            for name in [name for name in now if name not in then and not name.startswith("__")]:
                found.append(f"{kind.__name__}.{name}")
                delattr(kind, name)
        for name, value in self.system.items():
            if getattr(sys, name, None) is not value:
                found.append(f"sys.{name}")
                setattr(sys, name, value)
        if sys.path != self.path:
            sys.path[:] = self.path
        sys.modules.update(self.modules)
        if sys.getrecursionlimit() != self.limit:
            found.append("the recursion limit")
            sys.setrecursionlimit(self.limit)
        sys.setswitchinterval(self.interval)
        if sys.getprofile() is not self.profile:  # one written in C, such as cProfile's, cannot be set from here
            sys.setprofile(self.profile if callable(self.profile) else None)
        if sys.gettrace() is not self.tracer:
            sys.settrace(self.tracer if callable(self.tracer) else None)
        sys.set_asyncgen_hooks(*self.hooks)
        enabled, threshold, debug = self.gc
        if gc.isenabled() != enabled:
            found.append("garbage collection")
        (gc.enable if enabled else gc.disable)()
        gc.set_threshold(*threshold)
        gc.set_debug(debug)
        if dict(os.environ) != self.environ:
            found.append("os.environ")
            os.environ.clear()
            os.environ.update(self.environ)
        if self.directory is not None and _directory() != self.directory:
            found.append("the working directory")
            os.chdir(self.directory)
        return found

    def restore_loop(self, keep: Iterable[str] = ()) -> list[str]:
        """Put back the loop's settings, and the methods of it that were shadowed but for those to `keep`."""
        found, now, then = [], self.loop.__dict__, self.loop_dict
        for name in [name for name in now if name not in then or name in _LOOP_SETTINGS]:
            if name in keep or (name not in _LOOP_SETTINGS and not hasattr(type(self.loop), name)):
                continue
            if name not in then:
                del now[name]
            elif now[name] is then[name]:
                continue
            else:
                now[name] = then[name]
            found.append(f"loop.{name.lstrip('_')}")
        if self.loop.get_debug() != self.loop_debug:
            self.loop.set_debug(self.loop_debug)
        return found


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


_OTHERS = (contextlib, functools, inspect, itertools, os, signal, threading, weakref)
_SYSTEM = ("stdout", "stderr", "stdin", "displayhook", "excepthook", "breakpointhook", "unraisablehook")
HOOKS = ("call_soon", "call_soon_threadsafe", "create_task", "run_in_executor", "stop")  # the trace's and ours
_LOOP_SETTINGS = ("_task_factory", "_default_executor", "slow_callback_duration")


def files() -> dict[str, tuple[int, int]]:
    """Return size and time of change of the files in the working directory, but for what Jupyter writes there."""
    found = {}
    with contextlib.suppress(OSError), os.scandir() as entries:
        for entry in itertools.islice(entries, 2000):
            if not entry.name.startswith((".", "__")) and not entry.name.endswith(".ipynb"):
                with contextlib.suppress(OSError):
                    stat = entry.stat()
                    found[entry.name] = (0, 0) if entry.is_dir() else (stat.st_mtime_ns, stat.st_size)
    return found
