"""`begin()` and `end()`: what each finds, what it says, and that it leaves nothing behind."""

# ruff: noqa: ASYNC220 (the programs start child processes without asyncio too)

import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import multiprocessing
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp
import aiosqlite
import asyncpg
import psutil
import pytest
import tornado.ioloop
import zmq
from aiohttp import web

from asynclab import Services, begin, end, trace
from asynclab.services.postgresql import PostgreSQL
from asynclab.session import Unfinished
from kernels import Kernel


class Leftover(NamedTuple):
    """A program that leaves something: run with a list that keeps things as a notebook's variables do."""

    program: Callable[[list], Awaitable]
    words: str  # what `end()` says of it, a regular expression
    advice: str
    tidied: Callable[[Any], bool] = lambda kept: True  # of what the list kept first, after `end()`


def found_after(program):
    """What `end()` names after `program` ran between `begin()` and `end()`; a second `end()` finds nothing."""

    async def session():
        loop = asyncio.get_running_loop()
        handler, show = loop.get_exception_handler(), warnings.showwarning
        begin()
        await program(kept)
        found = await named()
        assert loop.get_exception_handler() is handler
        assert warnings.showwarning is show
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not [timer for timer in loop._scheduled if not timer.cancelled() and "_tick" in repr(timer)]
        assert await named() == [], "what was named once is gone"
        return found

    kept = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        # Under -W error a forgotten coroutine is an error that nothing can catch.
        warnings.simplefilter("default", RuntimeWarning)
        return asyncio.run(session()), kept


async def named():
    try:
        await end()
    except Unfinished as unfinished:
        return unfinished.leftovers
    return []


async def nap(seconds=0.001):
    await asyncio.sleep(seconds)


async def fail(error=None):
    raise error or ValueError("lost one")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@contextlib.asynccontextmanager
async def serving():
    """A website of one page, at the URL given."""

    async def page(request):
        return web.Response(text="page")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}/".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


async def a_task(kept):
    kept.append(asyncio.create_task(nap(60), name="<b>left</b>"))


async def a_task_before_a_second_begin(kept):
    await a_task(kept)
    begin()


async def a_task_that_nothing_holds(kept):
    asyncio.create_task(fail(), name="fails")  # noqa: RUF006
    await nap()


async def a_failed_task(kept):
    kept.append(asyncio.create_task(fail(), name="fails"))
    await nap()


async def a_failed_task_before_a_second_begin(kept):
    await a_failed_task(kept)
    begin()


async def a_failed_task_whose_exception_has_no_text(kept):
    kept.append(asyncio.create_task(fail(Mute())))
    await nap()


async def a_task_that_cannot_tell_its_name(kept):
    class Nameless(asyncio.Task):
        def get_name(self):
            raise RuntimeError

    kept.append(Nameless(nap(60), loop=asyncio.get_running_loop()))


async def a_task_that_fails_as_it_is_cancelled(kept):
    async def job():
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("lost one")

    kept.append(asyncio.create_task(job()))
    await nap()


async def a_failed_future(kept):
    kept.append(asyncio.get_running_loop().create_future())
    kept[0].set_exception(ValueError("lost one"))


async def a_failed_gather(kept):
    kept.append(asyncio.gather(fail(), nap()))
    await nap(0.01)


async def a_failed_thread(kept):
    kept.append(asyncio.get_running_loop().run_in_executor(None, int, "x"))
    await nap(0.02)


async def a_dropped_pending_task(kept):
    async def wait():
        await asyncio.get_running_loop().create_future()

    asyncio.create_task(wait(), name="dropped")  # noqa: RUF006
    await nap()
    gc.collect()


async def a_coroutine(kept):
    kept.append(nap())


async def a_dropped_coroutine(kept):
    nap()


async def a_callback(kept):
    asyncio.get_running_loop().call_soon(int, "x")
    await nap()


async def a_timer(kept):
    def ring():
        raise Mute

    asyncio.get_running_loop().call_later(0.001, functools.partial(ring))
    await nap(0.01)


async def an_async_generator(kept):
    async def items():
        try:
            yield 1
        finally:
            raise ValueError("lost one")

    async for _ in items():
        break
    gc.collect()
    await nap()


async def a_server(kept):
    kept.append(await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0))


async def a_server_at_a_path(kept):
    with tempfile.TemporaryDirectory() as folder:
        kept.append(await asyncio.start_unix_server(lambda reader, writer: writer.close(), folder + "/here"))


