"""Every exercise: its solution is correct, its stub is not attempted, and each typical wrong answer gets the message
that is meant for it. And what an exercise shows, in a terminal, in a notebook, and to a screen reader."""

from __future__ import annotations

import asyncio
import builtins
import functools
import gc
import html
import inspect
import json
import random
import re
import textwrap
import warnings
from collections.abc import AsyncGenerator, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import stored
from asynclab.exercises import Outcome, all_exercises, exercise, progress
from asynclab.exercises.exercise import Exercise, Note, Trial, highlighted, pictured
from asynclab.exercises.learner import VARIABLE, store
from asynclab.exercises.properties import is_coroutine_function, returned
from asynclab.exercises.running import Run
from kernels import Kernel

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the learner's data that is nobody's."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def ex() -> Exercise:
    """A small exercise that nobody has tried yet."""

    async def double(number):
        return 2 * number

    def trial() -> Trial:
        return Trial([3], [is_coroutine_function(), *pictured(returned(6))], deadline=0.3)

    return Exercise(
        id="9.1",
        title="Double",
        task="Double it.",
        stub="async def double(number):\n    return ... * number",
        todo="Replace the `...`",
        hints=("What is twice <three>?", "`2`, \n\nreally."),
        solution_function=double,
        explanation="Two times.",
        praise="Doubled.",
        trials=[trial],
    )


def function(source: str, name: str = "") -> Callable[..., Any]:
    """Return the function that `source` defines (the one called `name`, or the last), as a notebook's cell would."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    imports = "import asyncio, aiohttp, inspect, time; from collections import deque\n"
    exec(compile(imports + textwrap.dedent(source), "cell.py", "exec"), namespace)
    found = {key: value for key, value in namespace.items() if inspect.isfunction(value)}
    return found[name or list(found)[-1]]


def check(ex: Exercise, candidate: Any) -> Outcome:
    """Check it on a loop of its own, on which nothing may be left, under a kernel's filter for warnings."""

    async def main() -> Outcome:
        outcome = await ex.check(candidate)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return asyncio.run(main())


