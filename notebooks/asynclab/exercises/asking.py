"""What exercises need that talk to the servers of `Services`: the server as a witness, and several cases in one run."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from ..services import Services, ServicesError
from .exercise import Trial, pictured
from .probes import Probe, current_run
from .properties import (
    Property,
    awaited_every_coroutine,
    is_coroutine_function,
    no_task_leaked,
)
from .running import Run

__all__ = ["SLIPS", "Case", "Sessions", "Witness"]
__all__ += ["answers_of", "asks_with", "in_turn", "often", "said", "servers", "spied"]

_keys = itertools.count(1)


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[Services]:
    """Give the servers that run in this kernel, or else some that run for this check only."""
    for web in Services.running():
        try:
            await web.stats()
        except ServicesError:  # somebody has ended their process
            continue
        yield web
        return
    async with Services() as web:
        yield web


class Witness:
    """What the server sees of one run: it knows the learner's requests by a client key of their own."""

    def __init__(self, web: Services) -> None:
        self.web, self.client = web, f"exercise-{next(_keys)}"
        self.saw: dict[str, Any] = {}

    def url(self, path: str, **query: Any) -> str:
        """Return an URL to hand to the learner's function."""
        return self.web.url(path, client=self.client, **query)

    async def look(self) -> None:
        """Ask the server. The properties then find the answer in `saw`."""
        self.saw = await self.web.stats(self.client)

    def asked(self, times: Mapping[str, int]) -> Property:
        """Return a property: each of these paths was asked for so many times."""

        def holds(run: Run) -> str | None:
            for path, wanted in times.items():
                count = self.saw["by_path"].get(path, 0)
                if count == 0:
                    return f"the server was never asked for `{path}`. Leave none out."
                if count < wanted:
                    return f"the server was asked for `{path}` {often(count)}, not {often(wanted)}. Leave none out."
                if count > wanted:
                    return f"the server was asked for `{path}` {often(count)}. Once is enough: keep what it gave."
            return None

        return holds


class _Spy:
    """Stands in for a method of a class, and calls `note` with the object before the method is called.

    It hands out the method itself, so that no frame of ours is in the traceback when the learner's call fails.
    """

    def __init__(self, genuine: Callable[..., Any], note: Callable[[Any], None]) -> None:
        self._genuine, self._note = genuine, note

    def __get__(self, instance: Any, kind: type | None = None) -> Any:
        if instance is not None and current_run.get() is not None:
            self._note(instance)
        return self._genuine.__get__(instance, kind)


@contextlib.contextmanager
def spied(kind: type, **notes: Callable[[Any], None]) -> Any:
    """Let `notes` know, by the name of a method, when the learner's function calls it on an object of `kind`."""
    genuine = {name: vars(kind)[name] for name in notes}
    for name, note in notes.items():
        setattr(kind, name, _Spy(genuine[name], note))
    try:
        yield
    finally:
        for name, method in genuine.items():
            setattr(kind, name, method)


class Sessions(Probe):
    """Notes which sessions the learner's function opens and closes, and closes those that it leaves open."""

    def __init__(self) -> None:
        super().__init__("session")
        self._numbers: dict[aiohttp.ClientSession, int] = {}

    async def __aenter__(self) -> Sessions:
        self._spy = spied(aiohttp.ClientSession, __init__=self._on_open, close=self._on_close)
        self._spy.__enter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._spy.__exit__(None, None, None)
        for session in self._numbers:
            await session.close()

    def _on_open(self, session: aiohttp.ClientSession) -> None:
        self._numbers[session] = len(self._numbers) + 1
        self.note("open", self._numbers[session])

    def _on_close(self, session: aiohttp.ClientSession) -> None:
        if session in self._numbers and not session.closed:
            self.note("close", self._numbers[session])


def asks_with(session: aiohttp.ClientSession) -> Property:
    """Return a property: the session that was given is used, none besides, and it is left open."""

    def holds(run: Run) -> str | None:
        if any(event.kind == "open" for event in run.events):
            return "you open a session of your own. Ask with the one that you are given: `session.get(url)`."
        if session.closed:
            return (
                "you close the session that you were given, and others want to ask with it, too. Whoever opened it "
                "closes it: use `async with` for the response only."
            )
        return None

    return holds


