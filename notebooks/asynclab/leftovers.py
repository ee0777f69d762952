"""What a notebook can leave behind: for each cause its words, its advice, and how it is tidied up.

Two tables. `CAUSES` are things that are still there: found by their class among all objects, so that it does not matter
who holds them. `LOSSES` are what the event loop reports to its exception handler. To teach `end()` another cause, add a
row: name the class as "module:Class" (it is never imported for this), and say when it counts as left.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import contextlib
import functools
import gc
import inspect
import os
import socket
import subprocess
import sys
import sysconfig
import threading
import traceback
import types
import weakref
from asyncio import base_subprocess, sslproto
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .services import Services

_PATIENCE = 1.0  # seconds in which something that was told to end may end
_MOST = 10  # leftovers of one cause that are named; the others are counted


class Cause(NamedTuple):
    """A kind of thing that can be left behind."""

    classes: str  # "module:Class", several with a space between; a module that nobody has imported has no instances
    left: Callable[[Any], bool]  # whether a thing of these classes is left: still runs, is open, was not retrieved
    words: Callable[[Any], str]  # what is said of it, without a full stop
    advice: str
    tidy: tuple[Callable[[Any], Any], ...] = ()  # tried in this order until it is gone; may return an awaitable


class Loss(NamedTuple):
    """A kind of report to the event loop's exception handler."""

    reports: Callable[[dict[str, Any]], bool]  # whether such a context is of this kind
    words: Callable[[dict[str, Any]], str]  # what is said of it, without a full stop
    advice: str


class Known:
    """A set of things by identity that keeps none of them alive."""

    def __init__(self, things: Iterable[Any] = ()) -> None:
        self._references: dict[int, Callable[[], Any] | None] = {}
        for thing in things:
            self.add(thing)

    def add(self, thing: Any) -> None:
        """Add `thing`, which need not be hashable."""
        try:
            self._references[id(thing)] = weakref.ref(thing)
        except TypeError:  # such as a connection of sqlite3, to which nothing can refer weakly: its id must do
            self._references[id(thing)] = None

    def __contains__(self, thing: Any) -> bool:
        if id(thing) not in self._references:
            return False
        reference = self._references[id(thing)]
        return reference is None or reference() is thing


def look(known: Known) -> list[tuple[Cause, list[Any]]]:
    """Return each cause with what is left of it, except for what is `known` and what belongs to the kernel.

    It walks all objects once, some 20 ms in a notebook that draws, and up to twice more if anything is suspicious.
    """
    found = _walk(lambda thing: thing not in known and not is_kernels(thing))
    suspects = [thing for _, things in found for thing in things if not isinstance(thing, _SELF_EVIDENT)]
    owned = _owned(suspects) if suspects else set()
    return [(cause, [thing for thing in things if id(thing) not in owned]) for cause, things in found]


def present() -> Known:
    """Return all that would be left if it were the notebook's, and the running task: it may wait for `end()`."""
    things = [thing for _, things in _walk(lambda thing: True) for thing in things]
    return Known([asyncio.current_task(), *things])


def _walk(wanted: Callable[[Any], bool]) -> list[tuple[Cause, list[Any]]]:
    classes = [_classes(cause) for cause in CAUSES]
    found: list[tuple[Cause, list[Any]]] = [(cause, []) for cause in CAUSES]
    places: dict[type, list[tuple[Cause, list[Any]]]] = {}  # by type, where such a thing belongs
    for thing in gc.get_objects():
        kind = type(thing)
        if kind not in places:
            places[kind] = [place for place, each in zip(found, classes, strict=True) if issubclass(kind, each)]
        for cause, things in places[kind]:
            if is_left(cause, thing) and wanted(thing):
                things.append(thing)
    return found


def is_left(cause: Cause, thing: Any) -> bool:
    """Return whether `thing` is left. One that another thread is still building, or cannot tell, is not."""
    try:
        return bool(cause.left(thing))
    except Exception:
        return False


