"""The check of exercise 1.5: jobs of both kinds, some of which give something falsy, or fail."""

import asyncio

from asynclab.checking.expect import (
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_each_once,
    expect_finished,
    expect_free_loop,
    expect_nothing_left,
    expect_results,
    expect_side_by_side,
    said,
)
from asynclab.checking.work import JobError

THREADS = 5  # that `asyncio.to_thread` has on any machine, at least
NAMES = [f"{kind}-{number}" for kind in ("mail", "news", "report", "backup") for number in range(1, 7)]

ERROR_MESSAGES = {
    "NameError: .*'inspect'": "`inspect` has to be imported: write `import inspect` above your function.",
    "TypeError: a coroutine was expected, got": (
        "`create_task` got something that is not a coroutine. Call a coroutine function, `job()`; for a plain one "
        "write `asyncio.to_thread(job)`."
    ),
    "TypeError: .*(?:used in 'await'|can't be awaited|awaitable is required)": (
        "one of the jobs is a plain function, so what it gives cannot be awaited. For those, write "
        "`asyncio.to_thread(job)`."
    ),
}


async def check(run_all, world):
    """Each in a task of its name, side by side; and nothing left, however it ends."""
    names = world.rng.sample(NAMES, world.size(4, 0, 1, 2, 6, 12, 24))
    blocking = set(names[1::2]) if world.number < 6 else {name for name in names if world.rng.random() < 0.5}
    results = {name: world.pick(None, 0, "", [], f"result of {name}") for name in names}
    failing = {world.pick(*names): JobError("this job fails")} if world.fails and names else {}
    world.facts += [count(len(names), "job"), f"{len(blocking)} of them plain functions"]
    world.facts += [f"{name} fails" for name in failing]
    jobs = world.work("job", names, results=results, failing=failing)
    jobs.closing = world.pick(0.0, 0.05)
    functions = dict(zip(names, jobs.functions(blocking), strict=True))
    run = await world.watch(given := dict(functions), may_raise=JobError)
    expect_cancelled(run, jobs)
    expect_free_loop(run)
    if not run.cancelled and not failing:
        expect_finished(list(run.value.values()) if isinstance(run.value, dict) else run.value)
        expect_all_awaited(run)
        expect_nothing_left(run)
        expect_each_once(jobs, names)
        if names:
            expect_side_by_side(jobs, len(names) - len(blocking) + min(len(blocking), THREADS))
        expect_dict(run, results)
        expect_tasks(jobs, blocking)
        expect(given == functions, "Your function changes `jobs`, the `dict` that it was given. Leave it as it is.")
    for name in failing:
        expect(
            run.error is not None or run.cancelled,
            f"{jobs.call(name)} raised an error, and your function did not. Let it out: a `TaskGroup` does.",
        )
    expect_nothing_left(run)


def expect_dict(run, results):
    """Expect the results under the names of the jobs, in their order."""
    expect(
        isinstance(run.value, dict),
        f"You return {said(run.value)}, not a `dict`. Return one, with what each job gave under the name of the job.",
    )
    names = list(run.value)
    expect(
        set(names) == set(results),
        f"The names in your `dict` are {said(names)}, where {said(list(results))} are expected: those of the jobs.",
    )
    expect(
        names == list(results),
        "The names in your `dict` are not in the order of the jobs. Fill it in the order of `jobs`.",
    )
    run.value = list(run.value.values())
    expect_results(run, results.values())


def expect_tasks(jobs, blocking):
    """Expect a task of its name for each job: a job that does not block knows in which task it runs."""
    named = {task.get_name() for task in asyncio.get_running_loop().made}
    for call in jobs.calls:
        expect(
            call.item in named,
            f"No task is called `{call.item!r}`. Give each task the name of its job: `create_task(…, name=name)`.",
        )
        expect(
            call.item in blocking or call.task == call.item,
            f"{jobs.call(call.item)} ran in a task that is not called `{call.item!r}`. Run it in the one that is.",
        )
