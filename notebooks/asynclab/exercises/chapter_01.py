"""The exercises of chapter 1, basic async/await: from blanks to be filled to a function to be written."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .exercise import Exercise, Trial, pictured
from .probes import Jobs, Probe
from .properties import (
    Property,
    awaited_every_coroutine,
    each_once,
    is_coroutine_function,
    no_task_leaked,
    ran_concurrently,
    results_in_order,
    returned,
)
from .running import Run

TITLE = "1. Basic async/await"

# --- 1.1 ------------------------------------------------------------------------------------------------------------


async def breakfast(prepare):
    """Prepare toast and tea side by side; return what they gave, toast first."""
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [toast.result(), tea.result()]


_BREAKFAST = Exercise(
    id="1.1",
    title="Toast and tea",
    task="""
        `prepare` is a coroutine function: `await prepare("tea")` takes a while and gives `"tea is ready"`. Prepare
        toast and tea **side by side**, each in a task of its own, and return both results, toast first. Replace both
        `...`.
    """,
    stub="""
        async def breakfast(prepare):
            async with asyncio.TaskGroup() as group:
                toast = group.create_task(..., name="toast")
                tea = group.create_task(..., name="tea")
            return [toast.result(), tea.result()]
    """,
    todo="Replace each `...` in the function",
    hints=(
        "`create_task` wants a coroutine: what the call of a coroutine function gives. Do not await it; the task does.",
        'The first blank is `prepare("toast")`. The second is like it.',
    ),
    solution_function=breakfast,
    explanation="""
        Both tasks are made before the first of them waits, so they wait together. The block ends when both are done:
        `result()` then has something to give. The order of the results is that of the list you write, whichever task
        ends first.
    """,
    praise="Toast and tea were prepared at the same time, and the results are in your order.",
    slips={
        r"TypeError: a coroutine was expected, got <(?:bound method|function)": """
            `create_task` got the function itself. Call it, as in `prepare("toast")`: the call gives the coroutine that
            the task runs.
        """,
        r"TypeError: a coroutine was expected, got '": """
            `create_task` got a result, because you awaited too early. Give it the coroutine, without `await`: the task
            awaits it.
        """,
        r"InvalidStateError": """
            you asked a task for its result before it was done. Do so after the `async with` block: indent that line
            less.
        """,
    },
    trials=[
        lambda: Trial(
            [Jobs({"toast": 0.06, "tea": 0.04}.get, name="prepare", result="{} is ready".format).fetch],
            [
                is_coroutine_function(),
                awaited_every_coroutine(),
                each_once(["toast", "tea"], among="prepare"),
                *pictured(ran_concurrently(2, among="prepare"), no_task_leaked()),
                results_in_order(["toast is ready", "tea is ready"]),
            ],
        )
    ],
)

# --- 1.2 ------------------------------------------------------------------------------------------------------------


async def cook(boil, chop):
    """Chop while pasta and sauce are boiling."""
    tasks = {}
    tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
    tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
    await asyncio.sleep(0)
    salad = chop("salad")
    pasta = await tasks["pasta"]
    sauce = await tasks["sauce"]
    return [pasta, sauce, salad]


def _kitchen() -> Sequence[Any]:
    boil = Jobs({"pasta": 0.08, "sauce": 0.06}.get, name="boil", result="hot {}".format)
    knife = Probe("chop")

    def chop(what: str) -> str:
        knife.note("start", what)
        time.sleep(0.03)  # hands are busy: nobody else gets the loop, and nobody needs it
        knife.note("done", what)
        return f"chopped {what}"

    return boil.fetch, chop


def _chopped_while_both_boil(run: Run) -> str | None:
    seen = [str(event) for event in run.events]
    if "start salad" not in seen:
        return "the salad was never chopped. Use every line once."
    before = seen[: seen.index("start salad")]
    if "done pasta" in before or "done sauce" in before:
        return "you chop after something was done. Move `chop` up, before the lines that await a task."
    started = ("start pasta" in before) + ("start sauce" in before)
    if started == 0:
        return (
            "you chop before anything boils. `create_task` only puts a task in a queue, and it starts when you wait: "
            "make both tasks, then `sleep(0)`, then `chop`."
        )
    return "only one thing boils while you chop. Make both tasks before the first `await`." if started == 1 else None


_COOK = Exercise(
    id="1.2",
    title="Cook in the right order",
    task="""
        Every line is there, in a muddle. **Put them in order** and change nothing else: Alt and an arrow key move
        the line you are in. `boil` is a coroutine function, `chop` a plain one that takes its time. Pasta and sauce
        must *both* be boiling while you chop the salad.
    """,
    stub="""
        async def cook(boil, chop):
            tasks = {}
            salad = chop("salad")
            pasta = await tasks["pasta"]
            tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
            await asyncio.sleep(0)
            sauce = await tasks["sauce"]
            tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
            return [pasta, sauce, salad]
    """,
    todo="Put the lines of the function in order",
    hints=(
        "A task must be made before it is awaited. That leaves few places for the lines that await one.",
        "`create_task` starts nothing yet: a task begins when the running one waits. Which line waits, for no time?",
        "Make both tasks. Let them begin with `await asyncio.sleep(0)`. Chop. Then await the one and the other.",
    ),
    solution_function=cook,
    explanation="""
        `create_task` puts a task in a queue. `await asyncio.sleep(0)` gives the loop back for one turn, and both tasks
        run up to their first real wait: now both boil. `chop` holds the loop, which harms nobody, because pasta and
        sauce only wait. The order of the two tasks does not matter, nor that of the two lines that await them.
    """,
    praise="Both were boiling when you began to chop.",
    slips={
        r"KeyError: '(\w+)'": """
            a line uses `tasks["{0}"]` before another line makes it. Move the line that begins with `tasks["{0}"] =` up.
        """,
        r"(?:UnboundLocalError|NameError): .*'(\w+)'": """
            a line uses `{0}` before another line makes it. Move the line that begins with `{0} =` up.
        """,
    },
    trials=[
        lambda: Trial(
            _kitchen(),
            [
                is_coroutine_function(),
                *pictured(_chopped_while_both_boil, no_task_leaked()),
                results_in_order(["hot pasta", "hot sauce", "chopped salad"]),
            ],
        )
    ],
)

# --- 1.3 ------------------------------------------------------------------------------------------------------------


async def read_all(read, pages):
    """Read all pages side by side; return their texts in the order of the pages."""
    return await asyncio.gather(*[read(page) for page in pages])


def _reading(*pages: str) -> Callable[[], Trial]:
    """Later pages are read sooner, so that the order in which they end is not the order in which they come."""
    count = len(pages)
    delays = {page: 0.03 + 0.02 * (count - i) for i, page in enumerate(pages)}
    together = [ran_concurrently(count, among="read")] if count > 1 else []
    return lambda: Trial(
        [Jobs(delays.get, name="read", result="text of {}".format).fetch, list(pages)],
        [
            is_coroutine_function(),
            *pictured(no_task_leaked()),
            awaited_every_coroutine(),
            each_once(pages, among="read"),
            *pictured(*together),
            results_in_order([f"text of {page}" for page in pages]),
        ],
    )


_READ_ALL = Exercise(
    id="1.3",
    title="Read faster",
    task="""
        `await read(page)` gives the text of a page. This function is right, but slow: it reads one page after another.
        **Repair it**: read all pages side by side, however many there are. The texts stay in the order of the pages.
    """,
    stub="""
        async def read_all(read, pages):
            texts = []
            for page in pages:
                text = await read(page)
                texts.append(text)
            return texts
    """,
    todo="Change the function so that it reads side by side",
    hints=(
        "Where does the function wait? While it does, nobody has started to read the next page.",
        "First start all, then wait for the first. `asyncio.gather(…)` and `TaskGroup` both do that.",
        "`asyncio.gather(*[read(page) for page in pages])` gives the results in the order of its arguments.",
    ),
    solution_function=read_all,
    explanation="""
        `[read(page) for page in pages]` makes all coroutines and runs none. `gather` makes a task of each, so they wait
        together, and its list has the order of its arguments. A `TaskGroup` does as well: keep the tasks in a list, and
        collect `task.result()` from that list after the block.
    """,
    praise="All pages were being read at once, and the texts are in the order of the pages.",
    slips={
        r"TypeError: .*(?:awaitable is required|unhashable type: 'list')": """
            `gather` wants each coroutine as an argument of its own. Put a `*` before the list.
        """,
    },
    trials=[_reading("a", "b", "c"), _reading("k", "l", "m", "n", "o")],
)

# --- 1.4 ------------------------------------------------------------------------------------------------------------

_PATIENCE = 0.25  # seconds


async def look_up(query, names):
    """Ask for all names at once, each in a thread; return the answers in the order of the names."""
    return await asyncio.gather(*[asyncio.to_thread(query, name) for name in names])


class _Meeting:
    """Work, blocking and waiting, that tells where it was done and how much of it at once.

    Each piece lasts until `expected` pieces are open, but `_PATIENCE` seconds at most: so whether they ran side by
    side is decided by what the learner wrote, not by a clock or a busy machine. The record is kept here, not in the
    run's events, because a thread may know nothing of the run: `loop.run_in_executor` hands no context over.
    """

    def __init__(self, what: str, expected: int) -> None:
        self.what, self.expected = what, expected
        self.most = self._open = 0
        self.began: list[str] = []  # the items, in order
        self.tasks: dict[str, str] = {}  # the name of the task in which an item waited
        self.held: list[str] = []  # the items done on the loop's own thread, by a blocking call
        self._loop, self._loops_thread = asyncio.get_running_loop(), threading.get_ident()
        self._met, self._changed = asyncio.Event(), threading.Condition()

    def block(self, item: str, seconds: float = 0.03) -> None:
        """Block the thread that calls."""
        self._enter(item)
        if threading.get_ident() == self._loops_thread:
            self.held.append(item)
        else:
            with self._changed:
                if not self._changed.wait_for(lambda: self.most >= self.expected, _PATIENCE):
                    self._give_up()
        time.sleep(seconds)
        self._leave()

    async def wait(self, item: str, seconds: float = 0.03) -> None:
        """Wait, in the task that awaits."""
        self._enter(item)
        self.tasks[item] = asyncio.current_task().get_name()
        try:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._met.wait()
            except TimeoutError:
                self._give_up()
            await asyncio.sleep(seconds)
        finally:
            self._leave()

    def _enter(self, item: str) -> None:
        with self._changed:
            self.began.append(item)
            self._open += 1
            self.most = max(self.most, self._open)
            if self.most >= self.expected:
                self._let_go()

    def _leave(self) -> None:
        with self._changed:
            self._open -= 1

    def _give_up(self) -> None:
        """The others will never come: let everyone pass."""
        with self._changed:
            self.expected = 0
            self._let_go()

    def _let_go(self) -> None:
        self._changed.notify_all()
        self._loop.call_soon_threadsafe(self._met.set)

    def none_held_the_loop(self, run: Run) -> str | None:
        """A property: nothing that blocks was called on the loop's own thread."""
        if not self.held:
            return None
        return (
            f"`{self.what}` ran on the event loop's own thread and held it, so nobody else could run. Give it to "
            "`asyncio.to_thread`, without calling it yourself."
        )

    def all_met(self, wanted: Sequence[str]) -> Property:
        """Return a property: the `wanted` items were begun, each once, and were open at the same time."""

        def holds(run: Run) -> str | None:
            for item in wanted:
                if (count := self.began.count(item)) != 1:
                    times = f"was run {count} times" if count else "was never run"
                    return f"`{self.what}` {times} for {item!r}. Run it once for each."
            if self.most < len(wanted):
                return (
                    f"at most {self.most} of {len(wanted)} ran at the same time. Start all of them before you wait for "
                    "the first, with `asyncio.gather` or a `TaskGroup`."
                )
            return None

        return holds


