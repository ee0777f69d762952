"""200 generated bad submissions: none hangs, crashes or leaves anything, each gets a message, and a good one follows.

A submission is a shape (coroutine function, plain function, generator, class, None, …) with a body of one to three
bad deeds. The generator is seeded: a submission that fails has the same number in every run.
"""

import asyncio
import builtins
import os
import random
import signal
import sys
import time

import pytest

from asynclab.exercises import properties as p
from asynclab.exercises.probes import Jobs
from asynclab.exercises.running import run

COUNT, PART, DEADLINE, LONGEST = 200, 20, 0.15, 3.0  # submissions in all and in a test; seconds

DEEDS = {
    "raise": "raise {error}('bad {n}')",
    "sleep": "{await_}asyncio.sleep(60)",
    "spin": "while True:\n    pass",
    "block": "time.sleep(60)",
    "catch all": "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass",
    "busy": "while True:\n    {await_}asyncio.sleep(0)",
    "swallow": "while True:\n    try:\n        {await_}asyncio.sleep(9)\n    except Cancelled:\n        pass",
    "swallow all": "while True:\n    try:\n        {await_}asyncio.sleep(60)\n    except BaseException:\n        pass",
    "leak": "kept.append(asyncio.create_task(asyncio.sleep(60), name='left {n}'))",
    "leak stubborn": "kept.append(asyncio.create_task(stubborn()))",
    "leak raising": "asyncio.create_task(exits())",
    "lose": "asyncio.create_task(fails())\n{await_}asyncio.sleep(0.01)",
    "forget": "jobs.fetch({n}); kept.append(jobs.fetch({n}))",
    "rebind": "builtins.{name} = None",
    "rebind ours": "asyncio.{function} = lambda *a, **k: None\ntime.monotonic = lambda: 0",
    "rebind loop": "asyncio.get_running_loop().call_soon = None",
    "factory": "asyncio.get_running_loop().set_task_factory(lambda loop, coro, **k: 3)",
    "handler": "asyncio.get_running_loop().set_exception_handler(None)",
    "stop": "asyncio.get_running_loop().stop()",
    "signal": "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "recurse": "def down():\n    down()\ndown()",
    "print": "print('x' * 1000000)",
    "stdout": "sys.stdout = sys.stderr = None",
    "chdir": "os.chdir('..')",
    "input": "input('name?')",
    "generator": "g = ticks()\n{await_}anext(g)\nkept.append(g)",
    "callback": "asyncio.get_running_loop().call_soon(time.sleep, 60)\n{await_}asyncio.sleep(0.01)",
    "group": "raise BaseExceptionGroup('both', [KeyboardInterrupt(), ValueError('v')])",
    "wrong": "return {value}",
}
ERRORS = ["ValueError", "KeyboardInterrupt", "SystemExit", "GeneratorExit", "asyncio.CancelledError", "StopIteration"]
ERRORS += ["MemoryError", "BaseException", "StopAsyncIteration", "RecursionError"]
VALUES = [
    "None",
    "42",
    "'text'",
    "jobs",
    "[]",
    "[jobs.fetch(1)]",
    "jobs.fetch(2)",
    "(i for i in [])",
    "ticks()",
    "object",
]
VALUES += ["asyncio.ensure_future(jobs.fetch(3))", "float('nan')", "asyncio.Future()", "NotImplemented", "Nasty()"]
NAMES = ["len", "isinstance", "print", "BaseException", "getattr", "__import__", "type", "range", "any", "dict", "list"]
HELPERS = """
async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except BaseException:
            pass

async def exits():
    raise SystemExit(1)

async def fails():
    raise ValueError("lost")

async def ticks():
    try:
        while True:
            yield 1
    finally:
        await asyncio.sleep(60)

class Nasty:
    def __eq__(self, other):
        raise RuntimeError
    def __repr__(self):
        raise KeyboardInterrupt
    def __await__(self):
        raise SystemExit
"""


