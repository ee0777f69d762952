"""`asynclab.work`, apart from what test_measure.py says of it: pools that cannot start, lag, locks, a new Python."""

import asyncio
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asynclab import work
from servers import gone, wait_until


def refuse(error):
    def fails(*args, **kwargs):
        raise error

    return fails


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("multiprocessing.context.BaseContext.Barrier", OSError(28, "No space left on device")),
        ("multiprocessing.context.BaseContext.Barrier", ImportError("no semaphores here")),
        ("concurrent.futures.process._check_system_limits", NotImplementedError("too few semaphores")),
        ("multiprocessing.context.SpawnProcess.start", BlockingIOError(11, "Resource temporarily unavailable")),
    ],
)
def test_where_no_process_can_start_a_thread_does_the_work_and_says_so(where, error, monkeypatch, capsys):
    monkeypatch.setattr(where, refuse(error))
    with work.process_pool(2) as pool:
        assert list(pool.map(work.count_primes, [10, 100], chunksize=2)) == [4, 25]
    assert capsys.readouterr().out.startswith(f"No processes can be started here ({type(error).__name__}: ")


def test_a_pool_has_started_and_ends(capsys):
    with work.process_pool(2, work.count_primes) as pool:
        assert len(multiprocessing.active_children()) == 2
        assert list(pool.map(work.count_primes, [10, 100, 10], chunksize=2)) == [4, 25, 4]
    assert multiprocessing.active_children() == []
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_leave_an_interrupt_to_their_parent_and_end_with_it():
    code = (
        "import os, time\nfrom asynclab import work\n"
        "with work.process_pool(1, work.count_primes) as pool:\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n    time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(work.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        os.kill(worker, signal.SIGINT)
        time.sleep(0.1)
        assert not gone(worker)
        parent.kill()
        wait_until(lambda: gone(worker), 5)


def test_lag_is_what_holds_the_loop_and_nothing_else():
    assert asyncio.run(work.worst_lag(functools.partial(time.sleep, 0.3))) > 0.28

    async def blocks_at_its_end():
        await asyncio.sleep(0.02)
        time.sleep(0.3)

    assert asyncio.run(work.worst_lag(blocks_at_its_end)) > 0.28
    free = [asyncio.run(work.worst_lag(functools.partial(asyncio.to_thread, time.sleep, 0.5))) for _ in range(3)]
    assert min(free) < 0.25  # half the sleep, were one of three disturbed by other programs


def test_lag_leaves_no_task_when_the_work_fails_or_is_cancelled():
    async def main():
        with pytest.raises(ZeroDivisionError):
            await work.worst_lag(lambda: 1 / 0)
        cut = asyncio.create_task(work.worst_lag(asyncio.Event().wait))
        await asyncio.sleep(0.05)
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        return asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(main())


def test_a_lock_is_entered_and_left_as_often_as_asked():
    class Counted(asyncio.Lock):
        entered = 0

        async def acquire(self):
            self.entered += 1
            return await super().acquire()

    async def main():
        lock = Counted()
        await work.enter_often(lock, 7)
        await work.enter_often(rounds=3)
        return lock.entered, lock.locked()

    assert asyncio.run(main()) == (7, False)


def test_a_new_python_runs_the_code(tmp_path):
    work.new_python(f"open({str(tmp_path / 'seen')!r}, 'w').close()")
    assert (tmp_path / "seen").exists()
    with pytest.raises(subprocess.CalledProcessError):
        work.new_python("1 / 0")