def _asking(*names: str) -> Callable[[], Trial]:
    def make() -> Trial:
        meeting = _Meeting("query", len(names))

        def query(name: str) -> str:
            meeting.block(name)
            return f"number of {name}"

        return Trial(
            [query, list(names)],
            [
                is_coroutine_function(),
                *pictured(meeting.none_held_the_loop, no_task_leaked()),
                awaited_every_coroutine(),
                *pictured(meeting.all_met(names)),
                results_in_order([f"number of {name}" for name in names]),
            ],
        )

    return make


_LOOK_UP = Exercise(
    id="1.4",
    title="A call that blocks",
    task="""
        `query` is a plain function of somebody else's: `query("Ada")` blocks its thread for a while and gives a number.
        You cannot change it, and it cannot be awaited. **Repair** `look_up`: the loop stays free, and the queries run
        side by side. The answers stay in the order of the names.
    """,
    stub="""
        async def look_up(query, names):
            return [query(name) for name in names]
    """,
    todo="Change the function so that it leaves the loop free",
    hints=(
        "`async def` around a blocking call does not help. The call needs a thread of its own.",
        "`asyncio.to_thread(query, name)` gives a coroutine that runs `query(name)` in a thread. Note the comma.",
        "Now you have a coroutine for each name. How did you run them side by side in exercise 1.3?",
    ),
    solution_function=look_up,
    explanation="""
        `to_thread` takes the function and its arguments apart, and calls it in another thread. What it gives is a
        coroutine like any other, so `gather` runs all of them side by side. The loop's own thread only waits, which
        leaves it free for everybody else.
    """,
    praise="The loop stayed free, and the queries ran side by side.",
    slips={
        r"TypeError: '\w+' object is not callable": """
            you call `query` yourself and hand its *result* to a thread. Write `asyncio.to_thread(query, name)`, with a
            comma: then the thread makes the call.
        """,
        r"TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required|coroutine was expected)": """
            what `query` gives cannot be awaited, because it is a plain function. Let a thread run it:
            `asyncio.to_thread(query, name)`.
        """,
    },
    trials=[_asking("Ada", "Grace", "Joan"), _asking("Barbara", "Radia")],
)

