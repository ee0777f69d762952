"""An exercise: a folder with its task, stub, solution, check and answers; and the check of a learner's function."""

from __future__ import annotations

import asyncio
import contextlib
import dis
import functools
import inspect
import linecache
import re
import sys
import types
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from ..services import Services
from ..tracing.timeline import Timeline
from . import packing, process, progress
from .card import Note, Outcome

_MISSING = object()
_SECTIONS = ("To do", "Hints", "Praise", "Why")  # of a task.md, after the task itself


class NotChecked(RuntimeError):
    """The machine lacks what a check needs; the message says what, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show the advice alone."""
        return [f"NotChecked: {self}"]


class Exercise:
    """One exercise: what stands in its `folder`, called like "3_stop_the_others", in a folder called like its notebook.

    `task.md` has its title, with stars for how hard it is and the minutes that it takes, and its task; then sections:
    "To do" (an order), "Hints" (a list), "Praise" (what a right answer has shown) and "Why" (about the solution).
    `stub.py` is what the learner begins with, `solution.py` our way, `check.py` the check, `answers.py` right and wrong
    answers. See CONTRIBUTING.md.

    Raises ValueError if a part is missing or does not fit the others.
    """

    def __init__(self, folder: Path) -> None:
        chapter, number = int(folder.parent.name[:2]), int(folder.name.partition("_")[0])
        self.folder, self.chapter, self.id = folder, chapter, f"{chapter}.{number}"
        self.stub = (folder / "stub.py").read_text("utf-8").strip()
        self._stub_function = list(functions_in(folder / "stub.py").values())[-1]
        self.name = self._stub_function.__name__
        heading, self.task, self.sections = _read(folder / "task.md")
        if not (parts := re.fullmatch(r"(.+) (★+) (\d+) minutes", heading)):
            raise ValueError(f"{folder / 'task.md'} begins with a title like `# Stop the others ★★ 8 minutes`")
        self.title, self.stars, self.minutes = parts[1], len(parts[2]), int(parts[3])
        self.hints = [" ".join(each.split()) for each in re.split(r"^\d+\. ", self.sections["Hints"], flags=re.M)[1:]]
        self._hinted = self._attempts = 0
        if len(self.hints) < 2:
            raise ValueError(f"{folder / 'task.md'} needs two hints or more")

    @functools.cached_property
    def solution_function(self) -> Callable[..., Any]:
        """Our solution, as a function."""
        return functions_in(self.folder / "solution.py")[self.name]

    def answers(self) -> dict[str, Callable[..., Any]]:
        """Return right and wrong answers, by their names; a wrong one has a docstring: the message it must get."""
        found = functions_in(self.folder / "answers.py")
        return {name: function for name, function in found.items() if not name.startswith("_")}

    def check(self, function: Any = _MISSING, *, seed: int | None = None) -> Check:
        """Check `function`: write `await` before it. The outcome shows itself as a cell's last expression.

        The function is tried in another process, in many worlds, each drawn from a seed; `seed` tries it in that
        one only. It never raises what the learner's code raises.

        Raises NotChecked, which says what to do, where no process can be started.
        """
        if type(function) is types.CoroutineType:
            # Its function was called instead of given. Nobody will ever await it.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                function.close()
        return Check(self, function, seed)

    def hint(self, number: int | None = None) -> Note:
        """Return the next hint, or the one with that `number`, counted from 1."""
        count = len(self.hints)
        if number is None:
            if self._hinted == count:
                return Note(
                    f"No more hints for exercise {self.id}",
                    f"These were all {count}. Read them again with `ex.hint(1)` to `ex.hint({count})`. "
                    f"Our way to do it: `ex.solution()`.",
                )
            self._hinted = number = self._hinted + 1
        if type(number) is not int or not 1 <= number <= count:
            return Note(f"Exercise {self.id} has {count} hints", f"Ask for one from 1 to {count}: `ex.hint(1)`.")
        return Note(f"Hint {number} of {count} for exercise {self.id}", self.hints[number - 1])

    def solution(self, force: bool = False) -> Note:
        """Return our solution and why it is one. It needs an attempt first, or `force=True`."""
        if not (force or self._attempts or progress.store().records().get(self.id)):
            return Note(
                f"The solution of exercise {self.id} waits for your first try",
                f"Change the stub and run `await ex.check({self.name})` once: even a wrong answer makes the right one "
                "clearer. If you only want to look: `ex.solution(force=True)`.",
            )
        source = inspect.getsource(self.solution_function).strip()
        return Note(f"One solution of exercise {self.id}", self.sections["Why"], source)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._note()._repr_mimebundle_()

    def __repr__(self) -> str:
        return f"<exercise {self.id}: {self.title}>"

    def _note(self) -> Note:
        return Note(
            f"Exercise {self.id}: {self.title}",
            f"Check your function: `await ex.check({self.name})`. Stuck: `ex.hint()`. Our way: `ex.solution()`.",
        )

    # ------------------------------------------------------------ the check

    async def _judge(self, function: Any, seed: int | None) -> Outcome:
        if seed is not None and (type(seed) is not int or seed < 0):
            raise ValueError(f"a seed is a whole number from 0, as a check shows it, not {seed!r}")
        if self._is_not_attempted(function):
            todo = " ".join(self.sections["To do"].split()).rstrip(".")
            text = f"Not attempted yet: {todo}, run the cell, then run this one again."
            return Outcome(self.id, "not attempted", text)
        try:
            message = self._unfit(function)
            request = None if message else self._request(function, seed)
        except packing.CannotBePacked as error:
            message = str(error)
        except Exception as error:  # an object that fights back, such as one whose `__class__` raises
            message = f"looking at this raises {type(error).__name__}. Use plain functions and plain values."
        try:
            verdict = process.Verdict(message) if message else await process.ask(request)
        except OSError as error:  # the system refuses a process, a pipe or a file
            raise NotChecked(
                f"nothing is checked: {error}. Shut down kernels that you do not need, then run this cell again."
            ) from error
        return self._outcome(verdict, seed)

    def _request(self, function: Any, seed: int | None) -> dict[str, Any]:
        packed, sources = packing.pack(function)
        return {
            "check": str(self.folder / "check.py"),
            "function": packed,
            "sources": sources,
            "seed": seed,
            "path": sys.path,
            "services": next((each.api for each in Services.running()), ""),  # a check that needs some may use these
        }

    def _outcome(self, verdict: process.Verdict, seed: int | None) -> Outcome:
        message = " ".join(verdict.message.split())
        self._attempts += 1
        store = progress.store()
        if not message and seed is not None:
            return Outcome(
                self.id,
                "not yet",
                f"Not yet: nothing is wrong in the world of seed {seed}. Check all: `await ex.check({self.name})`.",
                output=verdict.output,
            )
        store.add(self.id, not message)
        if not message:
            praise = " ".join(self.sections["Praise"].split())
            evidence = f"Tried in {verdict.worlds} worlds, with other times, values and lengths in each."
            return Outcome(self.id, "correct", f"Correct. {praise}", evidence, output=verdict.output, news=store.news())
        if re.match(r"[A-Z][a-z]* ", message):  # a sentence begins, not a name such as ValueError
            message = message[0].lower() + message[1:]
        trace = None
        if verdict.trace is not None:
            trace = Timeline.of(verdict.trace, f"What {self.name} did in the world of seed {verdict.seed}", "the check")
        message = f"Not yet: {message}"
        return Outcome(self.id, "not yet", message, self._where(verdict), trace, verdict.output, store.news())

    def _where(self, verdict: process.Verdict) -> str:
        if verdict.seed is None:
            return ""
        cancelled, _ = divmod(verdict.seed, 1000)
        facts = [verdict.facts] if verdict.facts else []
        facts += [f"cancelled from outside at turn {cancelled} of the event loop"] if cancelled else []
        here = f"In this world: {', '.join(facts)}. " if facts else ""
        return f"{here}The same again: `await ex.check({self.name}, seed={verdict.seed})`."

    def _is_not_attempted(self, function: Any) -> bool:
        if function is _MISSING or function is None or function is ...:
            return True
        code = packing.code_of(function)
        return code is not None and _shape(code.__code__) in (
            _shape(self._stub_function.__code__),
            _shape(_empty.__code__),
        )

    def _unfit(self, function: Any) -> str:
        """Return what is wrong with the thing that was given instead of a function, or ""."""
        give = f"Give the function itself: `await ex.check({self.name})`."
        if inspect.iscoroutine(function) or inspect.isgenerator(function) or inspect.isasyncgen(function):
            return f"this is what a call gives, not the function. {give[:-1]}, without brackets after the name."
        if isinstance(function, asyncio.Future):
            return f"this is a task, which runs already. {give}"
        if isinstance(function, type) and _is_coroutine_function(self.solution_function):
            return f"this is a class. {give}"
        if isinstance(function, str):
            return f"this is a text. {give[:-1]}, without quotes."
        if not callable(function):
            return f"this is {_an(type(function).__name__)}, such as a call may return. {give}"
        if inspect.isasyncgenfunction(function) and not _is_coroutine_function(self.solution_function):
            above = "Write `@contextlib.asynccontextmanager` above it."
            return f"the `yield` in `{self.name}` makes it a generator, and no context manager. {above}"
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            return f"the `yield` in `{self.name}` makes it a generator, which gives values one by one. Use `return`."
        code = packing.code_of(function)
        if code is not None and _has_blank(code.__code__):
            return "there is still a `...` in your function. Replace each of them by code."
        parameters = inspect.signature(self.solution_function).parameters
        if not _takes(function, len(parameters)):
            counted = {0: "no argument", 1: "1 argument"}.get(len(parameters), f"{len(parameters)} arguments")
            wanted = next(line for line in self.stub.splitlines() if re.match(r"(async )?def ", line))
            return f"`{self.name}` is called with {counted}. Begin it with `{wanted}`."
        if inspect.iscoroutinefunction(self.solution_function) and not _is_coroutine_function(function):
            return "your function is an ordinary one: calling it runs it at once. Define it with `async def`."
        return ""


