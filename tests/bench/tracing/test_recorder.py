"""The recorder: what it tells of every kind of task, and that it leaves nothing behind."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import gc
import inspect
import json
import os
import random
import subprocess
import sys
import threading
import time
import types
import weakref
from asyncio import events
from pathlib import Path

import aiofiles
import aiohttp
import pytest
from aiohttp import web

from asynclab.tracing import awaiting, recorder
from asynclab.tracing.drawing import Record
from asynclab.tracing.recorder import Trace
from trace_checks import assert_no_residue, check_invariants, nap, row

needs_eager_tasks = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")


def awaited(row):
    return [step.awaiting for step in row.steps]


def record(main, **options):
    """Run `main` in a trace of its own loop; check that it leaves nothing; return the trace."""

    async def outer():
        loop = asyncio.get_running_loop()
        before = set(loop.__dict__)
        with Trace(**options) as trace:
            await main()
        assert set(loop.__dict__) == before
        assert recorder._inside.get() == ()
        return trace

    trace = asyncio.run(outer())
    check_invariants(trace)
    return trace


# ---------------------------------------------------------------- what it records


def test_gathered_tasks_are_rows_under_their_creator():
    async def main():
        await asyncio.gather(*[asyncio.create_task(nap(0.01 * i), name=f"nap {i}") for i in (3, 1, 2)])

    trace = record(main)
    root = trace.tasks[0]
    assert root.root and root.outcome == "pending"
    assert awaited(root)[0] == "gather"
    assert [r.name for r in trace.tasks[1:]] == ["nap 3", "nap 1", "nap 2"]
    assert trace.finished_order == ["nap 1", "nap 2", "nap 3"]
    for child in trace.tasks[1:]:
        assert child.parent is root
        assert (child.coro, child.outcome, awaited(child)) == ("nap", "done", ["sleep", None])


def test_gathered_coroutines_are_rows_too():
    async def main():
        await asyncio.gather(nap(), nap())

    assert [r.coro for r in record(main).tasks[1:]] == ["nap", "nap"]


def test_a_failing_task_group_cancels_the_others():
    async def fail():
        await asyncio.sleep(0.005)
        raise ValueError

    async def main():
        with contextlib.suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(nap(0), name="quick")
                group.create_task(fail(), name="fails")
                group.create_task(nap(60), name="slow")

    trace = record(main)
    assert (row(trace, "fails").outcome, row(trace, "fails").error) == ("raised", "ValueError")
    assert row(trace, "quick").outcome == "done"
    assert row(trace, "slow").outcome == "cancelled"
    assert len(row(trace, "slow").cancels) == 1
    assert row(trace, "slow").cancels[0].when >= row(trace, "fails").finished
    assert trace.finished_order == ["quick", "fails", "slow"]


def test_a_cancelled_task_group():
    async def group():
        async with asyncio.TaskGroup() as group:
            group.create_task(nap(60), name="child")

    async def main():
        task = asyncio.create_task(group(), name="group")
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])

    trace = record(main)
    assert row(trace, "group").outcome == row(trace, "child").outcome == "cancelled"
    assert row(trace, "group").cancels[0].by is trace.tasks[0]
    assert row(trace, "child").parent is row(trace, "group")
    assert "TaskGroup.__aexit__" in awaited(row(trace, "group"))


def test_timeouts_are_cancels_of_the_waiting_task():
    async def main():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(nap(60), 0.01)
        await asyncio.wait_for(nap(), 60)

    trace = record(main)
    if sys.version_info >= (3, 12):
        assert len(trace.tasks) == 1
        assert len(trace.tasks[0].cancels) == 2
    else:  # wait_for made a task of what it waited for
        assert [r.outcome for r in trace.tasks[1:]] == ["cancelled", "done"]
        assert len(trace.tasks[0].cancels) == 1


def test_semaphore_and_queue_are_named_as_reasons():
    async def worker(semaphore, queue):
        async with semaphore:
            await asyncio.sleep(0.005)
        await queue.get()
        queue.task_done()

    async def main():
        semaphore, queue = asyncio.Semaphore(1), asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            for i in range(3):
                group.create_task(worker(semaphore, queue), name=f"worker {i}")
            await asyncio.sleep(0.05)
            for i in range(3):
                queue.put_nowait(i)
            await queue.join()

    trace = record(main)
    assert awaited(row(trace, "worker 0")) == ["sleep", "Queue.get", None]
    assert awaited(row(trace, "worker 2")) == ["Semaphore.acquire", "sleep", "Queue.get", None]
    assert "Queue.join" in awaited(trace.tasks[0])


def test_other_reasons_and_the_line_waited_at():
    async def for_future():
        await future

    async def for_event():
        async with asyncio.timeout(60):
            await event.wait()

    async def for_condition():
        async with condition:
            await condition.wait()

    async def for_task():
        await target

    async def for_turn():
        await asyncio.sleep(0)

    async def main():
        nonlocal future, event, condition, target
        future, event, condition = asyncio.get_running_loop().create_future(), asyncio.Event(), asyncio.Condition()
        target = asyncio.create_task(nap(0.02), name="target")
        kinds = (for_future, for_event, for_condition, for_task, for_turn)
        tasks = [asyncio.create_task(kind(), name=kind.__name__) for kind in kinds]
        await asyncio.sleep(0.005)
        future.set_result(1)
        event.set()
        async with condition:
            condition.notify_all()
        await asyncio.wait([target, *tasks])

    future = event = condition = target = None
    trace = record(main)
    reasons = {name: awaited(row(trace, name))[0] for name in ("for_future", "for_event", "for_condition", "for_task")}
    assert reasons == {
        "for_future": "future",
        "for_event": "Event.wait",
        "for_condition": "Condition.wait",
        "for_task": "task target",
    }
    assert awaited(row(trace, "for_turn")) == ["sleep(0)", None]
    first = for_future.__code__.co_firstlineno
    assert row(trace, "for_future").steps[0].line == first + 1
    assert row(trace, "for_event").steps[0].line == for_event.__code__.co_firstlineno + 2


LIBRARY = """
import asyncio

