"""Attacks on what goes deeper in chapter 6: own tasks, jobs that bring their context, a bridge for threads, a goodbye.

Most of it runs in virtual time, where every run is the same, and which sees what is left; nothing depends on how busy
the machine is.
"""

import asyncio
import functools
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from asynclab.taught import taught
from virtual_time import virtual
from watched import at_every_await, outcome

m = taught("06_best_practices_deeper")

HOUR = 3600


class Poison(Exception):
    """What a job raises."""


# ---------------------------------------------------------------- own tasks


class Household:
    """Tasks of every kind in a block of OwnTasks, beside a stranger's."""

    def __init__(self):
        self.reports, self.cleaned = [], []
        self.own = m.OwnTasks(self.reports.append)

    async def tidy(self):
        try:
            await asyncio.sleep(HOUR)
        finally:
            await asyncio.sleep(3)
            self.cleaned.append("tidy")

    async def forlorn(self):
        await asyncio.get_running_loop().create_future()  # which nothing else holds

    async def fails(self, seconds):
        try:
            await asyncio.sleep(seconds)
        finally:
            raise Poison(seconds)

    async def starts_another(self):
        try:
            await asyncio.sleep(HOUR)
        finally:
            self.own.start(self.forlorn())

    async def live(self):
        async with self.own as own:
            self.tasks = [own.start(job) for job in (asyncio.sleep(1, "done"), self.forlorn())]
            self.tasks.append(own.start(self.tidy(), name="tidy"))
            self.tasks += [own.start(self.fails(1), name="early"), own.start(self.fails(HOUR), name="late")]
            self.tasks.append(own.start(self.starts_another(), name="starter"))
            gc.collect()
            await asyncio.sleep(2)
            assert self.reports == ["early failed: Poison(1)"]
            assert len(own.tasks) == 4
            self.tasks.append(own.start(self.tidy(), name="tidy, begun late"))


@pytest.mark.parametrize("times", [0, 1, 2, 20])
@virtual
async def test_own_tasks_are_held_reported_and_ended_with_the_block_and_no_others(times):
    stranger, homes = asyncio.create_task(asyncio.sleep(HOUR**2)), []

    async def scene():
        homes.append(Household())
        await homes[-1].live()

    async for error, was_cut in at_every_await(scene, times):
        home = homes[-1]
        assert all(task.done() for task in home.tasks)
        assert home.own.tasks == set()
        assert len(home.cleaned) == sum(task.get_name().startswith("tidy") for task in home.tasks)
        assert type(error) is (asyncio.CancelledError if was_cut else type(None))
        assert sorted(home.reports) == [
            "early failed: Poison(1)",
            "late failed: Poison(3600)",
            "starter failed: RuntimeError('the block of these tasks has been left')",
        ]
    assert len(home.cleaned) == 2  # the last run was not cut
    assert home.tasks[0].result() == "done"
    assert not stranger.done()
    stranger.cancel()
    await outcome(stranger)


@virtual
async def test_own_tasks_let_the_error_of_the_block_out_and_refuse_a_late_start():
    own = m.OwnTasks()
    with pytest.raises(Poison):
        async with own:
            task = own.start(asyncio.sleep(HOUR))
            raise Poison
    assert task.cancelled()
    with pytest.raises(RuntimeError, match="has been left"):
        own.start(asyncio.sleep(HOUR))


# ---------------------------------------------------------------- one loop


def test_a_lock_belongs_to_the_loop_in_which_a_task_first_waits_for_it():
    async def wait(lock):
        async with asyncio.timeout(0):
            await lock.acquire()

    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(asyncio.run, wait(lock))
        with pytest.raises(RuntimeError, match="different event loop"):
            await wait(lock)
        lock.release()
        await lock.acquire()  # there is nothing to wait for

    asyncio.run(main())


# ---------------------------------------------------------------- a job's context


@virtual
async def test_a_job_runs_in_the_context_of_the_moment_when_it_was_left_and_keeps_its_own_changes():
    request, jobs = ContextVar("request", default="-"), []

    async def job(seconds):
        found = request.get()
        request.set("the job's own")
        await asyncio.sleep(seconds)
        return found, request.get()

    async def submit(name):
        request.set(name)
        jobs.append(m.in_this_context(job, 1))
        request.set("later")

    await asyncio.gather(submit("A"), submit("B"))
    request.set("the worker")
    twice = await asyncio.gather(jobs[0](), jobs[0](), jobs[1]())
    assert twice == [("A", "the job's own"), ("A", "the job's own"), ("B", "the job's own")]
    assert await jobs[0]() == ("A", "the job's own")
    assert request.get() == "the worker"