# Answers that learners give: for each exercise, a part of the message and the function.
WRONG: dict[str, list[tuple[str, str]]] = {
    "1.1": [
        (
            "because you awaited too early",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(await prepare("toast"), name="toast")
                    tea = group.create_task(await prepare("tea"), name="tea")
                return [toast.result(), tea.result()]
            """,
        ),
        (
            "got the function itself",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare, name="toast")
                    tea = group.create_task(prepare, name="tea")
                return [toast.result(), tea.result()]
            """,
        ),
        (
            "there is still a `...`",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare("toast"), name="toast")
                    tea = group.create_task(prepare("tea"), name="tea")
                return [..., ...]
            """,
        ),
        (
            "before it was done",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare("toast"), name="toast")
                    tea = group.create_task(prepare("tea"), name="tea")
                    return [toast.result(), tea.result()]
            """,
        ),
        (
            "not in the order of the input",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare("toast"), name="toast")
                    tea = group.create_task(prepare("tea"), name="tea")
                return [tea.result(), toast.result()]
            """,
        ),
        (
            "returned a task, not its result",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare("toast"), name="toast")
                    tea = group.create_task(prepare("tea"), name="tea")
                return [toast, tea]
            """,
        ),
        (
            "never worked on: 'tea'",
            """
            async def breakfast(prepare):
                async with asyncio.TaskGroup() as group:
                    toast = group.create_task(prepare("toast"), name="toast")
                    tea = group.create_task(prepare("toast"), name="tea")
                return [toast.result(), tea.result()]
            """,
        ),
        (
            "your code runs one after another",
            """
            async def breakfast(prepare):
                return [await prepare("toast"), await prepare("tea")]
            """,
        ),
    ],
    "1.2": [
        (
            'a line uses `tasks["pasta"]` before another line makes it',
            """
            async def cook(boil, chop):
                tasks = {}
                salad = chop("salad")
                pasta = await tasks["pasta"]
                await asyncio.sleep(0)
                tasks["pasta"] = asyncio.create_task(boil("pasta"), name="pasta")
                tasks["sauce"] = asyncio.create_task(boil("sauce"), name="sauce")
                sauce = await tasks["sauce"]
                return [pasta, sauce, salad]
            """,
        ),
        (
            "you chop before anything boils",
            """
            async def cook(boil, chop):
                pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
                sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
                salad = chop("salad")
                await asyncio.sleep(0)
                pasta = await pasta_task
                sauce = await sauce_task
                return [pasta, sauce, salad]
            """,
        ),
        (
            "only one thing boils while you chop",
            """
            async def cook(boil, chop):
                pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
                await asyncio.sleep(0)
                sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
                salad = chop("salad")
                pasta = await pasta_task
                sauce = await sauce_task
                return [pasta, sauce, salad]
            """,
        ),
        (
            "you chop after something was done",
            """
            async def cook(boil, chop):
                pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
                sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
                await asyncio.sleep(0)
                pasta = await pasta_task
                salad = chop("salad")
                sauce = await sauce_task
                return [pasta, sauce, salad]
            """,
        ),
        (
            "the salad was never chopped",
            """
            async def cook(boil, chop):
                pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
                sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
                return [await pasta_task, await sauce_task, "chopped salad"]
            """,
        ),
    ],
    "1.3": [
        (
            "your code runs one after another",
            """
            async def read_all(read, pages):
                return [await asyncio.create_task(read(page)) for page in pages]
            """,
        ),
        (
            "not in the order of the input",
            """
            async def read_all(read, pages):
                return [await each for each in asyncio.as_completed([read(page) for page in pages])]
            """,
        ),
        (
            "Put a `*` before the list",
            """
            async def read_all(read, pages):
                return await asyncio.gather([read(page) for page in pages])
            """,
        ),
        (
            "were still running",
            """
            async def read_all(read, pages):
                return asyncio.gather(*[read(page) for page in pages])
            """,
        ),
        (
            "await",
            """
            async def read_all(read, pages):
                return [read(page) for page in pages]
            """,
        ),
        (
            "were still running",
            """
            async def read_all(read, pages):
                tasks = [asyncio.create_task(read(page)) for page in pages]
                await asyncio.sleep(0)
                return [f"text of {page}" for page in pages]
            """,
        ),
        (
            "never worked on: 'n'",
            """
            async def read_all(read, pages):
                return await asyncio.gather(read(pages[0]), read(pages[1]), read(pages[2]))
            """,
        ),
    ],
    "1.4": [
        (
            "`query` ran on the event loop's own thread",
            """
            async def look_up(query, names):
                async def ask(name):
                    return query(name)
                return await asyncio.gather(*[ask(name) for name in names])
            """,
        ),
        (
            "because it is a plain function",
            """
            async def look_up(query, names):
                return await asyncio.gather(*[query(name) for name in names])
            """,
        ),
        (
            "because it is a plain function",
            """
            async def look_up(query, names):
                return [await query(name) for name in names]
            """,
        ),
        (
            "hand its *result* to a thread",
            """
            async def look_up(query, names):
                return await asyncio.gather(*[asyncio.to_thread(query(name)) for name in names])
            """,
        ),
        (
            "at most 1 of 3 ran at the same time",
            """
            async def look_up(query, names):
                return [await asyncio.to_thread(query, name) for name in names]
            """,
        ),
        (
            "at most 1 of 3 ran at the same time",
            """
            async def look_up(query, names):
                return await asyncio.to_thread(lambda: [query(name) for name in names])
            """,
        ),
        (
            "await",
            """
            async def look_up(query, names):
                return [asyncio.to_thread(query, name) for name in names]
            """,
        ),
    ],
    "1.5": [
        (
            "to_thread",
            """
            async def run_all(jobs):
                async with asyncio.TaskGroup() as group:
                    tasks = {name: group.create_task(job(), name=name) for name, job in jobs.items()}
                return {name: task.result() for name, task in tasks.items()}
            """,
        ),
        (
            "`job` ran on the event loop's own thread",
            """
            async def run_all(jobs):
                async def call(job):
                    return await job() if inspect.iscoroutinefunction(job) else job()
                async with asyncio.TaskGroup() as group:
                    tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
                return {name: task.result() for name, task in tasks.items()}
            """,
        ),
        (
            "at most 1 of 4 ran at the same time",
            """
            async def run_all(jobs):
                results = {}
                for name, job in jobs.items():
                    coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
                    results[name] = await asyncio.create_task(coro, name=name)
                return results
            """,
        ),
        (
            "no task is called 'mail'",
            """
            async def run_all(jobs):
                coros = [job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job) for job in jobs.values()]
                return dict(zip(jobs, await asyncio.gather(*coros)))
            """,
        ),
        (
            "not in the order of the jobs",
            """
            async def run_all(jobs):
                results = {}
                async def keep(name, job):
                    call = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
                    results[name] = await call
                async with asyncio.TaskGroup() as group:
                    for name, job in jobs.items():
                        group.create_task(keep(name, job), name=name)
                return results
            """,
        ),
        (
            "were still running",
            """
            async def run_all(jobs):
                tasks = []
                for name, job in jobs.items():
                    coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
                    tasks.append(asyncio.create_task(coro, name=name))
                await asyncio.sleep(0.01)
                return {name: f"{name} done" for name in jobs}
            """,
        ),
        (
            "you do not return a `dict`",
            """
            async def run_all(jobs):
                async with asyncio.TaskGroup() as group:
                    tasks = []
                    for name, job in jobs.items():
                        coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
                        tasks.append(group.create_task(coro, name=name))
                return [task.result() for task in tasks]
            """,
        ),
    ],
}