def later():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(0.001, future.set_result, None)
    return future

class Opening:
    def __init__(self, coro): self.coro = coro
    def __await__(self): return self.coro.__await__()
    async def __aenter__(self): return await self.coro
    async def __aexit__(self, *exc): await self._leave()
    async def _leave(self): await asyncio.sleep(0.001)

class Stepwise(Opening):
    def __await__(self): return (yield from self.coro.__await__())
    async def __aenter__(self): return await self
    async def _aexit(self): await later()
    async def __aexit__(self, *exc): await self._aexit()

class Client:
    def get(self, kind=Opening): return kind(self._request())
    async def fetch(self): return await self._request()
    async def _request(self): await later()

def delegate(name):
    async def method(self): return name, await later()
    return method

class File:
    read = delegate("read")
"""


def test_what_a_library_awaits_is_named_alike_in_both_forms_of_its_calls():
    """aiohttp, aiosqlite, aiofiles, asyncpg and anyio wrap their coroutines in such ways."""
    library = {}
    exec(compile(LIBRARY, awaiting.LIBRARY[0] + "/library.py", "exec"), library)
    client, stepwise = library["Client"](), library["Stepwise"]

    async def awaits(kind):
        await client.get(kind)

    async def enters(kind):
        async with client.get(kind):
            pass

    async def method(function):
        await function()

    async def anext_of_generator():
        async def numbers():
            await client.fetch()
            yield 1

        generator = numbers()
        assert await anext(generator, None) == 1
        await generator.aclose()

    async def main():
        await asyncio.create_task(awaits(library["Opening"]), name="await")
        await asyncio.create_task(enters(library["Opening"]), name="async with")
        await asyncio.create_task(awaits(stepwise), name="await, stepwise")
        await asyncio.create_task(enters(stepwise), name="async with, stepwise")
        await asyncio.create_task(method(client.fetch), name="public")
        await asyncio.create_task(method(library["File"]().read), name="made by a factory")
        await asyncio.create_task(anext_of_generator(), name="anext")

    trace = record(main)
    assert {each.name: awaited(each) for each in trace.tasks[1:]} == {
        "await": ["Client.request", None],
        "async with": ["Client.request", "sleep", None],
        "await, stepwise": ["Client.request", None],
        "async with, stepwise": ["Client.request", "Stepwise.__aexit__", None],
        "public": ["Client.fetch", None],
        "made by a factory": ["File.read", None],
        "anext": ["Client.fetch", None],
    }


@pytest.mark.parametrize("file", ["own.py", awaiting.LIBRARY[0] + "/library.py"])
def test_what_a_coroutine_deletes_is_gone_at_once(file):
    """A trace that looks at what the coroutine refers to does not hold on to it."""

    async def deletes():
        value = {1}
        await asyncio.sleep(0)
        reference = weakref.ref(value)
        del value
        return reference()

    async def main():
        assert await asyncio.create_task(function()) is None

    function = types.FunctionType(deletes.__code__.replace(co_filename=file), globals())
    record(main)


def test_debug_mode_names_the_lines_that_made_a_handle_or_a_task():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        with Trace():
            made = [loop.call_soon(int), loop.call_soon_threadsafe(int), loop.create_task(nap(0))]
        assert {each._source_traceback[-1].filename for each in made} == {__file__}
        await made[-1]

    record(main)


def test_a_method_of_the_loop_that_is_called_back_bears_its_own_name():
    async def numbers():
        yield 1

    async def main():
        await anext(numbers())  # dropped unfinished: the loop makes a task that closes it
        await asyncio.sleep(0.01)

    assert "BaseEventLoop.create_task" in [callback.name for callback in record(main).callbacks]


@contextlib.asynccontextmanager
async def hello_server():
    """The URL of a page that takes 10 ms, served on this loop, and a session to ask for it."""

    async def hello(request):
        await asyncio.sleep(0.01)
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", session
    await runner.cleanup()


def test_libraries_that_the_guide_teaches(tmp_path):
    async def main():
        async with hello_server() as (url, session):
            await asyncio.create_task(get(session, url), name="await")
            await asyncio.create_task(get_with(session, url), name="async with")
        await asyncio.create_task(write(tmp_path / "file"), name="files")

    async def get(session, url):
        response = await session.get(url)
        response.release()

    async def get_with(session, url):
        async with session.get(url):
            pass

    async def write(path):
        async with aiofiles.open(path, "w") as file:
            for _ in range(20):  # one of them will take longer than it takes to wait for it
                await file.write("text" * 1000)
                await file.flush()

    trace = record(main)
    for name in ("await", "async with"):
        assert awaited(row(trace, name))[-2:] == ["ClientResponse.start", None]
    reasons = {"open", "AsyncTextIOWrapper.write", "AsyncTextIOWrapper.flush", "AiofilesContextManager.__aexit__", None}
    assert {None} < set(awaited(row(trace, "files"))) <= reasons


def test_a_loop_inside_a_step():
    """nest_asyncio runs a loop inside a task's step: the task is not running meanwhile, nor asleep."""
    program = """
import asyncio, json, nest_asyncio2, sys
from asynclab.tracing.recorder import Trace
nest_asyncio2.apply()

async def inner():
    await asyncio.sleep(0.01)

async def outer():
    asyncio.run(inner())

async def main():
    with Trace() as trace:
        asyncio.run(inner())
        await asyncio.create_task(outer(), name="outer")
    spans = sorted((step.start, step.end) for row in trace.tasks for step in row.steps)
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:])), spans
    print(json.dumps([[step.awaiting for step in row.steps] for row in trace.tasks]))

asyncio.run(main())
"""
    path = os.pathsep.join(sys.path)
    options = {"capture_output": True, "text": True, "env": {**os.environ, "PYTHONPATH": path}}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=60, **options)
    assert done.returncode == 0, done.stderr
    root, first, outer, second = json.loads(done.stdout)
    assert set(root) == {"a nested event loop", "task outer", None}
    assert set(outer) == {"a nested event loop", None}
    assert first == second == ["sleep", None]