# --- 1.5 ------------------------------------------------------------------------------------------------------------


async def run_all(jobs):
    """Run each job in a task of its name, side by side; return what they gave, by name."""
    async with asyncio.TaskGroup() as group:
        tasks = {}
        for name, job in jobs.items():
            coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
            tasks[name] = group.create_task(coro, name=name)
    return {name: task.result() for name, task in tasks.items()}


def _running(*names: str) -> Callable[[], Trial]:
    """Jobs whose name begins with a capital letter block their thread. A later one takes less time."""

    def make() -> Trial:
        meeting = _Meeting("job", len(names))

        def job(name: str, seconds: float) -> Callable[[], Any]:
            async def waiting() -> str:
                await meeting.wait(name, seconds)
                return f"{name} done"

            def blocking() -> str:
                meeting.block(name, seconds)
                return f"{name} done"

            return blocking if name[0].isupper() else waiting

        def named(run: Run) -> str | None:
            rows = {row.name for row in run.trace.tasks}
            wrong = [name for name in names if name not in rows or meeting.tasks.get(name, name) != name]
            return f"no task is called {wrong[0]!r}. Name it: `create_task(…, name=name)`." if wrong else None

        jobs = {name: job(name, 0.02 * (len(names) - i)) for i, name in enumerate(names)}
        return Trial(
            [jobs],
            [
                is_coroutine_function(),
                *pictured(meeting.none_held_the_loop, no_task_leaked()),
                awaited_every_coroutine(),
                *pictured(meeting.all_met(names)),
                _is_dict,
                returned({name: f"{name} done" for name in names}),
                _kept_the_order(names),
                *pictured(named),
            ],
        )

    return make


