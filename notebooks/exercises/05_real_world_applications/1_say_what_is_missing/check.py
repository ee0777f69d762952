"""The check of exercise 5.1: few and many sources, which answer, fail or are slow; some take a while to be stopped."""

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_caught,
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
    "^TimeoutError: $": (
        "A `TimeoutError` ended everything, and what the others gave is lost. Give each source a time limit of its "
        "own, and catch its error there."
    ),
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
    timeout, slow = world.rng.uniform(0.12, 2), [name for name in names if fates[name] == "is slow"]
    asked.seconds |= {name: world.pick(1.1, 3, 20) * timeout for name in slow}
    # Cancelled while it stops what is late, `wait_for` leaves it in Python 3.11.
    asked.closing = 0 if slow and world.cancel_at else world.pick(0, 0.01)
    sources = dict(zip(names, asked.functions(), strict=True))

    run = await world.watch(dict(sources), timeout, may_raise=KINDS)
    expect_cancelled(run, asked)
    if not run.cancelled:
        expect_caught(run, asked, "Catch it where that one source is asked, and put it into the second dict.")
        if run.error:
            raise NotYet(world.explain(run.error))
        answers, errors = expect_two_dicts(run, asked, fates)
        if fates:
            expect_side_by_side(asked, at_least=len({call.item for call in asked.calls}))
        for name in names:
            expect_in_its_dict(name, fates[name], answers, errors, asked, f"{timeout:.2g} s")
        stops = asked.closing if slow else 0
        expect_done_in(run, max([min(timeout, seconds) for seconds in asked.seconds.values()], default=0) + stops)
    expect_none_twice(asked)
    expect_nothing_left(run)
    expect_no_error_lost(run)


def expect_two_dicts(run, asked, fates):
    """Expect two dicts, of what has been awaited, and no error of the learner's own code in them; return them."""
    value = run.value
    are_two = isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, dict) for each in value)
    for name, error in value[1].items() if are_two else ():
        expect(
            fates.get(name) != "answers" or isinstance(error, TimeoutError) or not isinstance(error, Exception),
            f"In the second dict stands {said(error, most=110)} for source {name}, which would answer "
            f"{said(asked.results.get(name))}. Your own code raised that: look there first.",
        )
    expect_finished(list(value[0].values()) if are_two else value)
    expect_all_awaited(run)
    expect(are_two, f"Your function returned {said(value)}. Return two dicts: `return answers, errors`.")
    expect_nothing_left(run)
    return value


def expect_in_its_dict(name, fate, answers, errors, asked, timeout):
    """Expect that a source was asked, and is in the right one of two dicts, with what is due."""
    came, wrong = said(answers.get(name)), said(errors.get(name))
    call = next((call for call in asked.calls if call.item == name), None)
    expect(call, f"source {name} was never asked. Ask each, once.")
    if fate == "answers":
        gave = asked.results[name]
        what = f"source {name} answered {said(gave)}"
        stopped = f"source {name} was stopped after {1000 * (call.end - call.start):.0f} ms, before it could answer"
        expect(call.outcome == "done", f"{stopped}. Give each its {timeout}, whatever becomes of the others.")
        expect(name not in errors, f"{what}, and stands in the second dict as {wrong}. Only failures belong there.")
        keep = "It is an answer, though it is falsy" if not gave else "Keep it, whatever becomes of the others"
        where = f"stands in the first dict as {came}" if name in answers else "is missing in the first dict"
        expect(name in answers and answers[name] is gave, f"{what}, and {where}. {keep}.")
        return
    error, due, itself = asked.failing.get(name), "its error", "Put the exception itself there: `except … as error`"
    what = f"source {name} raised {type(error).__name__}"
    if fate == "is slow":
        due, itself = "a `TimeoutError`", "Put a `TimeoutError` there"
        what = f"source {name} gave no answer within {timeout}"
        stop = "Stop it when its time is up: put an `asyncio.timeout(timeout)` of its own around it."
        expect(call.outcome != "done", f"{what}, and you waited for it. {stop}")
    wrongly = f"stands in the first dict as {came}, as if that were its answer"
    expect(name not in answers, f"{what}, and {wrongly}. Leave it out there.")
    expect(name in errors, f"{what}, and is missing in the second dict. Put {due} there, by its name.")
    is_time_out = isinstance(errors[name], TimeoutError) and isinstance(error, TimeoutError | None)
    is_right = is_time_out or (error is not None and errors[name] is error)
    expect(is_right, f"{what}, and stands in the second dict as {wrong}. {itself}.")
