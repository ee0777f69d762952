"""`begin()` and `await end()`: a notebook starts watched, and ends with nothing left running or lost."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterable
from typing import Any

from .leftovers import Cause, is_kernels, is_left, look, loss, present, say, tidy

_TICK = 0.1  # seconds within which an interrupt reaches a cell that awaits
_GRACE = 0.05  # seconds in which what is just ending may end, before it is called left over
_ROUNDS = 3  # looks for what comes to light as other things end, such as the exception of a task that was cancelled
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
    """Watch the running loop until `end()`, which then names what the notebook leaves behind.

    From here on, too, the Stop button interrupts a cell that awaits within 0.1 seconds; a Jupyter kernel by
    itself notices only when the loop next wakes up.

    Calling it again, as Run All does, starts the record of losses afresh: they were shown when they happened, and
    nothing can be done about them any more. What still runs or is open is compared with the first time all the same,
    so that nothing is forgotten by beginning again.

    Raises RuntimeError where no event loop runs.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("begin() needs a running event loop: call it in a notebook's cell or a coroutine") from None
    _reply_to_groups()
    for closed in [each for each in _sessions if each.is_closed()]:
        _sessions.pop(closed).stop()
    before = _sessions.get(loop)
    if before is not None:
        before.stop()
    _sessions[loop] = _Session(loop, before)
    _sessions[loop].start()


def _reply_to_groups() -> None:
    """Let a kernel end a cell whose ExceptionGroup is the first error that it shows.

    ipykernel's reply has the traceback that IPython shows in colours; of a group there is none. Before any other error,
    the kernel stumbled over that, and its cell bore [*] for ever.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and not hasattr(shell, "_last_traceback"):
        shell._last_traceback = []


async def end() -> None:
    """Check that the notebook leaves nothing behind since it first called `begin()`, and say so.

    Raises `Unfinished`, naming each leftover with what to do about it: a task that still runs, an exception that was
    never retrieved, a coroutine never awaited, and whatever else `leftovers.CAUSES` and `leftovers.LOSSES` list:
    sessions and connections, servers, processes, threads at work. It also cancels, closes or ends them, so that the
    notebook can be run again. A thread cannot be ended; as long as it works, further calls mention it.

    Raises RuntimeError if `begin()` was not called on this loop.
    """
    session = _sessions.get(asyncio.get_running_loop())
    if session is None:
        raise RuntimeError("nothing to check: run the cell with begin() first, at the top of the notebook")
    await session.find_leftovers()
    session.stop()
    if session.found:
        found, session.found = session.found, []
        raise Unfinished(dict.fromkeys(found))
    staying = [line for cause, thing in session.staying for line in say(cause, [thing])]
    if staying:
        print("Nothing more is left behind than what was named before:")
        print(*(f"  - {line}" for line in staying), sep="\n")
    else:
        print(
            "All clear: no task, thread, process, server or connection is left, no exception lost, "
            "no coroutine forgotten."
        )


class _Session:
    """What was there when a notebook first began, and what was lost since it last did."""

    def __init__(self, loop: asyncio.AbstractEventLoop, before: _Session | None) -> None:
        self.loop = loop
        self.found: list[str] = []  # what the next end() names: the losses so far, then also what else is left
        self.known = before.known if before else present()  # what was there at first, or has been named
        self.staying: list[tuple[Cause, Any]] = before.staying if before else []  # named, and not to be ended
        self.previous_handler = loop.get_exception_handler()
        self.previous_showwarning = warnings.showwarning
        self.ticker: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the loop and the warnings, and tick."""
        self.loop.set_exception_handler(self._note_loss)
        warnings.filterwarnings("always", message="coroutine .* was never awaited", category=RuntimeWarning)
        warnings.showwarning = self._note_warning
        self._tick()

    def stop(self) -> None:
        """Give the loop and the warnings back as they were."""
        if self.ticker is not None:
            self.ticker.cancel()
            self.ticker = None
        # Someone may have put a handler of their own in front of ours: it is theirs to take away.
        if self.loop.get_exception_handler() == self._note_loss:
            self.loop.set_exception_handler(self.previous_handler)
        if warnings.showwarning == self._note_warning:
            warnings.showwarning = self.previous_showwarning

    def _tick(self) -> None:
        # Python runs a signal's handler between two bytecodes: a loop asleep in select() must wake up for that.
        self.ticker = self.loop.call_later(_TICK, self._tick)

    _tick.unseen_by_traces = True

    def _note_loss(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # asyncio shows a socket inside a wrapper, a TransportSocket. On 3.11 it stumbles when a server's callback is
        # cancelled: that is no loss.
        known = (is_kernels(each) or getattr(each, "_sock", each) in self.known for each in context.values())
        if not any(known) and not isinstance(context.get("exception"), asyncio.CancelledError):
            self.found.append(loss(context))
        if self.previous_handler is None:
            loop.default_exception_handler(context)
        else:
            self.previous_handler(loop, context)

    def _note_warning(self, message: Warning | str, category: type[Warning], *rest: Any) -> None:
        kernels = "'InteractiveShell." in str(message)  # stopped when it had made a cell's coroutine, not begun it
        if issubclass(category, RuntimeWarning) and "was never awaited" in str(message) and not kernels:
            self.found.append(f"{str(message).splitlines()[0]}. Write await before the call.")
        self.previous_showwarning(message, category, *rest)

    async def find_leftovers(self) -> None:
        """Add to `found` what is left over, and tidy it up: each cause before the next one is looked at.

        Interrupted, it keeps what it has found for the next time.
        """
        gc.unfreeze()  # a cell that was stopped between freeze() and unfreeze() hides from us what it froze
        gc.collect()
        for _ in range(3):  # callbacks that are due may yet finish a task or report a loss
            await asyncio.sleep(0)
        self.staying = [(cause, thing) for cause, thing in self.staying if is_left(cause, thing)]
        for _ in range(_ROUNDS):
            if not any(things for _, things in look(self.known)):
                return
            await asyncio.sleep(_GRACE)
            for cause, things in look(self.known):
                things = [thing for thing in things if is_left(cause, thing)]
                self.found += say(cause, things)
                for thing in await tidy(cause, things):
                    self.known.add(thing)
                    self.staying.append((cause, thing))
                if things:
                    await asyncio.sleep(_GRACE)  # what they had opened or called ends with them