def say(cause: Cause, things: list[Any]) -> list[str]:
    """Return a sentence and the advice for each of `things`, in order; beyond ten only how many there are."""
    lines = sorted(f"{_words(cause, thing)}. {cause.advice}" for thing in things)
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more like that. {cause.advice}"]
    return lines


def _words(cause: Cause, thing: Any) -> str:
    try:
        return cause.words(thing)
    except Exception:  # closed by another thread just now, or of a class that cannot tell
        return f"a {type(thing).__qualname__} is left"


async def tidy(cause: Cause, things: list[Any]) -> list[Any]:
    """Cancel, close or end `things`; return those that are still there."""
    for action in cause.tidy:
        for thing in things:
            with contextlib.suppress(Exception):
                done = action(thing)
                if inspect.isawaitable(done):
                    await asyncio.wait_for(done, 2 * _PATIENCE)
        await _until(lambda things=things: not any(is_left(cause, thing) for thing in things))
        things = [thing for thing in things if is_left(cause, thing)]
    return things


def loss(context: dict[str, Any]) -> str:
    """Return what is said of a report to the event loop's exception handler, with the advice that fits it."""
    kind = next(each for each in LOSSES if each.reports(context))
    return f"{kind.words(context)}. {kind.advice}"


async def _until(done: Callable[[], bool]) -> None:
    """Wait until `done()`, or for a second."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + _PATIENCE, 0.0
    while not done() and loop.time() < end:
        await asyncio.sleep(pause)
        pause = 0.01 if pause else 1e-4


# --- whose is it? -------------------------------------------------------------------------------------------------

# The packages that make up a kernel, or a test run. What they run and hold is nobody's fault.
_KERNEL = (
    *("IPython", "ipykernel", "ipywidgets", "comm", "traitlets", "matplotlib_inline", "debugpy"),
    *("jupyter_client", "jupyter_core", "tornado", "zmq", "nbclient", "pytest", "_pytest", "execnet", "xdist"),
)
_BENCH = str(Path(__file__).parent) + os.sep
_ASYNCIO = str(Path(asyncio.__file__).parent) + os.sep
_MULTIPROCESSING = str(Path(_ASYNCIO).parent / "multiprocessing") + os.sep
_STDLIB = tuple(str(Path(sysconfig.get_path(name))) + os.sep for name in ("stdlib", "platstdlib"))
_TASKS = (asyncio.Task, asyncio.tasks._PyTask)
_FUTURES = (asyncio.Future, asyncio.futures._PyFuture)
_SELF_EVIDENT = (*_TASKS, threading.Thread, Services)  # whose these are does not depend on who holds them


def is_kernels(thing: Any) -> bool:
    """Return whether the code that `thing` runs, or else its class, belongs to the kernel."""
    if isinstance(thing, BaseException):
        files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(thing.__traceback__)]
        return any(map(_in_kernel, files)) and not any(map(_is_learners, files))
    return _in_kernel(_file(thing))


@functools.lru_cache(4096)
def _in_kernel(file: str) -> bool:
    folders = (folder for name in _KERNEL for folder in getattr(sys.modules.get(name), "__path__", ()))
    return file.startswith(tuple(folder + os.sep for folder in folders))


def _is_installed(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file


def _is_learners(file: str) -> bool:
    return bool(file) and not _is_installed(file) and not file.startswith((*_STDLIB, _BENCH, "<frozen"))


def _file(thing: Any) -> str:
    """Return the file of the code that a task, a thread, a callback … runs, else of its class, "" if there is none."""
    if hasattr(type(thing), "get_coro"):
        thing = thing.get_coro()
    elif isinstance(thing, asyncio.Handle):
        thing = thing._callback
    elif isinstance(thing, threading.Thread):
        thing = getattr(thing, "_target", None) or thing
    while isinstance(thing, functools.partial):
        thing = thing.func
    for name in ("cr_code", "gi_code", "ag_code", "__code__"):
        code = getattr(thing, name, None)
        if isinstance(code, types.CodeType):
            return code.co_filename
    return _file_of_class(type(getattr(thing, "__self__", thing)))


def _file_of_class(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or ""


def _owned(things: list[Any]) -> set[int]:
    """Return the ids of those that are somebody else's part, told by who holds them.

    An object or a module of the kernel or of the bench owns what it holds; asyncio owns the sockets and processes of
    its transports; a library owns bare futures; a task owns the coroutine that it is about to begin. What a variable
    of the notebook holds is the notebook's, although the kernel keeps the result of a cell as well.
    """
    suspects = {id(thing): thing for thing in things}
    variables = vars(sys.modules["__main__"])
    owned: set[int] = set()
    dicts = []

    def held_by(holder: Any) -> set[int]:
        return suspects.keys() & set(map(id, gc.get_referents(holder)))

    def owns(kind: type, file: str, thing: Any) -> bool:
        if isinstance(thing, types.CoroutineType):
            return issubclass(kind, _TASKS)
        if isinstance(thing, _FUTURES) and _is_installed(file):
            return True
        parts = isinstance(thing, (*_FUTURES, socket.socket, subprocess.Popen)) and file.startswith(_ASYNCIO)
        return parts or file.startswith(_BENCH) or _in_kernel(file)

    for holder in _holders(things):
        kind = type(holder)
        if kind is not dict:
            owned |= {key for key in held_by(holder) if owns(kind, _file_of_class(kind), suspects[key])}
        elif "__name__" in holder:
            owned |= {key for key in held_by(holder) if owns(kind, str(holder.get("__file__")), suspects[key])}
        else:
            dicts.append(holder)
    for holder in _holders(dicts):
        kind = type(holder)
        attributes = getattr(holder, "__dict__", None) if kind.__module__ != "builtins" else None
        if any(attributes is each for each in dicts):
            owned |= {key for key in held_by(attributes) if owns(kind, _file_of_class(kind), suspects[key])}
    return owned - held_by(variables)


def _holders(things: list[Any]) -> list[Any]:
    """Return all that refers to some of `things`."""
    if len(things) < 100:
        return gc.get_referrers(*things)
    # It compares every reference with every thing: of many, a set tells sooner.
    ids = set(map(id, things))
    return [holder for holder in gc.get_objects() if not ids.isdisjoint(map(id, gc.get_referents(holder)))]


def _classes(cause: Cause) -> tuple[type, ...]:
    """Return the classes of a cause whose modules somebody has imported."""
    pairs = (name.split(":") for name in cause.classes.split())
    found = (getattr(sys.modules.get(module), name, None) for module, name in pairs)
    return tuple(each for each in found if each is not None)


# --- in words -----------------------------------------------------------------------------------------------------


def name_of(thing: Any) -> str:
    """Return the last part of a coroutine's or a function's name."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    return str(getattr(thing, "__qualname__", type(thing).__qualname__)).rsplit(".", 1)[-1]


