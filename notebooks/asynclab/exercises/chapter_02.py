"""The exercises of chapter 2, async HTTP requests. They talk to real servers, and the server is the witness."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import aiohttp

from .asking import SLIPS, Case, Sessions, Witness, answers_of, asks_with, in_turn, often, said, servers, spied
from .exercise import Exercise, Trial, pictured
from .properties import (
    Property,
    awaited_every_coroutine,
    did_not_block,
    is_coroutine_function,
    no_exception_lost,
    no_task_leaked,
    passed_cancellation_on,
    results_in_order,
    used_one_session,
)
from .running import Run

TITLE = "2. Async HTTP requests"

# --- 2.1 ------------------------------------------------------------------------------------------------------------


async def get_json(session, url):
    """Return the JSON at `url`, decoded."""
    async with session.get(url) as response:
        return await response.json()


async def _asking() -> AsyncGenerator[Trial, None]:
    async with servers() as web, Sessions(), aiohttp.ClientSession() as session:
        cases = []
        for path in ("/users/107", "/users/142/orders"):
            witness = Witness(web)
            properties = [asks_with(session), _decoded(*await answers_of(web, path)), witness.asked({path: 1})]
            cases.append(Case([session, witness.url(path)], witness, properties))
        yield in_turn(cases)


def _decoded(answer: Any) -> Property:
    def holds(run: Run) -> str | None:
        value = run.value
        if asyncio.iscoroutine(value):
            return (
                "you return a coroutine: the body has yet to arrive when the headers are there. Write "
                "`await response.json()`."
            )
        if isinstance(value, aiohttp.ClientResponse):
            return "you return the response, of which nothing was read yet. Return `await response.json()`."
        if isinstance(value, str | bytes):
            return "you return the body as it came. `await response.json()` decodes it into Python's lists and dicts."
        return None if value == answer else f"you return {said(value)}, not {said(answer)}. Return the whole answer."

    return holds


_GET_JSON = Exercise(
    id="2.1",
    title="Ask politely",
    task="""
        `session` is an open `aiohttp.ClientSession`. Get `url` with it and return the JSON that the server answers,
        decoded. The response is released when its block ends, whatever happens. Replace both `...`.
    """,
    stub="""
        async def get_json(session, url):
            async with ... as response:
                return ...
    """,
    todo="Replace each `...` in the function",
    hints=(
        "`session.get(url)` makes the request; `async with` waits until the headers of the answer are there.",
        "The body arrives after the headers. So what reads it has to be awaited: `await response.json()`.",
    ),
    solution_function=get_json,
    explanation="""
        A request waits twice: `async with` for the status and the headers, `await response.json()` for the body. When
        the block ends, the connection goes back to the session, which uses it for the next request to that server.
        That also happens when an error or a cancellation ends the block.
    """,
    praise="The server was asked once, with the session that you were given, and you waited for the body.",
    slips=SLIPS,
    trials=[_asking],
)

# --- 2.2 ------------------------------------------------------------------------------------------------------------


async def fetch_rounds(urls, rounds):
    """Fetch all URLs side by side, `rounds` times; return a list of their answers for each round."""

    async def fetch(session, url):
        async with session.get(url) as response:
            return await response.json()

    async with aiohttp.ClientSession() as session:
        return [await asyncio.gather(*[fetch(session, url) for url in urls]) for _ in range(rounds)]


async def _in_rounds() -> AsyncGenerator[Trial, None]:
    count, rounds = 4, 3
    async with servers() as web, Sessions():
        witness = Witness(web)
        paths = [f"/users/{110 + i}" for i in range(count)]
        # Later ones answer sooner, so that the order in which they end is not the order in which they come.
        urls = [witness.url(path, delay=0.03 + 0.01 * (count - i)) for i, path in enumerate(paths)]
        answers = await answers_of(web, *paths)
        yield Trial(
            [urls, rounds],
            [
                is_coroutine_function(),
                awaited_every_coroutine(),
                *pictured(no_task_leaked()),
                used_one_session(),
                witness.asked(dict.fromkeys(paths, rounds)),
                *pictured(_side_by_side(witness), _kept_connections(witness, count)),
                no_exception_lost(),
                _rounds_in_order(answers, rounds),
            ],
            after=witness.look,
        )


def _side_by_side(witness: Witness) -> Property:
    def holds(run: Run) -> str | None:
        if witness.saw["peak"] >= 2:
            return None
        return (
            "the server never had two of your requests at once: you ask for one URL after another. Start a round "
            "together, with `gather` or a `TaskGroup`."
        )

    return holds


def _kept_connections(witness: Witness, count: int) -> Property:
    def holds(run: Run) -> str | None:
        made, peak = witness.saw["connections"], witness.saw["peak"]
        if made <= count:
            return None
        if peak > count:
            return (
                f"the server had {peak} requests at once, because all rounds run together, and each needs a connection "
                "of its own. Await a round before you start the next."
            )
        return (
            f"the server counted {made} connections, where {count} do. Let the session keep them open for the next "
            "round, as it does unless told otherwise."
        )

    return holds


def _rounds_in_order(answers: Sequence[Any], rounds: int) -> Property:
    def holds(run: Run) -> str | None:
        value = run.value
        if not isinstance(value, list | tuple) or any(not isinstance(each, list | tuple) for each in value):
            return f"you return {said(value)}. Return a list for each round, with an answer for each URL."
        if len(value) != rounds:
            return f"you return {len(value)} lists after {rounds} rounds. Return one for each round."
        messages = [results_in_order(answers)(dataclasses.replace(run, value=each)) for each in value]
        return next(filter(None, messages), None)

    return holds


_FETCH_ROUNDS = Exercise(
    id="2.2",
    title="One session for all",
    task="""
        `fetch_rounds` asks for all URLs side by side and, when all have answered, for all of them again: `rounds` times
        in all. The results are right, but each request opens a session, and with it a new connection. **Repair** it
        with a single session, and change nothing else: the server counts your connections.
    """,
    stub="""
        async def fetch_rounds(urls, rounds):
            async def fetch(url):
                async with aiohttp.ClientSession() as session:
                    async with session.get(url) as response:
                        return await response.json()

            results = []
            for _ in range(rounds):
                results.append(await asyncio.gather(*[fetch(url) for url in urls]))
            return results
    """,
    todo="Change the function so that it opens one session",
    hints=(
        "A session keeps its connections open for later requests. What does the one in `fetch` live to see?",
        "Open the session outside of the loop, so that all rounds are inside its `async with` block.",
        "`fetch` may take it as an argument, `fetch(session, url)`, or use the name of the function around it.",
    ),
    solution_function=fetch_rounds,
    explanation="""
        A new connection costs a round trip before anything can be asked, and several with TLS. The session keeps each
        one that was given back, so the first round opens as many as there are URLs, and the others open none. The
        rounds stand inside the `async with` block: after it the session is closed, and its connections with it.
    """,
    praise="One session, and after the first round the server saw no new connection.",
    slips=SLIPS
    | {
        r"RuntimeError: Session is closed": """
            a request was made after its session was closed. Make and await it inside the `async with` block of the
            session: indent it more.
        """,
    },
    trials=[_in_rounds],
)

# --- 2.3 ------------------------------------------------------------------------------------------------------------

_PLACES = 5


async def fetch_five(session, urls):
    """Fetch all URLs, five at a time; return their answers in the order of the URLs."""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


class _Semaphores:
    """Counts the semaphores that the learner's function makes, and how often it takes a place in one."""

    def __init__(self) -> None:
        self.made: list[asyncio.Semaphore] = []
        self.taken = 0

    def spy(self) -> contextlib.AbstractContextManager:
        """Begin to count."""
        return spied(asyncio.Semaphore, __init__=self.made.append, acquire=self._take)

    def _take(self, semaphore: asyncio.Semaphore) -> None:
        self.taken += 1