# Other ways to be right: who judges behaviour does not ask how.
RIGHT: dict[str, list[str]] = {
    "1.1": [
        """
        async def breakfast(prepare):
            return await asyncio.gather(prepare("toast"), prepare("tea"))
        """,
        """
        async def breakfast(prepare):
            async with asyncio.TaskGroup() as group:
                tea = group.create_task(prepare("tea"))
                toast = group.create_task(prepare("toast"))
            return toast.result(), tea.result()
        """,
    ],
    "1.2": [
        """
        async def cook(boil, chop):
            sauce_task = asyncio.create_task(boil("sauce"), name="sauce")
            pasta_task = asyncio.create_task(boil("pasta"), name="pasta")
            await asyncio.sleep(0)
            salad = chop("salad")
            sauce = await sauce_task
            pasta = await pasta_task
            return [pasta, sauce, salad]
        """,
    ],
    "1.3": [
        """
        async def read_all(read, pages):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(read(page)) for page in pages]
            return [task.result() for task in tasks]
        """,
        """
        async def read_all(read, pages):
            tasks = [asyncio.create_task(read(page)) for page in pages]
            return [await task for task in tasks]
        """,
        """
        async def read_all(read, pages):
            texts = {}
            async def keep(i, page):
                texts[i] = await read(page)
            await asyncio.gather(*[keep(i, page) for i, page in enumerate(pages)])
            return [texts[i] for i in sorted(texts)]
        """,
    ],
    "1.4": [
        """
        async def look_up(query, names):
            loop = asyncio.get_running_loop()
            return await asyncio.gather(*[loop.run_in_executor(None, query, name) for name in names])
        """,
        """
        async def look_up(query, names):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asyncio.to_thread(query, name)) for name in names]
            return [task.result() for task in tasks]
        """,
    ],
    "1.5": [
        """
        async def run_all(jobs):
            async def call(job):
                return await (job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job))
            tasks = {name: asyncio.create_task(call(job), name=name) for name, job in jobs.items()}
            return {name: await task for name, task in tasks.items()}
        """,
    ],
}

each_exercise = pytest.mark.parametrize("ex", all_exercises(), ids=lambda ex: ex.id)
answers = [
    pytest.param(exercise(id), fragment, source, id=f"{id}-{n}")
    for id, cases in WRONG.items()
    for n, (fragment, source) in enumerate(cases, start=1)
]


@each_exercise
def test_the_solution_is_correct(ex: Exercise) -> None:
    outcome = check(ex, ex.solution_function)
    assert outcome.status == "correct", outcome
    assert outcome.message == f"Correct. {ex.praise}" and outcome


@each_exercise
def test_the_solution_shown_is_correct_in_a_notebook_too(ex: Exercise) -> None:
    """It needs no more than asyncio and what the hints say to import."""
    assert check(ex, function(inspect.getsource(ex.solution_function))).status == "correct"


@each_exercise
def test_the_stub_is_not_attempted(ex: Exercise) -> None:
    for source in (ex.stub, "# mine\n\n" + ex.stub.replace("\n", "  # why?\n", 1)):
        outcome = check(ex, function(source, ex.name))
        assert outcome.status == "not attempted", outcome
        assert outcome.message.startswith("Not attempted yet: ") and ex.todo in outcome.message