async def answers_of(web: Services, *paths: str) -> list[Any]:
    """Return what the server gives for these paths."""
    async with aiohttp.ClientSession() as session:
        answers = []
        for path in paths:
            async with session.get(web.url(path, client="answers")) as response:
                answers.append(await response.json())
        return answers


@dataclasses.dataclass(frozen=True)
class Case:
    """One of several calls in a run: its arguments, what the server sees of it, and the properties of this call."""

    arguments: Sequence[Any]
    witness: Witness
    properties: Sequence[Property]


def in_turn(cases: Sequence[Case], *more: Property, raising: bool = False, deadline: float = 3.0) -> Trial:
    """Return a trial that calls the learner's function for one case after the other, in one run, to save time.

    `more` are properties of the run as a whole. With `raising`, what a call raises, unless it is a plain mistake, is
    judged by the properties of its case; else it ends the run.
    """

    def through(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def one_by_one(*_: Any) -> list[tuple[Any, Exception | None]]:
            outcomes: list[tuple[Any, Exception | None]] = []
            for case in cases:
                try:
                    value = function(*case.arguments)
                    outcomes.append((await value if inspect.isawaitable(value) else value, None))
                except Exception as error:
                    if not raising or isinstance(error, _MISTAKES):
                        raise
                    outcomes.append((None, error))
            return outcomes

        return one_by_one

    def of_case(number: int, property: Property) -> Property:
        @functools.wraps(property)
        def holds(run: Run) -> str | None:
            if run.error is not None:  # it ended the run, and is told instead
                return None
            value, error = run.value[number]
            return property(dataclasses.replace(run, value=value, error=error))

        return holds

    async def look() -> None:
        for case in cases:
            await case.witness.look()

    own = [of_case(i, each) for i, case in enumerate(cases) for each in case.properties]
    properties = [is_coroutine_function(), *more, *own, awaited_every_coroutine(), *pictured(no_task_leaked())]
    return Trial(cases[0].arguments, properties, deadline=deadline, after=look, through=through)


# Errors that come of the code, and not of the network.
_MISTAKES = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


def said(value: Any) -> str:
    """Return how a value is quoted in a message: on one line, and not all of it if it is long."""
    text = " ".join(repr(value).split())
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"


def often(count: int) -> str:
    """Return a count in words: "never", "once", "twice", "3 times"."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


# What an error of the session says when the session itself is misused.
SLIPS = {
    r"AttributeError: '[\w.]*RequestContextManager' object": """
        `session.get(url)` alone is no response yet. Write `async with session.get(url) as response:` and use
        `response` in that block.
    """,
    r"TypeError: '(?:method|function)' object .*context manager": """
        what stands after `async with` is a function, not what it gives. Call it: `session.get(url)`.
    """,
    r"TypeError: 'type' object .*context manager": """
        what stands after `async with` is a class. Make an object of it, with brackets: `aiohttp.ClientSession()`.
    """,
    r"TypeError: 'str' object .*context manager": """
        what stands after `async with` is a text. It wants a request: `session.get(url)`.
    """,
    r"TypeError: (?:'[\w.]*RequestContextManager' object .*context manager|Use async with instead)": """
        opening and closing may have to wait here, which plain `with` cannot. Write `async with`.
    """,
    r"(?:TypeError|AttributeError): 'coroutine' object": """
        `response.json()` gives a coroutine, because the body has yet to arrive. Write `await` before it.
    """,
    r"TypeError: .*(?:method|function)'? (?:can't be used in 'await'|object can't be awaited)": """
        you await a function instead of what it gives. Call it: `await response.json()`.
    """,
    r"RuntimeError: Session is closed": """
        you close the session that you were given, and others want to ask with it, too. Whoever opened it closes it: use
        `async with` for the response only.
    """,
    r"ClientConnectionError: Connection closed": """
        you read a response after it was released. Read it inside its `async with` block.
    """,
}