async def a_failing_callback_of_a_server(kept):
    async def serve(reader, writer):
        raise ValueError("lost one")

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def a_failing_protocol(kept):
    class Deaf(asyncio.Protocol):
        def data_received(self, data):
            raise ValueError("lost one")

    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    with there:
        await loop.create_connection(Deaf, sock=here)
        there.send(b"x")
        await nap(0.01)


async def a_connection(kept):
    async def serve(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    kept.append(writer)
    server.close()


async def an_endpoint(kept):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    kept.append(transport)


async def a_session(kept):
    kept.append(aiohttp.ClientSession())


async def a_used_session(kept):
    session = aiohttp.ClientSession()
    kept.append(session)
    async with serving() as url, session.get(url) as response:
        await response.read()


async def a_dropped_session(kept):
    session = aiohttp.ClientSession()
    async with serving() as url:
        async with session.get(url) as response:
            await response.read()
        del response, session
        gc.collect()
        await nap()


async def a_connector(kept):
    kept.append(aiohttp.TCPConnector())


async def an_application(kept):
    kept.append(web.AppRunner(web.Application()))
    await kept[0].setup()
    await web.TCPSite(kept[0], "127.0.0.1", 0).start()


async def services(kept):
    async with Services():
        kept.append(await Services().start())


SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


async def a_child(kept):
    kept.append(subprocess.Popen(SLEEP, stdout=subprocess.PIPE))


async def a_child_that_ignores_sigterm(kept):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    kept.append(subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE))
    kept[0].stdout.readline()


async def a_dropped_child(kept):
    kept.append(subprocess.Popen(SLEEP).pid)


async def a_child_of_asyncio(kept):
    kept.append(await asyncio.create_subprocess_exec(*SLEEP, stdin=subprocess.PIPE, stdout=subprocess.PIPE))


async def a_child_of_multiprocessing(kept):
    kept.append(multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,)))
    kept[0].start()


