"""The check of exercise 1.1: the two take a time of their own in each world, and give something else."""

from asynclab.checking.expect import (
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_done_in,
    expect_each_once,
    expect_free_loop,
    expect_nothing_left,
    expect_results,
    expect_side_by_side,
)

ERROR_MESSAGES = {
    "TypeError: a coroutine was expected, got <(?:bound method|function)": (
        '`create_task` got the function itself. Call it, as in `prepare("toast")`: the call gives the coroutine that '
        "the task runs."
    ),
    "TypeError: a coroutine was expected, got '": (
        "`create_task` got a result, because you awaited too early. Give it the coroutine, without `await`: the task "
        "awaits it."
    ),
    "(?:TypeError|AttributeError): .*TaskGroup'? object.*(?:context manager|__enter__)": (
        "a `TaskGroup` waits when its block ends. Write `async with`, not `with`."
    ),
    "InvalidStateError": (
        "you asked a task for its result before it was done. Await the task first. In a `TaskGroup`, ask after the "
        "`async with` block: indent that line less."
    ),
}


async def check(breakfast, world):
    """Both side by side, each in a task, and back as soon as both are ready."""
    results = {
        "toast": world.pick("rye toast", "white toast", "burnt toast"),
        "tea": world.pick("green tea", "black tea", "mint tea"),
    }
    prepare = world.work("prepare", results, results=results)
    run = await world.watch(prepare.function)
    expect_cancelled(run, prepare)
    if run.cancelled:
        return
    expect_all_awaited(run)
    expect_nothing_left(run)
    expect_each_once(prepare, results)
    expect_side_by_side(prepare, 2)
    alone = [prepare.call(call.item) for call in prepare.calls if call.task == breakfast.__name__]
    expect(
        run.tasks >= 2,
        f"{' and '.join(alone) or 'One of the two'} ran in your function itself, not in a task of its own. "
        "Make a task of each.",
    )
    expect_results(run, results.values())
    expect_free_loop(run)
    expect_done_in(run, max(prepare.seconds.values()))
