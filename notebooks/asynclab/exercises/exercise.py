"""An exercise: its task, its hints, its solution, and the check that says whether a learner's function behaves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import dis
import functools
import inspect
import re
import textwrap
import types
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

from ..page.style import BLUE, FAINT, GREEN, INK, RULE, VERMILLION
from ..tracing.timeline import Timeline
from . import learner
from .properties import Property, judge
from .running import Run, run

_MISSING = object()
_PRINTED = 2000  # characters of what the learner's function printed that are shown


@dataclass(frozen=True)
class Trial:
    """One run of a learner's function with `arguments`, and the properties that it must have, most telling first.

    A property that is marked by `pictured` shows the learner the picture of the run when it fails. `after` is awaited
    when the run is over, before any property is looked at: it may ask a server what it saw. `through` makes, of the
    learner's function, what is run in its place with the same arguments: it may call the function for several cases.
    """

    arguments: Sequence[Any]
    properties: Sequence[Property]
    deadline: float = 2.0  # seconds
    options: Mapping[str, Any] = field(default_factory=dict)  # further ones for `running.run`
    after: Callable[[], Awaitable[object]] | None = None
    through: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None


def pictured(*properties: Property) -> list[Property]:
    """Return the same properties, marked: if one fails, the picture of the run tells why."""

    def mark(wrapped: Property) -> Property:
        @functools.wraps(wrapped)
        def marked(run: Run) -> str | None:
            return wrapped(run)

        marked.pictured = True
        return marked

    return [mark(each) for each in properties]


@dataclass(eq=False)
class Exercise:
    """One exercise of a chapter; `exercise("1.2")` returns it, always the same object.

    `task` is markdown; `stub` the source of a function that runs and is not yet right; `todo` what is to be done
    with it, as an order; `hints` lead a step further each; `solution_function` is a function at the top level of a
    chapter's module; `praise` says in a sentence what a right answer has shown. `trials` are functions that make a
    `Trial`, anew for each check, because probes remember; where something is to be opened before and closed after,
    they are asynchronous generator functions that yield one trial after the other. `slips` tells of errors that are
    typical here: for a regular expression that is found in "NameOfError: its text", a message ({0} is its first group).

    Raises ValueError if a part is missing or does not fit the others.
    """

    id: str  # chapter and number, such as "1.2"
    title: str
    task: str
    stub: str
    todo: str
    hints: Sequence[str]
    solution_function: Callable[..., Any]
    explanation: str
    praise: str
    trials: Sequence[Callable[[], Trial | AsyncGenerator[Trial, None]]]
    slips: Mapping[str, str] = field(default_factory=dict)
    _hinted: int = field(default=0, init=False, repr=False)
    _attempts: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.stub = textwrap.dedent(self.stub).strip()
        self.task = textwrap.dedent(self.task).strip()
        if not re.fullmatch(r"\d+\.\d+", self.id):
            raise ValueError(f"an exercise's id is like '1.2', not {self.id!r}")
        if len(self.hints) < 2 or not self.trials:
            raise ValueError(f"exercise {self.id} needs two hints or more, and a trial")
        codes = [each for each in compile(self.stub, "stub", "exec").co_consts if isinstance(each, types.CodeType)]
        solution = self.solution_function.__code__
        if len(codes) != 1 or codes[0].co_name != self.name or _parameters(codes[0]) != _parameters(solution):
            raise ValueError(f"the stub of exercise {self.id} is one function, with the solution's name and parameters")
        self._untouched = {_shape(codes[0]), *_EMPTY}

    @property
    def chapter(self) -> int:
        """The number of the chapter."""
        return int(self.id.partition(".")[0])

    @property
    def name(self) -> str:
        """The name of the learner's function."""
        return self.solution_function.__name__

    def check(self, function: Any = _MISSING) -> Check:
        """Check `function`: write `await` before it. The outcome shows itself as a cell's last expression.

        The function runs on this event loop, traced, and is stopped at a deadline of some seconds. It never
        raises what the learner's code raises, and leaves nothing behind.
        """
        if type(function) is types.CoroutineType:
            # Its function was called instead of given. Nobody will ever await it.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                function.close()
        return Check(self, function)

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
        if not (force or self._attempts or learner.store().records().get(self.id)):
            return Note(
                f"The solution of exercise {self.id} waits for your first try",
                f"Change the stub and run `await ex.check({self.name})` once: even a wrong answer makes the right one "
                "clearer. If you only want to look: `ex.solution(force=True)`.",
            )
        source = inspect.getsource(self.solution_function).strip()
        return Note(f"One solution of exercise {self.id}", self.explanation, source)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._note()._repr_mimebundle_()

    def __repr__(self) -> str:
        return f"<exercise {self.id}: {self.title}>"

    def _note(self) -> Note:
        return Note(
            f"Exercise {self.id}: {self.title}",
            f"Check your function: `await ex.check({self.name})`. Stuck: `ex.hint()`. Our way: `ex.solution()`.",
        )

    async def _judge(self, function: Any) -> Outcome:
        if self._is_not_attempted(function):
            return self._outcome("not attempted", f"{self.todo}, run the cell, then run this one again.")
        fault = None
        try:
            message = self._unfit(function)
            if not message:
                async with _turn():  # each run puts back what its function changed: two at a time would mix that up
                    message, fault = await self._try(function)
        except RuntimeError as error:  # no fault of the function: this loop cannot be traced
            why = str(error).rstrip(".")
            return self._outcome("not yet", f"a check cannot run here. {why[:1].upper()}{why[1:]}.")
        except Exception as error:  # a property met something that fights back, such as an __eq__ that raises
            message = f"looking at this raises {type(error).__name__}. Use plain functions and plain values."
        status = "not yet" if message else "correct"
        self._attempts += 1
        store = learner.store()
        store.add(self.id, status == "correct")
        return self._outcome(status, message or self.praise, fault, store.news())

    def _outcome(self, status: str, text: str, fault: Fault | None = None, news: str = "") -> Outcome:
        first = {"correct": "Correct. ", "not yet": "Not yet: ", "not attempted": "Not attempted yet: "}[status]
        text = " ".join(text.split())
        if status == "not yet" and re.match(r"[A-Z][a-z]* ", text):  # a sentence begins, not a name such as ValueError
            text = text[0].lower() + text[1:]
        return Outcome(self.id, status, first + text, fault or Fault(), news)

    async def _try(self, function: Any) -> tuple[str, Fault | None]:
        """Return why `function` fails the first trial that it fails, and what to show; "" if it fails none."""
        for make in self.trials:
            async with contextlib.aclosing(_made_by(make)) as trials:
                async for trial in trials:
                    message, fault = await self._try_one(function, trial)
                    if message:
                        return message, fault
        return "", None

    async def _try_one(self, function: Any, trial: Trial) -> tuple[str, Fault | None]:
        if not _takes(function, trial.arguments):
            wanted = self.stub.partition("\n")[0]
            return f"`{self.name}` is called with {_counted(trial.arguments)}. Begin it with `{wanted}`.", None
        title = f"What {self.name} did"
        called = trial.through(function) if trial.through else function
        done = await run(called, *trial.arguments, deadline=trial.deadline, title=title, **trial.options)
        done = dataclasses.replace(done, function=function)
        try:
            if trial.after is not None:
                await trial.after()
            message = self._slip(done) or judge(done, trial.properties)
        finally:
            _settle(done.value)
        if not message:
            return "", None
        telling = done.stopped or any(hasattr(p, "pictured") and p(done) == message for p in trial.properties)
        return message, Fault(done.trace if telling else None, done.output)

    def _slip(self, done: Run) -> str:
        """Return what this exercise has to say about the error that ended the run, or ""."""
        errors = [] if done.stopped else [done.error]
        while errors:
            error = errors.pop()
            if isinstance(error, BaseExceptionGroup):
                errors += error.exceptions
                continue
            for pattern, message in self.slips.items():
                if found := re.search(pattern, f"{type(error).__name__}: {error}"):
                    return message.format(*found.groups())
        return ""

    def _is_not_attempted(self, function: Any) -> bool:
        if function is _MISSING or function is None or function is ...:
            return True
        code = _code(function)
        return code is not None and _shape(code) in self._untouched

    def _unfit(self, function: Any) -> str:
        """Return what is wrong with the thing that was given instead of a function, or ""."""
        give = f"Give the function itself: `await ex.check({self.name})`."
        if inspect.iscoroutine(function) or inspect.isgenerator(function) or inspect.isasyncgen(function):
            return f"this is what a call gives, not the function. {give[:-1]}, without brackets after the name."
        if isinstance(function, asyncio.Future):
            return f"this is a task, which runs already. {give}"
        if isinstance(function, type):
            return f"this is a class. {give}"
        if isinstance(function, str):
            return f"this is a text. {give[:-1]}, without quotes."
        if not callable(function):
            return f"this is {_an(type(function).__name__)}, such as a call may return. {give}"
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            return f"the `yield` in `{self.name}` makes it a generator, which gives values one by one. Use `return`."
        code = _code(function)
        if code is not None and _has_blank(code):
            return "there is still a `...` in your function. Replace each of them by code."
        return ""


