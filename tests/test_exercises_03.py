"""The exercises of chapter 3: each typical wrong answer gets the message that is meant for it, other ways to be right
are right, and no verdict depends on the machine. What holds for all chapters is tested in test_exercises."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import textwrap
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import systems
from asynclab.exercises import Outcome, all_exercises, chapter_03, exercise
from asynclab.exercises.exercise import Exercise
from asynclab.exercises.learner import VARIABLE

CHAPTER = [ex for ex in all_exercises() if ex.chapter == 3]


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """Checks that do not look through all that pytest keeps alive, which takes most of their time."""
    unfreeze, gc.unfreeze = gc.unfreeze, lambda: None
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze = unfreeze
    gc.unfreeze()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for the learner's data that is nobody's."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))


def function(source: str, name: str = "") -> Callable[..., Any]:
    """Return the function that `source` defines (the one called `name`, or the last), as a notebook's cell would."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("import asyncio, time\n" + textwrap.dedent(source), "cell.py", "exec"), namespace)
    found = {key: value for key, value in namespace.items() if inspect.isfunction(value)}
    return found[name or list(found)[-1]]


def check(ex: Exercise, candidate: Any) -> Outcome:
    """Check it on a loop of its own, on which nothing may be left, under a kernel's filter for warnings."""

    async def main() -> Outcome:
        methods = vars(asyncio.Semaphore).copy(), vars(asyncio.Lock).copy(), time.sleep
        outcome = await ex.check(candidate)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (vars(asyncio.Semaphore), vars(asyncio.Lock), time.sleep) == methods
        return outcome

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return asyncio.run(main())