async def a_pool_of_processes(kept):
    kept.append(concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")))
    await asyncio.get_running_loop().run_in_executor(kept[0], abs, -1)


async def a_busy_pool_of_processes(kept):
    kept.append(concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")))
    kept[0].submit(time.sleep, 60)


async def a_pool_of_multiprocessing(kept):
    kept.append(multiprocessing.get_context("spawn").Pool(1))


async def a_socket(kept):
    kept.append(socket.create_server(("127.0.0.1", 0)))


async def a_database(kept):
    kept.append(sqlite3.connect(":memory:"))
    with kept[0]:
        kept[0].execute("create table t (x)")


async def a_database_in_a_thread(kept):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    kept.append(await asyncio.get_running_loop().run_in_executor(pool, sqlite3.connect, ":memory:"))
    kept.append(pool)  # its idle thread is no leftover


async def a_loop(kept):
    kept.append(asyncio.new_event_loop())


async def a_timer_of_threading(kept):
    kept.append(threading.Timer(60, print))
    kept[0].start()


def is_closed(socket):
    return socket.fileno() == -1


def is_database_closed(database):
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.total_changes  # noqa: B018
    return True


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


RETRIEVED = "the exception of %s was never retrieved: ValueError: lost one"
LEFTOVERS = [
    Leftover(a_task, r"task '<b>left</b>' \(nap\) still runs", "cancel", asyncio.Task.cancelled),
    Leftover(a_task_before_a_second_begin, r"task '<b>left</b>' \(nap\) still runs", "cancel", asyncio.Task.cancelled),
    Leftover(a_task_that_nothing_holds, RETRIEVED % r"task 'fails' \(fail\)", "await it"),
    Leftover(a_failed_task, RETRIEVED % r"task 'fails' \(fail\)", "Await it"),
    Leftover(a_failed_task_before_a_second_begin, RETRIEVED % r"task 'fails' \(fail\)", "Await it"),
    Leftover(a_failed_task_whose_exception_has_no_text, "never retrieved: Mute: .its text cannot be shown", "Await it"),
    Leftover(a_task_that_cannot_tell_its_name, r"a \S*Nameless is left", "cancel", asyncio.Task.cancelled),
    Leftover(a_task_that_fails_as_it_is_cancelled, r"task 'Task-\d+' \(job\) still runs", "cancel"),
    Leftover(a_failed_future, RETRIEVED % "a future", "Await it"),
    Leftover(a_failed_gather, RETRIEVED % r"a gather\(\)", "Await it"),
    Leftover(a_failed_thread, "the exception of a future was never retrieved: ValueError: invalid", "Await it"),
    Leftover(a_dropped_pending_task, r"task 'dropped' \(wait\) was dropped before it had ended", "Keep the task"),
    Leftover(a_coroutine, "coroutine 'nap' was never awaited", "Write await"),
    Leftover(a_dropped_coroutine, "coroutine 'nap' was never awaited", "Write await"),
    Leftover(a_callback, "callback 'int' raised ValueError: invalid literal", "inside it"),
    Leftover(a_timer, "callback 'ring' raised Mute", "inside it"),
    Leftover(an_async_generator, "async generator failed as it was closed: ValueError: lost one", "aclosing"),
    Leftover(a_server, r"a server still listens on 127.0.0.1:\d+", "async with", lambda s: not s.is_serving()),
    Leftover(a_server_at_a_path, "a server still listens on /.*here", "async with", lambda s: not s.is_serving()),
    Leftover(a_failing_callback_of_a_server, "callback of a server failed .*: ValueError: lost one", "inside the"),
    Leftover(a_failing_protocol, "a connection failed .*: ValueError: lost one", "protocol"),
    Leftover(a_connection, "a connection to 127.0.0.1:.* is still open", "wait_closed", lambda w: w.is_closing()),
    Leftover(an_endpoint, "a socket at 127.0.0.1:.* is still open", "close", lambda t: t.is_closing()),
    Leftover(a_session, "an aiohttp ClientSession is still open", "async with", lambda s: s.closed),
    Leftover(a_used_session, "an aiohttp ClientSession is still open", "async with", lambda s: s.closed),
    Leftover(a_dropped_session, "an aiohttp client was dropped while it was open", "async with"),
    Leftover(a_connector, "an aiohttp TCPConnector is still open", "close", lambda c: c.closed),
    Leftover(an_application, "an aiohttp AppRunner still serves", "cleanup", lambda r: r.server is None),
    Leftover(services, "the servers of Services still run at http://127", "web.stop", lambda s: not Services.running()),
    Leftover(a_child, r"child process \d+ \(python.*\) still runs", "with subprocess", lambda p: p.stdout.closed),
    Leftover(a_child_that_ignores_sigterm, "child process", "terminate", lambda process: process.stdout.closed),
    Leftover(a_dropped_child, r"child process \d+ \(python.*\) still runs", "with subprocess", is_gone),
    Leftover(a_child_of_asyncio, r"child process \d+ \(python.*\) still", "process.wait", lambda p: is_gone(p.pid)),
    Leftover(a_child_of_multiprocessing, r"child process \d+ \(SpawnProcess", "join", lambda p: not p.is_alive()),
    Leftover(a_pool_of_processes, "a ProcessPoolExecutor still has 1 worker", "with Process"),
    Leftover(a_busy_pool_of_processes, "a ProcessPoolExecutor still has 1 worker", "with Process"),
    Leftover(a_pool_of_multiprocessing, "a Pool of multiprocessing still has 1 worker", "with multi"),
    Leftover(a_socket, r"a socket at 127.0.0.1:\d+ is still open", "with", is_closed),
    Leftover(a_database, "a connection of sqlite3 is still open", "closing"),
    Leftover(a_database_in_a_thread, "a connection of sqlite3 is still open", "in the thread", is_database_closed),
    Leftover(a_loop, "an event loop is still open", "asyncio.run", lambda loop: loop.is_closed()),
    Leftover(a_timer_of_threading, r"has yet to call print\(\)", "cancel", lambda timer: not timer.is_alive()),
]


@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.program.__name__)
def test_what_is_left_is_named_once_with_its_advice_and_tidied_up(leftover):
    found, kept = found_after(leftover.program)
    assert len(found) >= 1
    line = found[0]
    assert re.search(leftover.words, line), found
    assert leftover.advice in line
    if kept:
        assert leftover.tidied(kept[0])
    if leftover.program is not a_task_that_fails_as_it_is_cancelled:
        assert len(found) == 1, found


# What tidy programs do: each leaves nothing.


async def tidy_tasks():
    await asyncio.gather(nap(), asyncio.create_task(nap()))
    assert isinstance((await asyncio.gather(fail(), return_exceptions=True))[0], ValueError)
    done, _ = await asyncio.wait([asyncio.create_task(fail())])
    for task in done:
        assert task.exception()
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(nap(60))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await nap(60)
    kept = asyncio.create_task(fail())
    with pytest.raises(ValueError):
        await kept
    return kept


async def tidy_callback_and_late_task():
    asyncio.get_running_loop().call_later(60, print)
    return asyncio.create_task(nap(0.02))  # ends within the grace of end()


async def tidy_generator():
    async def items():
        yield 1

    async with contextlib.aclosing(items()) as opened:
        async for _ in opened:
            break


async def tidy_server_and_streams():
    async def serve(reader, writer):
        writer.write(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"x")
        assert await reader.read() == b"x"
        writer.close()
        await writer.wait_closed()
    return server, reader, writer


async def tidy_connection_that_was_reset():
    async def serve(reader, writer):
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
    return reader, writer  # whose protocol keeps an exception that it retrieves itself


async def tidy_session():
    async with serving() as url, aiohttp.ClientSession() as session, session.get(url) as response:
        await response.text()
    return session, response


async def tidy_services():
    async with Services() as web:
        await web.stats()
    return web


async def tidy_threads():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(abs, -1)
    idle = concurrent.futures.ThreadPoolExecutor()
    idle.submit(abs, -1)
    thread = threading.Thread(target=abs, args=(-1,))
    thread.start()
    thread.join()
    with pytest.raises(ValueError):
        await asyncio.to_thread(int, "x")
    return await asyncio.to_thread(asyncio.run, nap()), idle, thread


async def tidy_processes():
    finished = subprocess.Popen([sys.executable, "-S", "-c", ""])
    while finished.poll() is None:
        await nap(0.01)
    other = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "print(1)", stdout=subprocess.PIPE)
    await other.communicate()
    return finished, other


