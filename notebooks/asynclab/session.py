"""`begin()` and `await end()`: a notebook starts watched, and ends with nothing left running or lost."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

from .services import Services

_TICK = 0.1  # seconds within which an interrupt reaches a cell that awaits
# Whose tasks and coroutines are the kernel's own, not the notebook's.
_KERNEL = {"IPython", "ipykernel", "jupyter_client", "tornado", "zmq", "debugpy", "comm", "ipywidgets", "nbval"}
_sessions: dict[asyncio.AbstractEventLoop, _Session] = {}


class Unfinished(RuntimeError):
    """What `end()` found left over; `leftovers` names each, with what to do about it."""

    def __init__(self, leftovers: Iterable[str]) -> None:
        self.leftovers = list(leftovers)
        super().__init__(
            "this notebook leaves something behind:\n" + "\n".join(f"  - {each}" for each in self.leftovers)
        )

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show the advice alone: where `end()` stands explains nothing."""
        return [f"Unfinished: {self}"]


def begin() -> None:
    """Watch the running loop until `end()`: tasks, lost exceptions, coroutines never awaited, servers, `Services`.

    From here on, too, the Stop button interrupts a cell that awaits within 0.1 seconds; a Jupyter kernel by
    itself notices only when the loop next wakes up. Calling it again starts the record afresh.

    Raises RuntimeError where no event loop runs.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("begin() needs a running event loop: call it in a notebook's cell or a coroutine") from None
    for closed in [each for each in _sessions if each.is_closed()]:
        del _sessions[closed]
    if loop in _sessions:
        _sessions[loop].stop()
    _sessions[loop] = _Session(loop)


async def end() -> None:
    """Check that nothing begun since `begin()` is left over, and say so.

    Raises `Unfinished`, naming each with what to do about it, if a task still runs, an exception was lost, a
    coroutine was never awaited, or a server or a `Services` is still up. The tasks are then cancelled and the
    servers closed, so that the notebook can be run again. Raises RuntimeError if `begin()` was not called.
    """
    session = _sessions.get(asyncio.get_running_loop())
    if session is None:
        raise RuntimeError("nothing to check: run the cell with begin() first, at the top of the notebook")
    leftovers = await session.leftovers()
    session.stop()
    if leftovers:
        raise Unfinished(leftovers)
    print("All clear: no task still running, no exception lost, no coroutine forgotten, no server up.")


class _Session:
    """What was there when a notebook began, and what was lost since."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.lost: list[str] = []
        servers, coros = _leavable(loop)
        self.before = weakref.WeakSet([*asyncio.all_tasks(loop), *servers, *coros, *Services.running()])
        self.previous_handler = loop.get_exception_handler()
        loop.set_exception_handler(self._note_lost_exception)
        warnings.filterwarnings("always", message="coroutine .* was never awaited", category=RuntimeWarning)
        self.previous_showwarning = warnings.showwarning
        warnings.showwarning = self._note_warning
        self.ticker: asyncio.TimerHandle | None = None
        self._tick()

    def stop(self) -> None:
        """Give the loop and the warnings back as they were."""
        if self.ticker is not None:
            self.ticker.cancel()
            self.ticker = None
        # Someone may have put a handler of their own in front of ours: it is theirs to take away.
        if self.loop.get_exception_handler() == self._note_lost_exception:
            self.loop.set_exception_handler(self.previous_handler)
        if warnings.showwarning == self._note_warning:
            warnings.showwarning = self.previous_showwarning

    def _tick(self) -> None:
        # Python runs a signal's handler between two bytecodes: a loop asleep in select() must wake up for that.
        self.ticker = self.loop.call_later(_TICK, self._tick)

    _tick.unseen_by_traces = True

    def _note_lost_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = context.get("message", "an error outside any task")
        source = context.get("task") or context.get("future")
        name = f" (task {source.get_name()!r})" if hasattr(source, "get_name") else ""
        error = context.get("exception")
        error = f": {type(error).__name__}: {error}" if error is not None else ""
        self.lost.append(f"{message}{name}{error}. Keep the task, and await it: then its end reaches you.")
        if self.previous_handler is None:
            loop.default_exception_handler(context)
        else:
            self.previous_handler(loop, context)

    def _note_warning(self, message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, RuntimeWarning) and "was never awaited" in str(message):
            self.lost.append(f"{str(message).splitlines()[0]}. Write await before the call.")
        self.previous_showwarning(message, category, *rest)

    async def leftovers(self) -> list[str]:
        """Return what is left over, in words; cancel and close it."""
        gc.collect()
        for _ in range(3):  # callbacks that are due may yet finish a task or report a loss
            await asyncio.sleep(0)
        found, self.lost = self.lost, []
        tasks = [task for task in asyncio.all_tasks() if self._is_new(task) and task is not asyncio.current_task()]
        for task in sorted(tasks, key=lambda task: task.get_name()):
            found.append(
                f"task {task.get_name()!r} ({_name(task.get_coro())}) still runs. "
                "Await it, start it in a TaskGroup, or cancel() and await it."
            )
            task.cancel()
        servers, coros = _leavable(self.loop)
        for coro in filter(self._is_new, coros):
            found.append(f"coroutine '{_name(coro)}' was never awaited. Write await before the call, or close() it.")
            coro.close()
        for server in filter(self._is_new, servers):
            places = ", ".join("{}:{}".format(*sock.getsockname()[:2]) for sock in server.sockets)
            found.append(f"a server still listens on {places}. Open it with `async with`, or close() it.")
            server.close()
        for services in filter(self._is_new, Services.running()):
            found.append(
                f"the servers of Services still run at {services.api}. "
                "Stop them with `await web.stop()`, or open them with `async with Services() as web:`."
            )
            await services.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        return found

    def _is_new(self, thing: Any) -> bool:
        return thing not in self.before and not (isinstance(thing, asyncio.Task) and _is_kernels(thing.get_coro()))


def _leavable(loop: asyncio.AbstractEventLoop) -> tuple[list[asyncio.Server], list[types.CoroutineType]]:
    """Return the servers that listen on this loop, and the coroutines made but never begun.

    A coroutine that a variable (or a notebook's `Out`) still holds has caused no warning yet. One that a task is
    about to begin does not count, nor one of which Python has warned: a recorded warning keeps it.
    """
    scheduled = {id(task.get_coro()) for task in asyncio.all_tasks(loop)}
    servers, coros = [], []
    for each in gc.get_objects():
        if type(each) is asyncio.Server:
            if each.get_loop() is loop and each.is_serving():
                servers.append(each)
        elif type(each) is types.CoroutineType and inspect.getcoroutinestate(each) == inspect.CORO_CREATED:
            coros.append(each)
    unexplained = (c for c in coros if id(c) not in scheduled and not gc.is_finalized(c) and not _is_kernels(c))
    return servers, list(unexplained)


def _is_kernels(coro: Any) -> bool:
    frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
    return frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _KERNEL


def _name(coro: Any) -> str:
    return getattr(coro, "__qualname__", type(coro).__qualname__).rsplit(".", 1)[-1]