def test_async_generators():
    async def count():
        for i in range(3):
            await asyncio.sleep(0.002)
            yield i

    async def use():
        assert [i async for i in count()] == [0, 1, 2]

    async def main():
        await asyncio.create_task(use(), name="use")

    trace = record(main)
    assert awaited(row(trace, "use")) == ["sleep", "sleep", "sleep", None]
    assert row(trace, "use").steps[0].line == count.__code__.co_firstlineno + 2


def test_a_starved_task_is_ready_not_waiting():
    async def rude():
        await asyncio.sleep(0.01)
        time.sleep(0.2)

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(rude(), name="rude")
            group.create_task(nap(0.05), name="polite")

    trace = record(main)
    rude_step, polite_step = row(trace, "rude").steps[1], row(trace, "polite").steps[1]
    assert rude_step.end - rude_step.start > 0.19
    assert rude_step.start < polite_step.ready < rude_step.end
    assert polite_step.start >= rude_step.end
    assert polite_step.start - polite_step.ready > 0.05


def test_a_late_timer_of_an_idle_loop_is_not_starvation():
    async def beat():
        for _ in range(10):
            await asyncio.sleep(0.01)

    async def main():
        await asyncio.create_task(beat(), name="beat")

    gaps = sorted(step.start - step.ready for step in row(record(main), "beat").steps)
    assert gaps[len(gaps) // 2] < 0.002  # the median: one gap may be the machine's


def test_threads_have_lanes_of_their_own():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.create_task(asyncio.to_thread(time.sleep, 0.03), name="to_thread")
        with concurrent.futures.ThreadPoolExecutor(1, "pool") as pool:
            await asyncio.gather(*[loop.run_in_executor(pool, time.sleep, 0.01) for _ in range(2)])
        with contextlib.suppress(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)

    trace = record(main)
    first, *pooled, failed = trace.work
    assert first.name == "sleep" and first.row is row(trace, "to_thread")
    assert first.lane.startswith("asyncio_")
    assert 0 <= first.submitted <= first.start
    assert first.end - first.start > 0.025
    assert [work.lane for work in pooled] == ["pool_0", "pool_0"]
    assert pooled[1].start >= pooled[0].end
    assert (failed.name, failed.error) == ("divmod", "ZeroDivisionError")
    assert awaited(row(trace, "to_thread")) == ["to_thread", None]


def test_a_thread_that_ends_while_the_loop_is_blocked():
    async def main():
        task = asyncio.create_task(asyncio.to_thread(time.sleep, 0.05), name="to_thread")
        await asyncio.sleep(0.01)
        time.sleep(0.2)
        await task

    trace = record(main)
    step = row(trace, "to_thread").steps[1]
    assert step.start - step.ready > 0.05, "it was ready when the thread ended, not when the loop noticed"
    assert step.ready >= trace.work[0].end - 0.001


def test_process_pools():
    async def main():
        loop = asyncio.get_running_loop()
        context = __import__("multiprocessing").get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
            assert await loop.run_in_executor(pool, abs, -1) == 1

    trace = record(main)
    assert [(work.name, work.lane) for work in trace.work] == [("abs", "ProcessPoolExecutor")]
    assert trace.work[0].end > trace.work[0].start


def test_cancel_before_the_first_step_and_a_swallowed_cancel():
    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.005)

    async def main():
        early = asyncio.create_task(nap(), name="early")
        early.cancel()
        swallows = asyncio.create_task(stubborn(), name="swallows")
        await asyncio.sleep(0.002)
        swallows.cancel()
        await asyncio.wait([early, swallows])

    trace = record(main)
    assert (row(trace, "early").outcome, len(row(trace, "early").cancels)) == ("cancelled", 1)
    assert (row(trace, "swallows").outcome, len(row(trace, "swallows").cancels)) == ("done", 1)
    assert row(trace, "swallows").cancels[0].by is trace.tasks[0]


