"""`run`: it says what a learner's function did, ends whatever that is, and leaves the world as it was."""

import asyncio
import builtins
import contextlib
import cProfile
import os
import signal
import sys
import threading
import time
import warnings

import pytest

from asynclab import begin, end, trace
from asynclab.exercises.probes import Jobs
from asynclab.exercises.running import run
from kernels import Kernel


async def good(jobs):
    return await asyncio.gather(*[jobs.fetch(item) for item in range(3)])


def world():
    loop = asyncio.get_running_loop()
    return {
        "tasks": asyncio.all_tasks(),
        "names": [dict(vars(module)) for module in (builtins, asyncio, time)],
        "loop": {name: value for name, value in vars(loop).items() if callable(value) or "factory" in name},
        "handlers": (loop.get_exception_handler(), signal.getsignal(signal.SIGINT), asyncio.Handle._run),
        "streams": (sys.stdout, sys.stderr, sys.unraisablehook, sys.gettrace(), sys.getrecursionlimit()),
        "filters": (list(warnings.filters), warnings.showwarning),
        "process": (os.getcwd(), dict(os.environ), threading.active_count()),
    }


def checked(function, *args, deadline=0.2, **options):
    """The record of `function`, when the world is as before, and a good submission passes after it."""

    async def main():
        begin()
        bystander = asyncio.create_task(asyncio.sleep(60), name="of another cell")
        await asyncio.sleep(0)
        before, began = world(), time.monotonic()
        record = await run(function, *args, deadline=deadline, **options)
        assert time.monotonic() - began < deadline + 5
        now = world()
        assert {name for name in now if now[name] != before[name]} == set()
        after = await run(good, Jobs(), deadline=30)
        assert (after.value, after.error, after.stopped, after.leaked, after.lost) == ([0, 10, 20], None, "", (), ())
        assert not bystander.done()
        bystander.cancel()
        await asyncio.wait([bystander])
        await end()  # finds nothing: what a submission does is not the notebook's fault
        return record

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return asyncio.run(main())


def test_a_good_function_is_recorded():
    record = checked(good, Jobs(), deadline=30)
    assert (record.value, record.error, record.stopped, record.output) == ([0, 10, 20], None, "", "")
    assert [str(event) for event in record.events[:3]] == ["start 0", "start 1", "start 2"]
    assert [(each.item, each.outcome) for each in record.intervals] == [(0, "done"), (1, "done"), (2, "done")]
    assert record.main.coro == record.main.name == "good"
    assert [row.coro for row in record.rows] == ["Jobs.fetch"] * 3
    assert "Your code: 4 tasks" in record.trace.table()
    assert record.changed == record.written == record.never_awaited == ()


ERRORS = [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, StopIteration]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("where", ["coroutine", "plain", "child", "callback"])
def test_no_error_of_any_kind_comes_out(kind, where):
    async def coroutine():
        raise kind

    def plain():
        raise kind

    async def child():
        with contextlib.suppress(BaseException):
            await asyncio.create_task(coroutine())
        return "on"

    async def callback():
        asyncio.get_running_loop().call_soon(plain)
        await asyncio.sleep(0.001)
        return "on"

    record = checked({"coroutine": coroutine, "plain": plain, "child": child, "callback": callback}[where])
    if where == "child" and kind is GeneratorExit:
        assert record.value is None  # thrown into a chain of awaits, it closes the chain: Python's own rule
    elif where in ("child", "callback"):
        assert (record.value, record.error) == ("on", None)
    else:
        assert type(record.error) in (kind, RuntimeError)  # a coroutine turns StopIteration into RuntimeError
    assert record.stopped == ""


def test_the_line_of_their_code_is_told():
    async def fails():
        await asyncio.gather(asyncio.sleep(0), asyncio.wait_for("nothing", 1))

    record = checked(fails)
    assert isinstance(record.error, TypeError)
    assert record.line == fails.__code__.co_firstlineno + 1
    assert record.source.startswith("await asyncio.gather(")


async def block():
    time.sleep(60)


async def spin():
    while True:
        pass


async def catch_all():
    while True:
        try:  # noqa: SIM105
            time.sleep(60)
        except BaseException:
            pass


async def catch_all_twice():
    while True:
        try:  # noqa: SIM105
            await catch_all()
        except BaseException:
            pass


async def catch_all_and_recurse():
    def down():
        try:
            down()
        except BaseException:
            down()

    down()


async def catch_all_and_clean_up():
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
        finally:
            with contextlib.suppress(BaseException):
                time.sleep(60)


async def catch_all_in_a_generator():
    def ticks():
        while True:
            try:
                yield
            except BaseException:
                continue

    while True:
        try:
            sum(1 for _ in ticks())
        except BaseException:
            continue


