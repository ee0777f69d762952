"""The exercises of chapter 3, concurrency patterns: limits, queues, locks, and an end in good order."""

from __future__ import annotations

import asyncio
import bisect
import functools
import inspect
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

from .asking import often, said, spied
from .exercise import Exercise, Trial, pictured
from .probes import Event, Interval, Jobs, Probe
from .properties import (
    Property,
    awaited_every_coroutine,
    cancelled_siblings,
    explain,
    is_coroutine_function,
    no_exception_lost,
    no_task_leaked,
    peak,
    ran_concurrently,
    results_in_order,
)
from .running import Run

TITLE = "3. Concurrency patterns"

# --- what several of them need --------------------------------------------------------------------------------------

_BEAT, _IDLE = 0.005, 4  # seconds; beats without any turn, between which a task may look whether it is time
_hold = time.sleep  # for the neighbour that holds the loop: the learner's `time.sleep` is watched


class _Beats(Probe):
    """Notes a "beat" every 5 ms at most, from `with` to its end; `_idled` counts those between which nothing was done.

    Who idles lets many of them pass. Whom a busy machine holds up does not: there is always something to do next.
    """

    def __init__(self) -> None:
        super().__init__("beats")
        self._left = 1000  # none beats for ever, whatever becomes of the run

    def __enter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_BEAT, self._beat)

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        self.note("beat")
        self._left -= 1
        if self._left:
            self._timer = self._loop.call_later(_BEAT, self._beat)

    _beat.unseen_by_traces = True


def _idled(run: Run, since: float, until: float = float("inf")) -> bool:
    """Say whether, between these moments, many beats passed in which no task had a turn."""
    beats = [event.when for event in run.events if event.kind == "beat" and since < event.when <= until]
    rows = [row for row in (run.main, *run.rows) if row is not None]
    turns = sorted(step.start for row in rows for step in row.steps)
    idle = sum(bisect.bisect(turns, one) == bisect.bisect(turns, other) for one, other in itertools.pairwise(beats))
    return idle > _IDLE


class _Queue(asyncio.Queue):
    """A queue that holds `items`, and notes "idle" and "cancel" when somebody begins to wait for another.

    `open` counts as `join()` does: one more for each item put, one less for each `task_done()`. `came_to_zero` says
    how often `join()` had a reason to end.
    """

    def __init__(self, *items: Any) -> None:
        super().__init__()
        self.open = self.came_to_zero = 0
        self._probe = Probe("queue")
        for item in items:
            self.put_nowait(item)

    def get(self) -> Coroutine[Any, Any, Any]:
        """Return what takes an item when it is awaited, and waits for one if there is none."""
        if self.empty():
            self._probe.note("idle")
            self._probe.note("cancel")
        return super().get()  # no frame of ours: where a learner's function waits is told by the line

    def put_nowait(self, item: Any) -> None:
        """Put an item, which `join()` then waits for."""
        super().put_nowait(item)
        self.open += 1

    def task_done(self) -> None:
        """Say that an item is done with. Raises ValueError if there was none."""
        super().task_done()
        self.open -= 1
        self.came_to_zero += self.open == 0

    def left(self) -> list[Any]:
        """Return what nobody has taken."""
        return list(self._queue)


def _cancelling(function: Callable[[Any], Awaitable[Any]], amid: Any) -> Callable[[Any], Awaitable[Any]]:
    """Return the coroutine function `function`, which notes "cancel" when it is called for the item `amid`."""
    probe = Probe("signal")

    async def handle(item: Any) -> Any:
        if item == amid:
            probe.note("cancel")
        return await function(item)

    return handle


def _of(run: Run, probe: str) -> list[Interval]:
    return [each for each in run.intervals if each.probe == probe]


def _most(run: Run, probe: str) -> int:
    """Return how many of a probe's pieces of work were under way at once."""
    end = run.trace.duration
    return peak((each.start, end if each.end is None else each.end) for each in _of(run, probe))


def _events(run: Run, probe: str, kind: str) -> list[Event]:
    return [event for event in run.events if event.probe == probe and event.kind == kind]


def _leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [] if error is None else [error]


def _ended_as_cancelled(run: Run) -> str | None:
    """A property: it ran until it was cancelled, and then ended as cancelled."""
    if run.error is not None and not isinstance(run.error, asyncio.CancelledError):
        return explain(run)
    if not run.cancelled:
        return "your function ended by itself. It works for ever, until it is cancelled: `while True`."
    if run.error is None:
        return "your function was cancelled, and returned as if it were done. Raise the error again: a bare `raise`."
    return None


_ended_as_cancelled.expects_error = True


def _watch(kind: type, name: str) -> Any:
    """Note "make" and "take" of a probe of that name when the learner makes a semaphore or lock, or takes it."""
    probe = Probe(name)
    return spied(kind, __init__=lambda _: probe.note("make"), acquire=lambda _: probe.note("take"))


_NO_CONTEXT_MANAGER = {
    r"(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": """
        whoever enters may have to wait. Write `async with`, not `with`.
    """,
    r"TypeError: 'type' object .*context manager": """
        what stands after `async with` is a class. Make an object of it, with brackets after its name.
    """,
}

# --- 3.1 ------------------------------------------------------------------------------------------------------------

_PLACES = 5


async def run_bounded(jobs):
    """Run all jobs, five at a time; return their results in the order of the jobs."""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


def _bounding(count: int) -> Callable[[], AsyncGenerator[Trial, None]]:
    """Later jobs take less time in each group of three, so that they do not end in their order."""

    async def trials() -> AsyncGenerator[Trial, None]:
        jobs = Jobs(lambda i: 0.05 - 0.01 * (i % 3))

        def job(number: int) -> Callable[[], Awaitable[Any]]:
            async def run() -> Any:
                return await jobs.fetch(number)

            return run

        with _watch(asyncio.Semaphore, "place"):
            yield Trial(
                [[job(number) for number in range(1, count + 1)]],
                [
                    is_coroutine_function(),
                    awaited_every_coroutine(),
                    *pictured(_five_at_a_time(min(count, _PLACES))),
                    _each_once("job", range(1, count + 1)),
                    *pictured(no_task_leaked()),
                    no_exception_lost(),
                    results_in_order([10 * number for number in range(1, count + 1)]),
                ],
            )

    return trials