@each_exercise
@pytest.mark.parametrize("body", ["...", "pass", "'''A docstring.'''", "return", "return None"])
def test_an_empty_function_is_not_attempted(ex: Exercise, body: str) -> None:
    first = ex.stub.partition("\n")[0]
    for line in (first, first.removeprefix("async ")):
        assert check(ex, function(f"{line}\n    {body}")).status == "not attempted"


@pytest.mark.parametrize(("ex", "fragment", "source"), answers)
def test_a_typical_wrong_answer_gets_its_message(ex: Exercise, fragment: str, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "not yet" and not outcome
    assert outcome.message.startswith("Not yet: ") and "\n" not in outcome.message
    assert fragment in outcome.message


def test_every_exercise_has_three_wrong_answers_or_more() -> None:
    assert {ex.id for ex in all_exercises() if ex.chapter == 1} == set(WRONG)  # the others': test_exercises_02 …
    for id, cases in WRONG.items():
        assert len(cases) >= 3, id


@pytest.mark.parametrize(
    ("ex", "source"),
    [pytest.param(exercise(id), source, id=f"{id}-{n}") for id, s in RIGHT.items() for n, source in enumerate(s, 1)],
)
def test_another_right_answer_is_correct(ex: Exercise, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "correct", outcome


def test_of_the_orders_of_the_lines_only_the_right_ones_are_correct() -> None:
    ex = exercise("1.2")
    first, second, *lines = ex.stub.splitlines()  # the second, `tasks = {}`, is where it belongs
    chance = random.Random(7)
    orders = [chance.sample(lines, len(lines)) for _ in range(9)]

    def is_right(order: list[str]) -> bool:
        made, slept, chopped = (
            [i for i, line in enumerate(order) if word in line] for word in ("create", "(0)", "chop")
        )
        awaited = [i for i, line in enumerate(order) if "await tasks" in line]
        return max(made) < slept[0] < chopped[0] < min(awaited) and "return" in order[-1]

    right = [lines[i] for i in (2, 5, 3, 0, 1, 4, 6)]
    for order in [right, *orders]:
        outcome = check(ex, function("\n".join([first, second, *order])))
        assert (outcome.status == "correct") == is_right(order), (order, outcome)
    assert is_right(right)


@each_exercise
def test_an_exercise_is_complete(ex: Exercise) -> None:
    assert ex.chapter == int(ex.id[0])
    assert len(ex.hints) >= 2 and len(set(ex.hints)) == len(ex.hints)
    texts = [ex.title, ex.task, ex.explanation, ex.praise, *ex.hints, *ex.slips.values()]
    for text in texts:
        assert text.strip() and text.count("`") % 2 == 0, text
    assert f"`{ex.name}" in ex.task or ex.name in ex.stub
    assert ex.solution_function.__doc__
    lines = [line for line in ex.stub.splitlines() if line.strip()]
    assert len(lines) <= 12 and max(map(len, lines)) <= 100


def test_ids_are_in_order_and_unique() -> None:
    ids = [tuple(map(int, ex.id.split("."))) for ex in all_exercises()]
    assert ids == sorted(set(ids))
    assert {1} <= {ex.chapter for ex in all_exercises()}


def test_an_exercise_is_found_by_its_id_and_is_always_the_same() -> None:
    assert exercise("1.2") is exercise("1.2") is all_exercises()[1]
    for wrong in ("1.99", "one", 1.1, None):
        with pytest.raises(KeyError, match=r"there is no exercise .*; there are 1\.1, 1\.2") as caught:
            exercise(wrong)
        assert not str(caught.value).startswith('"')


def test_the_cells_of_the_notebooks_are_the_exercises() -> None:
    """What stands in a notebook is what is judged: the same stub, and the task of that exercise above it."""
    for path in stored.paths():
        content = stored.read(path)
        stubs = [cell for cell in content.cells if "exercise" in cell.metadata.get("tags", ())]
        mine = [ex for ex in all_exercises() if ex.chapter == int(path.name[:2])]
        assert [cell.source for cell in stubs] == [ex.stub for ex in mine][: len(stubs) or None] or not stubs
        prose = "\n\n".join(cell.source for cell in content.cells if cell.cell_type == "markdown")
        for ex in mine[: len(stubs)]:
            assert " ".join(ex.task.split()) in " ".join(prose.split()), f"{path.name}: the task of {ex.id}"


# --- what may be given to a check -----------------------------------------------------------------------------------


class Callme:
    async def __call__(self, number: int) -> int:
        return 2 * number

    async def double(self, number: int) -> int:
        return 2 * number


def test_what_is_no_function_is_not_yet_right(ex: Exercise) -> None:
    async def double(number: int) -> int:
        return 2 * number

    async def generator(number: int) -> Any:
        yield number

    cases = [
        (
            double(3),
            "this is what a call gives, not the function. Give the function itself: `await ex.check(double)`, wi",
        ),
        (generator(3), "this is what a call gives"),
        (generator, "the `yield` in `double` makes it a generator"),
        (Callme, "this is a class"),
        ("double", "this is a text"),
        ([6], "this is a `list`"),
        (6, "this is an `int`"),
        (lambda: 6, "`double` is called with 1 argument. Begin it with `async def double(number):`"),
        (object(), "this is an `object`"),
    ]
    for candidate, fragment in cases:
        outcome = check(ex, candidate)
        assert outcome.status == "not yet" and fragment in outcome.message, outcome
    for nothing in (None, ...):
        assert check(ex, nothing).status == "not attempted"


def test_a_running_task_is_no_function(ex: Exercise) -> None:
    async def main() -> Outcome:
        task = asyncio.create_task(asyncio.sleep(0))
        outcome = await ex.check(task)
        await task
        return outcome

    assert "this is a task" in asyncio.run(main()).message


def test_a_check_of_nothing_is_not_attempted(ex: Exercise) -> None:
    async def main() -> Outcome:
        return await ex.check()

    assert asyncio.run(main()).status == "not attempted"


def test_whatever_behaves_is_correct(ex: Exercise) -> None:
    async def double(number: int, times: int = 2) -> int:
        return times * number

    @functools.wraps(double)
    async def decorated(*args: int) -> int:
        return await double(*args)

    for candidate in (double, decorated, Callme().double, functools.partial(double, times=2)):
        assert check(ex, candidate).status == "correct", candidate


def test_an_object_that_fights_back_is_refused_and_not_raised(ex: Exercise) -> None:
    class Hostile:
        @property
        def __class__(self) -> type:
            raise ValueError("no")

        @property
        def __signature__(self) -> None:
            raise ValueError("no")

        def __call__(self, number: int) -> None:
            raise ValueError("no")

        def __repr__(self) -> str:
            raise ValueError("no")

    class Result:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no")

        __hash__ = None

        def __repr__(self) -> str:
            raise ValueError("no")

    async def double(number: int) -> Result:
        return Result()

    for candidate in (Hostile(), double):
        assert check(ex, candidate).status == "not yet"


def test_what_the_learner_raises_stays_with_the_learner(ex: Exercise) -> None:
    for error in ("ZeroDivisionError", "KeyboardInterrupt", "SystemExit", "asyncio.CancelledError", "RecursionError"):
        outcome = check(ex, function(f"async def double(number):\n    raise {error}('mine')"))
        assert outcome.status == "not yet" and error.rpartition(".")[2] in outcome.message, outcome
    outcome = check(ex, function("async def double(number):\n    await asyncio.sleep(60)"))
    assert outcome.status == "not yet" and outcome.fault.trace is not None, "what hangs is shown"


def test_a_learner_who_redefines_names_of_ours_spoils_nothing(ex: Exercise) -> None:
    """And, whatever happens inside the function, the next exercise works."""
    source = """
        import builtins
        async def double(number):
            builtins.len = builtins.isinstance = None
            asyncio.sleep = asyncio.gather = asyncio.current_task = None
            return 3
    """
    before = {name: getattr(builtins, name) for name in dir(builtins)}
    assert check(ex, function(source)).status == "not yet"
    assert {name: getattr(builtins, name) for name in dir(builtins)} == before
    for each in all_exercises():
        assert check(each, each.solution_function).status == "correct"


def test_the_picture_is_shown_when_behaviour_is_at_fault_and_only_then() -> None:
    ex = exercise("1.3")
    cases = dict(WRONG["1.3"])
    slow = check(ex, function(cases["your code runs one after another"]))
    assert slow.fault.trace is not None
    bundle = slow._repr_mimebundle_()
    assert "<img alt=" in bundle["text/html"] and "outcome" in bundle["text/plain"]
    value = check(ex, function("async def read_all(read, pages):\n    return [1 for page in pages]"))
    assert value.status == "not yet"
    bundle = check(ex, ex.solution_function)._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]


# --- forgetting await -----------------------------------------------------------------------------------------------


def test_a_check_that_is_not_awaited_says_what_to_write(ex: Exercise) -> None:
    async def double(number: int) -> int:
        return 2 * number

    async def main() -> None:
        forgotten = ex.check(double(3))  # a coroutine that nobody would ever await, too
        assert "await ex.check(double)" in repr(forgotten)
        assert "await ex.check(double)" in forgotten._repr_mimebundle_()["text/html"]
        del forgotten
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())


