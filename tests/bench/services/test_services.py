"""`Services`: the servers start and stop without residue, end with their parent, and say why they cannot start."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from asynclab import Services
from asynclab.services import ServicesError, process
from servers import ask, gone, refused, servers, stats, wait_until

ASYNCLAB = Path(process.__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork")


def addresses(web):
    return [("127.0.0.1", int(url.rpartition(":")[2])) for url in (web.api, web.site)] + [web.mail]


def residue():
    """Child processes, threads and open files of this process."""
    gc.collect()
    me = psutil.Process()
    return len(me.children()), threading.active_count(), me.num_fds() if os.name == "posix" else me.num_handles()


@contextlib.contextmanager
def script(code, **options):
    """A Python process that runs `code` after the imports that all of them need."""
    setup = "import asyncio, os, signal, sys, time\nfrom asynclab.services import Services\n"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", setup + code],
        env={**os.environ, "PYTHONPATH": str(ASYNCLAB.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def numbers(child):
    """The numbers on the next line that a script prints."""
    line = child.stdout.readline()
    assert line, child.stderr.read()
    return [int(each) for each in line.split()]


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.soak)])
def test_five_at_a_time_started_and_stopped_nothing_remains(times):
    async def once():
        async with Services() as web:
            asked = await web.stats()
            return asked["requests"], web.pid, addresses(web)

    async def main():
        return [each for _ in range(times) for each in await asyncio.gather(*(once() for _ in range(5)))]

    asyncio.run(once())  # what is made once for all: the modules and buffers of a first start
    before = residue()
    runs = asyncio.run(main())
    assert [requests for requests, *_ in runs] == [0] * 5 * times
    assert all(gone(pid) for _, pid, _ in runs)
    assert all(refused(address) for *_, used in runs for address in used)
    assert residue() == before
    assert Services.running() == []


def test_they_are_ready_soon_and_the_loop_is_free_meanwhile():
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.create_task(tick())
        began = time.monotonic()
        async with Services() as web:
            seconds = time.monotonic() - began
            assert Services.running() == [web]
            ticker.cancel()
        return seconds, ticks

    seconds, ticks = asyncio.run(main())
    assert seconds < 5
    assert ticks >= 3


def test_two_at_once_share_nothing():
    with servers() as one, servers() as other:
        assert not set(addresses(one)) & set(addresses(other))
        ask(one.url("/get", client="me"))
        assert (stats(one, "me")["requests"], stats(other, "me")["requests"]) == (1, 0)


def test_stopping_is_idempotent_and_starting_again_begins_anew():
    async def main():
        web = Services()
        await web.stop()
        assert await web.start() is web
        pid = web.pid
        assert await web.start() is web and web.pid == pid
        await web.stop()
        await web.stop()
        assert refused(addresses(web)[0]), "its addresses are still known"
        with pytest.raises(ServicesError, match="have stopped: start them again"):
            web.url("/get")
        with pytest.raises(ServicesError, match="have stopped"):
            await web.stats()
        async with web:
            assert web.pid != pid
            assert (await web.stats())["requests"] == 0

    asyncio.run(main())


def test_urls_are_put_together():
    with servers() as web:
        assert web.url("/delay/0.1") == f"{web.api}/delay/0.1"
        assert web.url("/get", client="a b&c", seed=3) == f"{web.api}/get?client=a+b%26c&seed=3"
        assert web.url("/get?a=1", b=2) == f"{web.api}/get?a=1&b=2"
        assert ask(web.url("/get", client="ünï & co")).json["client"] == "ünï & co"
        assert web.api in repr(web) and web.site in repr(web)


def test_before_the_start_it_says_what_to_do():
    web = Services()
    assert repr(web) == "<Services, not running>"
    for use in (lambda: web.api, lambda: web.site, lambda: web.mail, lambda: web.pid, lambda: web.url("/get")):
        with pytest.raises(ServicesError, match="start"):
            use()
    with pytest.raises(ServicesError, match="async with Services"):
        stats(web)


@pytest.mark.parametrize("delay", [0, 0.001, 0.02, 0.1])
def test_a_start_that_is_cancelled_leaves_no_process(delay):
    async def main():
        web = Services()
        task = asyncio.create_task(web.start())
        await asyncio.sleep(delay)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await web.stop()
        return web

    before, children = residue(), psutil.Process().children()  # another test's pool may have left its helper
    web = asyncio.run(main())
    assert psutil.Process().children() == children
    del web
    assert residue() == before


def test_two_starts_at_one_moment_are_refused():
    async def main():
        web = Services()
        results = await asyncio.gather(web.start(), web.start(), return_exceptions=True)
        await web.stop()
        return web, results

    web, (first, second) = asyncio.run(main())
    assert first is web
    assert isinstance(second, ServicesError) and "starting already" in str(second)


def test_a_stop_that_is_cancelled_ends_them_all_the_same():
    async def main():
        web = await Services().start()
        pid = web.pid
        task = asyncio.create_task(web.stop())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return pid

    pid = asyncio.run(main())
    wait_until(lambda: gone(pid), 5)


def test_dropped_without_stop_they_end():
    before = residue()
    web = asyncio.run(Services().start())
    pid = web.pid
    del web
    gc.collect()
    assert gone(pid)
    assert residue() == before


def test_the_end_of_the_interpreter_ends_them_without_a_warning():
    with script("web = asyncio.run(Services().start())\nprint(web.pid, flush=True)") as child:
        (pid,) = numbers(child)
        assert child.wait(20) == 0
        assert child.stderr.read() == ""
        assert gone(pid)


@posix
def test_kill_9_of_the_parent_leaves_no_child():
    with script(
        "web = asyncio.run(Services().start())\nprint(web.pid, web.mail[1], flush=True)\ntime.sleep(60)"
    ) as child:
        pid, port = numbers(child)
        child.kill()
        wait_until(lambda: gone(pid), 2)
        assert refused(("127.0.0.1", port))


@posix
def test_nor_does_it_when_a_forked_worker_holds_the_pipe():
    code = (
        "web = asyncio.run(Services().start())\n"
        "worker = os.fork()\n"
        "if worker == 0:\n    time.sleep(60)\n    os._exit(0)\n"
        "print(web.pid, worker, flush=True)\ntime.sleep(60)"
    )
    with script(code) as child:
        pid, worker = numbers(child)
        try:
            child.kill()
            wait_until(lambda: gone(pid), 2)
            assert not gone(worker)
        finally:
            os.kill(worker, signal.SIGKILL)


@posix
def test_a_forked_worker_that_ends_leaves_them_up_and_one_that_stays_does_not_hold_up_the_stop():
    code = (
        "web = asyncio.run(Services().start())\n"
        "worker = os.fork()\nif worker == 0:\n    assert Services.running() == []\n    sys.exit(0)\n"
        "assert os.waitpid(worker, 0)[1] == 0\nasyncio.run(web.stats())\n"
        "worker = os.fork()\nif worker == 0:\n    time.sleep(60)\n    os._exit(0)\n"
        "began = time.monotonic()\nasyncio.run(web.stop())\nos.kill(worker, 9)\nos.waitpid(worker, 0)\n"
        "print(int(1000 * (time.monotonic() - began)), flush=True)"
    )
    with script(code) as child:
        (milliseconds,) = numbers(child)
        assert milliseconds < 1900, "it was not killed, it ended by itself"
        assert (child.wait(20), child.stderr.read()) == (0, "")


@posix
def test_an_interrupt_of_the_process_group_does_not_end_them():
    code = (
        "signal.signal(signal.SIGINT, lambda *args: None)\n"  # unlike SIG_IGN, a child does not inherit that
        "web = asyncio.run(Services().start())\n"
        "for _ in range(3):\n    os.killpg(0, signal.SIGINT)\n    time.sleep(0.05)\n"
        "print(asyncio.run(web.stats())['requests'], flush=True)\nasyncio.run(web.stop())"
    )
    with script(code, start_new_session=True) as child:
        assert numbers(child) == [0]
        assert (child.wait(20), child.stderr.read()) == (0, "")


@posix
def test_killed_servers_say_so_and_can_be_started_again(monkeypatch):
    async def main():
        async with Services() as web:
            pid = web.pid
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(wait_until, lambda: Services.running() == [])
            with pytest.raises(ServicesError, match="do not answer"):
                await web.stats()
            with monkeypatch.context() as patch, pytest.raises(ServicesError, match="cannot start"):
                patch.setattr(sys, "executable", "/nowhere/python")
                await web.start()
            assert Services.running() == []
            await web.start()
            assert (await web.stats())["requests"] == 0

    before = residue()
    asyncio.run(main())
    assert residue() == before


@posix
def test_one_that_does_not_end_by_itself_is_killed(monkeypatch):
    monkeypatch.setattr(process, "_STOP", 0.2)

    async def main():
        async with Services() as web:
            pid = web.pid
            os.kill(pid, signal.SIGSTOP)
        return pid

    assert gone(asyncio.run(main()))


def fails_to_start():
    before = residue()
    with pytest.raises(ServicesError) as caught:
        asyncio.run(Services().start())
    message = str(caught.value)
    assert caught.value._render_traceback_() == [f"ServicesError: {message}"]
    del caught
    assert residue() == before
    assert "requirements.txt" in message and "environment.py" in message, "what to do"
    return message


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A function that puts a module of that name and code in the place of the real one, for the child."""

    def write(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


def test_a_failed_start_says_why(broken):
    broken("aiosmtpd", "raise ImportError('broken on purpose')")
    assert "ImportError: broken on purpose" in fails_to_start()


def test_a_start_that_takes_too_long_says_so(broken, monkeypatch):
    monkeypatch.setattr(process, "_START", 0.5)
    broken("aiosmtpd", "import time; time.sleep(60)")
    assert "said nothing within 0.5 seconds" in fails_to_start()


def test_a_start_that_prints_nonsense_fails(broken):
    broken("aiosmtpd", "import time; print('hello', flush=True); time.sleep(60)")
    assert "their process said 'hello'" in fails_to_start()


def test_a_start_that_ends_without_a_word_says_so(broken):
    broken("aiosmtpd", "import os; os._exit(3)")
    assert "their process ended with code 3" in fails_to_start()


def test_without_an_interpreter_it_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "/nowhere/python" in fails_to_start()


def test_what_lies_in_the_current_folder_and_strict_warnings_do_not_matter(tmp_path, monkeypatch):
    for name in ("random.py", "json.py", "aiohttp.py", "services.py"):
        (tmp_path / name).write_text("raise ImportError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    with servers() as web:
        assert ask(f"{web.api}/get").status == 200


def test_the_child_imports_no_more_than_it_needs():
    child = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "services"],
        env={**os.environ, "PYTHONPATH": str(ASYNCLAB)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in child.stderr.splitlines()}
    assert "aiohttp" in imported
    assert not imported & {"matplotlib", "IPython", "ipykernel", "asynclab", "numpy"}


def test_it_listens_on_loopback_alone():
    with servers() as web:
        listening = [c.laddr for c in psutil.Process(web.pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert sorted((place.ip, place.port) for place in listening) == sorted(addresses(web))
        with socket.create_connection(web.mail, 5) as sock:
            assert sock.recv(100).startswith(b"220 localhost")