async def block_in_callback():
    asyncio.get_running_loop().call_soon(time.sleep, 60)
    await asyncio.sleep(0.01)


async def block_in_child():
    await asyncio.create_task(block())


async def busy():
    while True:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def wait():
    await asyncio.Event().wait()


async def swallow():
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def swallow_all():
    while True:
        try:  # noqa: SIM105
            await asyncio.sleep(60)
        except BaseException:
            pass


async def swallow_all_busy():
    while True:
        try:  # noqa: SIM105
            await asyncio.sleep(0)
        except BaseException:
            pass


async def swallow_all_twice():
    while True:
        try:  # noqa: SIM105
            await swallow_all()
        except BaseException:
            pass


async def ignores_stop():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(60)


async def flood():
    while True:
        for _ in range(1000):
            asyncio.create_task(asyncio.sleep(60))  # noqa: RUF006
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("function", "stopped"),
    [
        (block, "blocked"),
        (spin, "blocked"),
        (catch_all, "blocked"),
        (catch_all_twice, "blocked"),
        (catch_all_and_recurse, "blocked"),
        (catch_all_and_clean_up, "blocked"),
        (catch_all_in_a_generator, "blocked"),
        (block_in_callback, "blocked"),
        (block_in_child, "blocked"),
        (ignores_stop, "blocked"),
        (busy, "busy"),
        (swallow_all_busy, "busy"),
        (wait, "deadline"),
        (swallow, "deadline"),
        (swallow_all, "deadline"),
        (swallow_all_twice, "deadline"),
    ],
)
def test_what_does_not_end_is_ended(function, stopped):
    record = checked(function)
    assert record.stopped == stopped
    assert record.line is not None


def test_tasks_without_end_are_bounded():
    record = checked(flood, deadline=5)
    assert record.stopped in ("flood", "blocked", "busy")
    assert len(record.rows) <= 50_001


@pytest.mark.parametrize(
    ("function", "stopped"), [(block, "blocked"), (spin, "blocked"), (catch_all, "blocked"), (wait, "deadline")]
)
def test_in_a_thread_too(function, stopped):
    found = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(run(function, deadline=0.2))))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert found[0].stopped == stopped


def test_a_profiler_is_left_alone():
    profiler = cProfile.Profile()
    profiler.enable()
    before = sys.getprofile()  # None from Python 3.12 on, where a profiler uses sys.monitoring
    try:
        record = checked(good, Jobs(), deadline=30)
        assert sys.getprofile() is before
    finally:
        profiler.disable()
    assert record.value == [0, 10, 20]


def test_a_debugger_is_given_back_its_trace_function():
    def tracer(frame, event, arg):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        record = asyncio.run(run(catch_all, deadline=0.2))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
    assert record.stopped == "blocked"


def test_what_is_left_is_named_and_ended():
    kept = []

    async def leaves():
        kept.append(asyncio.create_task(asyncio.sleep(60), name="left"))
        kept.append(asyncio.create_task(swallow(), name="stubborn"))

    record = checked(leaves, deadline=5)
    assert record.leaked == ("left", "stubborn")
    assert all(task.done() for task in kept)


def test_a_generator_left_open_is_closed():
    seen, kept = [], []

    async def ticks():
        try:
            yield 1
        finally:
            seen.append("closed")

    async def leaves():
        kept.append(ticks())
        await anext(kept[0])

    checked(leaves)
    assert seen == ["closed"]


def test_what_is_lost_or_forgotten_is_recorded_and_not_shown(capsys, caplog):
    kept = []

    async def fails():
        raise ValueError("unheard")

    async def loses():
        print("printed")
        print("to stderr", file=sys.stderr)
        asyncio.create_task(fails(), name="a")  # noqa: RUF006
        kept.append(asyncio.create_task(fails(), name="b"))
        asyncio.sleep(1)
        kept.append(asyncio.sleep(2))
        await asyncio.sleep(0.01)

    record = checked(loses, deadline=5)
    assert sorted(record.lost) == ["ValueError: unheard (task 'a')", "ValueError: unheard (task 'b')"]
    assert record.never_awaited == ("sleep", "sleep")
    assert record.output == "printed\nto stderr\n"
    out, err = capsys.readouterr()
    assert "printed" not in out and not err and "unheard" not in caplog.text


def test_others_print_as_ever(capsys):
    async def other():
        await asyncio.sleep(0.02)
        print("from another cell")

    async def prints():
        await asyncio.to_thread(print, "from my thread")
        await asyncio.sleep(0.05)

    async def main():
        task = asyncio.create_task(other())
        record = await run(prints, deadline=30)
        await task
        return record

    assert asyncio.run(main()).output == "from my thread\n"
    assert capsys.readouterr().out == "from another cell\n"