def test_two_checks_at_once(ex: Exercise) -> None:
    async def main() -> list[Outcome]:
        async def double(number: int) -> int:
            await asyncio.sleep(0.01)
            return 2 * number

        return await asyncio.gather(ex.check(double), ex.check(double), ex.check(None))

    assert [outcome.status for outcome in asyncio.run(main())] == ["correct", "correct", "not attempted"]


def test_a_check_inside_a_trace(ex: Exercise) -> None:
    from asynclab import trace

    async def double(number: int) -> int:
        return 2 * number

    async def main() -> Outcome:
        with trace("mine"):
            return await ex.check(double)

    assert asyncio.run(main()).status == "correct"


def cancel_a_check(ex: Exercise) -> None:
    """Cancel a check while the learner's function waits, and see that nothing of it is left."""

    async def main() -> None:
        entered = asyncio.Event()

        async def double(number: int) -> None:
            entered.set()
            await asyncio.sleep(60)

        async def checking() -> None:
            await ex.check(double)

        task = asyncio.create_task(checking())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_cancelling_a_check_cancels_it(ex: Exercise) -> None:
    cancel_a_check(ex)


# --- trials that open something -------------------------------------------------------------------------------------


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def opening(log: list[str]) -> Exercise:
    """An exercise of two trials, between which something is opened and closed."""

    async def double(number):
        return 2 * number

    def seen(run: Run) -> str | None:
        log.append("judged")
        return None

    async def trials() -> AsyncGenerator[Trial, None]:
        log.append("open")
        try:
            for number in (3, 4):

                async def after(number: int = number) -> None:
                    await asyncio.sleep(0)
                    log.append(f"after {number}")

                yield Trial([number], [seen, returned(2 * number)], after=after)
        finally:
            await asyncio.sleep(0)
            log.append("close")

    return Exercise(
        id="9.1",
        title="Double",
        task="Double it.",
        stub="async def double(number):\n    return ... * number",
        todo="Replace the `...`",
        hints=("one", "two"),
        solution_function=double,
        explanation="Two times.",
        praise="Doubled.",
        trials=[trials, lambda: Trial([5], [seen, returned(10)])],
    )