class Check:
    """What `ex.check(…)` gives: it checks when it is awaited, and says so when it is not."""

    def __init__(self, exercise: Exercise, function: Any, seed: int | None) -> None:
        self._exercise, self._function, self._seed = exercise, function, seed

    def __await__(self) -> Generator[Any, None, Outcome]:
        return self._exercise._judge(self._function, self._seed).__await__()

    def __repr__(self) -> str:
        return self._note().__str__()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._note()._repr_mimebundle_()

    def _note(self) -> Note:
        line = f"await ex.check({self._exercise.name})"
        return Note("Nothing is checked yet", f"A check runs your function, so it must be awaited: write `{line}`.")


def _read(path: Path) -> tuple[str, str, dict[str, str]]:
    """Return the heading of a task.md, the task, and the sections by their titles. Raises ValueError."""
    first, *rest = re.split(r"^## (.*)\n", path.read_text("utf-8"), flags=re.M)
    sections = {title.strip(): text.strip() for title, text in zip(rest[::2], rest[1::2], strict=True)}
    heading, _, task = first.strip().partition("\n")
    if not heading.startswith("# ") or tuple(sections) != _SECTIONS:
        raise ValueError(f"{path} must have a title, a task, and the sections {', '.join(_SECTIONS)}, in this order")
    return heading.removeprefix("# ").strip(), task.strip(), sections