def test_a_cancel_that_a_timer_calls_is_no_step():
    async def main():
        task = asyncio.create_task(nap(60), name="task")
        asyncio.get_running_loop().call_later(0.005, task.cancel)
        await asyncio.wait([task])

    trace = record(main)
    assert len(row(trace, "task").steps) == 2
    assert len(row(trace, "task").cancels) == 1
    assert any(callback.name.endswith("cancel") for callback in trace.callbacks)


def test_tasks_begun_outside_are_no_rows():
    async def main():
        outside = asyncio.create_task(nap(0.02), name="outside")
        await asyncio.sleep(0)
        with Trace() as trace:
            await asyncio.create_task(nap(0.03), name="inside")
        assert outside.done()
        other = asyncio.create_task(nap(0.01), name="outside")
        await asyncio.sleep(0)
        with Trace(everything=True) as all_of_it:
            await asyncio.create_task(nap(0.02), name="inside")
        assert other.done()
        return trace, all_of_it

    trace, all_of_it = asyncio.run(main())
    check_invariants(trace)
    assert [r.name for r in trace.tasks[1:]] == ["inside"]
    assert any(callback.name.startswith("outside") for callback in trace.callbacks)
    assert row(all_of_it, "outside").late and row(all_of_it, "outside").outcome == "done"