async def tidy_pools():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, abs, -1)
    process = context.Process(target=abs, args=(-1,))
    process.start()
    process.join()
    return pool, process, concurrent.futures.ProcessPoolExecutor(1, context)


async def tidy_files():
    with contextlib.closing(sqlite3.connect(":memory:")) as database, socket.socket() as unused:
        pass
    loop = asyncio.new_event_loop()
    loop.close()
    return database, unused, loop


TIDY = [program for name, program in list(globals().items()) if name.startswith("tidy_")]


@pytest.mark.parametrize("program", TIDY, ids=lambda program: program.__name__)
def test_a_tidy_program_is_all_clear(program, capsys):
    async def main():
        begin()
        kept = await program()
        found = await named()
        del kept
        return found

    assert asyncio.run(main()) == []
    assert "All clear" in capsys.readouterr().out


def test_a_thread_at_work_is_named_once_and_mentioned_while_it_works(capsys):
    async def main():
        async def job():
            await asyncio.to_thread(over.wait)

        def work():
            over.wait()

        begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await job()
        threading.Thread(target=work, name="mine").start()
        found = await named()
        again = await named()
        begin()
        assert await named() == []
        said = capsys.readouterr().out
        over.set()
        await nap(0.02)
        assert await named() == []
        return found, again, said

    over = threading.Event()
    (pool, mine), again, said = asyncio.run(main())
    assert re.match("thread 'asyncio_0' is still at work. Nothing stops a thread", pool)
    assert re.match(r"thread 'mine' is still at work in .*work\(\). Nothing stops a thread", mine)
    assert again == []
    assert "All clear" not in said and said.count("thread 'mine' is still at work") == 2
    assert "All clear" in capsys.readouterr().out


def test_an_open_aiosqlite_connection_is_named_and_closed():
    async def leave(kept):
        kept.append(await aiosqlite.connect(":memory:"))
        async with aiosqlite.connect(":memory:") as db:
            await db.execute("select 1")

    (found,), (connection,) = found_after(leave)
    assert found.startswith("an aiosqlite connection is still open") and "async with aiosqlite" in found
    with pytest.raises(ValueError):
        assert connection.in_transaction