def submission(number):
    """Return the source and the function of bad submission `number`."""
    pick = random.Random(number)
    shape = pick.choice(["async def"] * 6 + ["def", "generator", "asyncgen", "class", "lambda", "object"])
    if shape == "object":
        text = pick.choice(["None", "3", "'f'", "asyncio", "[]", "type", "jobs", "Nasty", "fails()", "asyncio.sleep"])
        text = f"async def noop(): pass\nf = {text}"
    elif shape == "lambda":
        text = f"f = lambda jobs: {pick.choice(VALUES)}"
    else:
        kinds = pick.sample(sorted(DEEDS), pick.choice([1, 1, 2, 3]))
        lines = [f"# {', '.join(kinds)}"]
        for kind in kinds:
            deed = DEEDS[kind].format(
                n=number,
                error=pick.choice(ERRORS),
                name=pick.choice(NAMES),
                function=pick.choice(["sleep", "gather", "create_task", "wait"]),
                value=pick.choice(VALUES),
                await_="await " if shape in ("async def", "asyncgen") else "",
            )
            if shape == "asyncgen":
                deed = deed.replace("return ", "yield ")
            lines += deed.splitlines()
        if shape in ("generator", "asyncgen"):
            lines.append("yield 1")
        head = {"generator": "def f(jobs):", "asyncgen": "async def f(jobs):", "class": "class f:"}.get(shape)
        indent = "    "
        if shape == "class":
            head, indent = "class f:\n    def __init__(self, jobs):", "        "
            lines = [line.replace("return ", "self.x = ") for line in lines]
        text = "\n".join([head or f"{shape} f(jobs):", *(indent + line for line in lines)])
    space = {name: sys.modules[name] for name in ("asyncio", "builtins", "time", "signal", "sys", "os")}
    space["Cancelled"] = asyncio.CancelledError
    space |= {"kept": [], "jobs": Jobs()}
    exec(compile(HELPERS, "<helpers>", "exec"), space)
    exec(compile(text, f"<submission {number}>", "exec"), space)
    return text, space["f"], space


async def good(jobs):
    return await asyncio.gather(*[jobs.fetch(item) for item in range(3)])


CHECKS = [
    p.is_coroutine_function(),
    p.returned([0, 10, 20]),
    p.ran_concurrently(3),
    p.no_task_leaked(),
    p.no_exception_lost(),
    p.awaited_every_coroutine(),
]


def world():
    loop = asyncio.get_running_loop()
    return {
        "tasks": asyncio.all_tasks() - {asyncio.current_task()},
        "builtins": {name: id(value) for name, value in vars(builtins).items() if name != "_"},
        "asyncio": {name: id(value) for name, value in vars(asyncio).items()},
        "time": {name: id(value) for name, value in vars(time).items()},
        "loop": {name: id(value) for name, value in vars(loop).items() if callable(value) or "factory" in name},
        "handler": loop.get_exception_handler(),
        "run": asyncio.Handle._run,
        "SIGINT": signal.getsignal(signal.SIGINT),
        "streams": (sys.stdout, sys.stderr, sys.gettrace(), sys.getrecursionlimit()),
        "cwd": os.getcwd(),
    }


@pytest.mark.parametrize("first", range(0, COUNT, PART))
@pytest.mark.filterwarnings("default")  # asking whether a submission is as it should be is the checker's work
def test_no_bad_submission_does_harm(first):
    async def main():
        heard = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
        bystander = asyncio.create_task(asyncio.sleep(60), name="of another cell")
        await asyncio.sleep(0)
        for number in range(first, first + PART):
            text, function, space = submission(number)
            before, began = world(), time.perf_counter()
            record = await run(function, Jobs(), deadline=DEADLINE)
            took = time.perf_counter() - began
            message = p.judge(record, CHECKS)
            which = f"submission {number}:\n{text}\n{record.stopped} {record.error!r}"
            assert world() == before, which
            assert took < LONGEST, which
            assert message and "\n" not in message and len(message) < 400, which
            assert not bystander.done() and not heard, (heard, which)
            del record, space, function
        assert p.judge(await run(good, Jobs(), deadline=30), CHECKS) is None
        bystander.cancel()
        await asyncio.wait([bystander])

    asyncio.run(main())