def test_a_task_that_outlives_the_trace():
    async def main():
        with Trace() as trace:
            task = asyncio.create_task(nap(0.02), name="survivor")
            await asyncio.sleep(0.005)
        await task
        with Trace() as second:
            await asyncio.create_task(nap(0.001), name="next")
        return trace, second

    trace, second = asyncio.run(main())
    check_invariants(trace)
    check_invariants(second)
    assert (row(trace, "survivor").outcome, len(row(trace, "survivor").steps)) == ("pending", 1)
    assert [r.name for r in second.tasks[1:]] == ["next"]


def test_a_collected_task_and_a_lost_exception_are_still_reported(caplog):
    async def fail():
        raise KeyError("x")

    async def forgotten():
        await asyncio.get_running_loop().create_future()

    async def main():
        asyncio.create_task(fail(), name="fails")  # noqa: RUF006
        await asyncio.sleep(0.005)
        asyncio.create_task(forgotten(), name="lost")  # noqa: RUF006
        await asyncio.sleep(0.005)
        gc.collect()
        await asyncio.sleep(0.005)

    trace = record(main)
    assert "never retrieved" in caplog.text
    assert "was destroyed but it is pending" in caplog.text
    assert row(trace, "lost").outcome == "destroyed"
    assert row(trace, "fails").error == "KeyError"


def test_names_given_late_and_context_variables():
    variable = contextvars.ContextVar("variable", default=0)

    async def rename(i):
        variable.set(i)
        asyncio.current_task().set_name(f"renamed {i}")
        await asyncio.sleep(0.001)
        assert variable.get() == i

    async def main():
        await asyncio.gather(rename(1), rename(2))
        assert variable.get() == 0
        await asyncio.create_task(nap(), context=contextvars.Context(), name="empty context")

    trace = record(main)
    assert [r.name for r in trace.tasks[1:]] == ["renamed 1", "renamed 2", "empty context"]


def test_a_name_that_was_given_is_told_from_a_default_one():
    async def main():
        async with asyncio.TaskGroup() as group:
            for name in ("Task-1", "Task-2", "Task-3", "Task-4", None, "mine"):
                group.create_task(nap(), name=name)
            await asyncio.create_task(nap(), name="Task-8")
            late = asyncio.create_task(nap())
            late.set_name("Task-10")
            direct = asyncio.Task(nap(), loop=asyncio.get_running_loop(), name="direct")
            await asyncio.wait([late, direct])

    rows = record(main).tasks[1:]
    assert [each.name for each in rows if each.named] == [
        *("Task-1", "Task-2", "Task-3", "Task-4", "mine", "Task-8", "Task-10", "direct")
    ]


@needs_eager_tasks
def test_eager_tasks():
    async def quick():
        return 1

    async def half():
        await nap(0.002)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        try:
            task = asyncio.create_task(quick(), name="quick")
            assert task.done()
            async with asyncio.TaskGroup() as group:
                group.create_task(half(), name="half")
            await asyncio.gather(half(), quick())
        finally:
            loop.set_task_factory(None)

    trace = record(main)
    quick_row, half_row = row(trace, "quick"), row(trace, "half")
    assert quick_row.eager and quick_row.outcome == "done" and len(quick_row.steps) == 1
    assert quick_row.coro.endswith("quick") and quick_row.parent is trace.tasks[0]
    assert half_row.eager and half_row.outcome == "done" and awaited(half_row) == ["sleep", None]
    assert len(trace.tasks) == 5