@pytest.mark.skipif(not PostgreSQL.available(), reason="no PostgreSQL server on this machine")
def test_what_is_left_of_postgresql_is_named_and_closed():
    async def main():
        async with PostgreSQL() as address:
            begin()
            connection = await asyncpg.connect(address)
            (found,) = await named()
            assert found.startswith(
                "an asyncpg connection is still open. Put `await connection.close()` into a `finally`"
            )
            pool = await asyncpg.create_pool(address, min_size=2, max_size=4)
            (found,) = await named()
            assert found.startswith("an asyncpg pool is still open (connections: 2). Open it with `async with")
            server = PostgreSQL()
            connected = await asyncpg.connect(await server.__aenter__())
            assert await named() == [
                "a PostgreSQL server still runs. Open it with `async with PostgreSQL() as address:`."
            ]
            assert connection.is_closed() and pool.is_closing() and connected.is_closed() and not server.running
            assert await named() == []

    asyncio.run(main())


def test_what_was_there_before_is_nobodys_fault(capsys):
    async def main():
        task = asyncio.create_task(nap(60), name="the kernel's own")
        failed = asyncio.create_task(fail())
        thread = threading.Thread(target=over.wait)
        thread.start()
        async with (
            Services() as services,
            aiohttp.ClientSession() as session,
            await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0) as server,
        ):
            with (
                subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child,
                contextlib.closing(sqlite3.connect(":memory:")) as database,
                socket.socket() as sock,
            ):
                await nap()
                begin()
                assert await named() == []
                assert child.poll() is None and sock.fileno() > 0 and database.total_changes == 0
                assert not session.closed and server.is_serving() and Services.running() == [services]
                child.stdin.close()
        over.set()
        thread.join()
        assert task.cancel() and failed.exception()
        await asyncio.wait([task])

    over = threading.Event()
    asyncio.run(main())
    assert "All clear" in capsys.readouterr().out


@pytest.mark.parametrize(
    "context",
    [
        {"message": "zmq", "handle": lambda loop: asyncio.Handle(zmq.Socket.close, (), loop)},
        {"message": "tornado", "handle": lambda loop: asyncio.Handle(tornado.ioloop.IOLoop().add_timeout, (), loop)},
        {"message": "old", "socket": lambda loop: asyncio.trsock.TransportSocket(loop._ssock)},
        {"message": "old", "socket": lambda loop: loop._csock},
    ],
)
def test_what_the_kernel_loses_is_passed_on_and_not_named(context):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        begin()
        full = {key: value(loop) if callable(value) else value for key, value in context.items()}
        loop.call_exception_handler(full)
        assert await named() == []
        assert seen == [full]

    seen = []
    asyncio.run(main())


@pytest.mark.parametrize(
    ("context", "words", "advice"),
    [
        ({"message": "Unclosed response", "client_response": ...}, "a response of aiohttp was dropped", "session.get"),
        ({"message": "Unclosed connection", "client_connection": ...}, "a response of aiohttp was dropped", "releases"),
        (
            {"message": "accept()", "socket": ..., "exception": OSError("full")},
            "a socket failed: accept()",
            "bound how",
        ),
        ({"message": "closing", "asyncgen": ..., "exception": Mute()}, "an async generator failed as it", "aclosing"),
        (
            {"message": "Fatal <b>\nerror", "protocol": ...},
            "a connection failed outside any task: Fatal <b>.",
            "inside",
        ),
        (
            {"message": "odd", "exception": Mute()},
            "odd: Mute: (its text cannot be shown). It happened",
            "where it arises",
        ),
        ({}, "an error outside any task. It happened", "where it arises"),
    ],
)
def test_each_loss_gets_its_own_advice(context, words, advice):
    async def report(kept):
        asyncio.get_running_loop().call_exception_handler(context)

    (found,), _ = found_after(report)
    assert found.startswith(words) and advice in found


def test_a_loss_is_shown_when_it_happens_and_forgotten_by_a_second_begin(caplog):
    async def main():
        begin()
        await a_task_that_nothing_holds([])
        begin()
        assert await named() == []

    asyncio.run(main())
    assert "lost one" in caplog.text


def test_many_leftovers_are_named_in_order_and_counted():
    async def main(kept):
        kept.extend(asyncio.create_task(nap(60), name=f"{number:04}") for number in range(1000))

    found, kept = found_after(main)
    assert [line[:11] for line in found[:2]] == ["task '0000'", "task '0001'"]
    assert len(found) == 11 and found[-1].startswith("and 990 more")
    assert all(task.cancelled() for task in kept)


def test_many_leftovers_whose_holders_are_looked_at():
    async def main(kept):
        kept.extend(nap() for _ in range(1000))

    found, _ = found_after(main)
    assert len(found) == 2 and found[0].startswith("coroutine 'nap'") and found[1].startswith("and 990 more")