def test_what_is_rebound_is_put_back_and_named(tmp_path):
    async def rebinds():
        builtins.len = builtins.isinstance = builtins.BaseException = None
        asyncio.sleep = time.monotonic = None
        await good(Jobs())
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda *a, **k: None)
        loop.set_exception_handler(None)
        loop.call_soon = None

    def more():
        asyncio.Queue.get = None
        sys.stdout = sys.stderr = None
        sys.setrecursionlimit(5000)
        os.chdir(tmp_path)
        os.environ["ASYNCLAB_TEST"] = "1"
        warnings.simplefilter("ignore")
        builtins.mine = 1
        asyncio.get_running_loop().stop()

    queue_get = asyncio.Queue.get
    changed = checked(rebinds).changed
    assert {"builtins.len", "asyncio.sleep", "time.monotonic", "loop.call_soon"} <= set(changed)
    changed = checked(more).changed
    assert {"Queue.get", "builtins.mine", "the working directory", "the recursion limit"} <= set(changed)
    assert asyncio.Queue.get is queue_get


def test_values_of_every_kind():
    async def returns_a_coroutine():
        return asyncio.sleep(0)

    assert checked(lambda: 3).value == 3
    assert checked(lambda: asyncio.sleep(0, "awaited")).value == "awaited"
    assert checked(returns_a_coroutine).never_awaited == ("sleep",)
    assert isinstance(checked(None).error, TypeError)
    assert checked(dict, a=1).value == {"a": 1}
    assert checked(lambda: (yield)).error is None


def test_nobody_is_asked():
    record = checked(lambda: input("name?"))
    assert isinstance(record.error, RuntimeError) and record.blocking == ("input()",)


@pytest.mark.parametrize("after", [0.02, "start 2"])
def test_it_is_cancelled_from_outside_when_asked(after):
    record = checked(good, Jobs(60), deadline=20, cancel_after=after)
    assert record.cancelled and isinstance(record.error, asyncio.CancelledError) and not record.stopped
    assert {each.outcome for each in record.intervals} == {"cancelled"}


def test_cancelling_the_check_ends_it_and_passes_through():
    async def main():
        before = world()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await run(swallow, deadline=60)
        assert world() == before

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 20


def test_arguments_that_make_no_sense_and_a_run_inside_a_trace():
    async def main():
        before = world()
        for options in ({"deadline": 0}, {"deadline": float("inf")}, {"cancel_after": -1}):
            with pytest.raises(ValueError, match="must be a time above 0"):
                await run(good, Jobs(), **options)
        with trace():
            assert not (await run(good, Jobs())).error
        assert world() == before

    asyncio.run(main())


SETUP = """
import asyncio, time
from asynclab import begin, end
from asynclab.exercises.running import run
from asynclab.exercises.probes import Jobs
async def good(jobs): return await asyncio.gather(*[jobs.fetch(i) for i in range(3)])
async def block(): time.sleep(60)
async def wait(): await asyncio.sleep(60)
async def nasty():
    asyncio.create_task(asyncio.sleep(60)); asyncio.sleep(1); print("x"); raise SystemExit
begin()
"""


@pytest.fixture(scope="module")
def kernel(pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


def test_in_a_kernel_blocking_code_is_stopped_and_the_next_cell_works(kernel):
    reply = kernel.run(
        "began = time.monotonic(); r = await run(block, deadline=0.5)\n"
        "print(r.stopped, r.blocking, time.monotonic() - began < 0.5 + 1)"
    )
    assert (reply.status, reply.text) == ("ok", "blocked ('time.sleep(60)',) True\n")
    assert kernel.run("print((await run(good, Jobs())).value)").text == "[0, 10, 20]\n"


def test_in_a_kernel_a_nasty_one_shows_nothing_and_the_session_stays_clear(kernel):
    assert kernel.run("begin()").status == "ok"
    reply = kernel.run(
        "r = await run(nasty); print(type(r.error).__name__, len(r.leaked), r.never_awaited, repr(r.output))"
    )
    assert (reply.text, reply.stderr) == ("SystemExit 1 ('sleep',) 'x\\n'\n", "")
    reply = kernel.run("await end()")
    assert reply.status == "ok", reply.evalue


@pytest.mark.parametrize("function", ["block", "wait"])
def test_in_a_kernel_stop_ends_a_check_at_once(kernel, function):
    assert kernel.run("begin()").status == "ok"
    cell = kernel.start(f"print('waiting', flush=True); await asyncio.sleep(0.1); await run({function}, deadline=50)")
    kernel.wait_until_printed(cell, "waiting")
    time.sleep(1.0)
    asked = time.monotonic()
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    assert time.monotonic() - asked < 10
    assert kernel.run("print((await run(good, Jobs())).value)").text == "[0, 10, 20]\n"
    assert kernel.run("await end()").status == "ok"