def _in_words(error: BaseException | None) -> str:
    """Return an exception's class and the first line of its text; its text may fail."""
    try:
        text = (str(error).splitlines() or [""])[0][:200]
    except Exception:
        text = "(its text cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _task(task: Any) -> str:
    coro = task.get_coro()  # None of a task that ended in its eager step
    return f"task {task.get_name()!r}" + (f" ({name_of(coro)})" if coro is not None else "")


def _unretrieved(future: Any, error: BaseException) -> str:
    if isinstance(future, asyncio.tasks._GatheringFuture):
        who = "a gather()"
    else:
        who = _task(future) if hasattr(future, "get_name") else "a future"
    return f"the exception of {who} was never retrieved: {_in_words(error)}"


def _place(address: Any) -> str:
    """Return a socket's address as a reader knows it."""
    return "{}:{}".format(*address[:2]) if isinstance(address, tuple) else os.fsdecode(address or b"") or "no address"


def _connection(transport: Any) -> str:
    if isinstance(transport, base_subprocess.BaseSubprocessTransport):
        return f"the pipes of child process {transport.get_pid()} are still open"
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if peer is not None or own is not None:
        return f"a connection to {_place(peer)} is still open" if peer else f"a socket at {_place(own)} is still open"
    return f"a transport ({type(transport).__name__.strip('_')}) is still open"