def test_an_end_awaited_as_a_task_does_not_cancel_who_awaits_it():
    async def main():
        begin()
        return await asyncio.create_task(named())

    assert asyncio.run(main()) == []


def test_calls_out_of_place_say_what_to_do():
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        begin()
    with pytest.raises(RuntimeError, match=r"run the cell with begin\(\) first"):
        asyncio.run(end())


def test_an_end_that_is_cut_short_forgets_nothing():
    async def main():
        begin()
        kept = asyncio.create_task(stubborn(), name="stubborn")
        await nap()
        show = warnings.showwarning
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await end()
        assert warnings.showwarning is show, "it still watches"
        found = await named()
        assert kept.done()
        return found

    async def stubborn():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(0.5)

    show = warnings.showwarning
    (found,) = asyncio.run(main())
    assert found.startswith("task 'stubborn'")
    assert warnings.showwarning is show


def test_handlers_in_front_and_loops_that_ended_without_end_are_harmless():
    async def forgets_the_end():
        begin()

    async def main():
        loop = asyncio.get_running_loop()
        begin()
        ours = loop.get_exception_handler()
        loop.set_exception_handler(front := lambda loop, context: seen.append(context) or ours(loop, context))
        begin()  # now ours stands before and behind it
        loop.call_exception_handler({"message": "told once"})
        found = await named()
        assert loop.get_exception_handler() is front
        return found

    seen, show = [], warnings.showwarning
    asyncio.run(forgets_the_end())
    found = asyncio.run(main())
    assert [line.partition(".")[0] for line in found] == ["told once"]
    assert len(seen) == 1
    begin_in_a_new_loop = asyncio.Runner()
    with begin_in_a_new_loop as runner:
        runner.run(forgets_the_end())
        assert runner.run(named()) == []
    assert warnings.showwarning is show


def test_a_timeline_does_not_show_the_ticker():
    async def main():
        begin()
        with trace() as quiet:
            await asyncio.sleep(0.25)
        await end()
        return quiet

    assert not [callback for callback in asyncio.run(main()).callbacks if "tick" in callback.name]


SETUP = """
import asyncio, socket, sqlite3, subprocess, time, warnings
import aiohttp
from asynclab import begin, end, trace
begin()
async def fail(): raise ValueError("lost one")
"""


@pytest.fixture(scope="module")
def kernel(pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


def test_in_a_kernel_a_tidy_session_ends_clear(kernel):
    reply = kernel.run("await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))\nawait end()")
    assert reply.status == "ok", reply
    assert "All clear" in reply.text


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("asyncio.sleep(1)", "coroutine 'sleep' was never awaited"),  # the cell's result: Out keeps it, no warning
        ("asyncio.sleep(2); None", "coroutine 'sleep' was never awaited. Write await"),  # a warning tells it
        ("t = asyncio.create_task(asyncio.sleep(60), name='mine')", "task 'mine' (sleep) still runs"),
        ("s = await asyncio.start_server(lambda r, w: None, '127.0.0.1', 0)", "a server still listens"),
        ("import asynclab\nweb = await asynclab.Services().start()", "the servers of Services still run at http://127"),
        ("asyncio.create_task(fail())", "(fail) was never retrieved: ValueError: lost one"),  # Out keeps it
        ("failed = asyncio.create_task(fail())", "(fail) was never retrieved: ValueError: lost one"),
        ("asyncio.get_running_loop().call_soon(int, 'x')", "callback 'int' raised ValueError: invalid literal"),
        ("t = asyncio.create_task(asyncio.sleep(60)); begin()", "(sleep) still runs"),
        ("subprocess.Popen(['sleep', '60'])", "(sleep) still runs"),
        ("session = aiohttp.ClientSession()", "an aiohttp ClientSession is still open"),
        ("aiohttp.ClientSession(); None", "an aiohttp client was dropped while it was open"),
        ("socket.socket()", "a socket at 0.0.0.0:0 is still open"),
        ("sqlite3.connect(':memory:')", "a connection of sqlite3 is still open"),
    ],
)
def test_in_a_kernel_leftovers_are_named(kernel, code, named):
    assert kernel.run("begin()").status == "ok"
    kernel.run(code)
    reply = kernel.run("await end()")
    assert (reply.status, reply.ename) == ("error", "Unfinished")
    assert named in reply.evalue, reply.evalue
    assert len(reply.traceback) == 1, "the advice alone, no stack of calls"
    assert kernel.run("await end()").status == "ok"