async def _limiting() -> AsyncGenerator[Trial, None]:
    semaphores = _Semaphores()
    async with servers() as web, Sessions(), aiohttp.ClientSession() as session:
        witness, count = Witness(web), 12
        paths = [f"/users/{120 + i}" for i in range(count)]
        urls = [witness.url(path, delay=0.03 + 0.005 * (i % 3)) for i, path in enumerate(paths)]
        answers = await answers_of(web, *paths)
        with semaphores.spy():
            yield Trial(
                [session, urls],
                [
                    is_coroutine_function(),
                    awaited_every_coroutine(),
                    *pictured(no_task_leaked()),
                    witness.asked(dict.fromkeys(paths, 1)),
                    *pictured(_five_at_a_time(witness, semaphores)),
                    no_exception_lost(),
                    results_in_order(answers),
                    _left_open(session),
                ],
                after=witness.look,
            )


def _five_at_a_time(witness: Witness, semaphores: _Semaphores) -> Property:
    def holds(run: Run) -> str | None:
        peak, made = witness.saw["peak"], len(semaphores.made)
        one = "the server never had two of your requests at once"
        if peak < 2 and any(event.kind == "open" for event in run.events):
            return f"{one}: your own session lets only one through. Use the given one, and a semaphore of five places."
        if peak < 2 and semaphores.taken > 1 and len(run.rows) > 1:
            return f"{one}: your semaphore lets only one through. Give it {_PLACES} places."
        if peak < 2:
            return (
                f"{one}: you ask for one URL after another. Start all of them together, and let five through at a time."
            )
        if peak <= _PLACES:
            return None
        much = f"the server had {peak} of your requests at once"
        if made > 1:
            return (
                f"{much}: you make {made} semaphores, and each lets its own request through. Make one, before the "
                "inner function, for all of them."
            )
        if semaphores.taken == 0 and made:
            return f"{much}: nobody takes a place in your semaphore. Write `async with` and its name where you fetch."
        if semaphores.taken == 1:
            return (
                f"{much}: they share the one place in your semaphore that was taken around all of them. Take a place "
                "for each request, inside the inner function."
            )
        if semaphores.taken:
            return f"{much}. Give your semaphore {_PLACES} places, and hold one until the body has been read."
        return f"{much}, where {_PLACES} are allowed. Let each first take a place in a semaphore that they share."

    return holds