def _socket(sock: Any) -> str:
    try:
        return f"a socket connected to {_place(sock.getpeername())} is still open"
    except OSError:
        return f"a socket at {_place(sock.getsockname())} is still open"


def _command(arguments: Any) -> str:
    first = arguments if isinstance(arguments, (str, bytes, os.PathLike)) else next(iter(arguments), "")
    return os.path.basename(os.fsdecode(first).split(" ")[0])


def _thread(thread: threading.Thread) -> str:
    code = next((frame.f_code for frame in _frames(thread) if _is_learners(frame.f_code.co_filename)), None)
    return f"thread {thread.name!r} is still at work" + (f" in {code.co_qualname}()" if code else "")


# --- what counts as left, and how to end it -----------------------------------------------------------------------

_INNER = (sslproto.SSLProtocol, base_subprocess.WriteSubprocessPipeProto)  # a part of another transport


def _task_runs(task: Any) -> bool:
    loop = asyncio.get_running_loop()
    return task.get_loop() is loop and not task.done() and task is not asyncio.current_task(loop)


def _serves(task: Any) -> bool:
    """Return whether a task ends by itself once its connection is closed: a server's callback, a library's task."""
    callbacks = (getattr(callback, "__qualname__", "") for callback, _ in task._callbacks or ())
    return any(name.startswith("StreamReaderProtocol.") for name in callbacks) or _is_installed(_file(task))


def _exception_is_unretrieved(future: Any) -> bool:
    loop = future.get_loop()  # a loop in another thread is just about to hand it over
    mine = loop is asyncio.get_running_loop() or not loop.is_running()
    return mine and future.done() and future._log_traceback and not is_kernels(future._exception)


def _is_never_awaited(coro: types.CoroutineType) -> bool:
    # One that is finalized lives in the record of a warning that Python has given.
    return inspect.getcoroutinestate(coro) == inspect.CORO_CREATED and not gc.is_finalized(coro)