def functions_in(path: Path) -> dict[str, Callable[..., Any]]:
    """Return the functions that a file of an exercise defines, by their names."""
    text = path.read_text("utf-8")
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))  # for inspect.getsource
    namespace: dict[str, Any] = {"__name__": f"{path.parent.name}.{path.stem}", "__file__": str(path)}
    exec(compile(text, path, "exec"), namespace)
    return {
        name: each
        for name, each in namespace.items()
        if isinstance(each, types.FunctionType) and inspect.unwrap(each).__code__.co_filename == str(path)
    }


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function, follow_wrapped=False).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a function of C may tell nothing: then the call itself will
        return True
    return True


def _is_coroutine_function(function: Any) -> bool:
    """Return whether calling it gives a coroutine: also an object with such a `__call__`, or behind a decorator."""
    candidates = function, inspect.unwrap(function), type(function).__call__
    return any(map(inspect.iscoroutinefunction, candidates))


# These depend on what stands around a function: whether a cell imports a module decides how its names are loaded.
_INCIDENTAL = {"NOP", "RESUME", "CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL"}
_JUMPS = {*dis.hasjrel, *dis.hasjabs}


def _shape(code: types.CodeType) -> list:
    """Return what a function does, as a value to compare: comments, layout and docstring make no difference."""
    steps = [each for each in dis.get_instructions(code) if each.opname not in _INCIDENTAL]
    return [
        (
            each.opname.replace("LOAD_METHOD", "LOAD_ATTR"),
            _shape(each.argval)
            if isinstance(each.argval, types.CodeType)
            else repr(None if each.opcode in _JUMPS else each.argval),
        )
        for each in steps
    ]


async def _empty() -> None:
    pass


def _has_blank(code: types.CodeType) -> bool:
    return any(value is ... or (isinstance(value, types.CodeType) and _has_blank(value)) for value in code.co_consts)


def _an(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} `{noun}`"