def _left_open(session: aiohttp.ClientSession) -> Property:
    def holds(run: Run) -> str | None:
        return "you close the session that you were given. Whoever opened it closes it." if session.closed else None

    return holds


_FETCH_LIMITED = Exercise(
    id="2.3",
    title="Five at a time",
    task="""
        `fetch_five` sends all requests at once, however many there are. The server allows you five at a time.
        **Repair** it: never more than five requests are under way, each URL is asked for once, and the answers stay in
        the order of the URLs.
    """,
    stub="""
        async def fetch_five(session, urls):
            async def fetch(url):
                async with session.get(url) as response:
                    return await response.json()

            return await asyncio.gather(*[fetch(url) for url in urls])
    """,
    todo="Change the function so that at most five requests are under way",
    hints=(
        "All tasks may start at once, if each then waits for a place. What gives away a number of places?",
        "`asyncio.Semaphore(5)` has five places. Make *one*, which all calls of `fetch` share.",
        "Inside `fetch`, put `async with places:` around the request. It holds a place until the body is read.",
    ),
    solution_function=fetch_five,
    explanation="""
        All tasks start, and all but five wait for a place. Whenever one has read its body it leaves the block, and the
        next comes in: so five are under way all the time, until the last ones. The semaphore is made once, before the
        requests, and a place is taken for each request.
    """,
    praise="The server never had more than five of your requests at once, and the answers are in order.",
    slips=SLIPS
    | {
        r"(?:TypeError|AttributeError): .*Semaphore.*(?:context manager|__enter__)": """
            a task may have to wait for its place. Write `async with`, not `with`, before the semaphore.
        """,
    },
    trials=[_limiting],
)