def _frames(thread: threading.Thread) -> Iterator[types.FrameType]:
    """Yield what a thread is executing, from the inside out."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_at_work(thread: threading.Thread) -> bool:
    """Return whether a thread does something for the notebook.

    A thread of a ThreadPoolExecutor (the event loop's own is one) that waits for work does not: it costs nothing and
    ends with its pool. Nor do the helpers of pools, processes and queues in the standard library, which have causes of
    their own, and the threads of an installed library, unless they execute code of the notebook.
    """
    if not thread.is_alive() or thread is threading.current_thread() or isinstance(thread, threading._DummyThread):
        return False
    if thread is threading.main_thread() or isinstance(thread, threading.Timer):
        return False
    frames = list(_frames(thread))
    if frames and frames[0].f_code is concurrent.futures.thread._worker.__code__:
        return False
    if any(frame.f_code is concurrent.futures.thread._worker.__code__ for frame in frames):
        return True
    file, target = _file(thread), getattr(thread, "_target", None) or type(thread)
    helper = file.startswith(_STDLIB) and (name_of(target).startswith("_") or file.startswith(_MULTIPROCESSING))
    if helper or _is_installed(file) or (file.startswith(_BENCH) and thread.daemon):
        return any(_is_learners(frame.f_code.co_filename) for frame in frames)
    return True


def _popen_runs(process: subprocess.Popen) -> bool:
    if process.returncode is not None:
        return False
    if not hasattr(os, "waitid"):
        return process.poll() is None
    try:  # poll() would take the exit status away from asyncio, if this is a process of its
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


async def _end_process(process: subprocess.Popen) -> None:
    process.terminate()
    await _until(lambda: not _popen_runs(process))
    process.kill()
    process.wait()
    for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
        pipe.close()


async def _shut_down(pool: Any) -> None:
    """End a ProcessPoolExecutor: at once if it is idle, else by force."""
    workers = list(pool._processes.values())
    pool.shutdown(wait=False, cancel_futures=True)
    for end in ("terminate", "kill"):
        await _until(lambda: not any(worker.is_alive() for worker in workers))
        for worker in workers:
            if worker.is_alive():
                getattr(worker, end)()


def _is_open(transport: Any) -> bool:
    mine = transport._loop is asyncio.get_running_loop()
    return mine and not transport.is_closing() and not isinstance(transport.get_protocol(), _INNER)


def _is_database_open(connection: Any) -> bool:
    return connection.total_changes >= 0  # of a closed one it raises


def _close_in_its_thread(connection: Any) -> None:
    """Ask each pool of one thread to close it: only the thread that opened it may, and nothing tells which that is."""
    for pool in [each for each in gc.get_objects() if issubclass(type(each), concurrent.futures.ThreadPoolExecutor)]:
        if len(pool._threads) == 1 and not pool._shutdown:
            pool.submit(connection.close)


def _aiosqlite_thread(connection: Any) -> threading.Thread:
    return connection if isinstance(connection, threading.Thread) else connection._thread  # 0.22 is no thread


def _close_server(server: asyncio.Server) -> None:
    server.get_loop().call_soon_threadsafe(server.close)


# --- the tables ---------------------------------------------------------------------------------------------------

# Those that own others come first: what a task or a session has opened is closed with it, and is not named besides.
CAUSES = (
    Cause(
        "asyncio:Task asyncio.tasks:_PyTask",
        lambda task: _task_runs(task) and not _serves(task),
        lambda task: f"{_task(task)} still runs",
        "Await it, start it in a TaskGroup, or cancel() and await it.",
        (lambda task: task.cancel(),),
    ),
    Cause(
        "asyncio:Future asyncio.futures:_PyFuture",
        _exception_is_unretrieved,
        lambda future: _unretrieved(future, future._exception),
        "Await it: then its exception reaches you.",
        (lambda future: future.exception(),),
    ),
    Cause(
        "types:CoroutineType",
        _is_never_awaited,
        lambda coro: f"coroutine {name_of(coro)!r} was never awaited",
        "Write await before the call, or close() it.",
        (lambda coro: coro.close(),),
    ),
    Cause(
        "asynclab.services.process:Services",
        lambda services: services in Services.running(),
        lambda services: f"the servers of Services still run at {services.api}",
        "Stop them with `await web.stop()`, or open them with `async with Services() as web:`.",
        (lambda services: services.stop(),),
    ),
    Cause(
        "aiohttp.client:ClientSession",
        lambda session: not session.closed,
        lambda session: "an aiohttp ClientSession is still open",
        "Open it with `async with aiohttp.ClientSession() as session:`, or `await session.close()`.",
        (lambda session: session.close(),),
    ),
    Cause(
        "aiohttp.connector:BaseConnector",
        lambda connector: not connector.closed,
        lambda connector: f"an aiohttp {type(connector).__name__} is still open",
        "Hand it to a ClientSession, which closes it, or `await connector.close()`.",
        (lambda connector: connector.close(),),
    ),
    Cause(
        "aiohttp.web_runner:BaseRunner",
        lambda runner: runner.server is not None,
        lambda runner: f"an aiohttp {type(runner).__name__} still serves",
        "End it with `await runner.cleanup()`.",
        (lambda runner: runner.cleanup(),),
    ),
    Cause(
        "asyncio:Server",
        lambda server: server.is_serving(),
        lambda server: f"a server still listens on {', '.join(_place(sock.getsockname()) for sock in server.sockets)}",
        "Open it with `async with`, or close() it.",
        (_close_server,),
    ),
    Cause(
        "asynclab.services.postgresql:PostgreSQL",
        lambda server: server.running,
        lambda server: "a PostgreSQL server still runs",
        "Open it with `async with PostgreSQL() as address:`.",
        (lambda server: server.__aexit__(None, None, None),),
    ),
    Cause(
        "asyncpg.pool:Pool",
        lambda pool: not pool._closed and pool.get_size() > 0,
        lambda pool: f"an asyncpg pool is still open (connections: {pool.get_size()})",
        "Open it with `async with asyncpg.create_pool(…) as pool:`, or `await pool.close()`.",
        (lambda pool: pool.terminate(),),
    ),
    Cause(
        "asyncpg.connection:Connection",
        lambda connection: not connection.is_closed(),
        lambda connection: "an asyncpg connection is still open",
        "Put `await connection.close()` into a `finally`: a connection of asyncpg has no `async with` of its own.",
        (lambda connection: connection.close(), lambda connection: connection.terminate()),
    ),
    Cause(
        "aiosqlite.core:Connection",
        lambda connection: _aiosqlite_thread(connection).is_alive(),
        lambda connection: "an aiosqlite connection is still open, and its thread runs",
        "Open it with `async with aiosqlite.connect(…) as db:`, or `await db.close()`.",
        (lambda connection: connection.close(),),
    ),
    Cause(
        "concurrent.futures.process:ProcessPoolExecutor",
        lambda pool: bool(pool._processes) and not pool._shutdown_thread,
        lambda pool: f"a ProcessPoolExecutor still has {len(pool._processes)} worker processes",
        "Open it with `with ProcessPoolExecutor() as pool:`, or shutdown() it.",
        (_shut_down,),
    ),
    Cause(
        "multiprocessing.pool:Pool",
        lambda pool: pool._state == "RUN",
        lambda pool: f"a {type(pool).__name__} of multiprocessing still has {len(pool._pool)} workers",
        "Open it with `with multiprocessing.Pool() as pool:`, or terminate() it.",
        (lambda pool: pool.terminate(),),
    ),
    Cause(
        "asyncio.base_subprocess:BaseSubprocessTransport",
        lambda child: child._proc is not None and child.get_returncode() is None,
        lambda child: f"child process {child.get_pid()} ({_command(child._proc.args)}) still runs",
        "Await its end with `await process.wait()` or `communicate()`, or terminate() it first.",
        (lambda child: child.terminate(), lambda child: child.kill()),
    ),
    Cause(
        "subprocess:Popen",
        _popen_runs,
        lambda process: f"child process {process.pid} ({_command(process.args)}) still runs",
        "Open it with `with subprocess.Popen(…) as process:`, or terminate() it; then wait() for its end.",
        (_end_process,),
    ),
    Cause(
        "multiprocessing.process:BaseProcess",
        lambda process: process._parent_pid == os.getpid() and process._popen is not None and process.is_alive(),
        lambda process: f"child process {process.pid} ({process.name}) still runs",
        "join() it, or terminate() it first.",
        (lambda process: process.terminate(), lambda process: process.kill()),
    ),
    Cause(
        "asyncio:BaseTransport",
        lambda transport: _is_open(transport) and getattr(transport, "_server", None) is None,
        _connection,
        "close() its writer or transport in a `finally`, and `await writer.wait_closed()`.",
        (lambda transport: transport.close(), lambda transport: transport.abort()),
    ),
    Cause(
        "asyncio:BaseTransport",
        lambda transport: _is_open(transport) and getattr(transport, "_server", None) is not None,
        lambda transport: f"a server's side of {_connection(transport)}",
        "Let the server's callback close() its writer in a `finally`.",
        (lambda transport: transport.close(), lambda transport: transport.abort()),
    ),
    Cause(
        "asyncio:Task asyncio.tasks:_PyTask",
        lambda task: _task_runs(task) and _serves(task),
        lambda task: f"{_task(task)} still runs",
        "Let it end when its connection or client does, or cancel() and await it.",
        (lambda task: task.cancel(),),
    ),
    Cause(
        "threading:Timer",
        lambda timer: timer.is_alive(),
        lambda timer: f"a Timer of threading has yet to call {name_of(timer.function)}()",
        "cancel() it, or join() it.",
        (lambda timer: timer.cancel(),),
    ),
    Cause(
        "threading:Thread",
        _is_at_work,
        _thread,
        "Nothing stops a thread from outside, not even ■: await its to_thread() or join() it, or let it look at an "
        "Event now and then. To be rid of it at once, restart the kernel.",
    ),
    Cause(
        "socket:socket",
        lambda sock: sock.fileno() >= 0,
        _socket,
        "Open it, or the client that it belongs to, in a `with` block, or close() it.",
        (lambda sock: sock.close(),),
    ),
    Cause(
        "sqlite3:Connection",
        _is_database_open,
        lambda connection: "a connection of sqlite3 is still open",
        "Open it with `with contextlib.closing(sqlite3.connect(…)) as db:`, or close() it, in the thread that opened "
        "it; `with db:` ends a transaction only.",
        (lambda connection: connection.close(), _close_in_its_thread),
    ),
    Cause(
        "asyncio:BaseEventLoop",
        lambda loop: not loop.is_closed() and not loop.is_running(),
        lambda loop: "an event loop is still open, and does not run",
        "Let asyncio.run() or `with asyncio.Runner():` make it and close it, or close() it.",
        (lambda loop: loop.close(),),
    ),
)


def _message(context: dict[str, Any]) -> str:
    return (str(context.get("message", "")).splitlines() or ["an error outside any task"])[0][:200]


def _failed(context: dict[str, Any]) -> str:
    """Return ": ValueError: its text", or nothing."""
    return f": {_in_words(context['exception'])}" if context.get("exception") is not None else ""


def _is_closing_generator(context: dict[str, Any]) -> bool:
    """Return whether an async generator failed as it was closed: by the loop's shutdown, or when it was dropped."""
    coro = context["future"].get_coro() if hasattr(context.get("future"), "get_coro") else None
    return "asyncgen" in context or type(coro).__name__.startswith("async_generator_a")


LOSSES = (
    Loss(
        lambda context: "client_session" in context or "connector" in context,
        lambda context: "an aiohttp client was dropped while it was open",  # the same of a session and its connector
        "Open it with `async with aiohttp.ClientSession() as session:`, or await its close().",
    ),
    Loss(
        lambda context: "client_response" in context or "client_connection" in context,
        lambda context: "a response of aiohttp was dropped before it was read to its end",
        "Open it with `async with session.get(…) as response:`, which releases its connection.",
    ),
    Loss(
        _is_closing_generator,
        lambda context: f"an async generator failed as it was closed{_failed(context)}",
        "Read it inside `async with contextlib.aclosing(…) as items:`: then its `finally` runs, and fails, where you "
        "can catch it.",
    ),
    Loss(
        lambda context: "task" in context and context.get("exception") is None,
        lambda context: f"{_task(context['task'])} was dropped before it had ended",
        "Keep the task until it has ended, and await it: the event loop itself holds it only weakly.",
    ),
    Loss(
        lambda context: context.get("exception") is not None and ("task" in context or "future" in context),
        lambda context: _unretrieved(context.get("task") or context["future"], context["exception"]),
        "Keep it, and await it: then its exception reaches you.",
    ),
    Loss(
        lambda context: "handle" in context,
        lambda context: f"callback {name_of(context['handle']._callback)!r} raised{_failed(context)[1:]}",
        "Nothing awaits a callback: catch the exception inside it, or do its work in a task and await that.",
    ),
    Loss(
        lambda context: "client_connected_cb" in _message(context),
        lambda context: f"the callback of a server failed for one of its clients{_failed(context)}",
        "Catch the exception inside the callback, and close the writer in a `finally`.",
    ),
    Loss(
        lambda context: (
            isinstance(context.get("transport"), base_subprocess.BaseSubprocessTransport)
            or isinstance(context.get("protocol"), base_subprocess.WriteSubprocessPipeProto)
        ),
        lambda context: f"talking to a child process failed{_failed(context)}",
        "Use `await process.communicate()`, which copes with a process that ends early, and await its end.",
    ),
    Loss(
        lambda context: "transport" in context or "protocol" in context,
        lambda context: f"a connection failed outside any task: {_message(context)}{_failed(context)}",
        "The event loop calls a protocol's methods: catch the exception inside them.",
    ),
    Loss(
        lambda context: "socket" in context,
        lambda context: f"a socket failed: {_message(context)}{_failed(context)}",
        "Close connections that you no longer need, and bound how many are open at once.",
    ),
    Loss(
        lambda context: True,
        lambda context: f"{_message(context)}{_failed(context)}",
        "It happened outside any task, where nothing can catch it: catch it where it arises.",
    ),
)
