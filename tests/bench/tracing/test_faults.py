"""Whatever goes wrong on the way into a trace or out of it, and whatever others replace meanwhile: the loop lives."""

import asyncio
import contextlib
import dis
import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from asyncio import events
from unittest import mock

import pytest

from asynclab.tracing import awaiting, recorder, replacing
from asynclab.tracing.recorder import Trace
from kernels import Kernel
from trace_checks import GENUINE_RUN, assert_no_residue, check_invariants, nap, row

FILES = {module.__file__ for module in (recorder, replacing, awaiting)}
HOOKS = ("call_soon", "call_soon_threadsafe", "create_task", "run_in_executor")


hears_opcodes = pytest.mark.skipif(sys.version_info >= (3, 13), reason="a trace function hears of some opcodes only")


class Interrupted(BaseException):
    """Stands for a KeyboardInterrupt, which asyncio.run() would treat as its own affair."""


def raising_at(count, error, where):
    """A trace function that raises `error` at the `count`th place inside the recorder's files, and the places hit.

    `where` is "line", "opcode", or "call" for the places where an interrupt can arrive: behind a call. (So it can at
    the beginning of a function; but then asyncio's own Handle._run would not have run its callback either.)
    """
    left, before = itertools.count(1), {}

    def local(frame, event, argument):
        if event == "opcode":
            last, before[id(frame)] = before.get(id(frame), ""), dis.opname[frame.f_code.co_code[frame.f_lasti]]
        meant = event == where or (event == "opcode" and where == "call" and last.startswith("CALL"))
        if meant and next(left) == count:
            sys.settrace(None)
            raised.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
            raise error
        return local

    def everywhere(frame, event, argument):
        if frame.f_code.co_filename in FILES:
            frame.f_trace_opcodes = where != "line"
            return local
        return None

    raised = []
    sys._getframe().f_trace_opcodes = where != "line"  # 3.12 wants to hear of it before it traces
    return everywhere, raised


async def a_trace_works():
    """A trace opened now records as it should."""
    with Trace() as trace:
        await asyncio.gather(asyncio.create_task(nap(0), name="a"), asyncio.create_task(nap(0), name="b"))
    assert [each.name for each in trace.tasks[1:]] == ["a", "b"]
    assert trace.finished_order == ["a", "b"]


def nothing_is_left(loop, before):
    assert {name for name in HOOKS if name in vars(loop)} == before
    assert events.Handle._run is GENUINE_RUN


@pytest.mark.parametrize("error", [Interrupted, asyncio.CancelledError, ValueError])
@pytest.mark.parametrize("place", ["entry", "exit"])
@pytest.mark.parametrize("where", ["line", pytest.param("opcode", marks=hears_opcodes)])
def test_an_exception_at_any_point_of_entry_or_exit(place, where, error):
    async def attempt(count):
        tracer, raised = raising_at(count, error, where)
        try:
            trace = Trace()
            if place == "entry":
                sys.settrace(tracer)
            with trace:
                sys.settrace(None)
                await asyncio.create_task(nap(0), name="inside")
                if place == "exit":
                    sys.settrace(tracer)
            sys.settrace(None)
        except error:
            pass
        finally:
            sys.settrace(None)
            del trace  # an entry that was cut short after its last statement is undone with its trace
        await asyncio.sleep(0)
        nothing_is_left(asyncio.get_running_loop(), set())
        await a_trace_works()
        nothing_is_left(asyncio.get_running_loop(), set())
        return raised

    async def main():
        reached = set()
        for count in itertools.count(1):
            raised = await attempt(count)
            if not raised:
                return reached
            reached.update(raised)

    try:
        reached = asyncio.run(main())
    finally:
        sys.settrace(None)
    assert len(reached) > 10
    assert_no_residue()


@pytest.mark.parametrize("name", HOOKS)
def test_a_method_of_the_loop_that_fails_during_entry(name):
    async def main():
        loop = asyncio.get_running_loop()
        with mock.patch.object(loop, name, side_effect=OSError), contextlib.suppress(OSError), Trace():
            pass
        nothing_is_left(loop, set())
        await a_trace_works()

    asyncio.run(main())
    assert_no_residue()


def passes_on(function):
    def wrapper(*args, **options):
        wrapper.calls += 1
        return function(*args, **options)

    wrapper.calls = 0
    return wrapper


@pytest.mark.parametrize("name", HOOKS)
def test_a_method_of_the_loop_deleted_inside_the_block(name):
    async def main():
        loop = asyncio.get_running_loop()
        with Trace() as trace:
            delattr(loop, name)
            await asyncio.create_task(nap(0), name="task")
            await asyncio.to_thread(int)
        nothing_is_left(loop, set())
        assert row(trace, "task").outcome == "done"
        await a_trace_works()

    asyncio.run(main())
    assert_no_residue()


