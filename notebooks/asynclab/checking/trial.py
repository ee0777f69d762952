"""Try a function in many worlds, and tell of the first in which it is not right."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import gc
import io
import sys
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import virtual_time
from .expect import NotYet
from .worlds import MOST_TASKS, OUT_OF_MEMORY, Unstoppable, World, never_awaited

WORLDS = 200  # in which a function is tried; and so many more in which it is cancelled from outside
_MOST_TURNS = 40  # of one world at which it is cancelled
_ENOUGH = 5.0  # seconds of processor time after which no further world is tried
_MOST_TEXT = 20_000  # characters of output that are kept


@dataclass
class Verdict:
    """What came of trying a function: `message` is "" if it was right in every world."""

    message: str = ""
    worlds: int = 0  # in which it was tried
    seed: int | None = None  # of the world in which it was not right
    facts: str = ""  # about that world, in words
    trace: Any = None  # of what it did there
    output: str = ""  # what it printed there, or in the first world
    spoiled: bool = False  # nothing else is to be tried in this process


class Trial:
    """A function, and the check that it is tried with: `await check(function, world)` raises `NotYet`, or is content.

    `own_files` are the names of the files that hold the learner's code. `error_messages` says what errors are typical
    here: for a regular expression that is found in "NameOfError: its text", a message ({0} is its first group).
    """

    def __init__(
        self,
        check: Callable[[Callable[..., Any], World], Awaitable[None]],
        function: Callable[..., Any],
        *,
        worlds: int = WORLDS,
        own_files: Iterable[str] = (),
        error_messages: Mapping[str, str] | None = None,
    ) -> None:
        self.check, self.function, self.worlds = check, function, worlds
        self.own_files, self.error_messages = tuple(own_files), error_messages
        self.loop = virtual_time.Loop(MOST_TASKS)
        self.loop.set_exception_handler(lambda *_: None)  # `World.watch` looks at the tasks themselves
        self._turns: dict[int, int] = {}  # of each world that can be cancelled: through how many turns it waits

    def run(
        self,
        seed: int | None = None,
        *,
        make_trace: Callable[[], Any] | None = None,
        before_each: Callable[[], None] = lambda: None,
    ) -> Verdict:
        """Try the function in every world, or only in that of one seed, and trace the world in which it is not right.

        `before_each` is called before each world.
        """
        verdict, began, surroundings = Verdict(), time.process_time(), Surroundings()
        for each in self._seeds() if seed is None else [seed]:
            before_each()
            verdict.worlds += 1
            world = self._try(each, verdict)
            if changed := surroundings.put_back():
                verdict.spoiled = True
                verdict.message = verdict.message and (
                    f"Your function rebinds `{changed}`, which all others rely on. Leave it as it is."
                )
            if verdict.message or verdict.spoiled or time.process_time() - began > _ENOUGH:
                break
        if verdict.message:
            verdict.seed, verdict.facts = each, ", ".join(world.facts)
            if make_trace is not None and not verdict.spoiled:
                before_each()
                again = Verdict()
                world = self._try(each, again, make_trace)
                if again.message == verdict.message:
                    verdict.trace, verdict.output = world.trace, again.output
                verdict.spoiled = again.spoiled
        if not verdict.spoiled:
            self._close()
        verdict.spoiled = verdict.spoiled or not virtual_time.let_threads_work()
        return verdict

    def _seeds(self) -> Iterator[int]:
        yield from range(self.worlds)
        left = self.worlds
        for number, turns in self._turns.items():
            points = min(turns, _MOST_TURNS, self.worlds, left)
            yield from (1000 * (1 + i * turns // points) + number for i in range(points))
            left -= points
            if left <= 0:
                return

    def _try(self, seed: int, verdict: Verdict, make_trace: Callable[[], Any] | None = None) -> World:
        """Try one world; put what is not right there into the `verdict`."""
        world = World(self.function, seed, self.own_files, self.error_messages, make_trace)
        output = _Output()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                self.loop.made.clear()
                self.loop.run_until_complete(self.check(self.function, world))
            except NotYet as not_yet:
                verdict.message = str(not_yet)
            except Unstoppable as reason:
                verdict.message, verdict.spoiled = str(reason), True
            except (SystemExit, KeyboardInterrupt) as error:  # they went through the loop
                verdict.message, verdict.spoiled = world.explain(error), True
            except MemoryError:
                verdict.message, verdict.spoiled = OUT_OF_MEMORY, True
            except Exception as error:  # a check looked at something that fights back, as an __eq__ that raises
                kind = type(error).__name__
                verdict.message = f"Looking at this raises {kind}. Use plain functions and plain values."
                with contextlib.suppress(Exception):
                    output.write(traceback.format_exc())
        if verdict.message or seed == 0:
            verdict.output = output.getvalue()
        verdict.spoiled = verdict.spoiled or world.spoiled
        if world.turns and not world.fails and not world.cancel_at:
            self._turns[world.number] = world.turns
        return world

    def _close(self) -> None:
        self.loop.made.clear()
        with contextlib.suppress(Exception):
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class _Output(io.StringIO):
    """What a function prints, and not more than anybody would read."""

    def write(self, text: str) -> int:
        if self.tell() < _MOST_TEXT:
            super().write(text[:_MOST_TEXT])
        return len(text)


# The process ----------------------------------------------------------------------------------------------------

_WATCHED = builtins, asyncio, time, sys, warnings  # modules of which others rely on every name
_MOVING = {"last_exc", "last_type", "last_value", "last_traceback", "stdout", "stderr", "ps1", "ps2", "path", "modules"}


class Surroundings:
    """What everything in this process relies on, as it was when this object was made."""

    def __init__(self) -> None:
        self._names = [(module, dict(vars(module))) for module in _WATCHED]

    def put_back(self) -> str:
        """Put back what was rebound, and return the name of it, such as "builtins.len"; "" if nothing was."""
        changed = ""
        for module, names in self._names:
            now = vars(module)
            for name, value in names.items():
                if name not in _MOVING and now.get(name) is not value:
                    now[name], changed = value, f"{module.__name__}.{name}"
        return changed


def hear_forgotten_coroutines() -> None:
    """Let Python's warnings tell which coroutines were never awaited, and nothing else."""

    def heard(message: Any, *_: Any, **__: Any) -> None:
        text = str(message)
        if text.startswith("coroutine '") and "was never awaited" in text:
            never_awaited.append(text.split("'")[1].rpartition(".")[2])

    warnings.simplefilter("always")
    warnings.showwarning = heard


def freeze() -> None:
    """Take what is here now out of the garbage collector's rounds: it stays."""
    gc.collect()
    gc.freeze()