@needs_eager_tasks
@pytest.mark.parametrize("rest", ["nothing", "turn", "sleep", "thread", "future"])
@pytest.mark.parametrize("how", ["factory", "direct"])
def test_eager_tasks_that_start_eager_tasks(how, rest):
    def start(coro, name):
        if how == "factory":
            return asyncio.create_task(coro, name=name)
        return asyncio.Task(coro, loop=asyncio.get_running_loop(), name=name, eager_start=True)

    async def work(depth, name):
        if depth:
            children = [start(work(depth - 1, f"{name}{i}"), f"{name}{i}") for i in range(2)]
        if rest == "turn":
            await asyncio.sleep(0)
        elif rest == "sleep":
            await asyncio.sleep(0.001)
        elif rest == "thread":
            await asyncio.to_thread(int)
        elif rest == "future":
            future = asyncio.get_running_loop().create_future()
            future.get_loop().call_later(0.001, future.set_result, None)
            await future
        if depth:
            await asyncio.gather(*children)

    async def main():
        loop = asyncio.get_running_loop()
        if how == "factory":
            loop.set_task_factory(asyncio.eager_task_factory)
        await asyncio.create_task(work(3, "a"), name="a")
        loop.set_task_factory(None)

    trace = record(main)
    names = {each.name: each for each in trace.tasks[1:]}
    assert all(step.end >= step.start for each in trace.tasks for step in each.steps)
    if how == "factory":  # else a task that ends at once is never heard of
        assert len(names) == 15
        assert all(names[name].parent is names.get(name[:-1], trace.tasks[0]) for name in names)
    assert {each.outcome for each in names.values()} == {"done"}


@needs_eager_tasks
def test_an_eager_task_that_a_callback_starts_cuts_it_in_two():
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: tasks.append(asyncio.eager_task_factory(loop, nap(0.001))))
        loop.call_soon(made)
        await asyncio.sleep(0.01)

    def made():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        tasks.append(asyncio.create_task(nap(0.001)))
        loop.set_task_factory(None)

    tasks = []
    trace = record(main)
    assert [each.outcome for each in trace.tasks[1:]] == ["done", "done"]
    assert [callback.name.endswith("made") for callback in trace.callbacks].count(True) == 2


@needs_eager_tasks
def test_unnamed_eager_tasks_are_called_by_their_coroutine():
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.gather(asyncio.create_task(nap()), asyncio.create_task(nap(), name="Task-1"))

    rows = record(main).tasks[1:]
    assert [(each.named, each.coro) for each in rows] == [(False, "nap"), (True, "nap")]


@needs_eager_tasks
def test_an_eager_task_made_directly_is_marked_late():
    async def main():
        await asyncio.Task(nap(0.002), loop=asyncio.get_running_loop(), name="direct", eager_start=True)

    trace = record(main)
    assert row(trace, "direct").late and row(trace, "direct").outcome == "done"


def test_python_tasks_subclasses_and_a_factory_of_the_users():
    class Special(asyncio.Task):
        pass

    def factory(loop, coro, **options):
        return Special(coro, loop=loop, **options)

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.tasks._PyTask(nap(), loop=loop, name="python")
        await Special(nap(), loop=loop, name="subclass")
        loop.set_task_factory(factory)
        task = asyncio.create_task(nap(), name="factory")
        assert type(task) is Special
        await task
        assert loop.get_task_factory() is factory

    trace = record(main)
    for name in ("python", "subclass", "factory"):
        assert (row(trace, name).outcome, awaited(row(trace, name))) == ("done", ["sleep", None]), name


def test_what_a_task_tells_of_itself_is_untouched():
    seen = {}

    async def work():
        me = asyncio.current_task()
        seen.update(repr=repr(me), name=me.get_name(), stack=me.get_stack())
        await asyncio.sleep(0)

    async def main():
        coro = work()
        task = asyncio.create_task(coro, name="me")
        assert task.get_coro() is coro
        assert type(task) is asyncio.Task
        await asyncio.sleep(0)
        assert inspect.getcoroutinestate(coro) == inspect.CORO_SUSPENDED
        await task

    record(main)
    assert "name='me'" in seen["repr"] and ".work() running at" in seen["repr"]
    assert seen["stack"][-1].f_code is work.__code__