class Check:
    """What `ex.check(…)` gives: it checks when it is awaited, and says so when it is not."""

    def __init__(self, exercise: Exercise, function: Any) -> None:
        self._exercise, self._function = exercise, function

    def __await__(self) -> Generator[Any, None, Outcome]:
        return self._exercise._judge(self._function).__await__()

    def __repr__(self) -> str:
        return self._note().__str__()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._note()._repr_mimebundle_()

    def _note(self) -> Note:
        line = f"await ex.check({self._exercise.name})"
        return Note("Nothing is checked yet", f"A check runs your function, so it must be awaited: write `{line}`.")


@dataclass(frozen=True)
class Fault:
    """What shows a learner why: the trace of the run, if it tells why, and what the function printed."""

    trace: Timeline | None = None
    output: str = ""


@dataclass(frozen=True)
class Outcome:
    """The verdict on one function: `status` is "correct", "not yet" or "not attempted", `message` one line.

    True if it is correct.
    """

    id: str  # of the exercise
    status: str
    message: str
    fault: Fault = field(default_factory=Fault, repr=False)
    news: str = field(default="", repr=False)  # about the file with the learner's progress

    def __bool__(self) -> bool:
        return self.status == "correct"

    def __str__(self) -> str:
        parts = [f"{self._mark} {self.message}\n{self._next}"]
        if self.fault.trace is not None:
            parts.append(str(self.fault.trace))
        if self._printed:
            parts.append(f"It printed:\n{self._printed}")
        return "\n\n".join([*parts, *[self.news] * bool(self.news)])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        verdict, _, rest = self.message.partition(". " if self.status == "correct" else ": ")
        verdict += "." if self.status == "correct" else ":"
        colour = {"correct": GREEN, "not yet": VERMILLION, "not attempted": BLUE}[self.status]
        lines = [
            "<!-- run this cell to check your function -->",
            f'<div role="status" style="{_card(colour)}">',
            '<p style="margin:0"><strong>',
            f'<span aria-hidden="true" style="color:{colour}">{self._mark}</span> {verdict}</strong>',
            f"{_inline(rest)}</p>",
            f'<p style="margin:4px 0 0;color:{FAINT}">{_inline(self._next)}</p>',
        ]
        if self.news:
            lines.append(f'<p style="margin:4px 0 0;color:{FAINT}">{escape(self.news)}</p>')
        lines.append("</div>")
        if self._printed:
            lines.append(f"<details><summary>What it printed</summary><pre>{escape(self._printed)}</pre></details>")
        if self.fault.trace is not None:
            lines.append(self.fault.trace._repr_mimebundle_().get("text/html", ""))
        return {"text/html": "\n".join(lines), "text/plain": str(self)}

    @property
    def _mark(self) -> str:
        return learner.MARKS[self.status]

    @property
    def _next(self) -> str:
        """What a learner may do now; it depends on the status alone, so that no output depends on a past."""
        return {
            "correct": "See how we would do it: `ex.solution()`.",
            "not yet": "Stuck? `ex.hint()` takes you a step further.",
            "not attempted": "No idea how to begin? `ex.hint()` takes you a step further.",
        }[self.status]

    @property
    def _printed(self) -> str:
        text = self.fault.output.rstrip()
        return text if len(text) <= _PRINTED else text[:_PRINTED] + " …"


