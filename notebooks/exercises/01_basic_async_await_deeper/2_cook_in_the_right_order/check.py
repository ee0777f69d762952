"""The check of exercise 1.2: it looks at what is cooked when, and not at the lines."""

from asynclab.checking.expect import (
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_each_once,
    expect_nothing_left,
    expect_results,
)

ERROR_MESSAGES = {
    "TypeError: .*(?:'await' expression|can't be awaited)": (
        "`chop` is a plain function: calling it chops, and gives nothing that can be awaited. Call it without `await`."
    ),
    "KeyError: '(\\w+)'": (
        'a line uses `tasks["{0}"]` before another line makes it. Move the line that begins with `tasks["{0}"] =` up.'
    ),
    "(?:UnboundLocalError|NameError): .*'(\\w+)'": (
        "a line uses `{0}` before another line makes it. Move the line that begins with `{0} =` up."
    ),
}


async def check(cook, world):
    """Both are boiling when the salad is chopped."""
    hot = {
        "pasta": world.pick("hot spaghetti", "hot farfalle", "hot penne"),
        "sauce": world.pick("red sauce", "green sauce", "no sauce left"),
    }
    chopped = {"salad": world.pick("chopped lettuce", "chopped cabbage", "chopped leek")}
    boil = world.work("boil", hot, results=hot)
    chop = world.work("chop", chopped, results=chopped)
    run = await world.watch(boil.function, chop.blocking)
    expect_cancelled(run, boil)
    if run.cancelled:
        return
    expect_all_awaited(run)
    expect(chop.calls, "The salad was never chopped. Use every line once.")
    expect_each_once(chop, chopped)
    began = chop.calls[0].start
    before = [call for call in boil.calls if call.start < began]
    for call in before:
        expect(
            call.end > began,
            f"You chop when the {call.item} is already done. Move `chop` up, before the lines that await a task.",
        )
    expect(
        before,
        "You chop before anything boils. `create_task` only puts a task in a queue, and it starts when you wait: make "
        "both tasks, then `sleep(0)`, then `chop`.",
    )
    expect_each_once(boil, hot)
    expect(
        len(before) == 2,
        f"Only the {before[0].item} boils while you chop. Make both tasks before the first `await`.",
    )
    expect_nothing_left(run)
    expect_results(run, [*hot.values(), *chopped.values()])