EVENTS = ("trace on", "trace off", "patch on", "patch off")
ORDERS = [
    order
    for order in itertools.permutations(EVENTS)
    if order.index("trace on") < order.index("trace off") and order.index("patch on") < order.index("patch off")
]


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("name", [*HOOKS, "_run"])
def test_a_patch_and_a_trace_in_any_order(name, order):
    async def main():
        loop = asyncio.get_running_loop()
        owner = events.Handle if name == "_run" else loop
        patch, trace = None, Trace()
        for event in order:
            if event == "trace on":
                trace.__enter__()
            elif event == "trace off":
                trace.__exit__(None, None, None)
            elif event == "patch on":
                mine = passes_on(getattr(owner, name))
                patch = mock.patch.object(owner, name, mine)
                patch.start()
            else:
                patch.stop()
            await asyncio.create_task(nap(0), name=event)
            loop.call_soon_threadsafe(int)
            await asyncio.to_thread(int)
            if event == "patch on":
                assert mine.calls, "a patch is heard, above a trace as well as below"
        nothing_is_left(loop, set())
        await a_trace_works()
        nothing_is_left(loop, set())

    asyncio.run(main())
    assert_no_residue()


def test_a_patch_that_was_there_before_is_there_after():
    async def main():
        loop = asyncio.get_running_loop()
        for owner, name in [*((loop, name) for name in HOOKS), (events.Handle, "_run")]:
            with mock.patch.object(owner, name, passes_on(getattr(owner, name))) as mine:
                await a_trace_works()
                assert vars(owner)[name] is mine
                assert mine.calls or name in ("call_soon_threadsafe", "run_in_executor")

    asyncio.run(main())
    assert_no_residue()


@pytest.mark.parametrize("seed", range(20))
def test_traces_that_open_and_close_in_any_order(seed):
    """Each records the tasks begun inside its own block, whatever the others do, and all are gone in the end."""
    rng = random.Random(seed)

    async def crew(number):
        await asyncio.sleep(rng.random() * 0.003)
        with Trace() as trace:
            await asyncio.sleep(rng.random() * 0.003)
            names = [f"{number}-{i}" for i in range(3)]
            await asyncio.gather(*[asyncio.create_task(nap(rng.random() * 0.002), name=name) for name in names])
            await asyncio.sleep(rng.random() * 0.003)
        assert [each.name for each in trace.tasks[1:]] == names
        assert all(each.outcome == "done" and len(each.steps) == 2 for each in trace.tasks[1:])
        return trace

    async def main():
        loop = asyncio.get_running_loop()
        with Trace() as outer:
            traces = await asyncio.gather(*[crew(number) for number in range(6)])
        nothing_is_left(loop, set())
        return outer, traces

    outer, traces = asyncio.run(main())
    for trace in (outer, *traces):
        check_invariants(trace)
    assert len(outer.tasks) == 1 + 6 + 18, "rows go to the outer trace too"
    ours = sorted(each.name for each in outer.tasks if "-" in each.name and not each.name.startswith("Task-"))
    assert ours == sorted(each.name for trace in traces for each in trace.tasks[1:])


def test_a_function_with_a_trace_of_its_own_inside_a_trace():
    async def main():
        with Trace() as outer:
            await asyncio.create_task(nap(0.001), name="before")
            with Trace() as inner:
                await asyncio.create_task(asyncio.to_thread(int), name="within")
            await asyncio.create_task(nap(0.001), name="after")
        return outer, inner

    outer, inner = asyncio.run(main())
    check_invariants(outer)
    check_invariants(inner)
    assert [each.name for each in outer.tasks[1:]] == ["before", "within", "after"]
    assert [each.name for each in inner.tasks[1:]] == ["within"]
    assert [work.name for trace in (outer, inner) for work in trace.work] == ["int", "int"]
    assert inner.tasks[0].root and outer.tasks[0].root


def test_a_trace_that_a_background_task_holds_open_blocks_no_other():
    async def holds():
        with Trace() as trace:
            await asyncio.create_task(nap(0.02), name="long")
        return trace

    async def main():
        background = asyncio.create_task(holds())
        await asyncio.sleep(0.005)
        await a_trace_works()
        return await background

    trace = asyncio.run(main())
    check_invariants(trace)
    assert [each.name for each in trace.tasks[1:]] == ["long"]


def test_a_trace_dropped_without_its_end_is_over():
    async def main():
        Trace().__enter__()
        gc.collect()
        await asyncio.sleep(0)
        nothing_is_left(asyncio.get_running_loop(), set())

    asyncio.run(main())


class Answering:
    """A callback that answers, or fails to, whatever attribute it is asked for."""

    def __init__(self, error=None):
        self.__dict__.update(error=error, calls=0)

    def __getattr__(self, name):
        if self.error:
            raise self.error
        return lambda *args: self

    def __call__(self, *args):
        self.__dict__["calls"] += 1