def test_in_a_kernel_a_thread_that_outlives_an_interrupt_is_named(kernel):
    assert kernel.run("begin()").status == "ok"
    cell = kernel.start("print('waiting')\nawait asyncio.to_thread(time.sleep, 3)")
    kernel.wait_until_printed(cell, "waiting")
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    assert "thread 'asyncio_0' is still at work" in kernel.run("await end()").evalue
    assert kernel.run("await end()").status == "ok"
    assert "All clear" in kernel.run("await asyncio.sleep(3); await end()").text


def test_in_a_kernel_its_own_threads_and_sockets_are_not_named(kernel):
    assert kernel.run("begin()").status == "ok"
    kernel.client.control_channel.send(kernel.client.session.msg("create_subshell_request"))
    assert kernel.client.get_control_msg(timeout=10)["content"]["status"] == "ok"
    assert kernel.run("import debugpy\nlistens = debugpy.listen(('127.0.0.1', 0))").status == "ok"
    reply = kernel.run("from tqdm.auto import tqdm\nfor _ in tqdm(range(2)): pass\nawait end()")
    assert (reply.status, reply.evalue) == ("ok", "")


def test_in_a_kernel_whose_first_error_is_a_group_its_cell_ends(pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        assert kernel.run("from asynclab import begin\nbegin()").status == "ok"
        reply = kernel.run("raise ExceptionGroup('some', [ValueError('one')])", 20)
        assert (reply.ename, kernel.log) == ("ExceptionGroup", "")


def test_in_a_kernel_what_was_frozen_is_named(kernel):
    reply = kernel.run("begin()\nimport gc\nforgotten = [asyncio.sleep(1)]\ngc.freeze()\nawait end()")
    assert reply.ename == "Unfinished" and "coroutine 'sleep'" in reply.evalue


def test_in_a_kernel_its_own_coroutine_is_not_named(kernel):
    said = "coroutine 'InteractiveShell.run_cell_async' was never awaited"
    assert kernel.run(f"begin()\nwarnings.warn({said!r}, RuntimeWarning)\nawait end()").status == "ok"


def test_in_a_kernel_a_forgotten_coroutine_staged_on_purpose_is_no_fault(kernel):
    assert kernel.run("begin()").status == "ok"
    reply = kernel.run("with warnings.catch_warnings(record=True) as caught:\n    asyncio.sleep(1)\nprint(len(caught))")
    assert (reply.text, reply.stderr) == ("1\n", "")
    assert kernel.run("await end()").status == "ok"


def test_an_interrupt_reaches_an_awaiting_cell_at_once_and_the_next_cell_works(kernel):
    assert kernel.run("begin()").status == "ok"
    cell = kernel.start("with trace('cut short') as cut:\n    print('waiting')\n    await asyncio.sleep(60)")
    kernel.wait_until_printed(cell, "waiting")
    asked = time.monotonic()
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    assert time.monotonic() - asked < 10
    reply = kernel.run("with trace('whole') as whole:\n    await asyncio.sleep(0.01)\nprint(len(whole.tasks))")
    assert (reply.status, reply.text) == ("ok", "1\n")
    assert kernel.run("print(len(cut.tasks), cut.tasks[0].outcome)").text == "1 pending\n"
    assert kernel.run("await end()").status == "ok"


def test_in_a_kernel_only_the_cells_own_tasks_are_rows(kernel):
    assert kernel.run("begin()").status == "ok"
    reply = kernel.run(
        "with trace('two naps') as naps:\n"
        "    await asyncio.gather(*[asyncio.create_task(asyncio.sleep(0.02), name=n) for n in 'ab'])\n"
        "print([row.name for row in naps.tasks if not row.root], naps.tasks[0].root)\nnaps"
    )
    assert reply.text == "['a', 'b'] True\n"
    (result,) = reply.results
    assert "two naps: 2 tasks in" in result["text/plain"]
    assert '<img alt="Timeline “two naps”: 2 tasks in' in result["text/html"]
    reply = kernel.run("with trace() as still:\n    time.sleep(0.01)\nprint(len(still.tasks))")
    assert reply.text == "1\n", "a cell without await can be traced too"
    assert kernel.run("await end()").status == "ok"