def test_streams_and_a_subprocess():
    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=asyncio.subprocess.PIPE)
        await process.communicate()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.01)

    trace = record(main)
    assert any(r.coro.endswith("serve") and r.outcome == "done" for r in trace.tasks)
    assert "StreamReader.readline" in awaited(trace.tasks[0])


def test_aiohttp_client_and_server_on_one_loop():
    async def main():
        async with hello_server() as (url, session):

            async def get():
                async with session.get(url) as response:
                    return await response.text()

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(get(), name=f"get {i}") for i in range(3)]
        assert [task.result() for task in tasks] == ["hello"] * 3

    trace = record(main)
    for i in range(3):
        assert row(trace, f"get {i}").outcome == "done"
        assert awaited(row(trace, f"get {i}"))[-2:] == ["ClientResponse.start", None]
    assert sum(r.coro.startswith("RequestHandler") for r in trace.tasks) >= 1


def test_a_thousand_tasks():
    async def main():
        await asyncio.gather(*[nap(0.001 * (i % 20)) for i in range(1000)])

    trace = record(main)
    assert len(trace.tasks) == 1001
    assert all(r.outcome == "done" for r in trace.tasks[1:])


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_keep_the_invariants(seed):
    rng = random.Random(seed)
    kinds = ("sleep", "turn", "block", "child", "raise", "cancel", "thread", "lock", "queue")

    async def busy(depth, lock, queue):
        for _ in range(rng.randrange(1, 5)):
            kind = rng.choice(kinds)
            if kind == "sleep":
                await asyncio.sleep(rng.random() * 0.004)
            elif kind == "turn":
                await asyncio.sleep(0)
            elif kind == "block":
                time.sleep(rng.random() * 0.003)
            elif kind == "thread":
                await asyncio.to_thread(time.sleep, rng.random() * 0.002)
            elif kind == "lock":
                async with lock:
                    await asyncio.sleep(0.001)
            elif kind == "queue":
                queue.put_nowait(1)
                await queue.get()
            elif kind == "raise" and depth:
                raise ValueError(depth)
            elif depth < 3:
                child = asyncio.create_task(busy(depth + 1, lock, queue))
                children.append(child)
                if kind == "cancel":
                    asyncio.get_running_loop().call_later(rng.random() * 0.003, child.cancel)
                await asyncio.wait([child])

    async def main():
        lock, queue = asyncio.Lock(), asyncio.Queue()
        await asyncio.gather(*[busy(0, lock, queue) for _ in range(5)], return_exceptions=True)
        await asyncio.gather(*children, return_exceptions=True)  # a cancelled parent leaves its child to itself

    children = []
    trace = record(main)
    assert all(r.outcome != "pending" for r in trace.tasks[1:])


def test_recording_needs_the_standard_library_alone():
    folder = Path(recorder.__file__).parents[2]
    subprocess.run([sys.executable, "-S", "-c", "import asynclab.tracing.recorder"], cwd=folder, check=True)


# ---------------------------------------------------------------- faults and residue


def test_an_exception_in_the_block_leaves_nothing():
    async def main():
        with pytest.raises(ZeroDivisionError), Trace() as trace:
            await asyncio.create_task(nap(0.001), name="before")
            raise ZeroDivisionError
        assert_no_residue()
        check_invariants(trace)
        assert row(trace, "before").outcome == "done"

    asyncio.run(main())


def test_an_interrupt_in_a_task_leaves_nothing():
    async def interrupt():
        raise KeyboardInterrupt

    async def main():
        with Trace() as trace:
            kept.append(trace)
            await asyncio.create_task(interrupt(), name="interrupted")

    kept = []
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert_no_residue()
    assert row(kept[0], "interrupted").error == "KeyboardInterrupt"