# --- 2.4 ------------------------------------------------------------------------------------------------------------


async def fetch_or_explain(session, url, timeout):  # noqa: ASYNC109 (the guide's function)
    """Return the JSON at `url`, or {"error": why not}; `timeout` in seconds. Cancellation passes through."""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


async def _fetching_safely() -> AsyncGenerator[Trial, None]:
    async with servers() as web, Sessions(), aiohttp.ClientSession() as session:

        def case(path: str, *properties: Property, timeout: float = 10.0, **query: Any) -> Case:
            witness = Witness(web)
            return Case([session, witness.url(path, **query), timeout], witness, properties)

        yield in_turn(
            [
                case("/users/107", _healthy(*await answers_of(web, "/users/107")), delay=0.1),
                case("/status/503", _says("an answer with status 503", "HTTP 503")),
                case("/status/404", _says("an answer with status 404", "HTTP 404")),
                case("/never", _says("no answer in time", "Request timeout"), timeout=0.1),
                case("/drop", _says("a dropped connection")),
                case("/malformed", _says("an answer that is no JSON")),
            ],
            _left_open(session),
        )
        yield _cancelled([session, Witness(web).url("/never"), 10.0])


def _cancelled(arguments: Sequence[Any]) -> Trial:
    """Return a trial in which the learner's function is cancelled while it waits for an answer."""
    properties = [_let_cancellation_through, *pictured(no_task_leaked())]
    return Trial(arguments, properties, deadline=1.5, options={"cancel_after": 0.05})


def _healthy(answer: Any) -> Property:
    def holds(run: Run) -> str | None:
        if run.value == answer:
            return None
        if isinstance(run.value, dict) and "error" in run.value:
            return (
                f"a healthy answer came back as {said(run.value)}, long before the timeout. Give the server all the "
                "time that `timeout` allows."
            )
        return f"a healthy answer came back as {said(run.value)}. Return its JSON, decoded."

    return holds


def _says(what: str, error: str = "") -> Property:
    """Return a property: it returned {"error": `error`}, or a text that fits."""

    def holds(run: Run) -> str | None:
        value = run.value
        if not isinstance(value, dict) or "error" not in value:
            hint = " aiohttp raises nothing for it: look at `response.status`." if "status" in what else ""
            return (
                f"{what} came back as {said(value)}, as if all were well.{hint} Return a `dict` with the key `error`."
            )
        text = value["error"]
        if not isinstance(text, str) or not text.strip():
            return f"{what} came back as {said(value)}. Say in a text what went wrong."
        if error and value != {"error": error}:
            return f"{what} came back as {said(value)}, not as {said({'error': error})}."
        if not error and text == "Request timeout":
            return f"{what} came back as {said(value)}, which it was not. Tell these errors apart."
        return None

    return holds


def _let_cancellation_through(run: Run) -> str | None:
    if run.cancelled and run.error is None:
        return (
            f"a request that was cancelled came back as {said(run.value)}, and whoever cancelled it is not obeyed. A "
            "bare `except`, like `except BaseException`, catches cancellation, too: name the errors you mean."
        )
    return passed_cancellation_on()(run)


_let_cancellation_through.expects_error = True