def _is_dict(run: Run) -> str | None:
    if isinstance(run.value, dict):
        return None
    return "you do not return a `dict`. Return one, with what each job gave under the name of the job."


def _kept_the_order(names: Sequence[str]) -> Property:
    def holds(run: Run) -> str | None:
        if list(run.value) == list(names):
            return None
        return "the results are right, but not in the order of the jobs. Fill your `dict` in the order of `jobs`."

    return holds


_RUN_ALL = Exercise(
    id="1.5",
    title="Run them all",
    task="""
        **Write** `run_all`. Its argument is a `dict` of jobs: for each name a function without arguments. Some are
        coroutine functions; others are plain functions that *block*. Run all of them side by side, each in a task of
        that name, and never hold the loop. Return a `dict` with what each job gave, under the same names and in the
        same order. No task is left running.
    """,
    stub="""
        async def run_all(jobs):
            pass
    """,
    todo="Write the function",
    hints=(
        "Each job needs a coroutine: `job()` for a coroutine function, `asyncio.to_thread(job)` for a plain one.",
        "`inspect.iscoroutinefunction(job)` tells which it is (write `import inspect` above your function).",
        "In a `TaskGroup`, start a task for each of `jobs.items()`, with `name=name`. Keep the tasks in a `dict`.",
        "After the block every task is done: `{name: task.result() for name, task in tasks.items()}`.",
    ),
    solution_function=run_all,
    explanation="""
        With `import inspect` above it. Whatever a job is, it becomes a coroutine first; then all are started alike.
        The group holds every task and waits for all of them, so none is lost and none is left. The `dict` was filled
        in the order of the jobs, and so is the one you return.
    """,
    praise="Every job ran in a task of its name, side by side, and none is left.",
    slips={
        r"TypeError: a coroutine was expected, got": """
            `create_task` got something that is not a coroutine. Call a coroutine function, `job()`; for a plain one
            write `asyncio.to_thread(job)`.
        """,
        r"TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required)": """
            one of the jobs is a plain function, so what it gives cannot be awaited. For those, write
            `asyncio.to_thread(job)`.
        """,
    },
    trials=[_running("mail", "news", "Report", "chat"), _running("alone")],
)

EXERCISES = (_BREAKFAST, _COOK, _READ_ALL, _LOOK_UP, _RUN_ALL)