def test_trials_are_made_one_by_one_and_cleaned_up_after(opening: Exercise, log: list[str]) -> None:
    assert check(opening, opening.solution_function).status == "correct"
    assert log == ["open", "after 3", "judged", "after 4", "judged", "close", "judged"]


def test_what_was_opened_is_closed_when_a_trial_fails(opening: Exercise, log: list[str]) -> None:
    assert check(opening, function("async def double(number):\n    return 6")).status == "not yet"
    assert log == ["open", "after 3", "judged", "after 4", "judged", "close"]
    log.clear()
    assert "Begin it with" in check(opening, function("async def double():\n    return 6")).message
    assert log == ["open", "close"]


def test_what_was_opened_is_closed_when_the_check_is_cancelled(opening: Exercise, log: list[str]) -> None:
    cancel_a_check(opening)
    assert log == ["open", "close"]


def test_trials_that_cannot_be_made_say_why(opening: Exercise) -> None:
    async def broken() -> AsyncGenerator[Trial, None]:
        raise RuntimeError("the Server is away")
        yield

    opening.trials = [broken]
    outcome = check(opening, opening.solution_function)
    assert outcome.message == "Not yet: a check cannot run here. The Server is away."


# --- hints and solutions --------------------------------------------------------------------------------------------


def test_hints_come_one_by_one(ex: Exercise) -> None:
    texts = [str(ex.hint()) for _ in range(4)]
    assert "Hint 1 of 2" in texts[0] and "What is twice <three>?" in texts[0]
    assert "Hint 2 of 2" in texts[1]
    assert "No more hints" in texts[2] and "ex.solution()" in texts[2] and texts[2] == texts[3]
    assert "Hint 1 of 2" in str(ex.hint(1)), "an old one can be read again"
    for wrong in (0, 3, -1, "2", 1.0, True):
        assert "has 2 hints" in str(ex.hint(wrong))
    rendered = ex.hint(1)._repr_mimebundle_()["text/html"]
    assert "&lt;three&gt;" in rendered