_SAFE_FETCH = Exercise(
    id="2.4",
    title="Nothing gets out",
    task="""
        `fetch_or_explain` returns the JSON, or a `dict` that says why not. **Repair** it: a status of 400 or more gives
        `{"error": "HTTP 503"}` with that status, a timeout `{"error": "Request timeout"}`; a dropped connection or
        broken JSON gives `{"error": …}` with a text of yours. Only cancellation must get out.
    """,
    stub="""
        async def fetch_or_explain(session, url, timeout):
            limit = aiohttp.ClientTimeout(total=timeout)
            try:
                async with session.get(url, timeout=limit) as response:
                    return await response.json()
            except:
                return {"error": "Request timeout"}
    """,
    todo="Change the function so that it tells the errors apart, and lets cancellation through",
    hints=(
        "A bare `except:` catches `asyncio.CancelledError`, too. Write one `except` for each kind of error, by name.",
        "`aiohttp` raises nothing for a status of 503. Look at `response.status` before you read the body.",
        "The kinds: `TimeoutError`, `aiohttp.ClientError`, and `ValueError`, which `json.JSONDecodeError` is one of.",
        "The timeouts of aiohttp's sockets are both `TimeoutError` and `ClientError`: catch `TimeoutError` first.",
    ),
    solution_function=fetch_or_explain,
    explanation="""
        Whatever is wrong with a connection is an `aiohttp.ClientError`. Two things are not: the total timeout, a plain
        `TimeoutError`, and a body that is no JSON, a `ValueError`. `CancelledError` is none of these, nor an
        `Exception`, so it passes. Were it caught, neither `asyncio.timeout` nor a `TaskGroup` could end this request.
    """,
    praise="Each error came back as what it was, and cancellation got through.",
    slips=SLIPS
    | {
        r"JSONDecodeError": """
            `JSONDecodeError` got out: the body was no JSON. It is a `ValueError`, and not one of aiohttp's errors.
            Catch it, too.
        """,
        r"(ServerDisconnectedError|ClientOSError|ClientPayloadError|ConnectionResetError)": """
            `{0}` got out: the connection was dropped. Catch `aiohttp.ClientError`, which all errors of a connection
            are.
        """,
        r"((?:SocketTimeout|ServerTimeout|ConnectionTimeout|Timeout)Error)": """
            `{0}` got out: there was no answer in time. Catch `TimeoutError`, too.
        """,
        r"ClientResponseError: (\d+)": """
            the error for status {0} got out. Look at `response.status` and return, or catch it and use its `status`.
        """,
    },
    trials=[_fetching_safely],
)

# --- 2.5 ------------------------------------------------------------------------------------------------------------


