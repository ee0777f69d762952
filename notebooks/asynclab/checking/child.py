"""The process in which a learner's function is tried: it reads a request, answers, and waits for the next.

It is spoken to through its standard input and output: see `process`.
"""

from __future__ import annotations

import builtins
import os
import pickle
import signal
import struct
import sys
from typing import Any, BinaryIO

_PATIENCE = 2.0  # seconds that one world may take
_AGAIN = 0.25  # seconds between two moments at which the patience begins anew
OUT_OF_MEMORY = 77  # the exit code that says it
_MEMORY = 512 * 2**20  # bytes that a learner's code may take


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the Stop button signals all processes, and means the cell
    requests, answers = _own_pipes()
    _limit_memory()
    from . import virtual_time

    virtual_time.install()  # before anything takes a clock by its name
    from . import trial, verdicts

    trial.hear_forgotten_coroutines()
    trial.freeze()
    builtins.input = _nobody_answers
    while (request := receive(requests)) is not None:
        try:
            verdict = _answer(pickle.loads(request))
        except MemoryError:  # not enough is left to say so
            os._exit(OUT_OF_MEMORY)
        send(answers, verdicts.write(verdict))
        if verdict.spoiled:
            answers.flush()
            os._exit(0)  # whatever still runs here ends with it


def _answer(request: dict[str, Any]) -> Any:
    import faulthandler
    import linecache

    from . import trial
    from .virtual_time import real_clock

    for name, text in request["sources"].items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    sys.path[:] = request["path"]
    check = load(request["check"])
    if check.get("SERVERS"):
        from .expect import NotYet
        from .server_record import connect

        try:
            connect(request["services"])
        except NotYet as reason:
            return trial.Verdict(str(reason))
    try:
        function = pickle.loads(request["function"])
    except Exception as error:
        return trial.Verdict(
            f"Your function cannot be made anew for its check: {type(error).__name__} ({error}). "
            "Let it use only modules, plain values and functions of this notebook."
        )
    trial.freeze()  # modules that it uses were imported now
    armed = -_AGAIN

    def arm() -> None:
        nonlocal armed
        if real_clock() - armed >= _AGAIN:
            armed = real_clock()
            try:
                faulthandler.dump_traceback_later(_PATIENCE, exit=True)
            except RuntimeError:  # there is no room for its thread
                raise MemoryError from None

    try:
        tried = trial.Trial(
            check["check"],
            function,
            worlds=check.get("WORLDS", trial.WORLDS),
            own_files=request["sources"],
            error_messages=check.get("ERROR_MESSAGES"),
        )
        return tried.run(request["seed"], make_trace=_make_trace, before_each=arm)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _nobody_answers(prompt: object = "") -> str:
    raise RuntimeError("input() waits for a keyboard: take what you need as an argument")


def _make_trace() -> Any:
    from ..tracing.recorder import Trace

    return Trace(limit=20_000)


def load(path: str) -> dict[str, Any]:
    """Return what the Python file at `path` defines."""
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": path}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), namespace)
    return namespace


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep standard input and output for us: what the learner's code reads is empty, what it writes goes elsewhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, answers


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY if most < 0 else min(_MEMORY, most), most))


def send(pipe: BinaryIO, message: bytes) -> None:
    """Write a message, after its length."""
    pipe.write(struct.pack("<I", len(message)) + message)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes | None:
    """Read a message that `send` wrote; None if there is no more."""
    size = pipe.read(4)
    if len(size) < 4:
        return None
    message = pipe.read(struct.unpack("<I", size)[0])
    return message or None