@virtual
async def test_a_job_is_cancelled_with_its_worker_and_its_error_gets_out():
    ended = []

    async def job(error):
        try:
            await asyncio.sleep(1)
            raise error
        finally:
            await asyncio.sleep(1)
            ended.append("job")

    async def worker(error):
        await m.in_this_context(job, error)()

    with pytest.raises(Poison):
        await worker(Poison)
    task = asyncio.create_task(worker(Poison))
    asyncio.get_running_loop().call_later(0.5, task.cancel)
    assert isinstance(await outcome(task), asyncio.CancelledError)
    assert ended == ["job", "job"]


# ---------------------------------------------------------------- from a thread, and back


def test_a_thread_gets_the_answer_of_the_loop_be_it_falsy_or_an_error():
    async def answer(*values):
        await asyncio.sleep(0)
        assert threading.current_thread() is threading.main_thread()
        if values == (Poison,):
            raise Poison
        return values

    async def main():
        ask = m.blocking(answer)
        assert await asyncio.to_thread(ask) == ()
        assert await asyncio.to_thread(ask, 0, None) == (0, None)
        with pytest.raises(Poison):
            await asyncio.to_thread(ask, Poison)
        called = []
        with pytest.raises(RuntimeError, match="wait for itself"):
            m.blocking(called.append)(1)
        assert called == []

    asyncio.run(main())


def test_an_answer_that_is_late_is_cancelled_before_the_thread_hears_of_it():
    events = []

    async def late():
        try:
            await asyncio.sleep(HOUR)
        finally:
            await asyncio.sleep(0.05)
            events.append("cleaned up")

    def thread(ask):
        with pytest.raises(TimeoutError):
            ask()
        events.append("heard")

    async def main():
        await asyncio.to_thread(thread, m.blocking(late, 0.01))

    asyncio.run(main())
    assert events == ["cleaned up", "heard"]


def test_a_thread_gives_up_when_the_loop_is_stuck():
    heard = []

    def thread(ask):
        with pytest.raises(TimeoutError):
            ask(HOUR)
        heard.append("gave up")

    async def main():
        asking = threading.Thread(target=thread, args=[m.blocking(asyncio.sleep, -0.95)], daemon=True)
        asking.start()
        asking.join(30)  # the loop is blocked
        assert heard == ["gave up"]
        await asyncio.sleep(0)

    asyncio.run(main())


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pool_in_which_every_thread_waits_for_the_loop_is_ended_by_the_time_out(threads):
    async def main():
        with ThreadPoolExecutor(threads) as pool:
            in_pool = functools.partial(asyncio.get_running_loop().run_in_executor, pool)

            async def needs_a_thread():
                return await in_pool(str, "answer")

            asked = in_pool(m.blocking(needs_a_thread, 0.05 if threads == 1 else 60))
            if threads == 1:
                with pytest.raises(TimeoutError):
                    await asked
            else:
                assert await asked == "answer"

    asyncio.run(main())


# ---------------------------------------------------------------- a goodbye


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("error", [None, OSError, TimeoutError, ConnectionResetError, Poison, "hangs"])
@virtual
async def test_what_must_be_let_go_is_let_go_once_after_the_goodbye(error, times):
    loop, events = asyncio.get_running_loop(), []

    async def goodbye():
        try:
            await asyncio.sleep(HOUR if error == "hangs" else 0.5)
            await asyncio.sleep(0.3)
            if error:
                raise error
        finally:
            events.append("ended")

    async def scene():
        events.clear()
        await m.leave(goodbye, functools.partial(events.append, "let go"), 1)

    began = loop.time()
    async for got_out, was_cut in at_every_await(scene, times):
        assert events == ["ended", "let go"]
        expected = asyncio.CancelledError if was_cut else Poison if error is Poison else type(None)
        assert type(got_out) is expected
        assert loop.time() - began <= 1.01
        began = loop.time()


@virtual
async def test_a_goodbye_that_hangs_hides_no_deadline():
    events, loop = [], asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            try:
                await asyncio.sleep(HOUR)
            finally:
                await m.leave(functools.partial(asyncio.sleep, HOUR), functools.partial(events.append, "let go"), 2)
    assert events == ["let go"]
    assert loop.time() - began == pytest.approx(3, abs=0.01)


@virtual
async def test_the_goodbye_of_a_resource_takes_its_own_time_however_often_it_is_cancelled():
    closed = []

    class Line(taught(6).AsyncResource):
        async def connect(self):
            pass

        async def cleanup(self):
            await m.leave(functools.partial(asyncio.sleep, HOUR), functools.partial(closed.append, now()), 0.2)

    async def talk(*moments):
        for moment in moments:
            asyncio.get_running_loop().call_later(moment, asyncio.current_task().cancel)
        async with Line():
            await asyncio.sleep(HOUR)

    now, began = asyncio.get_running_loop().time, asyncio.get_running_loop().time()
    for task in [asyncio.create_task(talk(0.2)), asyncio.create_task(talk(0.2, 0.3))]:
        assert isinstance(await outcome(task), asyncio.CancelledError)
        assert now() - began == pytest.approx(0.4, abs=0.01)
    assert len(closed) == 2