async def fetch_with_retry(session, url):
    """Return the JSON at `url`, in at most three attempts; raise the last error."""
    for attempt in (1, 2, 3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 3 or (error.status < 500 and error.status != 429):
                raise
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 3:
                raise
        await asyncio.sleep(wait)


async def _retrying() -> AsyncGenerator[Trial, None]:
    async with servers() as web, Sessions(), aiohttp.ClientSession() as session:

        def case(path: str, *properties: Callable[[Witness], Property], **query: Any) -> Case:
            witness = Witness(web)
            return Case([session, witness.url(path, **query)], witness, pictured(*[p(witness) for p in properties]))

        (person,) = await answers_of(web, "/users/107")
        yield in_turn(
            [
                case("/users/107", _attempts("a healthy answer", 1), _gives(person)),
                case("/status/404", _attempts("status 404", 1), _raises("status 404", status=404)),
                case("/flaky", _attempts("two answers 503", 3), _gives({"attempts": 3}), fail=2),
                case("/flaky", _attempts("status 503", 3), _raises("status 503", status=503), fail=9),
                case("/reset", _attempts("a dropped connection", 3), _raises("a dropped connection")),
                case("/retry-after", _waited_as_told, _attempts("status 429", 2), _gives(None), seconds=0.15),
            ],
            did_not_block(),
            _left_open(session),
            raising=True,
        )
        yield _cancelled([session, Witness(web).url("/never")])


def _attempts(what: str, wanted: int) -> Callable[[Witness], Property]:
    """Return what makes a property: the server was asked so many times."""

    def made_with(witness: Witness) -> Property:
        def holds(run: Run) -> str | None:
            count = witness.saw["requests"]
            if count == wanted:
                return None
            seen = f"after {what}, the server had been asked {often(count)}"
            if count == 0:
                return "the server was never asked. Ask it with `session.get(url)`."
            if wanted == 1:
                return f"{seen}. Asking again does not help there: try once, and no more."
            if count > wanted:
                return f"{seen}, not {often(wanted)}. Three attempts in all are allowed."
            return f"{seen}, not {often(wanted)}. Try again while fewer than three attempts were made."

        return holds

    return made_with


def _raises(what: str, status: int = 0) -> Callable[[Witness], Property]:
    """Return what makes a property: it raised an error of aiohttp, with this status if one is given."""

    def made_with(witness: Witness) -> Property:
        def holds(run: Run) -> str | None:
            error = run.error
            if error is None:
                where = "" if status == 404 else " and the third attempt"
                return f"after {what}{where} you return {said(run.value)}. Raise the error that ended it."
            if isinstance(error, aiohttp.ClientError) and (not status or getattr(error, "status", 0) == status):
                return None
            return f"after {what} you raise `{type(error).__name__}`. Let aiohttp's own error through: a bare `raise`."

        return holds

    return made_with


def _gives(answer: Any) -> Callable[[Witness], Property]:
    """Return what makes a property: it returned `answer`; None: that of a server that was waited for."""

    def made_with(witness: Witness) -> Property:
        def holds(run: Run) -> str | None:
            value = run.value
            if run.error is not None:
                return f"you raise `{type(run.error).__name__}` though an attempt succeeded. Return its JSON at once."
            if value == answer or (answer is None and isinstance(value, dict) and "waited" in value):
                return None
            return f"you return {said(value)}. Return the JSON of the attempt that succeeds."

        return holds

    return made_with


def _waited_as_told(witness: Witness) -> Property:
    def holds(run: Run) -> str | None:
        if witness.saw["requests"] == 1:
            return "after status 429 you give up. The server says when to come again: wait so long, then try again."
        if witness.saw["violations"]:
            return (
                "the server answered 429 and said how long to wait, and you asked again before that. Wait "
                '`float(response.headers["Retry-After"])` seconds.'
            )
        return None

    return holds


_FETCH_WITH_RETRY = Exercise(
    id="2.5",
    title="Try again, within reason",
    task="""
        **Write** `fetch_with_retry`: it returns the JSON at `url`, in at most three attempts. It tries again after a
        status of 500 or more and after a dropped connection, 0.02 seconds later, and after a 429 as many seconds later
        as the answer's `Retry-After` header says. Any other error, such as 404, is raised at once; after the third
        attempt the last one is.
    """,
    stub="""
        async def fetch_with_retry(session, url):
            pass
    """,
    todo="Write the function",
    hints=(
        "A loop over three attempts: `return` ends it when one succeeds, `raise` when there is nothing to hope for.",
        "`response.raise_for_status()` raises `aiohttp.ClientResponseError` from 400 on; its `status` tells which.",
        "A dropped connection is `aiohttp.ClientConnectionError` or, amid the body, `aiohttp.ClientPayloadError`.",
        'For a 429, read `float(response.headers["Retry-After"])` inside the block, and sleep after it.',
    ),
    solution_function=fetch_with_retry,
    explanation="""
        Trying again helps only where the next attempt may end otherwise: a 404 will stay one. A server that says when
        to come back is believed. The wait stands outside the `async with` block, so no connection is held meanwhile.
        In real code let the wait grow, with a random part, so that a thousand clients do not come back together.

        aiohttp itself asks once more when a connection is dropped before any answer, if the method is as harmless as
        GET: the server may then count six requests for three attempts.
    """,
    praise="Three attempts where they may help, one where they do not, and none before its time.",
    slips=SLIPS
    | {
        r"ValueError: (?:invalid literal for int|could not convert string to float)": """
            `Retry-After` may have a fraction here, such as 0.2. Use `float` for it, of that header alone.
        """,
        r"TypeError: '[<>]=?' not supported between instances of '(?:str|NoneType)'": """
            a header is a text. Make a number of it first: `float(response.headers["Retry-After"])`.
        """,
        r"KeyError: 'Retry-After'": """
            only a 429 has the header `Retry-After`. Look at the status first.
        """,
    },
    trials=[_retrying],
)

EXERCISES = (_GET_JSON, _FETCH_ROUNDS, _FETCH_LIMITED, _SAFE_FETCH, _FETCH_WITH_RETRY)