@pytest.mark.parametrize("kind", [Answering, lambda: Answering(OSError()), mock.Mock])
def test_callbacks_that_answer_strangely_are_run_and_recorded(kind):
    async def main():
        loop = asyncio.get_running_loop()
        with Trace() as trace:
            loop.call_soon(callback)
            loop.call_later(0, callback)
            loop.call_soon_threadsafe(callback)
            await loop.run_in_executor(None, callback)
            await nap()  # a thread may be done before it is awaited
        assert len([each for each in trace.callbacks if each.name in ("Answering", "Mock")]) == 3
        assert trace.work[0].end is not None

    callback = kind()
    asyncio.run(main())
    assert (callback.call_count if isinstance(callback, mock.Mock) else callback.calls) == 4


def test_a_loop_stopped_or_closed_with_a_trace_open():
    async def stops():
        with Trace() as trace:
            kept.append(trace)
            asyncio.get_running_loop().stop()
            await asyncio.sleep(60)

    kept = []
    loop = asyncio.new_event_loop()
    task = loop.create_task(stops())
    loop.run_forever()
    asyncio.run(a_trace_works())  # on another loop, meanwhile
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    check_invariants(kept[0])


@hears_opcodes
def test_an_interrupt_while_the_recorder_works_loses_no_callback():
    """A task whose wake-up was being noted wakes up all the same."""

    async def waits(future):
        with Trace():
            await future

    def turn(loop):
        loop.call_soon(loop.stop)
        loop.run_forever()

    reached = set()
    for count in itertools.count(1):
        loop = asyncio.new_event_loop()
        future = loop.create_future()
        task = loop.create_task(waits(future))
        turn(loop)
        tracer, raised = raising_at(count, Interrupted, "call")
        future.set_result(1)
        sys.settrace(tracer)
        with contextlib.suppress(Interrupted):
            turn(loop)
        sys.settrace(None)
        for _ in range(3):
            turn(loop)
        assert task.done(), raised
        loop.close()
        assert_no_residue()
        reached.update(raised)
        if not raised:
            break
    assert len(reached) > 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
@pytest.mark.parametrize("signals", [60, pytest.param(300, marks=pytest.mark.soak)])
def test_signals_that_arrive_anywhere(signals):
    """Real signals, where the interpreter lets them in: around, inside and between traces that nest."""
    program = """
import asyncio, gc, random, signal, sys
from asyncio import events
from asynclab.tracing.recorder import Trace

genuine, rng = events.Handle._run, random.Random(1)

def interrupt(signum, frame):
    raise KeyboardInterrupt

async def work():
    loop = asyncio.get_running_loop()
    while True:
        with Trace() as outer:
            loop.call_soon(loop.stop)
            with Trace():
                await asyncio.create_task(asyncio.sleep(0))
            await asyncio.sleep(0)

async def a_trace_works():
    with Trace() as trace:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    assert [row.outcome for row in trace.tasks] == ["pending", "done", "done"]

signal.signal(signal.SIGALRM, interrupt)
for _ in range(int(sys.argv[1])):
    loop = asyncio.new_event_loop()
    task = loop.create_task(work())
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 3e-3), 0.05)  # again, if one is swallowed
        while True:
            loop.run_forever()
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    loop._thread_id = None  # a signal on run_forever()'s own way in leaves it marked as running
    events._set_running_loop(None)
    loop.close()
    del task, loop
    asyncio.run(a_trace_works())
gc.collect()
assert events.Handle._run is genuine
print("nothing is left")
"""
    options = {"capture_output": True, "text": True, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(signals)], timeout=120, **options)
    assert done.stdout == "nothing is left\n", done.stderr[-3000:]


def test_stop_pressed_while_traces_open_and_close_in_a_kernel(pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        setup = "import asyncio\nfrom asyncio import events\nfrom asynclab import begin, end, trace\nbegin()"
        assert kernel.run(setup).status == "ok"
        for _ in range(8):
            cell = kernel.start("print('on')\nwhile True:\n    with trace('x'):\n        pass")
            kernel.wait_until_printed(cell, "on")
            for _ in range(30):  # Python swallows one that arrives in a weak reference's callback
                kernel.interrupt()
                with contextlib.suppress(TimeoutError):
                    kernel.wait(cell, 3)
                    break
            assert kernel.wait(cell, 0.1).ename == "KeyboardInterrupt"
            code = "with trace('y') as y:\n    await asyncio.create_task(asyncio.sleep(0))\nprint(len(y.tasks))"
            assert kernel.run(code, 30).text == "2\n"
        code = "await end()\nprint(events.Handle._run.__module__, 'call_soon' in vars(asyncio.get_running_loop()))"
        assert kernel.run(code, 30).text.endswith("\nasyncio.events False\n")


def test_traces_that_open_and_close_in_several_threads():
    def work():
        async def many():
            for _ in range(30):
                await a_trace_works()

        try:
            asyncio.run(many())
        except BaseException as error:
            failed.append(error)

    failed = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert_no_residue()