def _five_at_a_time(wanted: int) -> Property:
    def holds(run: Run) -> str | None:
        most = _most(run, "job")
        if most > _PLACES:
            return f"{most} jobs were under way at once, where {_PLACES} are allowed. {_why_too_many(run)}"
        if most >= wanted or len(_of(run, "job")) < wanted:
            return None
        if most == 1 and len(_events(run, "place", "take")) < 2:
            return "no two jobs were ever under way at once. Start them together, and let five through at a time."
        return f"never more than {_so_many(most)} under way. Give {_PLACES} of them a place."

    return holds


def _so_many(most: int) -> str:
    return "one job was" if most == 1 else f"{most} jobs were"


def _why_too_many(run: Run) -> str:
    made, taken = len(_events(run, "place", "make")), _events(run, "place", "take")
    inside = {each.task for each in taken} & {each.task for each in _of(run, "job")}
    if not made:
        return "Let each first take a place in a semaphore that they share."
    if not taken:
        return "Nobody takes a place in your semaphore: write `async with` and its name around `await job()`."
    if len(taken) == 1:
        return "They share the one place that was taken around all of them. Take a place for each job, in its own task."
    if not inside:
        return (
            "A task runs from the moment it is made, whether anybody awaits it or not. Take the place inside the "
            "task, around `await job()`."
        )
    if made > 1:
        return f"You make {made} semaphores, and each lets its own job through. Make one, for all of them."
    return f"Give your semaphore {_PLACES} places, and hold one until the job has ended."


def _each_once(probe: str, items: Sequence[Any]) -> Property:
    """Return a property: each of `items` was worked on, once, to its end."""

    def holds(run: Run) -> str | None:
        begun = _of(run, probe)
        cut = [each.item for each in begun if each.outcome in ("pending", "cancelled")]
        if cut:
            return f"{probe} {cut[0]} was begun and not finished. Wait for all of them before you return."
        times = Counter(each.item for each in begun)
        for item in items:
            if not times[item]:
                return f"{probe} {item} was never run. Leave none out."
            if times[item] > 1:
                return f"{probe} {item} was run {often(times[item])}. Run each once."
        return None

    return holds


_RUN_BOUNDED = Exercise(
    id="3.1",
    title="Bound it to five",
    task="""
        `jobs` is a list of coroutine functions: `await job()` does one job and gives its result. Here a semaphore is
        meant to let five of them run at a time, and lets all of them run at once. **Repair** it: five jobs are under
        way side by side, never more. Each job is run once, the results stand in the order of `jobs`, and no task is
        left.
    """,
    stub="""
        async def run_bounded(jobs):
            tasks = [asyncio.create_task(job()) for job in jobs]
            results = []
            for task in tasks:
                async with asyncio.Semaphore(5):
                    results.append(await task)
            return results
    """,
    todo="Change the function so that at most five jobs are under way",
    hints=(
        "When does a job begin: when its task is made, or when the task is awaited?",
        "The place must be taken inside the task, before `await job()`. And all tasks must share one semaphore.",
        "Make `places = asyncio.Semaphore(5)` once. In a function `run(job)`, await it inside `async with places:`.",
        "Start `run(job)` for all jobs, with `gather` or a `TaskGroup`, and return its results.",
    ),
    solution_function=run_bounded,
    explanation="""
        A task runs from the moment it is made. To wait for it politely holds up nobody but you. So the place is taken
        inside the task, before the job begins, and is held until the job ends.

        Five workers that share `iter(jobs)` do it as well, and make five tasks instead of one for each job.
    """,
    praise="Five jobs were under way at once and never more, and the results are in order.",
    slips=_NO_CONTEXT_MANAGER
    | {
        r"TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": """
            a job is a function. Call it, `job()`: the call gives what can be awaited.
        """,
    },
    trials=[_bounding(12), _bounding(3)],
)

# --- 3.2 ------------------------------------------------------------------------------------------------------------


