"""The check of exercise 5.1: few and many sources, which answer, fail or are slow; some take a while to be stopped."""

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_done_in,
    expect_finished,
    expect_no_error_lost,
    expect_none_twice,
    expect_nothing_left,
    expect_side_by_side,
    said,
)

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "(?:TypeError|AttributeError|ValueError): .*(?:Set of Tasks/Futures is empty|Passing coroutines is forbidden)": (
        "`asyncio.wait` wants tasks, and at least one of them. Make tasks, and mind that `sources` may be empty."
    ),
    "TypeError: 'Timeout' object does not support the context manager": "Write `async with asyncio.timeout(…)`.",
    "InvalidStateError": "You asked a task for its result before it was done. Await it first.",
    "RuntimeError: dictionary changed size": "A dict must not change while you go through it. Go through a list of it.",
}
NAMES = ("user", "orders", "preferences", "reviews", "weather", "news", "stock", "map", "prices", "friends", "photos")
NAMES += tuple(f"shop {i}" for i in range(1, 30))
KINDS = ConnectionError, RuntimeError, TimeoutError, ValueError, KeyError, ConnectionResetError, OSError


async def check(aggregate, world):
    """Each source in one of the two dicts, with its answer or its error; all asked at once, for so long and no more."""
    names = NAMES[:3] if world.number < 6 else world.rng.sample(NAMES, world.pick(0, 1, 5, 12, 40))
    fates = {name: "answers" if world.number < 3 else world.pick("answers", "fails", "is slow") for name in names}
    if 0 < world.number < 3:
        fates["orders"] = ("fails", "is slow")[world.number - 1]
    world.facts += [count(len(names), "source")]
    world.facts += [f"{name} {fate}" for name, fate in fates.items() if fate != "answers" and len(names) < 4]
    asked = world.work(
        "source",
        names,
        results={name: world.pick([], None, 0, "", False, {}, [f"{name} 1"], f"{name} 2", 3.5) for name in names},
        failing={name: world.pick(*KINDS)(f"{name} is down") for name in names if fates[name] == "fails"},
    )
    timeout = world.rng.uniform(0.12, 2)
    slow = [name for name in names if fates[name] == "is slow"]
    asked.seconds |= {name: world.pick(1.1, 3, 20) * timeout for name in slow}
    asked.closing = world.pick(0, 0.01)
    if slow and world.cancel_at:  # cancelled while it stops what is late, `wait_for` leaves it in Python 3.11
        asked.closing = 0
    sources = dict(zip(names, asked.functions(), strict=True))

    run = await world.watch(dict(sources), timeout, may_raise=KINDS)
    expect_cancelled(run, asked)
    if not run.cancelled:
        judge(run, world, asked, fates, timeout)
        stops = asked.closing if slow else 0
        expect_done_in(run, max([min(timeout, seconds) for seconds in asked.seconds.values()], default=0) + stops)
    expect_none_twice(asked)
    expect_nothing_left(run)
    expect_no_error_lost(run)


def judge(run, world, asked, fates, timeout):
    """Expect that each source was asked, and is in the right one of two dicts, with what is due."""
    if run.error:
        raise NotYet(spoiled(run.error, world, asked))
    value = run.value
    are_two = isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, dict) for each in value)
    if are_two:
        expect_no_mistakes_among(value[1], fates, asked)
        expect_finished(list(value[0].values()))
    expect_all_awaited(run)
    expect(are_two, f"Your function returned {said(value)}. Return two dicts: `return answers, errors`.")
    expect_nothing_left(run)
    if fates:
        expect_side_by_side(asked, at_least=len({call.item for call in asked.calls}))
    answers, errors = value
    for name, fate in fates.items():
        came, wrong = said(answers.get(name)), said(errors.get(name))
        call = next((call for call in asked.calls if call.item == name), None)
        expect(call, f"source {name} was never asked. Ask each, once.")
        if fate == "answers":
            gave = asked.results[name]
            what = f"source {name} answered {said(gave)}"
            stopped = f"source {name} was stopped after {1000 * (call.end - call.start):.0f} ms, before it could answer"
            expect(call.outcome == "done", f"{stopped}. Give each its {timeout:.2g} s, whatever becomes of the others.")
            expect(name not in errors, f"{what}, and stands in the second dict as {wrong}. Only failures belong there.")
            keep = "It is an answer, though it is falsy" if not gave else "Keep it, whatever becomes of the others"
            where = f"stands in the first dict as {came}" if name in answers else "is missing in the first dict"
            expect(name in answers and answers[name] is gave, f"{what}, and {where}. {keep}.")
            continue
        is_late, error = fate == "is slow", asked.failing.get(name)
        what = f"source {name} raised {type(error).__name__}"
        if is_late:
            what = f"source {name} gave no answer within {timeout:.2g} s"
            stop = "Stop it when its time is up: put an `asyncio.timeout(timeout)` of its own around it."
            expect(call.outcome != "done", f"{what}, and you waited for it. {stop}")
        expect(
            name not in answers,
            f"{what}, and stands in the first dict as {came}, as if that were its answer. Leave it out there.",
        )
        due = "a `TimeoutError`" if is_late else "its error"
        expect(name in errors, f"{what}, and is missing in the second dict. Put {due} there, by its name.")
        itself = "Put a `TimeoutError` there" if is_late else "Put the exception itself there: `except … as error`"
        is_timeout = isinstance(errors[name], TimeoutError) and (is_late or isinstance(error, TimeoutError))
        expect(
            is_timeout or (error is not None and errors[name] is error),
            f"{what}, and stands in the second dict as {wrong}. {itself}.",
        )


def expect_no_mistakes_among(errors, fates, asked):
    """Expect that `errors` holds no exception that the learner's own code raised."""
    for name in [name for name, fate in fates.items() if fate == "answers"]:
        if isinstance(errors.get(name), Exception) and not isinstance(errors[name], TimeoutError):
            raise NotYet(
                f"In the second dict stands {said(errors[name], most=110)} for source {name}, which would answer "
                f"{said(asked.results[name])}. Your own code raised that: look there first."
            )


def spoiled(error, world, asked):
    """Return what to say of an error that got out."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    for name, each in asked.failing.items():
        if each is leaf:
            return (
                f"source {name} raised {type(leaf).__name__}, which ended everything. Catch it where that one source "
                "is asked, and put it into the second dict."
            )
    if isinstance(leaf, TimeoutError) and any(call.outcome == "cancelled" for call in asked.calls):
        return (
            "A `TimeoutError` ended everything, and what the others gave is lost. Give each source a time limit of its "
            "own, and catch its error there."
        )
    return world.explain(error)
