"""The check of exercise 4.3: few and many files, some of them empty, bad, or there twice; `read` waits for the disk."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_free_loop,
    expect_nothing_left,
    expect_results,
    said,
    without,
)
from asynclab.checking.work import uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "TypeError: '(?:str|\\w*Error)' object is not callable": (
        "you call `read` yourself and hand its *result* to a thread. Write `asyncio.to_thread(read, name)`, with a "
        "comma: then the thread makes the call."
    ),
    "TypeError: .*str.*(?:'await'|can't be awaited|awaitable is required|coroutine was expected)": (
        "what `read` gives cannot be awaited, because it is a plain function. Let a thread run it: "
        "`asyncio.to_thread(read, name)`."
    ),
    "TypeError: object of type 'coroutine' has no len": "what `to_thread` gives must be awaited: then it is the text.",
    "(?:UnboundLocalError|NameError): cannot access \\w+ variable '(\\w+)'": (
        "`{0}` is used before it was set: when `read` raised, there was no text."
    ),
}
TEXTS = "", "a line\n", "naïve café", "日本語", "Ada Lovelace\nGrace Hopper\n", "42"
FOLDERS, WORDS = ("data", "notes", "2026"), ("ada", "grace", "joan", "radia", "barbara", "hedy", "mary", "katherine")


def bad(name):
    """Return the ways in which a file may be bad: what reading it raises."""
    return (
        FileNotFoundError(2, "No such file or directory", name),
        IsADirectoryError(21, "Is a directory", name),
        PermissionError(13, "Permission denied", name),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    )


async def check(sizes, world):
    """A size or an error for each name, in order; never too many files at once, and the loop stays free."""
    names = world.rng.sample(
        [f"{folder}/{word}.txt" for folder in FOLDERS for word in WORDS], world.size(6, 0, 1, 3, 20)
    )
    texts = {name: world.pick(*TEXTS) * world.pick(1, 1, 100) for name in names}
    share = world.pick(0.2, 0.5, 1) if world.number % 3 else 0
    errors = {name: world.pick(*bad(name)) for name in names if world.rng.random() < share}
    if names and world.number % 4 == 3:
        names.insert(world.rng.randrange(len(names)), world.pick(*names))
    limit, given, places = world.rng.randint(2, 5), list(names), uses(asyncio.Semaphore)
    world.facts += [count(len(names), "name"), f"a limit of {limit}"]
    world.facts += [f"{len(errors)} of the files bad"] if errors else []
    read = world.work("read", texts, results=texts, failing=errors)

    run = await world.watch(read.blocking, given, limit, may_raise=(OSError, UnicodeError))
    expect_cancelled(run, read)
    complete = not run.cancelled
    if complete and run.error:
        raise NotYet(spoiled(run.error, read))
    if complete:
        expect_all_awaited(run)
        expect_free_loop(run)
    if complete and names:
        expect(read.calls, "`read` was never called. Read each file with it: `await asyncio.to_thread(read, name)`.")
    if not 1 < read.most <= limit:  # any number of threads up to the limit will do
        expect_at_once(read.most, limit, places, "files", possible=len(set(names)) if complete else 0)
    expect_nothing_left(run)
    if complete:
        wanted = [errors.get(name, len(texts[name].encode())) for name in names]
        expect_right_values(run.value, names, texts, wanted)
        expect_results(run, wanted)


def spoiled(error, read):
    """Return what to say of an error that got out."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    kind, name = type(error).__name__, "a file"
    name = next((read.call(name) for name, each in read.failing.items() if each is error), name)
    why = "It is a `ValueError`, not an `OSError`: catch it, too" if isinstance(error, UnicodeError) else "Catch it"
    return f"{name} raised {kind}, which ended everything. {why}, where one file is read, and return it in its place."


def expect_right_values(value, names, texts, wanted):
    """Expect a size or the error itself in each place. Whether a place is right is told later, if all values are."""
    if not isinstance(value, list | tuple) or len(value) != len(wanted) or not without(wanted, value):
        return
    for name, got, due in zip(names, value, wanted, strict=True):
        if isinstance(due, Exception):
            kind = type(due).__name__
            itself = "Return the exception itself: `except … as error`, and `return error`"
            expect(got is due, f"`read({name!r})` raised {kind}, and in its place stands {said(got)}. {itself}.")
        elif type(got) is int and got == len(texts[name]) != due:
            chars = f"`{name}` has {got} characters, which are {due} bytes"
            raise NotYet(f"{chars}. Encode the text before you count: `len(text.encode())`.")
        elif isinstance(got, Exception):
            raise NotYet(
                f"`{name}` can be read, and in its place stands {type(got).__name__} ({got}). Look there first."
            )
        else:
            expect(
                got == due, f"`{name}` has {due} bytes, and in its place stands {said(got)}. Return its size in bytes."
            )