@dataclass(frozen=True)
class Note:
    """A few paragraphs for the learner under a heading, perhaps with code; words in backticks are code, too."""

    heading: str
    text: str
    code: str = ""

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self.heading, self.code, textwrap.dedent(self.text).strip()) if part)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        paragraphs = textwrap.dedent(self.text).strip().split("\n\n")
        lines = [
            "<!-- run this cell to read it -->",
            f'<div style="{_card(BLUE)}"><p style="margin:0"><strong>{_inline(self.heading)}</strong></p>',
            *([highlighted(self.code)] if self.code else []),
            *(f'<p style="margin:6px 0 0">{_inline(" ".join(each.split()))}</p>' for each in paragraphs),
            "</div>",
        ]
        return {"text/html": "\n".join(lines), "text/plain": str(self)}


def highlighted(source: str) -> str:
    """Return Python source as HTML, in colours that are told from white at a ratio of 4.5 to 1 or more."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    # Colours as attributes: a notebook has no style sheet of its own, and a dark theme must not mix with ours.
    inner = f"margin:8px 0;padding:8px 10px;border:1px solid {RULE};background:#fff;color:{INK};overflow-x:auto"
    html = highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, style=_Colours(), nowrap=True))
    return f'<pre style="{inner}">{html.rstrip()}</pre>'


@functools.cache
def _Colours() -> type:
    from pygments.style import Style
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    class Colours(Style):
        """The few colours that help to read: words of the language, texts, comments, numbers, names defined."""

        styles: ClassVar[dict] = {
            Comment: f"italic {FAINT}",
            Keyword: "bold #0058A3",
            Operator.Word: "bold #0058A3",
            Name.Function: "#7A3E9D",
            Name.Class: "#7A3E9D",
            Number: "#8A4B00",
            String: "#00694D",
        }

    return Colours


_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


def _turn() -> asyncio.Lock:
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _card(colour: str) -> str:
    # White in a dark theme, too, like the pictures: the colours are chosen for white.
    return (
        f"border:1px solid {RULE};border-left:6px solid {colour};border-radius:3px;background:#fff;color:{INK};"
        "padding:8px 12px;margin:2px 0 6px;max-width:934px;line-height:1.5"
    )


def _inline(text: str) -> str:
    """Return `text` as HTML; what stands in backticks becomes code."""
    style = f"background:#F1F3F6;color:{INK};padding:1px 4px;border-radius:3px"
    return re.sub(r"`([^`]+)`", rf'<code style="{style}">\1</code>', escape(text, quote=False))


def _counted(arguments: Sequence[Any]) -> str:
    return {0: "no argument", 1: "1 argument"}.get(len(arguments), f"{len(arguments)} arguments")


def _an(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} `{noun}`"


async def _made_by(make: Callable[[], Trial | AsyncGenerator[Trial, None]]) -> AsyncGenerator[Trial, None]:
    """Yield the trials that `make` makes; what it opened for them is closed when this is."""
    made = make()
    if isinstance(made, Trial):
        yield made
        return
    async with contextlib.aclosing(made):
        async for trial in made:
            yield trial


def _takes(function: Any, arguments: Sequence[Any]) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except Exception:  # a function of C may tell nothing: then the call itself will
        return True
    return True


def _code(function: Any) -> types.CodeType | None:
    """Return the code of a Python function, also behind a method, a partial or a decorator; None if it has none."""
    with contextlib.suppress(Exception):
        while isinstance(function, functools.partial | types.MethodType):
            function = function.func if isinstance(function, functools.partial) else function.__func__
        function = inspect.unwrap(function)
        return function.__code__ if isinstance(function, types.FunctionType) else None
    return None


def _settle(value: Any) -> None:
    """Take note of how futures among a function's results ended, so that asyncio does not call their errors lost."""
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    for each in values:
        if isinstance(each, asyncio.Future) and each.done() and not each.cancelled():
            each.exception()


