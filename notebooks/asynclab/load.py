"""`await under_load(…)`: host a service of the notebook in a process of its own, send it visitors, and count.

What the learner sees in the cell is what runs: the class is carried over by value, with all that it uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import pickle
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import aiohttp

from .checking.packing import CannotBePacked, pack
from .page.numbers import duration, ratio, size
from .page.table import shorten, table
from .services.process import Child, ServicesError

WRONG, NO_CONNECTION = "wrong, and nothing says so", "the connection failed"
_START = 30.0  # seconds for the service to be ready, which takes less than one unless the machine is very busy
_REPORT = 10.0  # seconds for its process to say what it used and left

Visit = tuple[str, Any]  # a path, and the right answer, as JSON has it


class LoadError(RuntimeError):
    """The service cannot be measured; the message says why."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show the sentence alone: where it was raised explains nothing."""
        return [f"LoadError: {self}"]


async def under_load(
    service: type,
    visits: Sequence[Visit],
    *,
    upstream: str,
    visitors: int = 10,
    patience: float = 1.0,
) -> Load:
    """Host `service` in a process of its own, send it all of `visits`, and return what was measured.

    `service(upstream)` is made there, and its attribute `app`, an application of aiohttp, is served.
    `visitors` share the visits, in order: each asks with GET, and takes the next when it has its answer, or after
    `patience` seconds. An answer is right if its status is 200 and its JSON equals what the visit says.

    Raises LoadError, in a sentence, if the service cannot be packed or started, or if its process ends before we end
    it; TypeError or ValueError if an argument makes no sense. Cancelled or not, it leaves no process.
    """
    _check(service, visits, visitors, patience)
    try:
        packed, _ = pack(service)
    except CannotBePacked as reason:
        raise LoadError(str(reason)) from None
    asked = _Asked(patience)
    async with _hosted(pickle.dumps((sys.path, packed, upstream))) as (child, port):
        await asked.all(f"http://127.0.0.1:{port}", visits, visitors)
        found = await _report(child, asked.right)
    return Load(
        service, len(visits), visitors, asked.right, asked.seconds, tuple(sorted(asked.times)),
        {words: asked.errors[words] for words in sorted(asked.errors, key=rank)}, **found,
    )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Load:
    """What a service did under load. As the last expression of a cell it shows a table."""

    service: type
    requests: int
    visitors: int
    right: int  # answers
    seconds: float  # from the first request to the last right answer
    times: tuple[float, ...]  # seconds of each request, the shortest first; of one without an answer, the patience
    errors: dict[str, int]  # how many requests ended otherwise, by what became of them
    opened: int  # connections that the service opened, to whatever server
    memory: int  # bytes by which the process grew at most
    running: int  # requests that were still worked on when no visitor was left
    left: int  # connections that were still open when the service had ended
    raised: list[str] = field(default_factory=list)  # the errors that were answered with 500, each once

    @property
    def rate(self) -> float:
        """Right answers a second, until the last of them: what is waited for in vain after that does not count."""
        return self.right / self.seconds if self.right else 0.0

    @property
    def p50(self) -> float:
        """Seconds within which half of the requests ended."""
        return self._within(0.5)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 requests ended."""
        return self._within(0.99)

    def _within(self, share: float) -> float:
        return self.times[math.ceil(share * len(self.times)) - 1]

    def rows(self, kinds: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
        """Yield what was measured, and the value; of the errors, those of these `kinds`, else those there were."""
        yield "right answers", f"{self.right}"
        # Neither the rate nor how many connections: bare numbers in an output are compared, and have to be the same.
        yield "one right answer every", duration(1 / self.rate) if self.right else "–"
        for kind in kinds or self.errors:
            yield kind, f"{self.errors.get(kind, 0)}"
        yield "connections opened per request", ratio(self.opened / self.requests)
        yield "half of all within (p50)", duration(self.p50)
        yield "99 of 100 within (p99)", duration(self.p99)
        yield "memory grew by", size(self.memory)
        yield "requests still worked on", f"{self.running}"
        yield "connections left open", f"{self.left}"

    @property
    def title(self) -> str:
        return f"{self.service.__name__}: {self.requests} requests from {self.visitors} visitors"

    def text(self) -> str:
        """Return the table, and the errors that the service raised."""
        raised = [f"It raised {shorten(error, 200)}" for error in self.raised[:3]]
        return "\n".join([table(["measure", "value"], list(self.rows()), self.title), *raised])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in self.rows()
        )
        raised = "".join(f"<p>It raised <code>{escape(shorten(error, 200))}</code></p>" for error in self.raised[:3])
        caption = f'<caption style="font-weight:bold;text-align:left">{escape(self.title)}</caption>'
        html = f"<!-- run this cell to see the measurement -->\n<table>{caption}{rows}</table>{raised}"
        return {"text/html": html, "text/plain": self.text()}

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Load of {self.service.__name__}: {self.right} of {self.requests} answers right>"


def rank(words: str) -> tuple[bool, bool, str]:
    """Sort kinds of errors: the wrong answer first, and those last that the service said."""
    return words.startswith("said"), words != WRONG, words


class _Asked:
    """What the visitors got."""

    def __init__(self, patience: float) -> None:
        self.patience, self.right, self.seconds = patience, 0, 0.0
        self.times: list[float] = []
        self.errors: Counter[str] = Counter()

    async def all(self, address: str, visits: Iterable[Visit], visitors: int) -> None:
        """Let the visitors make the visits."""
        waiting, began = iter(visits), time.perf_counter()
        connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(None)
        async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as session:

            async def visitor() -> None:
                for path, right in waiting:
                    start = time.perf_counter()
                    error = await self._error(session, path, right)
                    end = time.perf_counter()
                    self.times.append(end - start)
                    if error:
                        self.errors[error] += 1
                    else:
                        self.right, self.seconds = self.right + 1, end - began

            async with asyncio.TaskGroup() as group:
                for number in range(visitors):
                    group.create_task(visitor(), name=f"visitor {number + 1}")

    async def _error(self, session: aiohttp.ClientSession, path: str, right: Any) -> str:
        """Ask once, and return what is wrong with the answer, or ""."""
        try:
            async with asyncio.timeout(self.patience), session.get(path) as answer:
                body = await answer.read()
        except TimeoutError:
            return f"no answer within {self.patience:g} s"
        except aiohttp.ClientError:
            return NO_CONNECTION
        if answer.status != 200:
            return f"said {answer.status}"
        try:
            return "" if json.loads(body) == right else WRONG
        except ValueError:
            return WRONG


@contextlib.asynccontextmanager
async def _hosted(request: bytes) -> AsyncIterator[tuple[Child, int]]:
    """Start the process, have it make the service, and give the process and the port."""
    owner = _Owner()
    try:
        child = Child(owner, "services.host")
        sending = asyncio.get_running_loop().run_in_executor(None, _send, child, request)
        try:
            said = await child.first_line(_START)
        finally:
            await asyncio.wait([sending])
    except ServicesError as error:
        lines = str(error).replace("the servers", "the service").splitlines()
        raise LoadError("\n".join(lines[:-1] or lines)) from None  # the last one is advice on our own servers
    try:
        if "error" in said:
            raise LoadError(f"the service cannot start: {said['error']}")
        yield child, said["port"]
    finally:
        child.ask_to_end()
        await asyncio.to_thread(child.wait)


class _Owner:
    """Its end, however it comes, is the end of the process."""


def _send(child: Child, request: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has ended, and says why
        child.process.stdin.write(request)
        child.process.stdin.flush()


async def _report(child: Child, right: int) -> dict[str, Any]:
    """End the service, and return what its process says last."""
    child.ask_to_end()
    reading = asyncio.get_running_loop().run_in_executor(None, child.process.stdout.readline)
    try:
        async with asyncio.timeout(_REPORT):
            return json.loads(await asyncio.shield(reading))
    except TimeoutError:
        why = f"did not end within {_REPORT:g} seconds"
    except ValueError:
        code = await asyncio.to_thread(child.process.wait)
        why = f"ended by itself, with code {code}"
    raise LoadError(f"the process of the service {why}, after {right} right answers")


def _check(service: Any, visits: Any, visitors: Any, patience: Any) -> None:
    if not isinstance(service, type):
        raise TypeError(f"service must be a class, which is made in another process, not {service!r:.60}")
    if not visits or not all(isinstance(each, tuple) and len(each) == 2 and str(each[0])[:1] == "/" for each in visits):
        raise ValueError('visits are pairs of a path and the right answer, such as [("/price/small", 8)]')
    if not isinstance(visitors, int) or visitors < 1:
        raise ValueError(f"visitors must be a whole number of at least 1, not {visitors!r}")
    if not isinstance(patience, int | float) or not 0 < patience < math.inf:
        raise ValueError(f"patience must be a time above 0, in seconds, not {patience!r}")