def test_the_solution_waits_for_an_attempt(ex: Exercise) -> None:
    assert "force=True" in str(ex.solution()) and "return 2" not in str(ex.solution())
    check(ex, None)
    check(ex, function(ex.stub))
    assert "return 2" not in str(ex.solution()), "an untouched stub is no attempt"
    assert "return 2 * number" in str(ex.solution(force=True))
    check(ex, "nonsense")
    assert "return 2 * number" in str(ex.solution())


def test_the_solution_of_what_was_tried_yesterday_is_shown(ex: Exercise) -> None:
    store().add(ex.id, False)
    assert "return 2 * number" in str(ex.solution())


@each_exercise
def test_the_solution_shown_is_the_code_that_is_tested(ex: Exercise) -> None:
    bundle = ex.solution(force=True)._repr_mimebundle_()
    source = inspect.getsource(ex.solution_function).strip()
    assert source in bundle["text/plain"]
    code = re.search(r"<pre[^>]*>(.*?)</pre>", bundle["text/html"], re.DOTALL)[1]
    assert html.unescape(re.sub(r"<[^>]+>", "", code)).strip() == source
    assert "<span style=" in code, "with highlighting"


# --- how it looks ---------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = colour.lstrip("#")
    parts = "".join(2 * part for part in parts) if len(parts) == 3 else parts
    channels = [int(parts[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_text_is_told_from_its_background() -> None:
    source = "@a.b\nclass C(D):\n    '''Text.'''\n    async def f(x=1.5):  # why\n        return f'{x}' in y\n"
    outcomes = [Outcome("9.9", status, f"{verdict} Some `code`.") for status, verdict in _VERDICTS.items()]
    pages = [each._repr_mimebundle_()["text/html"] for each in [*outcomes, Note("`h`", "t", source)]]
    found = {colour for page in pages for colour in re.findall(r"[^-]color:\s*(#[0-9A-Fa-f]{3,6})", page)}
    found |= set(re.findall(r"color:\s*(#[0-9A-Fa-f]{3,6})", highlighted(source)))
    assert len(found) >= 8
    marks = {each for page in pages for each in re.findall(r'<span aria-hidden="true" style="color:(#\w+)', page)}
    for colour in found:
        assert contrast(colour, "#fff") >= (3 if colour in marks else 4.5), colour


_VERDICTS = {"correct": "Correct.", "not yet": "Not yet:", "not attempted": "Not attempted yet:"}


class Words(HTMLParser):
    """Collects the text of a page, as a screen reader has it, and checks that elements nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.mark.parametrize(("status", "verdict"), _VERDICTS.items())
def test_an_outcome_says_the_same_in_every_form(status: str, verdict: str) -> None:
    outcome = Outcome("9.9", status, f"{verdict} a < b: `x` is. Go on.", news="Not kept.")
    bundle = outcome._repr_mimebundle_()
    words = str(Words(bundle["text/html"]))
    assert f"{verdict} a < b: x is. Go on." in words and "Not kept." in words
    assert f"{verdict} a < b: `x` is. Go on." in bundle["text/plain"] and "Not kept." in bundle["text/plain"]
    assert 'role="status"' in bundle["text/html"]
    marks = {"correct": "✓", "not yet": "✕", "not attempted": "–"}
    assert marks[status] in words and bundle["text/plain"].startswith(marks[status])
    assert bundle["text/html"].startswith("<!-- run this cell"), "the preview of a hidden output gives nothing away"


def test_what_the_function_printed_is_shown_when_it_fails(ex: Exercise) -> None:
    outcome = check(ex, function("async def double(number):\n    print('<here>', number)\n    return 1"))
    bundle = outcome._repr_mimebundle_()
    assert "<here> 3" in str(Words(bundle["text/html"])) and "<here> 3" in bundle["text/plain"]
    long = check(ex, function("async def double(number):\n    print('x' * 50_000)"))
    assert len(str(long)) < 10_000


# --- progress -------------------------------------------------------------------------------------------------------


def test_checks_record_progress_and_an_untouched_stub_does_not(folder: Path) -> None:
    ex = exercise("1.3")
    check(ex, function(ex.stub))
    assert not folder.exists(), "rendering and testing a notebook leaves the learner's progress alone"
    check(ex, function(WRONG["1.3"][0][1]))
    assert progress().done == 0 and store().records()["1.3"].attempts == 1
    check(ex, ex.solution_function)
    assert progress().done == 1
    check(ex, function(WRONG["1.3"][0][1]))
    assert progress().done == 1 and store().records()["1.3"].attempts == 3


def test_what_is_shown_depends_on_no_past(folder: Path, ex: Exercise) -> None:
    def shown(candidate: Any) -> dict[str, str]:
        return check(ex, candidate)._repr_mimebundle_()

    candidates = ["nonsense", function(ex.stub), ex.solution_function]
    first = [shown(each) for each in candidates]
    for _ in range(3):
        ex.hint()
    assert [shown(each) for each in candidates] == first
    (folder / "progress.json").unlink()
    assert [shown(each) for each in candidates] == first


def test_a_folder_that_cannot_be_written_is_said_once_and_stops_no_check(folder: Path, ex: Exercise) -> None:
    folder.write_text("in the way")
    outcome = check(ex, ex.solution_function)
    assert outcome.status == "correct" and "Your progress is not kept" in str(outcome)
    assert "Your progress is not kept" in outcome._repr_mimebundle_()["text/html"]
    outcome = check(ex, ex.solution_function)
    assert outcome.status == "correct" and "not kept" not in str(outcome)


# --- a broken exercise ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "1"}, "id"),
        ({"hints": ["one"]}, "two hints"),
        ({"trials": []}, "a trial"),
        ({"stub": "async def triple(number): ..."}, "name and parameters"),
        ({"stub": "async def double(x): ..."}, "name and parameters"),
        ({"stub": "x = 1"}, "name and parameters"),
    ],
)
def test_an_exercise_that_does_not_fit_together_is_refused(ex: Exercise, change: dict, message: str) -> None:
    parts = {
        name: getattr(ex, name)
        for name in inspect.signature(Exercise).parameters  # as it was made
    }
    with pytest.raises(ValueError, match=message):
        Exercise(**parts | change)


# --- in a real kernel -----------------------------------------------------------------------------------------------


def test_in_a_notebook(folder: Path) -> None:
    """Stub, wrong, right, hint, solution, progress, each as a cell; and nothing is left for `end()` to find."""
    ex = exercise("1.3")
    with Kernel(NOTEBOOKS) as kernel:
        first = kernel.run(
            "from asynclab import begin, end\nfrom asynclab.exercises import exercise, progress\nbegin()"
        )
        assert first.status == "ok", first
        kernel.run("import asyncio\n" + ex.stub)
        line = "ex = exercise('1.3')\nawait ex.check(read_all)"
        (bundle,) = kernel.run(line).results
        assert bundle["text/plain"].startswith("– Not attempted yet: ")
        assert not folder.exists()
        (bundle,) = kernel.run("ex.check(read_all)").results
        assert "await ex.check(read_all)" in bundle["text/html"]
        assert "Hint 1 of 3" in kernel.run("ex.hint()").results[0]["text/plain"]
        assert "force=True" in kernel.run("ex.solution()").results[0]["text/plain"]
        kernel.run(textwrap.dedent(WRONG["1.3"][0][1]))
        reply = kernel.run(line)
        (bundle,) = reply.results
        assert bundle["text/plain"].startswith("✕ Not yet: ") and "<img" in bundle["text/html"]
        assert reply.stderr == "" == reply.text
        assert json.loads((folder / "progress.json").read_text())["exercises"]["1.3"]["attempts"] == 1
        kernel.run(inspect.getsource(ex.solution_function))
        (bundle,) = kernel.run(line).results
        assert bundle["text/plain"].startswith("✓ Correct. ")
        assert "asyncio.gather" in kernel.run("ex.solution()").results[0]["text/html"]
        assert "1 of " in kernel.run("progress()").results[0]["text/plain"]
        reply = kernel.run("await end()")
        assert reply.status == "ok" and reply.text.startswith("All clear"), reply
        assert kernel.log == ""