# Answers that learners give: for each exercise, a part of the message and the function.
WRONG: dict[str, list[tuple[str, str]]] = {
    "3.1": [
        (
            "Take the place inside the task",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                tasks = [asyncio.create_task(job()) for job in jobs]
                results = []
                for task in tasks:
                    async with places:
                        results.append(await task)
                return results
            """,
        ),
        (
            "Take the place inside the task",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                tasks = []
                for job in jobs:
                    async with places:
                        tasks.append(asyncio.create_task(job()))
                return [await task for task in tasks]
            """,
        ),
        (
            "the one place that was taken around all of them",
            """
            async def run_bounded(jobs):
                async with asyncio.Semaphore(5):
                    return await asyncio.gather(*[job() for job in jobs])
            """,
        ),
        (
            "You make 12 semaphores",
            """
            async def run_bounded(jobs):
                async def run(job):
                    async with asyncio.Semaphore(5):
                        return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "Nobody takes a place in your semaphore",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "Let each first take a place in a semaphore",
            """
            async def run_bounded(jobs):
                return await asyncio.gather(*[job() for job in jobs])
            """,
        ),
        (
            "6 jobs were under way at once, where 5 are allowed. Give your semaphore 5 places",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(6)
                async def run(job):
                    async with places:
                        return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "hold one until the job has ended",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        pass
                    return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "never more than one job was under way",
            """
            async def run_bounded(jobs):
                lock = asyncio.Semaphore()
                async def run(job):
                    async with lock:
                        return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "no two jobs were ever under way at once",
            """
            async def run_bounded(jobs):
                return [await job() for job in jobs]
            """,
        ),
        (
            "job 11 was never run",
            """
            async def run_bounded(jobs):
                results = []
                for i in range(len(jobs) // 5):
                    results += await asyncio.gather(*[job() for job in jobs[5 * i:5 * i + 5]])
                return results
            """,
        ),
        (
            "job 1 was run twice",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        return await job()
                await jobs[0]()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "was begun and not finished",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        return await job()
                tasks = [asyncio.create_task(run(job)) for job in jobs]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                return [task.result() for task in tasks if task.done()]
            """,
        ),
        (
            "not in the order of the input",
            """
            async def run_bounded(jobs):
                places, results = asyncio.Semaphore(5), []
                async def run(job):
                    async with places:
                        results.append(await job())
                await asyncio.gather(*[run(job) for job in jobs])
                return results
            """,
        ),
        (
            "returned None, not a list of 12 results",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        return await job()
                await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "Write `async with`, not `with`",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    with places:
                        return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "Make an object of it",
            """
            async def run_bounded(jobs):
                async def run(job):
                    async with asyncio.Semaphore:
                        return await job()
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "a job is a function",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        return await job
                return await asyncio.gather(*[run(job) for job in jobs])
            """,
        ),
        (
            "called run() and never awaited it",
            """
            async def run_bounded(jobs):
                places = asyncio.Semaphore(5)
                async def run(job):
                    async with places:
                        return await job()
                return [run(job) for job in jobs]
            """,
        ),
    ],
    "3.2": [
        (
            "there is still a `...`",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = ...
                return page
            """,
        ),
        (
            "got the function itself",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "because you awaited too early",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(await part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "Make an object of it",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "Write `async with`, not `with`",
            """
            async def load_page(parts):
                try:
                    with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "before it was done",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                        page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "a group of errors got out",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "a part raised `TimeoutError`, and you return `'unavailable'`",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* Exception:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "a part raised `TimeoutError`, and you return `'unavailable'`",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* OSError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "one part raised `ConnectionError` and another `ValueError`, and you return",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    return [task.result() for task in tasks]
                except BaseExceptionGroup as errors:
                    if errors.subgroup(ConnectionError):
                        return "unavailable"
                    raise
            """,
        ),
        (
            'you return `[]`. Return `"unavailable"` then',
            """
            async def load_page(parts):
                page = []
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    pass
                return page
            """,
        ),
        (
            "you return `['unavailable']`",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(part()) for part in parts]
                    page = [task.result() for task in tasks]
                except* ConnectionError:
                    page = ["unavailable"]
                return page
            """,
        ),
        (
            "one failed, and the others ran on",
            """
            async def load_page(parts):
                try:
                    return await asyncio.gather(*[part() for part in parts])
                except ConnectionError:
                    return "unavailable"
            """,
        ),
        (
            "one failed, and the others ran on",
            """
            async def load_page(parts):
                texts = await asyncio.gather(*[part() for part in parts], return_exceptions=True)
                for text in texts:
                    if isinstance(text, ConnectionError):
                        return "unavailable"
                    if isinstance(text, Exception):
                        raise text
                return texts
            """,
        ),
        (
            "it got out. Catch it, around all that waits",
            """
            async def load_page(parts):
                return await asyncio.gather(*[part() for part in parts])
            """,
        ),
        (
            "your code runs one after another",
            """
            async def load_page(parts):
                try:
                    page = [await part() for part in parts]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "not in the order of the input",
            """
            async def load_page(parts):
                page = []
                async def load(part):
                    page.append(await part())
                try:
                    async with asyncio.TaskGroup() as group:
                        for part in parts:
                            group.create_task(load(part))
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
        (
            "your function returned a task",
            """
            async def load_page(parts):
                try:
                    async with asyncio.TaskGroup() as group:
                        page = [group.create_task(part()) for part in parts]
                except* ConnectionError:
                    page = "unavailable"
                return page
            """,
        ),
    ],
    "3.3": [
        (
            "item 3 was never handled: the consumers had ended",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    try:
                        while True:
                            item = await asyncio.wait_for(queue.get(), timeout=0.05)
                            await handle(item)
                    except TimeoutError:
                        pass
                await asyncio.gather(produce(queue), consume(), consume())
            """,
        ),
        (
            "after the last item your function waited on, for nothing",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    try:
                        while True:
                            item = await asyncio.wait_for(queue.get(), timeout=0.3)
                            await handle(item)
                    except TimeoutError:
                        pass
                await asyncio.gather(produce(queue), consume(), consume())
            """,
        ),
        (
            "after the last item your function waited on, for nothing",
            """
            async def work_off(produce, handle):
                queue, over = asyncio.Queue(), False
                async def consume():
                    while not over or not queue.empty():
                        try:
                            async with asyncio.timeout(0.1):
                                item = await queue.get()
                        except TimeoutError:
                            continue
                        await handle(item)
                async with asyncio.TaskGroup() as group:
                    group.create_task(consume())
                    group.create_task(consume())
                    await produce(queue)
                    over = True
            """,
        ),
        (
            "item 3 was never handled: the consumers had ended",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                consumers = [asyncio.create_task(consume()) for _ in range(2)]
                await produce(queue)
                for consumer in consumers:
                    consumer.cancel()
            """,
        ),
        (
            "was begun and not finished: you ended the consumers too early",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        item = await queue.get()
                        queue.task_done()
                        await handle(item)
                consumers = [asyncio.create_task(consume()) for _ in range(2)]
                await produce(queue)
                await queue.join()
                for consumer in consumers:
                    consumer.cancel()
            """,
        ),
        (
            "no item was ever handled",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                await produce(queue)
            """,
        ),
        (
            "no item was ever handled",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while not queue.empty():
                        await handle(await queue.get())
                await asyncio.gather(consume(), consume(), produce(queue))
            """,
        ),
        (
            "item 3 was never handled",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while not queue.empty():
                        await handle(await queue.get())
                await asyncio.gather(produce(queue), consume(), consume())
            """,
        ),
        (
            "The number 0 is false",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while item := await queue.get():
                        await handle(item)
                consumers = [asyncio.create_task(consume()) for _ in range(3)]
                await produce(queue)
                for _ in consumers:
                    await queue.put(None)
                await asyncio.gather(*consumers)
            """,
        ),
        (
            "no item was handled before the producer had ended",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                await produce(queue)
                async def consume():
                    while not queue.empty():
                        await handle(queue.get_nowait())
                await asyncio.gather(consume(), consume())
            """,
        ),
        (
            "items were handled one after another",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                consumer = asyncio.create_task(consume())
                await produce(queue)
                await queue.join()
                consumer.cancel()
            """,
        ),
        (
            "3 items were handled at once",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                consumers = [asyncio.create_task(consume()) for _ in range(3)]
                await produce(queue)
                await queue.join()
                for consumer in consumers:
                    consumer.cancel()
            """,
        ),
        (
            "item 0 was handled twice",
            """
            async def work_off(produce, handle):
                queue, other = asyncio.Queue(), asyncio.Queue()
                async def consume(queue):
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                consumers = [asyncio.create_task(consume(each)) for each in (queue, other)]
                await asyncio.gather(produce(queue), produce(other))
                await queue.join()
                await other.join()
                for consumer in consumers:
                    consumer.cancel()
            """,
        ),
        (
            "were still running",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                consumers = [asyncio.create_task(consume()) for _ in range(2)]
                await produce(queue)
                await queue.join()
            """,
        ),
        (
            "was still waiting after 1.00 s, line 11",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while (item := await queue.get()) is not None:
                        await handle(item)
                consumers = [asyncio.create_task(consume()) for _ in range(2)]
                await produce(queue)
                await queue.put(None)
                await asyncio.gather(*consumers)
            """,
        ),
        (
            "was still waiting after 1.00 s, line 12",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                async with asyncio.TaskGroup() as group:
                    for _ in range(2):
                        group.create_task(consume())
                    await produce(queue)
                    await queue.join()
            """,
        ),
        (
            "more often than an item was taken",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                        queue.task_done()
                async with asyncio.TaskGroup() as group:
                    consumers = [group.create_task(consume()) for _ in range(2)]
                    await produce(queue)
                    await queue.join()
                    for consumer in consumers:
                        consumer.cancel()
            """,
        ),
        (
            "Wait for an item: `await queue.get()`",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(queue.get_nowait())
                await asyncio.gather(produce(queue), consume(), consume())
            """,
        ),
        (
            "is no coroutine",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                async with asyncio.TaskGroup() as group:
                    consumers = [group.create_task(consume) for _ in range(2)]
                    await produce(queue)
            """,
        ),
        (
            "you called produce() and never awaited it",
            """
            async def work_off(produce, handle):
                queue = asyncio.Queue()
                async def consume():
                    while True:
                        await handle(await queue.get())
                        queue.task_done()
                consumers = [asyncio.create_task(consume()) for _ in range(2)]
                produce(queue)
                await queue.join()
                for consumer in consumers:
                    consumer.cancel()
            """,
        ),
    ],
    "3.4": [
        (
            "an error of `handle` ended your consumer",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        raise
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "your function ended by itself",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception as error:
                        failed.append((item, error))
                        break
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "would still wait for 3 `task_done()`",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception as error:
                        failed.append((item, error))
            """,
        ),
        (
            "item 2 failed, and `failed` is empty",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception:
                        pass
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "item 2 failed, and `failed` is `[2]`",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception:
                        failed.append(item)
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "as one tuple",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception as error:
                        failed += [item, error]
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "item 2 failed, and your consumer handled it again",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception as error:
                        failed.append((item, error))
                        queue.put_nowait(item)
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "amid item 2, and it is gone",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "was cancelled, and ran on until it was stopped",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except BaseException as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "was cancelled, and returned as if it were done",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        return
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "that stands in `failed`",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except BaseException as error:
                        failed.append((item, error))
                        if isinstance(error, asyncio.CancelledError):
                            queue.put_nowait(item)
                            raise
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "waits for one `task_done()` too many",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        raise
                    except Exception as error:
                        failed.append((item, error))
                    queue.task_done()
            """,
        ),
        (
            "before the item was back",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                        queue.task_done()
                    except asyncio.CancelledError:
                        queue.task_done()
                        queue.put_nowait(item)
                        raise
                    except Exception as error:
                        queue.task_done()
                        failed.append((item, error))
            """,
        ),
        (
            "before the item was back",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    cancelled = True
                    try:
                        await handle(item)
                        cancelled = False
                    except Exception as error:
                        cancelled = False
                        failed.append((item, error))
                    finally:
                        queue.task_done()
                        if cancelled:
                            await queue.put(item)
            """,
        ),
        (
            "more often than an item was taken",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                        queue.task_done()
                    except Exception as error:
                        failed.append((item, error))
                        queue.task_done()
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "`task_done()` was called too often",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        queue.task_done()
                        raise
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "your consumer put back `3`, which was done",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    try:
                        item = await queue.get()
                        await handle(item)
                        queue.task_done()
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        raise
                    except Exception as error:
                        queue.task_done()
                        failed.append((item, error))
            """,
        ),
        (
            "before it had any item",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    try:
                        item = await queue.get()
                        await handle(item)
                        queue.task_done()
                    except asyncio.CancelledError:
                        if item is not None:
                            queue.put_nowait(item)
                            queue.task_done()
                        raise
                    except Exception as error:
                        queue.task_done()
                        failed.append((item, error))
                    item = None
            """,
        ),
        (
            "and then the queue held `[3, 2, 2]`",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    except asyncio.CancelledError:
                        queue.put_nowait(item)
                        queue.put_nowait(item)
                        raise
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
        (
            "handled two items at once",
            """
            async def lose_nothing(queue, handle, failed):
                async def one(item):
                    try:
                        await handle(item)
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
                async with asyncio.TaskGroup() as group:
                    while True:
                        group.create_task(one(await queue.get()))
            """,
        ),
        (
            "and handled it on",
            """
            async def lose_nothing(queue, handle, failed):
                while True:
                    item = await queue.get()
                    task = asyncio.create_task(handle(item))
                    try:
                        await asyncio.shield(task)
                    except asyncio.CancelledError:
                        await task
                        raise
                    except Exception as error:
                        failed.append((item, error))
                    finally:
                        queue.task_done()
            """,
        ),
    ],
    "3.5": [
        (
            "note those after the sleep, not before",
            """
            def make_limiter(rate, per):
                moments, lock = [], asyncio.Lock()
                async def acquire():
                    async with lock:
                        now = time.perf_counter()
                        recent = [moment for moment in moments if now - moment < per]
                        if len(recent) >= rate:
                            await asyncio.sleep(recent[0] + per - now)
                        moments.append(now)
                return acquire
            """,
        ),
        (
            "All who wait wake at once, and none looks again",
            """
            def make_limiter(rate, per):
                moments = []
                async def acquire():
                    now = time.perf_counter()
                    recent = [moment for moment in moments if now - moment < per]
                    if len(recent) >= rate:
                        await asyncio.sleep(recent[-rate] + per - now)
                    moments.append(time.perf_counter())
                return acquire
            """,
        ),
        (
            "3 went on within",
            """
            def make_limiter(rate, per):
                async def acquire():
                    pass
                    await asyncio.sleep(0)
                return acquire
            """,
        ),
        (
            "3 went on within",  # a token bucket: its rate holds in the long run only
            """
            def make_limiter(rate, per):
                tokens, filled = rate, time.perf_counter()
                lock = asyncio.Lock()
                async def acquire():
                    nonlocal tokens, filled
                    async with lock:
                        while True:
                            now = time.perf_counter()
                            tokens = min(rate, tokens + (now - filled) * rate / per)
                            filled = now
                            if tokens >= 1:
                                break
                            await asyncio.sleep((1 - tokens) * per / rate)
                        tokens -= 1
                return acquire
            """,
        ),
        (
            "Do not spread them out",
            """
            def make_limiter(rate, per):
                last, lock = 0, asyncio.Lock()
                async def acquire():
                    nonlocal last
                    async with lock:
                        while (wait := last + per / rate - time.perf_counter()) > 0:
                            await asyncio.sleep(wait)
                        last = time.perf_counter()
                return acquire
            """,
        ),
        (
            "Sleep until the oldest of the last 2 moments is `per` old",
            """
            def make_limiter(rate, per):
                moments, lock = [], asyncio.Lock()
                async def acquire():
                    async with lock:
                        now = time.perf_counter()
                        if len([moment for moment in moments if now - moment < per]) >= rate:
                            await asyncio.sleep(per)
                        moments.append(time.perf_counter())
                return acquire
            """,
        ),
        (
            "Others gave up before it",  # who asks is given a moment, and keeps it
            """
            def make_limiter(rate, per):
                slots = []
                async def acquire():
                    now = time.perf_counter()
                    slots.append(max(now, slots[-rate] + per) if len(slots) >= rate else now)
                    await asyncio.sleep(slots[-1] - now)
                return acquire
            """,
        ),
        (
            "not when it was due or was woken",  # the same, but a place is given back
            """
            def make_limiter(rate, per):
                went, waiting, lock = [], [], asyncio.Lock()
                async def acquire():
                    async with lock:
                        now = time.perf_counter()
                        due = max(now, went[-rate] + per) if len(went) >= rate else now
                        await asyncio.sleep(due - now)
                        went.append(due)
                return acquire
            """,
        ),
        (
            "not when it was due or was woken",  # noted when it is woken, and it may go on much later
            """
            def make_limiter(rate, per):
                went, waiting, timer = [], [], None
                def wake():
                    nonlocal timer
                    timer, now = None, time.perf_counter()
                    while waiting and (len(went) < rate or now - went[-rate] >= per):
                        turn = waiting.pop(0)
                        if not turn.done():
                            turn.set_result(None)
                            went.append(now)
                    if waiting:
                        timer = asyncio.get_running_loop().call_later(went[-rate] + per - now, wake)
                async def acquire():
                    turn = asyncio.get_running_loop().create_future()
                    waiting.append(turn)
                    if timer is None:
                        wake()
                    await turn
                return acquire
            """,
        ),
        (
            "went on before. Let them stand in line",  # no line: whoever comes at the right moment goes
            """
            def make_limiter(rate, per):
                moments = []
                async def acquire():
                    while True:
                        now = time.perf_counter()
                        if len(moments) < rate or now - moments[-rate] >= per:
                            moments.append(now)
                            return
                        await asyncio.sleep(moments[-rate] + per - now)
                return acquire
            """,
        ),
        (
            "caller 6 asked after caller 3, and went on before",  # a short way in, past the line
            """
            def make_limiter(rate, per):
                moments, lock = [], asyncio.Lock()
                async def acquire():
                    now = time.perf_counter()
                    if len(moments) < rate or now - moments[-rate] >= per:
                        moments.append(now)
                        return
                    async with lock:
                        while (wait := moments[-rate] + per - time.perf_counter()) > 0:
                            await asyncio.sleep(wait)
                        moments.append(time.perf_counter())
                return acquire
            """,
        ),
        (
            "went on before. Let them stand in line",  # the last comes first
            """
            def make_limiter(rate, per):
                moments, waiting = [], []
                async def acquire():
                    me = object()
                    waiting.append(me)
                    try:
                        while True:
                            wait = moments[-rate] + per - time.perf_counter() if len(moments) >= rate else 0
                            if wait <= 0 and (len(moments) < rate or waiting[-1] is me):
                                break
                            await asyncio.sleep(max(wait, 0.001))
                    finally:
                        waiting.remove(me)
                    moments.append(time.perf_counter())
                return acquire
            """,
        ),
        (
            "holds the event loop, and everybody with it",
            """
            def make_limiter(rate, per):
                moments = []
                async def acquire():
                    if len(moments) >= rate:
                        time.sleep(round(max(0, moments[-rate] + per - time.perf_counter()), 2))
                    moments.append(time.perf_counter())
                return acquire
            """,
        ),
        (
            "was cancelled while it waited, and went on",
            """
            def make_limiter(rate, per):
                moments, lock = [], asyncio.Lock()
                async def acquire():
                    try:
                        async with lock:
                            while len(moments) >= rate and moments[-rate] + per > time.perf_counter():
                                await asyncio.sleep(moments[-rate] + per - time.perf_counter())
                            moments.append(time.perf_counter())
                    except asyncio.CancelledError:
                        pass
                return acquire
            """,
        ),
        (
            "what they held, they must give back",
            """
            def make_limiter(rate, per):
                moments, lock = [], asyncio.Lock()
                async def acquire():
                    await lock.acquire()
                    while len(moments) >= rate and moments[-rate] + per > time.perf_counter():
                        await asyncio.sleep(moments[-rate] + per - time.perf_counter())
                    moments.append(time.perf_counter())
                    lock.release()
                return acquire
            """,
        ),
        (
            "Return the function `acquire`",
            """
            def make_limiter(rate, per):
                async def acquire():
                    await asyncio.sleep(per / rate)
            """,
        ),
        (
            "return `acquire` without brackets",
            """
            def make_limiter(rate, per):
                async def acquire():
                    await asyncio.sleep(per / rate)
                return acquire()
            """,
        ),
        (
            "Begin it with `def make_limiter(rate, per):`",
            """
            async def make_limiter(rate, per):
                async def acquire():
                    await asyncio.sleep(per / rate)
                return acquire
            """,
        ),
        (
            "Define it with `async def`",
            """
            def make_limiter(rate, per):
                def acquire():
                    return None
                return acquire
            """,
        ),
        (
            "Say `nonlocal last` at the beginning",
            """
            def make_limiter(rate, per):
                last = 0
                async def acquire():
                    await asyncio.sleep(last + per - time.perf_counter())
                    last = time.perf_counter()
                return acquire
            """,
        ),
        (
            "`deque` has to be imported",
            """
            def make_limiter(rate, per):
                moments = deque(maxlen=rate)
                async def acquire():
                    moments.append(time.perf_counter())
                return acquire
            """,
        ),
    ],
    "3.6": [
        (
            "ticket 5 was sold 8 times. While one waits",
            """
            async def sell(store, buyers):
                async def serve(buyer):
                    left = await store.read()
                    if left == 0:
                        return None
                    await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "You make 8 locks",
            """
            async def sell(store, buyers):
                async def serve(buyer):
                    async with asyncio.Lock():
                        left = await store.read()
                        if left == 0:
                            return None
                        await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Nobody takes your lock",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    left = await store.read()
                    if left == 0:
                        return None
                    await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Your lock does not hold from `read` to `write`",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                    if left == 0:
                        return None
                    async with lock:
                        await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Your lock does not hold from `read` to `write`",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    left = await store.read()
                    if left == 0:
                        return None
                    async with lock:
                        await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "each holds the lock while it pays",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left == 0:
                            return None
                        await buyer.pay()
                        await store.write(left - 1)
                        return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "the buyers pay one after another. Serve all of them side by side",
            """
            async def sell(store, buyers):
                tickets = []
                for buyer in buyers:
                    left = await store.read()
                    if left:
                        await buyer.pay()
                        await store.write(left - 1)
                    tickets.append(left or None)
                return tickets
            """,
        ),
        (
            "was sold twice",
            """
            async def sell(store, buyers):
                lock = asyncio.Semaphore(2)
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left == 0:
                            return None
                        await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "paid, and got no ticket",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    await buyer.pay()
                    async with lock:
                        left = await store.read()
                        if left == 0:
                            return None
                        await store.write(left - 1)
                        return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "got a ticket, and did not pay",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left == 0:
                            return None
                        await store.write(left - 1)
                        return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "8 tickets were sold, where there are 5",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "A ticket's number is what `read` gave",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left == 0:
                            return None
                        left -= 1
                        await store.write(left)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "the store says that 5 tickets are left, not 0",
            """
            async def sell(store, buyers):
                left = await store.read()
                async def serve(buyer):
                    nonlocal left
                    if left == 0:
                        return None
                    mine, left = left, left - 1
                    await buyer.pay()
                    return mine
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "two buyers were at the store at once",
            """
            async def sell(store, buyers):
                left = await store.read()
                async def serve(buyer):
                    nonlocal left
                    if left == 0:
                        return None
                    mine, left = left, left - 1
                    await store.write(left)
                    await buyer.pay()
                    return mine
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "somebody else was at the store",  # what is read is not what is written
            """
            async def sell(store, buyers):
                lock, first, taken, written = asyncio.Lock(), None, 0, 0
                async def serve(buyer):
                    nonlocal first, taken, written
                    async with lock:
                        left = await store.read()
                        first = first or left
                        if taken == first:
                            return None
                        mine, taken = first - taken, taken + 1
                    async with lock:
                        written += 1
                        await store.write(first - written)
                    await buyer.pay()
                    return mine
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Return a list with a ticket's number or `None`",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left:
                            await store.write(left - 1)
                    if left:
                        await buyer.pay()
                async with asyncio.TaskGroup() as group:
                    for buyer in buyers:
                        group.create_task(serve(buyer))
            """,
        ),
        (
            "a buyer's ticket is `'sold out'`",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = await store.read()
                        if left:
                            await store.write(left - 1)
                    if left:
                        await buyer.pay()
                        return left
                    return "sold out"
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "was still waiting after",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    await lock.acquire()
                    left = await store.read()
                    if left == 0:
                        return None
                    await store.write(left - 1)
                    lock.release()
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Write `async with`, not `with`",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    with lock:
                        left = await store.read()
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "Write `await` before it",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    async with lock:
                        left = store.read()
                        await store.write(left - 1)
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
        (
            "you called acquire() and never awaited it",
            """
            async def sell(store, buyers):
                lock = asyncio.Lock()
                async def serve(buyer):
                    lock.acquire()
                    left = await store.read()
                    if left == 0:
                        return None
                    await store.write(left - 1)
                    await buyer.pay()
                    return left
                return await asyncio.gather(*[serve(buyer) for buyer in buyers])
            """,
        ),
    ],
    "3.7": [
        (
            "the cancellation reached request 2",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        await handle(await queue.get())
                finally:
                    await close()
            """,
        ),
        (
            "`close` was called while request 2 was still under way",
            """
            async def serve(queue, handle, close):
                work = None
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        await asyncio.shield(work)
                finally:
                    await close()
                    if work:
                        await work
            """,
        ),
        (
            "`close` was called while request 2 was still under way",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        await asyncio.shield(handle(await queue.get()))
                finally:
                    await close()
            """,
        ),
        (
            "`close` was called while request 2 was still under way",  # the shield itself is cancelled
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.shield(handle(await queue.get()))
                        try:
                            await work
                        except asyncio.CancelledError:
                            await work
                            raise
                finally:
                    await close()
            """,
        ),
        (
            "request 2 was begun twice",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        request = await queue.get()
                        try:
                            await handle(request)
                        except asyncio.CancelledError:
                            await handle(request)
                            raise
                finally:
                    await close()
            """,
        ),
        (
            "returned as if it were done",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            return
                finally:
                    await close()
            """,
        ),
        (
            "returned as if it were done",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            raise
                except asyncio.CancelledError:
                    await close()
            """,
        ),
        (
            "was cancelled, and ran on until it was stopped",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                finally:
                    await close()
            """,
        ),
        (
            "cancelled while it waited for a request, your function did not `await close()`",
            """
            async def serve(queue, handle, close):
                while True:
                    request = await queue.get()
                    work = asyncio.create_task(handle(request))
                    try:
                        await asyncio.shield(work)
                    except asyncio.CancelledError:
                        await work
                        await close()
                        raise
            """,
        ),
        (
            "cancelled amid a request, your function did not `await close()`",
            """
            async def serve(queue, handle, close):
                while True:
                    try:
                        request = await queue.get()
                    except asyncio.CancelledError:
                        await close()
                        raise
                    work = asyncio.create_task(handle(request))
                    try:
                        await asyncio.shield(work)
                    except asyncio.CancelledError:
                        await work
                        raise
            """,
        ),
        (
            "`close` was called twice",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        request = await queue.get()
                        work = asyncio.create_task(handle(request))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            await close()
                            raise
                finally:
                    await close()
            """,
        ),
        (
            "`close` was begun and did not end",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            raise
                finally:
                    asyncio.create_task(close())
                    await asyncio.sleep(0)
            """,
        ),
        (
            "you called close() and never awaited it",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            raise
                finally:
                    close()
            """,
        ),
        (
            "request 3 was begun after the cancellation",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle(await queue.get()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            while not queue.empty():
                                await handle(queue.get_nowait())
                            raise
                finally:
                    await close()
            """,
        ),
        (
            "two requests were handled at once",
            """
            async def serve(queue, handle, close):
                tasks = []
                try:
                    while True:
                        tasks.append(asyncio.create_task(handle(await queue.get())))
                finally:
                    await asyncio.gather(*tasks)
                    await close()
            """,
        ),
        (
            "your function ended by itself",
            """
            async def serve(queue, handle, close):
                request = await queue.get()
                await handle(request + 0) if request == 1 else None
                await close()
            """,
        ),
        (
            "Call the function, with brackets",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        work = asyncio.create_task(handle)
                        await asyncio.shield(work)
                finally:
                    await close()
            """,
        ),
        (
            "`work` is used before it was set",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        request = await queue.get()
                        work = asyncio.create_task(handle(request))
                        await asyncio.shield(work)
                except asyncio.CancelledError:
                    await work
                    raise
                finally:
                    await close()
            """,
        ),
        (
            "Wait for a request: `await queue.get()`",
            """
            async def serve(queue, handle, close):
                work = None
                try:
                    while True:
                        work = asyncio.create_task(handle(queue.get_nowait()))
                        try:
                            await asyncio.shield(work)
                        except asyncio.CancelledError:
                            await work
                            raise
                finally:
                    await close()
            """,
        ),
        (
            "you called handle() and never awaited it",
            """
            async def serve(queue, handle, close):
                try:
                    while True:
                        handle(await queue.get())
                finally:
                    await close()
            """,
        ),
        (
            "Define it with async def",
            """
            def serve(queue, handle, close):
                async def run():
                    try:
                        while True:
                            await handle(await queue.get())
                    finally:
                        await close()
                return run()
            """,
        ),
    ],
}

# Other ways to be right: who judges behaviour does not ask how.
RIGHT: dict[str, list[str]] = {
    "3.1": [
        """
        async def run_bounded(jobs):
            results, numbered = [None] * len(jobs), iter(enumerate(jobs))
            async def work():
                for i, job in numbered:
                    results[i] = await job()
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(work())
            return results
        """,
        """
        async def run_bounded(jobs):
            places, tasks = asyncio.BoundedSemaphore(5), []
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    await places.acquire()
                    tasks.append(group.create_task(job()))
                    tasks[-1].add_done_callback(lambda _: places.release())
            return [task.result() for task in tasks]
        """,
        """
        async def run_bounded(jobs):
            results = []
            for i in range(0, len(jobs), 5):
                results += await asyncio.gather(*[job() for job in jobs[i : i + 5]])
            return results
        """,
        """
        async def run_bounded(jobs):
            queue, results = asyncio.Queue(), {}
            async def work():
                while not queue.empty():
                    i, job = queue.get_nowait()
                    results[i] = await job()
            for item in enumerate(jobs):
                queue.put_nowait(item)
            await asyncio.gather(*[work() for _ in range(5)])
            return [results[i] for i in sorted(results)]
        """,
        """
        async def run_bounded(jobs):
            under_way, tasks = set(), []
            for job in jobs:
                if len(under_way) == 5:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                tasks.append(asyncio.create_task(job()))
                under_way.add(tasks[-1])
            return await asyncio.gather(*tasks)
        """,
    ],
    "3.2": [
        """
        async def load_page(parts):
            tasks = [asyncio.create_task(part()) for part in parts]
            try:
                return await asyncio.gather(*tasks)
            except ConnectionError:
                for task in tasks:
                    task.cancel()
                others = await asyncio.gather(*tasks, return_exceptions=True)
                for other in others:
                    if isinstance(other, Exception) and not isinstance(other, ConnectionError):
                        raise other
                return "unavailable"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
        """,
        """
        async def load_page(parts):
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(part()) for part in parts]
                return [task.result() for task in tasks]
            except ExceptionGroup as errors:
                _, others = errors.split(ConnectionError)
                if others:
                    raise others
                return "unavailable"
        """,
    ],
    "3.3": [
        """
        async def work_off(produce, handle):
            queue, over = asyncio.Queue(), object()
            async def consume():
                while (item := await queue.get()) is not over:
                    await handle(item)
            async with asyncio.TaskGroup() as group:
                group.create_task(consume())
                group.create_task(consume())
                await produce(queue)
                queue.put_nowait(over)
                queue.put_nowait(over)
        """,
        """
        async def work_off(produce, handle):
            queue = asyncio.Queue()
            async def consume():
                while (item := await queue.get()) is not None:
                    await handle(item)
                queue.put_nowait(None)  # for the other
            async def feed():
                await produce(queue)
                await queue.put(None)
            await asyncio.gather(feed(), consume(), consume())
        """,
        """
        async def work_off(produce, handle):
            queue = asyncio.Queue()
            async def consume():
                while True:
                    item = await queue.get()
                    try:
                        await handle(item)
                    finally:
                        queue.task_done()
            consumers = [asyncio.create_task(consume()) for _ in range(2)]
            try:
                await produce(queue)
                await queue.join()
            finally:
                for consumer in consumers:
                    consumer.cancel()
                await asyncio.gather(*consumers, return_exceptions=True)
        """,
        """
        async def work_off(produce, handle):
            queue, places = asyncio.Queue(), asyncio.Semaphore(2)
            async def one(item):
                await handle(item)
                places.release()
            async def hand_out(group):
                while (item := await queue.get()) is not None:
                    await places.acquire()
                    group.create_task(one(item))
            async with asyncio.TaskGroup() as group:
                group.create_task(hand_out(group))
                await produce(queue)
                await queue.put(None)
        """,
    ],
    "3.4": [
        """
        async def lose_nothing(queue, handle, failed):
            while True:
                item = await queue.get()
                try:
                    await handle(item)
                except Exception as error:
                    failed.append((item, error))
                except BaseException:
                    await queue.put(item)
                    queue.task_done()
                    raise
                queue.task_done()
        """,
        """
        async def lose_nothing(queue, handle, failed):
            while item := [await queue.get()]:
                task = asyncio.create_task(handle(*item))
                try:
                    await task
                except asyncio.CancelledError:
                    queue.put_nowait(*item)
                    queue.task_done()
                    raise
                except Exception:
                    failed.append((*item, task.exception()))
                    queue.task_done()
                else:
                    queue.task_done()
        """,
    ],
    "3.5": [
        """
        def make_limiter(rate, per):
            places = asyncio.Semaphore(rate)
            async def acquire():
                await places.acquire()
                asyncio.get_running_loop().call_later(per, places.release)
            return acquire
        """,
        """
        def make_limiter(rate, per):
            moments, lock = [], asyncio.Lock()
            async def acquire():
                await lock.acquire()
                try:
                    if len(moments) >= rate:
                        await asyncio.sleep(moments[-rate] + per - time.monotonic())
                    moments.append(time.monotonic())
                finally:
                    lock.release()
            return acquire
        """,
        """
        def make_limiter(rate, per):
            went, waiting = [], []
            async def acquire():
                loop = asyncio.get_running_loop()
                me = loop.create_future()
                waiting.append(me)
                try:
                    if waiting[0] is not me:
                        await me
                    while len(went) >= rate and went[0] + per > loop.time():
                        await asyncio.sleep(went[0] + per - loop.time())
                    if len(went) >= rate:
                        del went[0]
                    went.append(loop.time())
                finally:
                    first = waiting[0] is me
                    waiting.remove(me)
                    if first and waiting and not waiting[0].done():
                        waiting[0].set_result(None)
            return acquire
        """,
        """
        class Limiter:
            def __init__(self, rate, per):
                self.moments, self.rate, self.per, self.lock = [0.0] * rate, rate, per, asyncio.Lock()
            async def acquire(self):
                async with self.lock:
                    while time.perf_counter() < self.moments[-self.rate] + self.per:
                        await asyncio.sleep(0.002)
                    self.moments.append(time.perf_counter())

        def make_limiter(rate, per):
            return Limiter(rate, per).acquire
        """,
    ],
    "3.6": [
        """
        async def sell(store, buyers):
            lock = asyncio.Lock()
            async def take():
                async with lock:
                    left = await store.read()
                    await store.write(max(0, left - 1))
                    return left or None
            async def serve(buyer):
                ticket = await take()
                if ticket is not None:
                    await buyer.pay()
                return ticket
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(serve(buyer)) for buyer in buyers]
            return [task.result() for task in tasks]
        """,
        """
        async def sell(store, buyers):
            tickets, payments = [], []
            for buyer in buyers:
                left = await store.read()
                tickets.append(left or None)
                if left:
                    await store.write(left - 1)
                    payments.append(asyncio.create_task(buyer.pay()))
            await asyncio.gather(*payments)
            return tickets
        """,
        """
        async def sell(store, buyers):
            left, lock = await store.read(), asyncio.Lock()
            async def serve(buyer):
                nonlocal left
                if not left:
                    return None
                mine, left = left, left - 1
                async with lock:
                    await store.write(mine - 1)
                await buyer.pay()
                return mine
            return await asyncio.gather(*[serve(buyer) for buyer in buyers])
        """,
        """
        async def sell(store, buyers):
            left = await store.read()
            tickets = [left - i if i < left else None for i in range(len(buyers))]
            await store.write(max(0, left - len(buyers)))
            await asyncio.gather(*[buyer.pay() for buyer, ticket in zip(buyers, tickets) if ticket])
            return tickets
        """,
    ],
    "3.7": [
        """
        async def serve(queue, handle, close):
            try:
                while True:
                    work = asyncio.ensure_future(handle(await queue.get()))
                    try:
                        await asyncio.wait([work])
                    finally:
                        await work
            finally:
                await close()
        """,
        """
        async def serve(queue, handle, close):
            idle = asyncio.Event()
            idle.set()
            async def work():
                while True:
                    request = await queue.get()
                    idle.clear()
                    await handle(request)
                    if stop:
                        return
                    idle.set()
            stop = False
            worker = asyncio.create_task(work())
            try:
                await asyncio.shield(worker)
            except asyncio.CancelledError:
                stop = True
                if idle.is_set():
                    worker.cancel()
                await asyncio.wait([worker])
                await close()
                raise
        """,
        """
        async def serve(queue, handle, close):
            work = None
            try:
                while True:
                    work = None
                    request = await queue.get()
                    work = asyncio.create_task(handle(request))
                    await asyncio.shield(work)
            except asyncio.CancelledError:
                if work is not None:
                    await work
                await asyncio.create_task(close())
                raise
        """,
    ],
}
if sys.version_info >= (3, 13):
    RIGHT["3.3"].append(
        """
        async def work_off(produce, handle):
            queue = asyncio.Queue()
            async def consume():
                try:
                    while True:
                        await handle(await queue.get())
                except asyncio.QueueShutDown:
                    pass
            async with asyncio.TaskGroup() as group:
                group.create_task(consume())
                group.create_task(consume())
                await produce(queue)
                queue.shutdown()
        """
    )

wrong_answers = [
    pytest.param(exercise(id), fragment, source, id=f"{id}-{n}")
    for id, cases in WRONG.items()
    for n, (fragment, source) in enumerate(cases, start=1)
]
right_answers = [
    pytest.param(exercise(id), source, id=f"{id}-{n}")
    for id, cases in RIGHT.items()
    for n, source in enumerate(cases, start=1)
]


@pytest.mark.parametrize(("ex", "fragment", "source"), wrong_answers)
def test_a_typical_wrong_answer_gets_its_message(ex: Exercise, fragment: str, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "not yet" and not outcome
    assert outcome.message.startswith("Not yet: ") and "\n" not in outcome.message
    assert fragment in outcome.message


def test_every_exercise_has_eight_wrong_answers_or_more() -> None:
    assert {ex.id for ex in CHAPTER} == set(WRONG) == set(RIGHT)
    assert all(len(cases) >= 8 for cases in WRONG.values())


@pytest.mark.parametrize(("ex", "source"), right_answers)
def test_another_right_answer_is_correct(ex: Exercise, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "correct", outcome


@pytest.mark.parametrize(
    ("ex", "fragment"),
    [
        pytest.param(exercise(id), fragment, id=id)
        for id, fragment in {
            "3.1": "12 jobs were under way at once, where 5 are allowed. A task runs from the moment it is made",
            "3.2": "there is still a `...`",
            "3.3": "item 3 was never handled: the consumers had ended",
            "3.4": "an error of `handle` ended your consumer",
            "3.5": "3 went on within",
            "3.6": "ticket 5 was sold 8 times. While one waits between `read` and `write`",
            "3.7": "your function ended by itself",
        }.items()
    ],
)
def test_the_stub_is_wrong_for_the_reason_it_was_written_for(ex: Exercise, fragment: str) -> None:
    """It is refused not only for being untouched: a line that does nothing makes it an attempt."""
    first, _, rest = ex.stub.partition("\n")
    outcome = check(ex, function(f"{first}\n    'touched'.upper()\n{rest}", ex.name))
    assert outcome.status == "not yet" and fragment in outcome.message


def test_who_is_held_up_by_the_machine_is_not_blamed_for_idling() -> None:
    source = """
        async def work_off(produce, handle):
            queue = asyncio.Queue()
            async def consume():
                while (item := await queue.get()) is not None:
                    await handle(item)
                time.sleep(0.1)
            async with asyncio.TaskGroup() as group:
                group.create_task(consume())
                group.create_task(consume())
                await produce(queue)
                queue.put_nowait(None)
                queue.put_nowait(None)
            time.sleep(0.1)
    """
    outcome = check(exercise("3.3"), function(source))
    assert outcome.status == "correct", outcome


def test_a_limiter_is_not_blamed_for_what_happens_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may stop the process between a limiter's own note of the moment and that of the check."""

    async def call(callers: chapter_03._Callers, number: int) -> None:
        callers.note("ask", number)
        await callers.acquire()
        if number in (1, 2, 4):
            chapter_03._hold(0.02)
        callers.note("go", number)
        callers.gone += 1

    monkeypatch.setattr(chapter_03._Callers, "call", call)
    ex = exercise("3.5")
    outcome = check(ex, ex.solution_function)
    assert outcome.status == "correct", outcome


def test_what_the_chapter_teaches_solves_its_exercises() -> None:
    taught = systems.load("03_concurrency_patterns")

    def make_limiter(rate: int, per: float) -> Callable[[], Awaitable[None]]:
        return taught.AsyncRateLimiter(rate, per).acquire

    async def run_bounded(jobs: list) -> list:
        return await taught.bounded_map(lambda job: job(), jobs, 5)

    for id, answer in (("3.1", run_bounded), ("3.5", make_limiter)):
        outcome = check(exercise(id), answer)
        assert outcome.status == "correct", outcome