async def load_page(parts):
    """Load all parts side by side; return their texts, or "unavailable" if a connection fails."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
        page = [task.result() for task in tasks]
    except* ConnectionError:
        page = "unavailable"
    return page


def _loading(
    delays: dict[str, float], errors: dict[str, type[Exception]], *properties: Property
) -> Callable[[], Trial]:
    """Return what makes a trial with these parts, of which some raise."""

    def make() -> Trial:
        def part(name: str) -> Callable[[], Awaitable[str]]:
            kind = errors.get(name, ValueError)
            jobs = Jobs(delays[name], name="part", failing=set(errors) & {name}, error=kind, result="the {}".format)

            async def load() -> str:
                return await jobs.fetch(name)

            return load

        return Trial(
            [[part(name) for name in delays]],
            [is_coroutine_function(), awaited_every_coroutine(), *pictured(*properties, no_task_leaked())],
        )

    return make


def _says_unavailable(run: Run) -> str | None:
    leaves = _leaves(run.error)
    if leaves and all(isinstance(each, ConnectionError) for each in leaves):
        if isinstance(run.error, ConnectionError):
            return "a part raised `ConnectionError`, and it got out. Catch it, around all that waits for the parts."
        return (
            "a part raised `ConnectionError`, and a group of errors got out. A `TaskGroup` raises groups, and "
            "`except*` takes what it names out of them."
        )
    if run.error is not None:
        return explain(run)
    if run.value == "unavailable":
        return None
    return f'a part raised `ConnectionError`, and you return {said(run.value)}. Return `"unavailable"` then.'


def _gets_out(kind: type[Exception], beside: str = "") -> Property:
    """Return a property: an error of this kind gets out, in a group or not."""

    def holds(run: Run) -> str | None:
        if any(isinstance(each, kind) for each in _leaves(run.error)):
            return None
        if run.error is not None and not beside:
            return explain(run)
        what = f"{beside}and another `{kind.__name__}`" if beside else f"a part raised `{kind.__name__}`"
        came = f"only `{type(run.error).__name__}` got out" if run.error else f"you return {said(run.value)}"
        return f"{what}, and {came}. Take `ConnectionError` alone, and let every other error get out."

    return holds


_says_unavailable.expects_error = True


def _lets_out(kind: type[Exception], beside: str = "") -> Property:
    holds = _gets_out(kind, beside)
    holds.expects_error = True
    return holds


_LOAD_PAGE = Exercise(
    id="3.2",
    title="Stop the others",
    task="""
        `parts` are coroutine functions: `await part()` loads a part of a page and gives its text. Load all of them
        side by side, and return the list of their texts, in order. If one raises `ConnectionError`, the others are
        cancelled, and you return `"unavailable"`. Every other error gets out, also when both come together. No task is
        left. Replace each `...`.
    """,
    stub="""
        async def load_page(parts):
            try:
                async with ... as group:
                    tasks = [group.create_task(...) for part in parts]
                page = [task.result() for task in tasks]
            except* ...:
                page = ...
            return page
    """,
    todo="Replace each `...` in the function",
    hints=(
        "Which block starts tasks, waits for all of them, and cancels the others when one fails?",
        "`asyncio.TaskGroup()` does. Its `create_task` wants a coroutine: what the call of a part gives.",
        "`except* ConnectionError:` takes such errors out of the group. Whatever else is in it is raised again.",
    ),
    solution_function=load_page,
    explanation="""
        The group waits for all tasks. When one raises, it cancels the others, waits until they have ended, and then
        raises an `ExceptionGroup`, because more than one may have failed. `except*` takes out the errors that it names
        and lets the rest go on. `return` is not allowed in such a block: hence the variable.
    """,
    praise="All parts were loaded side by side, a failure stopped the others, and other errors got out.",
    slips=_NO_CONTEXT_MANAGER
    | {
        r"TypeError: a coroutine was expected, got <(?:function|bound method|generator)": """
            `create_task` got the function itself. Call it, `part()`: the call gives the coroutine that the task runs.
        """,
        r"TypeError: a coroutine was expected, got '": """
            `create_task` got a text, because you awaited too early. Give it the coroutine, without `await`: the task
            awaits it.
        """,
        r"InvalidStateError": """
            you asked a task for its result before it was done. Do so after the `async with` block: indent that line
            less.
        """,
    },
    trials=[
        _loading(
            {"head": 0.06, "text": 0.02, "foot": 0.04},
            {},
            ran_concurrently(3, among="part"),
            results_in_order(["the head", "the text", "the foot"]),
        ),
        _loading(
            {"head": 0.01, "text": 0.03, "news": 0.6, "foot": 0.6},
            {"text": ConnectionError},
            _says_unavailable,
            cancelled_siblings(among="part"),
        ),
        _loading({"head": 0.02, "text": 0.01}, {"text": TimeoutError}, _lets_out(TimeoutError)),
        _loading(  # so soon that both have failed before anybody can be cancelled
            {"head": 0, "text": 0},
            {"head": ConnectionError, "text": ValueError},
            _lets_out(ValueError, beside="one part raised `ConnectionError` "),
        ),
    ],
)

# --- 3.3 ------------------------------------------------------------------------------------------------------------


async def work_off(produce, handle):
    """Handle whatever `produce` puts into a queue, two items at a time; return when all are handled."""
    queue = asyncio.Queue()

    async def consume():
        while True:
            item = await queue.get()
            await handle(item)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await produce(queue)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()


def _working_off(*plan: int | float) -> Callable[[], Trial]:
    """Return what makes a trial whose producer puts the whole numbers of `plan`, and pauses for the others, seconds."""
    items = [each for each in plan if isinstance(each, int)]

    def make() -> Trial:
        jobs, source, beats = Jobs(0.03, name="item"), Probe("producer"), _Beats()

        async def produce(queue: asyncio.Queue) -> None:
            for each in plan:
                if isinstance(each, int):
                    await queue.put(each)
                else:
                    await asyncio.sleep(each)
            source.note("produced")

        def through(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            async def watched(*args: Any) -> Any:
                with beats:
                    value = function(*args)
                    return await value if inspect.isawaitable(value) else value

            return watched

        return Trial(
            [produce, jobs.fetch],
            [
                is_coroutine_function(),
                awaited_every_coroutine(),
                *pictured(
                    _handled_each(items),
                    _handled_meanwhile,
                    _two_at_a_time,
                    no_task_leaked(),
                    _returned_promptly,
                ),
                no_exception_lost(),
            ],
            deadline=1.0,
            through=through,
        )

    return make


def _handled_each(items: Sequence[int]) -> Property:
    def holds(run: Run) -> str | None:
        begun = _of(run, "item")
        times = Counter(each.item for each in begun)
        cut = [each.item for each in begun if each.outcome != "done"]
        missing = [item for item in items if not times[item]]
        if cut:
            return (
                f"item {cut[0]} was begun and not finished: you ended the consumers too early. After the producer, "
                "wait until every item is handled: `await queue.join()`."
            )
        if missing == items:
            return "no item was ever handled. Await `produce(queue)`, and `handle(item)` for each item."
        if missing and missing[0] == 0:
            return "item 0 was never handled. The number 0 is false: `while item := …` ends there."
        if missing:
            return (
                f"item {missing[0]} was never handled: the consumers had ended. They stay while the producer goes on, "
                "however long it pauses, and until the queue is empty after that."
            )
        twice = [item for item in items if times[item] > 1]
        return f"item {twice[0]} was handled {often(times[twice[0]])}. Handle each once." if twice else None

    return holds


def _handled_meanwhile(run: Run) -> str | None:
    produced = _events(run, "producer", "produced")
    if not produced or any(each.start < produced[0].when for each in _of(run, "item")):
        return None
    return (
        "no item was handled before the producer had ended. Let the consumers run beside it: start them before you "
        "await `produce(queue)`."
    )


def _two_at_a_time(run: Run) -> str | None:
    most = _most(run, "item")
    if most > 2:
        return f"{most} items were handled at once, where two are allowed. Start two consumers."
    return None if most == 2 else "items were handled one after another. Start two consumers, side by side."


def _returned_promptly(run: Run) -> str | None:
    last = max((event.when for event in run.events if event.kind in ("done", "produced")), default=0.0)
    if not _idled(run, since=last):
        return None
    return (
        "after the last item your function waited on, for nothing. Do not wait for a time to pass: end the consumers "
        "as soon as the producer has ended and `queue.join()` says that every item is handled."
    )


_WORK_OFF = Exercise(
    id="3.3",
    title="Nobody waits at the end",
    task="""
        `await produce(queue)` puts whole numbers from 0 into a queue, with pauses of any length. `await handle(item)`
        takes a while. The two consumers go home when nothing came for 0.1 seconds: in a long pause too early, at the
        end too late. **Repair** it: each item is handled once, two at a time, while the producer goes on. The function
        returns as soon as the producer has ended and the last item is handled, and no task is left.
    """,
    stub="""
        async def work_off(produce, handle):
            queue = asyncio.Queue()

            async def consume():
                try:
                    while True:
                        item = await asyncio.wait_for(queue.get(), timeout=0.1)
                        await handle(item)
                except TimeoutError:
                    pass

            await asyncio.gather(produce(queue), consume(), consume())
    """,
    todo="Change the function so that consumers neither leave early nor wait at the end",
    hints=(
        "An empty queue says nothing about the end. Who knows that nothing more will come, and when?",
        "When `await produce(queue)` returns, the last item is in the queue. It remains to wait for the consumers.",
        "`await queue.join()` ends when `task_done()` was called for each item. Then cancel the consumers.",
        "Or send the end through the queue: after the last item one `None` for each consumer, which then returns.",
    ),
    solution_function=work_off,
    explanation="""
        The producer's return says that all items are in the queue, and `queue.join()` that all of them are handled. So
        no time has to be guessed. The consumers still wait in `get`, where nothing comes any more: they are cancelled,
        and the group waits until they have ended.

        A mark for each consumer, put into the queue after the last item, does it as well. From Python 3.13 on
        `queue.shutdown()` does: when the queue is empty, `get` raises `QueueShutDown`.
    """,
    praise="Every item was handled once, two at a time, and nobody waited at the end.",
    slips=_NO_CONTEXT_MANAGER
    | {
        r"ValueError: task_done\(\) called too many times": """
            `task_done()` was called more often than an item was taken. Call it once for each, when it is handled.
        """,
        r"QueueEmpty": """
            `get_nowait()` raises `QueueEmpty` when there is nothing yet. Wait for an item: `await queue.get()`.
        """,
        r"TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": """
            what you start or await here is no coroutine. Call the function, with brackets: the call gives one.
        """,
    },
    trials=[_working_off(0, 1, 2, 0.2, 3, 4, 5, 6), _working_off(0, 1, 0.14)],
)

# --- 3.4 ------------------------------------------------------------------------------------------------------------


async def lose_nothing(queue, handle, failed):
    """Handle one item after another for ever; put aside those that fail, put back one that is interrupted."""
    while True:
        item = await queue.get()
        try:
            await handle(item)
        except asyncio.CancelledError:
            queue.put_nowait(item)
            raise
        except Exception as error:
            failed.append((item, error))
        finally:
            queue.task_done()


def _consuming(
    items: Sequence[int],
    *properties: Callable[[_Queue, list], Property],
    failing: Sequence[int] = (),
    amid: int | None = None,
) -> Callable[[], Trial]:
    """Return what makes a trial with these items, cancelled amid one, or when all are handled. One fails only once."""

    def make() -> Trial:
        queue, failed = _Queue(*items), []
        jobs = Jobs(0.02, name="item", failing=failing)

        async def handle(item: int) -> None:
            try:
                await jobs.fetch(item)
            finally:
                jobs.failing = tuple(set(jobs.failing) - {item})

        return Trial(
            [queue, _cancelling(handle, amid), failed],
            [
                is_coroutine_function(),
                awaited_every_coroutine(),
                _ended_as_cancelled,
                *pictured(*[each(queue, failed) for each in properties]),
                *pictured(no_task_leaked()),
                no_exception_lost(),
            ],
            deadline=0.8,
            options={"cancel_after": "cancel"},
        )

    return make


def _handled_in_turn(queue: _Queue, failed: list) -> Property:
    def holds(run: Run) -> str | None:
        begun = [each.item for each in _of(run, "item")]
        if begun.count(2) > 1:
            return "item 2 failed, and your consumer handled it again. Note it in `failed`, and go on with the next."
        if begun != [1, 2, 3]:
            return f"of the items 1, 2 and 3, your consumer handled {said(begun)}. Handle each once, in their order."
        if _most(run, "item") > 1:
            return "your consumer handled two items at once. Await `handle(item)` before you take the next."
        if queue.left():
            return (
                f"cancelled while it waited for an item, your consumer put back {said(queue.left()[0])}, which was "
                "done. Put back only what is in hand: wait for an item outside of the `try`."
            )
        return None

    return holds


def _noted_the_failed(queue: _Queue, failed: list) -> Property:
    def holds(run: Run) -> str | None:
        if not failed:
            return "item 2 failed, and `failed` is empty. Append `(item, error)`."
        if len(failed) == 1 and isinstance(failed[0], tuple) and len(failed[0]) == 2:
            item, error = failed[0]
            if item == 2 and isinstance(error, ValueError):
                return None
        return (
            f"item 2 failed, and `failed` is {said(failed)}. Append `(item, error)` for it, as one tuple, and no more."
        )

    return holds


def _settled(queue: _Queue, failed: list) -> Property:
    def holds(run: Run) -> str | None:
        if queue.open == 0:
            return None
        return (
            f"every item was taken, and `queue.join()` would still wait for {queue.open} `task_done()`. Call it once "
            "for each item, also for one that fails: in a `finally`."
        )

    return holds


def _put_back(item: int, others: Sequence[int]) -> Callable[[_Queue, list], Property]:
    def made_for(queue: _Queue, failed: list) -> Property:
        def holds(run: Run) -> str | None:
            left, lost = queue.left(), f"your consumer was cancelled amid item {item}"
            outcome = [each.outcome for each in _of(run, "item") if each.item == item]
            if outcome != ["cancelled"]:
                return f"{lost}, and handled it on. Let the cancellation reach `handle(item)`: await it yourself."
            if item not in left:
                return f"{lost}, and it is gone. Catch `asyncio.CancelledError`, put it back: `queue.put_nowait(item)`."
            if Counter(left) != Counter([item, *others]):
                return f"{lost}, and then the queue held {said(left)}. Put back this item, once."
            if failed:
                return f"{lost}, and that stands in `failed`. It is no fault of the item: put it back, and no more."
            return _counted(queue, len(left), lost)

        return holds

    return made_for


def _counted(queue: _Queue, wanted: int, lost: str) -> str | None:
    if queue.open > wanted:
        return (
            f"{lost} and put it back, and now `queue.join()` waits for one `task_done()` too many. Putting it back "
            "counts it anew: call `task_done()` for having taken it, also then."
        )
    if queue.open < wanted:
        return (
            f"{lost}, and `task_done()` was called too often: `queue.join()` would end with an item in the queue. Call "
            "it once for each item taken."
        )
    if queue.came_to_zero:
        return (
            f"{lost}, and called `task_done()` before the item was back: at that moment `queue.join()` ends, and "
            "nothing is done. Put it back first."
        )
    return None


_CONSUMER = Exercise(
    id="3.4",
    title="Lose nothing",
    task="""
        `lose_nothing` handles one item after another, for ever. The queue has no limit. **Repair** it, so that nothing
        is lost. If `handle` raises, append `(item, error)` to `failed`, and go on. If the consumer is cancelled amid
        an item, it puts that item back into the queue, and ends as cancelled. For every item taken, `task_done()` is
        called once: `queue.join()` ends when all items are handled or failed, neither sooner nor never.
    """,
    stub="""
        async def lose_nothing(queue, handle, failed):
            while True:
                item = await queue.get()
                await handle(item)
                queue.task_done()
    """,
    todo="Change the function so that it loses no item",
    hints=(
        "Three things may happen to `await handle(item)`: it ends, it raises, it is cancelled. What follows on each?",
        "`CancelledError` is no `Exception`. Write `except asyncio.CancelledError:` for it, and end it with `raise`.",
        "What must happen in every case goes into `finally`: `queue.task_done()`.",
        "`put_nowait` counts the item anew. So call `task_done()` then, too, but after it: `join()` ends at zero.",
    ),
    solution_function=lose_nothing,
    explanation="""
        `join()` counts: one more for each item put, one less for each `task_done()`. An item that is put back is
        counted a second time, so having taken it must be settled, too; and `finally` comes after the put, so the count
        never touches zero between. `put_nowait` does not wait, which is what one wants while being cancelled.

        `get` stands before the `try`. Who is cancelled there has nothing in hand.
    """,
    praise="Errors were noted, the item in hand went back, and the queue's count is right.",
    slips={
        r"ValueError: task_done\(\) called too many times": """
            `task_done()` was called more often than an item was taken. Call it once for each item: also for one that
            fails, but not for a `get` that was cancelled.
        """,
        r"ValueError: item \d+ failed": """
            an error of `handle` ended your consumer, and nobody takes the items that follow. Catch `Exception` around
            `await handle(item)`, note it, and go on.
        """,
        r"(?:UnboundLocalError|NameError): cannot access \w+ variable 'item'": """
            your consumer was cancelled before it had any item. Put back only what is in hand: wait for an item outside
            of the `try`.
        """,
    },
    trials=[
        _consuming([1, 2, 3], _handled_in_turn, _noted_the_failed, _settled, failing=[2]),
        _consuming([1, 2, 3], _put_back(2, [3]), amid=2),
        _consuming([1], _put_back(1, []), amid=1),
        _consuming([]),
    ],
)

# --- 3.5 ------------------------------------------------------------------------------------------------------------

# Between the moments that are compared and those that a right answer notes lies only what clocks disagree by.
_BLUR = 0.002 + time.get_clock_info("monotonic").resolution  # seconds


def make_limiter(rate, per):
    """Return a coroutine function to await before each call: at most `rate` go on in any `per` seconds."""
    moments = deque(maxlen=rate)
    lock = asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) == rate:
                wait = moments[0] + per - time.perf_counter()
                if wait <= 0:
                    break
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


class _Callers(Probe):
    """Callers of the learner's `acquire`: each notes when it asks and when it goes on."""

    def __init__(self) -> None:
        super().__init__("caller")
        self.acquire: Any = None
        self.tasks: list[asyncio.Task] = []
        self.gone = 0

    async def call(self, number: int) -> None:
        """Ask, and note it when the caller goes on."""
        self.note("ask", number)
        await self.acquire()
        self.note("go", number)
        self.gone += 1

    def start(self, *numbers: int) -> None:
        """Let them ask side by side, in this order."""
        self.tasks += [asyncio.create_task(self.call(number), name=f"caller {number}") for number in numbers]

    async def end(self) -> None:
        """Wait for all that were started, but not for ever. Raises what one of them raised."""
        done, left = await asyncio.wait(self.tasks, timeout=0.8, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            if not task.cancelled():
                task.result()
        for task in left:
            self.note("stuck", task.get_name())
            task.cancel()


async def _one_by_one(callers: _Callers) -> None:
    await callers.call(1)
    await asyncio.sleep(0.08)
    for number in (2, 3, 4, 5):
        await callers.call(number)


async def _together(callers: _Callers) -> None:
    """Ten at once, of which two give up while they wait."""
    callers.start(*range(1, 11))
    await asyncio.sleep(0.04)
    for number in (4, 5):
        if callers.tasks[number - 1].cancel():
            callers.note("give up", number)
    await callers.end()


async def _beside_a_rude_one(callers: _Callers) -> None:
    """Somebody holds the loop when caller 3 is due, again and again until one has gone on; and then caller 6 comes."""
    loop, holds = asyncio.get_running_loop(), 6

    def be_rude() -> None:
        nonlocal holds
        _hold(0.04)
        if len(callers.tasks) == 5:
            callers.start(6)
        holds -= 1
        if holds and callers.gone < 3:
            loop.call_soon(be_rude)

    be_rude.unseen_by_traces = True
    callers.start(*range(1, 6))
    loop.call_later(0.06, be_rude)
    await asyncio.sleep(0.08)
    await callers.end()


def _limiting(
    rate: int,
    per: float,
    script: Callable[[_Callers], Awaitable[None]],
    why: str,
    *more: Property,
    blur: float = _BLUR,
) -> Callable[[], Trial]:
    """Return what makes a trial with callers as in `script`; `why` says why too many may go on.

    `blur` are the seconds that may be missing from a window, for this reason.
    """

    def make() -> Trial:
        callers = _Callers()

        def through(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            async def scenario(*args: Any) -> Any:
                callers.acquire = function(*args)
                if not callable(callers.acquire):
                    return callers.acquire
                with _Beats():
                    await script(callers)
                return None

            return scenario

        return Trial(
            [rate, per],
            [
                _gives_a_function(callers),
                awaited_every_coroutine(),
                *pictured(
                    _held_nobody_up, _gave_up, _at_most(rate, per, why, blur), _in_order_of_asking, _came_through, *more
                ),
                no_exception_lost(),
            ],
            deadline=1.2,
            through=through,
        )

    return make


def _gives_a_function(callers: _Callers) -> Property:
    def holds(run: Run) -> str | None:
        given = callers.acquire
        if inspect.iscoroutine(given) or isinstance(given, asyncio.Future):
            return (
                "`make_limiter(rate, per)` gives something to await. Begin it with `def make_limiter(rate, per):`, and "
                "return `acquire` without brackets: it is called for each caller."
            )
        if not callable(given):
            return f"`make_limiter(rate, per)` gives {said(given)}. Return the function `acquire`."
        return None

    return holds


def _held_nobody_up(run: Run) -> str | None:
    if not run.blocking:
        return None
    return f"`{run.blocking[0]}` holds the event loop, and everybody with it. Write `await asyncio.sleep(…)`."


_CAME_LATE = "What counts is when a caller goes on, not when it was due or was woken."


def _at_most(rate: int, per: float, why: str, blur: float = _BLUR) -> Property:
    def holds(run: Run) -> str | None:
        goes = _events(run, "caller", "go")
        for first, last in zip(goes, goes[rate:], strict=False):
            if last.when - _resumed(run, first) < per - blur:
                seconds = f"{1000 * (last.when - first.when):.0f} ms"
                return f"{rate + 1} went on within {seconds}, where {rate} may in any {1000 * per:.0f} ms. {why}"
        return None

    return holds


def _resumed(run: Run, go: Event) -> float:
    """Return when the loop last gave a turn to a caller that then went on: what it noted, it noted after that.

    A machine that is busy may stop a process between that and the event, so the event itself may come too late.
    """
    asked = max((event.when for event in _events(run, "caller", "ask") if event.item == go.item), default=0.0)
    rows = [row for row in (run.main, *run.rows) if row is not None and row.name == go.task]
    return max([asked, *(step.start for row in rows for step in row.steps if step.start <= go.when)])


def _in_order_of_asking(run: Run) -> str | None:
    went = [event.item for event in _events(run, "caller", "go")]
    asked = [event.item for event in _events(run, "caller", "ask") if event.item in went]
    for one, other in zip(went, asked, strict=True):
        if one != other:
            return (
                f"caller {one} asked after caller {other}, and went on before. Let them stand in line: an "
                "`asyncio.Lock` lets them in as they came, if the first holds it while it waits."
            )
    return None


def _no_later_than_needed(rate: int, per: float, grace: float = 0.0) -> Property:
    """Return a property: nobody idled, for more than `grace` seconds, when it might have gone on."""

    def holds(run: Run) -> str | None:
        goes = _events(run, "caller", "go")
        asked = {event.item: event.when for event in _events(run, "caller", "ask")}
        for i, go in enumerate(goes):
            due = max(asked[go.item], goes[i - rate].when + per if i >= rate else 0.0)
            if go.when - due > grace and _idled(run, since=due, until=go.when):
                late = f"caller {go.item} went on {1000 * (go.when - due):.0f} ms later than it could have."
                if i < rate:
                    return f"{late} Do not spread them out: the first {rate} may go on at once."
                if len(goes) < len(asked):
                    return f"{late} Others gave up before it: note a moment only when its caller goes on."
                return f"{late} Sleep until the oldest of the last {rate} moments is `per` old, and no longer."
        return None

    return holds


def _came_through(run: Run) -> str | None:
    stuck = _events(run, "caller", "stuck")
    if not stuck:
        return None
    if _events(run, "caller", "give up"):
        why = "Others were cancelled while they waited: what they held, they must give back. `async with` does that."
    else:
        why = "Nobody woke it, or nobody gave the lock back."
    return f"{stuck[0].item} waited on and on. {why}"


def _gave_up(run: Run) -> str | None:
    went = {event.item for event in _events(run, "caller", "go")}
    for event in _events(run, "caller", "give up"):
        if event.item in went:
            return (
                f"caller {event.item} was cancelled while it waited, and went on. Let `CancelledError` get out of "
                "`acquire`."
            )
    return None


_LIMITER = Exercise(
    id="3.5",
    title="Repair this limiter",
    task="""
        `acquire = make_limiter(2, 1.0)` gives a coroutine function. Whoever has awaited `acquire()` goes on: two, in
        any second. But it is broken: who waits does not look again, and notes a moment long past. **Repair** it. In
        any `per` seconds never more than `rate` go on, however many ask at once, and however busy the loop is. They go
        on in the order in which they asked, and no later than they must. Who is cancelled while waiting delays nobody.
    """,
    stub="""
        def make_limiter(rate, per):
            moments = []

            async def acquire():
                now = time.perf_counter()
                recent = [moment for moment in moments if now - moment < per]
                if len(recent) >= rate:
                    await asyncio.sleep(recent[0] + per - now)
                moments.append(now)

            return acquire
    """,
    todo="Change the function so that it keeps to the rate",
    hints=(
        "Ten ask at once. All look at `moments`, and then all wake at the same time. What must one caller do alone?",
        "Put all of it under one `asyncio.Lock`, made beside `moments`. The others wait for the lock, in their order.",
        "What counts is when a caller goes on. Look at the clock again after the sleep, and append that.",
        "Only the last `rate` moments matter: `deque(maxlen=rate)`, with `from collections import deque` above.",
        "While the `deque` is full and its first moment is younger than `per`, sleep for the rest.",
    ),
    solution_function=make_limiter,
    explanation="""
        With `from collections import deque` above it. The lock makes looking, waiting and noting one thing: the caller
        at the head of the line sleeps with the lock in hand, the others wait for the lock, in the order of asking. The
        sleep ends when the oldest of the last `rate` moments is old enough, and only then the caller notes its own
        moment: the real one, however late it was woken. Who is cancelled leaves the block, and with it the lock, and
        has noted nothing.
    """,
    praise="The rate was kept in every window, in the order of asking, and nobody waited longer than needed.",
    slips=_NO_CONTEXT_MANAGER
    | {
        r"NameError: .*'deque'": """
            `deque` has to be imported: `from collections import deque` above your function.
        """,
        r"UnboundLocalError: .*'(\w+)'": """
            an assignment in `acquire` makes `{0}` a name of its own. Say `nonlocal {0}` at the beginning of `acquire`.
        """,
        r"TypeError: .*(?:'await'|can't be awaited)": """
            `acquire()` gives nothing that can be awaited. Define it with `async def`.
        """,
    },
    trials=[
        _limiting(
            2,
            0.16,
            _one_by_one,
            "Before each goes on, look back `per` seconds, at the moments at which others went on: note those after "
            "the sleep, not before.",
            _no_later_than_needed(2, 0.16, grace=0.06),
            blur=0.06,
        ),
        _limiting(
            3,
            0.12,
            _together,
            "All who wait wake at once, and none looks again. Let one after the other look, wait and note its moment: "
            "under an `asyncio.Lock`.",
            _no_later_than_needed(3, 0.12),
            _at_most(3, 0.12, _CAME_LATE),
            blur=0.1,
        ),
        _limiting(
            2,
            0.08,
            _beside_a_rude_one,
            f"Another task held the loop, and they came late. {_CAME_LATE}",
        ),
    ],
)

# --- 3.6 ------------------------------------------------------------------------------------------------------------


async def sell(store, buyers):
    """Sell a ticket to each buyer while there are any; return the numbers of the tickets, or None, by buyer."""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


class _Store:
    """Holds the number of tickets left, which takes a while to read and to write."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._jobs = Jobs(0.004, name="store")

    async def read(self) -> int:
        """Return the number of tickets that are left."""
        await self._jobs.fetch("read")
        return self.left

    async def write(self, left: int) -> None:
        """Set the number of tickets that are left."""
        await self._jobs.fetch("write")
        self.left = left


class _Buyer:
    """Pays, which takes a while."""

    def __init__(self, number: int, jobs: Jobs) -> None:
        self.number, self._jobs = number, jobs

    async def pay(self) -> None:
        """Pay for a ticket."""
        await self._jobs.fetch(self.number)

    def __repr__(self) -> str:
        return f"<buyer {self.number}>"


def _selling(tickets: int, count: int) -> Callable[[], AsyncGenerator[Trial, None]]:
    async def trials() -> AsyncGenerator[Trial, None]:
        store, jobs = _Store(tickets), Jobs(0.06, name="buyer", result=lambda _: None)
        with _watch(asyncio.Lock, "lock"):
            yield Trial(
                [store, [_Buyer(number, jobs) for number in range(1, count + 1)]],
                [
                    is_coroutine_function(),
                    awaited_every_coroutine(),
                    _answers(count),
                    *pictured(_no_ticket_twice, _one_buyer_at_the_store, _paid, _paid_side_by_side, no_task_leaked()),
                    _tickets(tickets, count),
                    _remaining(store, max(0, tickets - count)),
                    no_exception_lost(),
                ],
                deadline=1.0,
            )

    return trials


def _answers(count: int) -> Property:
    def holds(run: Run) -> str | None:
        value = run.value
        if not isinstance(value, list | tuple) or len(value) != count:
            return (
                f"you return {said(value)}. Return a list with a ticket's number or `None` for each of {count} buyers."
            )
        strange = [each for each in value if each is not None and type(each) is not int]
        return f"a buyer's ticket is {said(strange[0])}. Give its number, or `None`." if strange else None

    return holds


def _given(run: Run) -> Sequence[int | None]:
    """Return the tickets; what is none counts as None, and is told by another property."""
    return [each if type(each) is int else None for each in run.value] if isinstance(run.value, list | tuple) else []


def _no_ticket_twice(run: Run) -> str | None:
    times = Counter(ticket for ticket in _given(run) if ticket is not None)
    ticket = max(times, key=times.get, default=None)
    if ticket is None or times[ticket] == 1:
        return None
    made, taken = len(_events(run, "lock", "make")), len(_events(run, "lock", "take"))
    if made > 1:
        why = f"You make {made} locks, one for each buyer, and each lets its buyer in. Make one, for all of them."
    elif made and not taken:
        why = "Nobody takes your lock: write `async with` and its name around `read` and `write`."
    elif made:
        why = "Your lock does not hold from `read` to `write`. Put both into one `async with` block."
    else:
        why = "While one waits between `read` and `write`, others read the same number. Put both under one lock."
    return f"ticket {ticket} was sold {often(times[ticket])}. {why}"


def _one_buyer_at_the_store(run: Run) -> str | None:
    calls = _of(run, "store")
    if _most(run, "store") > 1:
        return (
            "two buyers were at the store at once. Let each `read` and its `write` be one thing, in which nobody else "
            "reads or writes: under one lock."
        )
    for at, call in enumerate(calls):
        if call.item == "write":
            read = max((i for i in range(at) if calls[i].item == "read" and calls[i].task == call.task), default=at)
            if any(other.task != call.task for other in calls[read:at]):
                return (
                    "between a buyer's `read` and `write`, somebody else was at the store. Hold one lock from the "
                    "`read` to the `write`."
                )
    return None


def _paid(run: Run) -> str | None:
    times = Counter(each.item for each in _of(run, "buyer") if each.outcome == "done")
    for number, ticket in enumerate(_given(run), start=1):
        count = times[number]
        if ticket is None and count:
            return f"buyer {number} paid, and got no ticket. Take the ticket first, and let only its buyer pay."
        if ticket is not None and count != 1:
            what = f"paid {often(count)}" if count else "did not pay"
            return f"buyer {number} got a ticket, and {what}. Await `buyer.pay()` once for each ticket."
    return None


def _paid_side_by_side(run: Run) -> str | None:
    if _most(run, "buyer") > 1:
        return None
    if _events(run, "lock", "take"):
        return (
            "the buyers pay one after another: each holds the lock while it pays. Only the store needs it: leave its "
            "block before you await `buyer.pay()`."
        )
    return "the buyers pay one after another. Serve all of them side by side, with `gather` or a `TaskGroup`."


def _tickets(tickets: int, count: int) -> Property:
    def holds(run: Run) -> str | None:
        sold = sorted((ticket for ticket in _given(run) if ticket is not None), reverse=True)
        wanted = list(range(tickets, max(0, tickets - count), -1))
        if sold == wanted:
            return None
        if len(sold) != len(wanted):
            return (
                f"{len(sold)} tickets were sold, where there are {tickets}, and {count} buyers. Look at `left` first."
            )
        return f"the tickets sold are {said(sold)}, not {said(wanted)}. A ticket's number is what `read` gave."

    return holds


def _remaining(store: _Store, wanted: int) -> Property:
    def holds(run: Run) -> str | None:
        if store.left == wanted:
            return None
        return f"at the end the store says that {store.left} tickets are left, not {wanted}. Write `left - 1` for each."

    return holds


_SELL = Exercise(
    id="3.6",
    title="Sell every ticket once",
    task="""
        `await store.read()` gives the number of tickets left, and `await store.write(left)` sets it. This function
        sells the same ticket to everybody. **Repair** it. Each buyer gets a ticket, whose number is what `read` gave,
        or `None` when none is left; return these in the order of `buyers`. No ticket is sold twice, and at the end the
        store has the right number. From a buyer's `read` to the `write` no other buyer is at the store. Who gets a
        ticket pays once, nobody else does, and they pay side by side: `await buyer.pay()` is slow.
    """,
    stub="""
        async def sell(store, buyers):
            async def serve(buyer):
                left = await store.read()
                if left == 0:
                    return None
                await buyer.pay()
                await store.write(left - 1)
                return left

            return await asyncio.gather(*[serve(buyer) for buyer in buyers])
    """,
    todo="Change the function so that no ticket is sold twice",
    hints=(
        "Everybody reads before anybody writes. Which lines must one buyer do without another between them?",
        "An `asyncio.Lock()`, made once and taken with `async with`, lets one in at a time.",
        "A lock around all of `serve` is right, and slow: everybody waits for one to pay. What can come after it?",
        "Inside the lock: `read`, and `write` if there is a ticket. After it: `pay`.",
    ),
    solution_function=sell,
    explanation="""
        At each `await` others run, and what was read before may no longer be true after. So reading, deciding and
        writing are one thing, and the lock keeps it one. Paying needs nothing of the store: it comes after the block,
        when the ticket is already the buyer's, and all pay at once. `return` leaves the block, too, and gives the lock
        back.
    """,
    praise="Each ticket was sold once, one buyer at a time was at the store, and all paid side by side.",
    slips=_NO_CONTEXT_MANAGER
    | {
        r"TypeError: .*'coroutine' and 'int'": """
            `store.read()` gives a coroutine, because reading takes a while. Write `await` before it.
        """,
        r"RuntimeError: Lock is not acquired": """
            you release a lock that nobody holds. `async with lock:` takes it and gives it back, once.
        """,
    },
    trials=[_selling(5, 8), _selling(9, 3)],
)

# --- 3.7 ------------------------------------------------------------------------------------------------------------


async def serve(queue, handle, close):
    """Handle one request after another; when cancelled, finish the one under way, then close."""
    try:
        while True:
            request = await queue.get()
            work = asyncio.create_task(handle(request))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
    finally:
        await close()


def _serving(requests: Sequence[int], handled: Sequence[int], amid: int | None = None) -> Callable[[], Trial]:
    """Return what makes a trial with these requests, cancelled amid one, or when all are handled."""

    def make() -> Trial:
        queue, jobs, closing = _Queue(*requests), Jobs(0.04, name="request"), Jobs(0.03, name="close")

        async def close() -> None:
            await closing.fetch("all")

        return Trial(
            [queue, _cancelling(jobs.fetch, amid), close],
            [
                is_coroutine_function(),
                awaited_every_coroutine(),
                _ended_as_cancelled,
                *pictured(_served(handled), _closed_at_the_end, no_task_leaked()),
                no_exception_lost(),
            ],
            deadline=0.8,
            options={"cancel_after": "cancel"},
        )

    return make


def _served(wanted: Sequence[int]) -> Property:
    def holds(run: Run) -> str | None:
        calls = _of(run, "request")
        begun = [each.item for each in calls]
        twice = [item for item in wanted if begun.count(item) > 1]
        if twice:
            return (
                f"request {twice[0]} was begun {often(begun.count(twice[0]))}: cancelled, and then again from its "
                "start. Let the first go on, in a task of its own, and wait for its end."
            )
        if _most(run, "request") > 1:
            return "two requests were handled at once. Wait for the end of one before you take the next."
        if surplus := [item for item in begun if item not in wanted]:
            return (
                f"request {surplus[0]} was begun after the cancellation. Finish the one under way, and take no other."
            )
        if missing := [item for item in wanted if item not in begun]:
            return f"request {missing[0]} was never handled. Await `handle(request)` for each that the queue gives."
        if cut := [each for each in calls if each.outcome == "cancelled"]:
            return (
                f"the cancellation reached request {cut[0].item}, and it was not finished. Let it run in a task of its "
                "own, and wait for that task through `asyncio.shield`."
            )
        return None

    return holds


def _closed_at_the_end(run: Run) -> str | None:
    calls, requests = _of(run, "close"), _of(run, "request")
    if not calls:
        when = "while it waited for a request" if _events(run, "queue", "idle") else "amid a request"
        return f"cancelled {when}, your function did not `await close()`. A `finally` around everything does it always."
    if len(calls) > 1:
        return f"`close` was called {often(len(calls))}. Once is enough: a `finally` around everything."
    if requests and (requests[-1].end is None or calls[0].start < requests[-1].end):
        return (
            f"`close` was called while request {requests[-1].item} was still under way. A shield protects the request, "
            "but it does not wait for it: await its task, and then close."
        )
    if calls[0].outcome != "done":
        return "`close` was begun and did not end. Await it: `await close()`."
    return None


_SERVE = Exercise(
    id="3.7",
    title="Close in good order",
    task="""
        **Write** `serve`. It takes one request after another from `queue`, for ever, and awaits `handle(request)` for
        each. When `serve` is cancelled, the request under way is still finished, and no further one is begun; then
        `await close()` runs to its end; and then `serve` ends as cancelled. Cancelled while it waits for a request, it
        closes at once and ends as cancelled. Each request is handled once, and no task is left.
    """,
    stub="""
        async def serve(queue, handle, close):
            pass
    """,
    todo="Write the function",
    hints=(
        "Begin without any care: `while True`, take a request, await `handle(request)`. Where may a cancellation hit?",
        "`close` is awaited in every case: a `try` around the loop, and `finally: await close()`.",
        "A cancellation reaches what you await. At `await asyncio.shield(task)` your wait ends, and the task goes on.",
        "Make `work = asyncio.create_task(handle(request))`, and await it through the shield.",
        "In `except asyncio.CancelledError:` around that, await `work` itself, to its end. Then `raise`.",
    ),
    solution_function=serve,
    explanation="""
        The request runs in a task of its own. Cancelling `serve` ends the wait at the shield, and not the task, so it
        can be awaited a second time, to its end. The bare `raise` then goes on with the cancellation, through
        `finally`. While `serve` waits in `get` nothing is in hand, and only `finally` has something to do.

        A second cancellation would hit the request after all. A program that is to end wants this: the first time in
        good order, the second time at once.
    """,
    praise="The request under way was finished, everything was closed after it, and the task ended as cancelled.",
    slips={
        r"TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited|a future)": """
            what you start or await here is no coroutine. Call the function, with brackets: `handle(request)`,
            `close()`.
        """,
        r"(?:UnboundLocalError|NameError): cannot access \w+ variable '(\w+)'": """
            `{0}` is used before it was set. Mind that `serve` may be cancelled while it waits for its first request.
        """,
        r"QueueEmpty": """
            `get_nowait()` raises `QueueEmpty` when there is nothing yet. Wait for a request: `await queue.get()`.
        """,
    },
    trials=[
        _serving([1, 2, 3], [1, 2], amid=2),
        _serving([1], [1]),
        _serving([], []),
    ],
)

EXERCISES = (_RUN_BOUNDED, _LOAD_PAGE, _WORK_OFF, _CONSUMER, _LIMITER, _SELL, _SERVE)