def _parameters(code: types.CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


# These depend on what stands around a function: whether a cell imports a module decides how its names are loaded.
_INCIDENTAL = {"NOP", "RESUME", "CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL"}
_JUMPS = {*dis.hasjrel, *dis.hasjabs}


def _instructions(code: types.CodeType) -> Iterator[tuple[str, Any]]:
    """Yield what a function does, step by step, as (operation, what it is done with)."""
    for each in dis.get_instructions(code):
        if each.opname not in _INCIDENTAL:
            yield each.opname.replace("LOAD_METHOD", "LOAD_ATTR"), None if each.opcode in _JUMPS else each.argval


def _shape(code: types.CodeType) -> tuple:
    """Return what a function does, as a value to compare: comments, layout and docstring make no difference."""
    return tuple(
        (name, _shape(value) if isinstance(value, types.CodeType) else repr(value))
        for name, value in _instructions(code)
    )


def _has_blank(code: types.CodeType) -> bool:
    return any(
        value is ... or (isinstance(value, types.CodeType) and _has_blank(value)) for _, value in _instructions(code)
    )


def _empty_function() -> None:
    pass


async def _empty_coroutine_function() -> None:
    pass


_EMPTY = (_shape(_empty_function.__code__), _shape(_empty_coroutine_function.__code__))