def test_a_cancelled_block_leaves_nothing():
    async def traced():
        with Trace() as trace:
            kept.append(trace)
            await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(traced())
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
        assert_no_residue()

    kept = []
    asyncio.run(main())
    check_invariants(kept[0])
    assert len(kept[0].tasks[0].cancels) == 1


def test_a_trace_records_one_block_only():
    async def main():
        with Trace() as trace:
            await nap(0.001)
        with pytest.raises(RuntimeError, match="make a new one"), trace:
            pass

    asyncio.run(main())
    assert_no_residue()


def test_no_loop_no_trace():
    with pytest.raises(RuntimeError, match="needs a running event loop"), Trace():
        pass
    assert_no_residue()


def test_a_loop_that_is_not_asyncios_is_refused():
    """Stands for uvloop: a loop that runs, but whose steps asyncio's Handle does not run."""

    class Foreign(asyncio.AbstractEventLoop):
        pass

    events._set_running_loop(Foreign())
    try:
        with pytest.raises(RuntimeError, match="Foreign: only asyncio's own"), Trace():
            pass
    finally:
        events._set_running_loop(None)
    assert_no_residue()


def test_a_nonsensical_limit_is_refused():
    with pytest.raises(ValueError, match="limit"):
        Trace(limit=0)


def test_the_limit_on_steps():
    async def main():
        for _ in range(100):
            await asyncio.sleep(0)

    trace = record(main, limit=50)
    assert trace.truncated
    assert len(trace.tasks[0].steps) <= 51


def test_a_finished_trace_keeps_no_task_alive():
    async def main():
        with Trace() as trace:
            task = asyncio.create_task(nap(0.001), name="task")
            await task
        return trace, weakref.ref(task)

    trace, task = asyncio.run(main())
    gc.collect()
    assert task() is None
    trace = weakref.ref(trace)
    gc.collect()
    assert trace() is None


def test_a_wrapped_loop_method_is_given_back():
    async def main():
        loop = asyncio.get_running_loop()
        calls = []

        def mine(callback, *args, context=None):
            calls.append(callback)
            return type(loop).call_soon(loop, callback, *args, context=context)

        loop.call_soon = mine
        with Trace() as trace:
            await asyncio.create_task(nap(0.001), name="task")
        assert loop.__dict__["call_soon"] is mine
        assert calls
        del loop.call_soon
        return trace

    trace = asyncio.run(main())
    check_invariants(trace)
    assert row(trace, "task").outcome == "done"


def test_debug_mode_still_warns_of_slow_callbacks(caplog):
    async def slow():
        time.sleep(0.12)

    async def main():
        asyncio.get_running_loop().set_debug(True)
        await asyncio.create_task(slow(), name="slow")

    record(main)
    assert "took 0." in caplog.text


def test_loops_in_several_threads():
    def other(key):
        async def main():
            with Trace() as trace:
                await asyncio.gather(*[nap(0.002) for _ in range(20)])
            traces[key] = trace

        asyncio.run(main())

    traces = {}
    threads = [threading.Thread(target=other, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(traces) == [0, 1, 2]
    for trace in traces.values():
        check_invariants(trace)
        assert len(trace.tasks) == 21


def test_what_is_ready_in_the_end_is_told_to_be_ready():
    async def waits(awaitable):
        await awaitable

    async def main():
        future = asyncio.get_running_loop().create_future()
        with Trace() as blocked:
            woken = asyncio.create_task(waits(future), name="woken")
            asleep = asyncio.create_task(waits(asyncio.sleep(60)), name="asleep")
            await asyncio.sleep(0.001)
            future.set_result(None)
            new = asyncio.create_task(asyncio.sleep(0), name="new")
            time.sleep(0.01)
        asleep.cancel()
        await asyncio.wait([woken, asleep, new])
        return blocked

    blocked = asyncio.run(main())
    states = {row.name: [span.state for span in row.spans(blocked.duration)] for row in blocked.tasks}
    assert states["woken"] == ["ready", "running", "waiting", "ready"] and states["new"] == ["ready"]
    assert states["asleep"] == ["ready", "running", "waiting"]
    ready = dict(zip(states, Record(blocked).sums()["ready"], strict=True))
    assert ready["woken"] >= 0.01 and ready["new"] >= 0.01 > ready["asleep"]
