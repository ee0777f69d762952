"""Attacks on what chapter 4 teaches about databases: AsyncDatabaseConnection, on SQLite and on a real PostgreSQL.

A connection is left in every way and at every await, and nothing may be open, locked or half-written afterwards. What
depends on a thread or on a server is waited for, so nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import asyncpg
import pytest

from asynclab import begin, end
from asynclab.services.postgresql import PostgreSQL
from asynclab.session import Unfinished
from asynclab.taught import NOTEBOOKS, taught
from powerless import powerless
from watched import Watched, outcome

CORE, STREAMS, SERVERS = "04_async_context_managers", "04_async_context_managers_deeper", "04_database_servers_deeper"
core = taught(CORE)

HOUR = 3600
ROWS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT n FROM c"
ENDLESS = f"SELECT count(*) FROM ({ROWS}) AS endless"
SETUP = [
    "CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL)",
    "CREATE TABLE debts (id integer REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)",
    f"INSERT INTO accounts VALUES {', '.join(f'({number}, 100)' for number in range(1, 11))}",
]
ADD = "UPDATE accounts SET balance = balance + ? WHERE id = ?"
SUM = "SELECT sum(balance) FROM accounts"
posix = pytest.mark.skipif(os.name != "posix", reason="about signals, modes and limits of POSIX")


class Poison(Exception):
    """What a body raises."""


# ---------------------------------------------------------------- two databases, seen from outside


class Database:
    """Ten accounts of 100 each, in a database with the class that is taught for it."""

    def run(self, main):
        """Run `main()`. It may leave no connection, thread, lock or task, and no exception that nobody heard."""
        unheard = []

        async def whole():
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
            async with asyncio.timeout(120), self.witness():
                result = await main()
                await self.settled()
            return result

        result = asyncio.run(whole())
        gc.collect()
        assert [each for each in unheard if not self.is_the_drivers(each)] == []
        return result

    async def settled(self):
        """Wait until nobody is connected: a thread needs a moment to end, and so does a server's process."""
        patience = time.monotonic() + 30
        while left := [*await self.left(), *asyncio.all_tasks() - {asyncio.current_task()}]:
            assert time.monotonic() < patience, left
            await asyncio.sleep(0.001)

    def is_the_drivers(self, context):
        return False

    async def balances(self):
        return dict(await self.look("SELECT id, balance FROM accounts"))


class SQLite(Database):
    notebook = CORE
    on_connect = ("PRAGMA foreign_keys = ON",)
    integrity, cannot_close = sqlite3.IntegrityError, Poison

    def __init__(self, folder, monkeypatch, journal, connection=core.AsyncDatabaseConnection):
        self.Connection = connection
        self.path, self.opened, connect = folder / "bank.db", [], sqlite3.connect
        self.address = f"sqlite:///{self.path.as_posix()}"
        with contextlib.closing(sqlite3.connect(self.path)) as db, db:
            for statement in (f"PRAGMA journal_mode = {journal}", *SETUP):
                db.execute(statement)

        def noted(*arguments, **options):
            self.opened.append(connect(*arguments, **options))
            return self.opened[-1]

        monkeypatch.setattr(sqlite3, "connect", noted)
        self.connect = connect
        self.bad_address, self.bad = f"sqlite:///{folder.as_posix()}", sqlite3.OperationalError

    @contextlib.asynccontextmanager
    async def witness(self):
        yield

    async def look(self, sql):
        with contextlib.closing(self.connect(self.path, timeout=0)) as db:
            return db.execute(sql).fetchall()

    async def left(self):
        self.opened = [each for each in self.opened if is_open(each)]
        threads = [each for each in threading.enumerate() if each.name.startswith("sqlite")]
        if not self.opened:
            with contextlib.closing(self.connect(self.path, timeout=0, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")  # nobody holds the lock
        return self.opened + threads

    def failing_to_close(self):
        class Connection(sqlite3.Connection):
            def close(self):
                super().close()
                raise Poison

        connect = sqlite3.connect
        return mock.patch.object(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Connection, **k))


def is_open(connection):
    try:
        return connection.total_changes >= 0
    except sqlite3.ProgrammingError:
        return False


class Postgres(Database):
    notebook = SERVERS
    on_connect = ()
    integrity, cannot_close = asyncpg.ForeignKeyViolationError, type(None)  # then we hang up
    ended = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)
    others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

    def __init__(self, address, connection):
        self.address, self.Connection = address, connection
        self.bad_address, self.bad = f"{address}_of_nobody", asyncpg.InvalidCatalogNameError

        async def setup():
            async with self.witness():
                for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", *SETUP):
                    await self.look(statement)

        asyncio.run(setup())

    @contextlib.asynccontextmanager
    async def witness(self):
        self.connection = await asyncpg.connect(self.address)
        try:
            yield
        finally:
            await self.connection.close()

    def is_the_drivers(self, context):
        """Cancelled while it connects, asyncpg closes what there is, and leaves a future of its own behind."""
        return "unexpected connection_lost() call" in str(context.get("exception"))

    async def look(self, sql):
        return [tuple(row) for row in await self.connection.fetch(sql)]

    async def left(self):
        return await self.look(f"SELECT state, query {self.others}")

    def failing_to_close(self):
        close = asyncpg.Connection.close

        async def closes_and_fails(connection, **options):
            await close(connection, **options)
            raise Poison

        return mock.patch.object(asyncpg.Connection, "close", closes_and_fails)


@pytest.fixture(scope="module")
def server():
    if not PostgreSQL.available():
        pytest.skip("no PostgreSQL server on this machine")
    running, connection = PostgreSQL(), taught(SERVERS).AsyncDatabaseConnection
    yield asyncio.run(running.__aenter__()), connection
    asyncio.run(running.__aexit__(None, None, None))


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    return SQLite(tmp_path, monkeypatch, "WAL")  # as build_database has it


@pytest.fixture
def sqlite_as_it_comes(tmp_path, monkeypatch):
    return SQLite(tmp_path, monkeypatch, "DELETE")  # a reader can keep a writer from committing


@pytest.fixture
def postgres(server):
    return Postgres(*server)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    return request.getfixturevalue(request.param)


# ---------------------------------------------------------------- what is done to it


async def transfer(db, source, target, amount):
    async with db.transaction() as query:
        for account, change in sorted([(source, -amount), (target, amount)]):  # no two wait for each other
            await query(ADD, change, account)


# ---------------------------------------------------------------- left in every way


HITS = {"error": 0, "cancel": 1, "second cancel": 2, "time-out": 1}


@pytest.mark.parametrize("where", ["enter", "body", "commit", "exit"])
@pytest.mark.parametrize("how", HITS)
def test_whichever_way_it_fails_nothing_is_open_and_nothing_half_written(database, where, how):
    phase, hits, failing = "", HITS[how], where if how == "error" else ""

    async def life():
        nonlocal phase
        phase = "enter"
        async with database.Connection(database.bad_address if failing == "enter" else database.address) as db:
            for statement in database.on_connect:
                await db.query(statement)
            async with db.transaction() as query:
                await query(ADD, -10, 1)
                phase = "body"
                if failing == "body":
                    raise Poison
                await asyncio.sleep(HOUR if where == "body" else 0)
                await query(ADD, 10, 2)
                if failing == "commit":
                    await query("INSERT INTO debts VALUES (?)", 404)
                phase = "commit"
            phase = "exit"

    def on_pause(future):
        nonlocal hits
        if phase == where and hits:
            hits -= 1
            asyncio.get_running_loop().call_soon(hit)

    def hit():
        if how == "time-out":
            limit.reschedule(0)
        else:
            task.cancel()

    async def limited():
        async with limit:
            await Watched(life(), on_pause)

    async def main():
        nonlocal limit, task
        limit = asyncio.timeout(None)
        task = asyncio.create_task(limited())
        with database.failing_to_close() if failing == "exit" else contextlib.nullcontext():
            got_out = await outcome(task)
        await database.settled()
        return got_out, await database.balances()

    limit = task = None
    got_out, balances = database.run(main)
    errors = {"enter": database.bad, "body": Poison, "commit": database.integrity, "exit": database.cannot_close}
    expected = {"error": errors[where], "time-out": TimeoutError}.get(how, asyncio.CancelledError)
    assert isinstance(got_out, expected), got_out
    assert hits < (HITS[how] or 1)
    assert (balances[1], balances[2]) in {  # cancelled while it commits, it may be committed
        "enter": [(100, 100)],
        "body": [(100, 100)],
        "commit": [(100, 100)] if failing else [(100, 100), (90, 110)],
        "exit": [(90, 110)],
    }[where]


async def cancelled_at_any_await(life, second, check):
    """Cancel `life()` at each of its awaits, before what it waits for is there and at the very moment when it is.

    `second`: how many awaits later it is cancelled once more, if it is. Each time, `await check()`.
    """

    async def cut(at, ready):
        """Return whether `life()` had an await number `at`."""

        def on_pause(future):
            if (pause := next(pauses)) == at or pause - at - 1 == second:
                if ready and future is not None:
                    future.add_done_callback(lambda _: task.cancel())
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)

        pauses = itertools.count()
        task = asyncio.ensure_future(Watched(life(), on_pause))
        got_out = await outcome(task)
        came = next(pauses) > at
        assert isinstance(got_out, asyncio.CancelledError) if came else got_out is None, (at, got_out)
        await check()
        return came

    for ready in (False, True):
        for at in itertools.count():
            if not await cut(at, ready):
                break
        assert at >= 4


any_second = pytest.mark.parametrize("second", [None, 0, 1, 2])


@any_second
def test_cancelled_at_any_await_it_leaves_nothing(database, second):
    async def life():
        async with database.Connection(database.address) as db:
            await db.query(SUM)
            await db.query_many([(ADD, (-10, 3)), (SUM, ()), (ADD, (10, 4))])
            await transfer(db, 1, 2, 10)

    async def check():
        await database.settled()
        balances = await database.balances()
        assert [balances[1] + balances[2], balances[3] + balances[4]] == [200, 200]

    database.run(lambda: cancelled_at_any_await(life, second, check))


@any_second
def test_a_transaction_that_is_cancelled_at_any_await_is_over_for_the_next_one(database, second):
    async def main():
        async def check():
            await transfer(db, 3, 4, 1)
            balances = await database.balances()
            assert [balances[1] + balances[2], balances[3] + balances[4]] == [200, 200]

        async with database.Connection(database.address) as db:
            await cancelled_at_any_await(lambda: transfer(db, 1, 2, 10), second, check)

    database.run(main)


@pytest.mark.parametrize("database", ["sqlite", "sqlite_as_it_comes", "postgres"], indirect=True)
def test_a_thousand_transfers_keep_the_sum_whoever_is_cancelled(database):
    chance = random.Random(4)

    async def main():
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            dbs = [await stack.enter_async_context(database.Connection(database.address)) for _ in range(3)]
            for _ in range(20):
                tasks = []
                for _ in range(50):
                    source, target = chance.sample(range(1, 11), 2)
                    work = transfer(chance.choice(dbs), source, target, chance.randrange(20))
                    tasks.append(asyncio.create_task(work))
                    if chance.random() < 0.4:
                        loop.call_later(chance.random() * 0.02, tasks[-1].cancel)
                for said in await asyncio.gather(*tasks, return_exceptions=True):
                    ends.add(type(said))
                [(total,)] = await dbs[0].query(SUM)
                assert total == 1000
        assert sum((await database.balances()).values()) == 1000

    ends = set()
    database.run(main)
    assert ends == {type(None), asyncio.CancelledError}


# ---------------------------------------------------------------- transactions, batches, values


def test_a_transaction_is_kept_or_undone_as_a_whole(database):
    async def main():
        async with database.Connection(database.address) as db:
            await transfer(db, 1, 2, 10)
            with pytest.raises(Poison):
                async with db.transaction() as query:
                    await query(ADD, -10, 3)
                    raise Poison
            async with db.transaction() as query:
                assert await query(SUM) == [(1000,)]
            assert await db.query("SELECT balance FROM accounts WHERE id < 4 ORDER BY id") == [(90,), (110,), (100,)]

    database.run(main)


def test_a_batch_is_all_or_nothing(database):
    async def main():
        async with database.Connection(database.address) as db:
            added = await db.query_many([(ADD, (-10, 1)), (SUM, ()), (ADD, (10, 2)), (SUM, ())])
            assert added == [[], [(990,)], [], [(1000,)]]
            for bad in [("no SQL", ()), ("INSERT INTO accounts VALUES (?, ?)", (1, 1)), (ADD, (1,))]:
                with pytest.raises((sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError)):
                    await db.query_many([(ADD, (-10, 1)), bad, (ADD, (10, 2))])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await db.query_many([(ADD, (-10, 1)), (ENDLESS, ())])
            assert await db.query_many([]) == []
            assert await db.query("SELECT balance FROM accounts WHERE id < 3 ORDER BY id") == [(90,), (110,)]

    database.run(main)


def test_outside_of_its_block_it_is_not_connected(database):
    async def main():
        db = database.Connection(database.address)
        calls = [lambda: db.query(SUM), lambda: db.query_many([(SUM, ())]), lambda: transfer(db, 1, 2, 3)]
        for _ in range(2):  # it can be entered again
            for call in calls:
                with pytest.raises(RuntimeError, match="Not connected"):
                    await call()
            async with db as entered:
                assert entered is db
                assert await db.query(SUM) == [(1000,)]

    database.run(main)


def test_an_injection_is_a_value(database):
    async def main():
        async with database.Connection(database.address) as db:
            await db.query("CREATE TABLE notes (text text)")
            for text in ["'; DROP TABLE accounts; --", "' OR '1' = '1", "$1 ? %s {} \\ é €"]:
                await db.query("INSERT INTO notes VALUES (?)", text)
                assert await db.query("SELECT text, '?' FROM notes WHERE text = ?", text) == [(text, "?")]
            with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
                await db.query("INSERT INTO notes VALUES (''); DROP TABLE accounts")
            assert await db.query(SUM) == [(1000,)]

    database.run(main)


# ---------------------------------------------------------------- inside a transaction


def test_a_transactions_query_works_inside_of_it_alone(database):
    """Whoever has it yet, such as a task that a bare gather left, writes no more: not by itself, nor in another."""

    async def main():
        async def moves(query):
            await query(ADD, -10, 1)
            rolled_back.set()
            await go_on.wait()
            await query(ADD, 10, 2)

        db, rolled_back, go_on = database.Connection(database.address), asyncio.Event(), asyncio.Event()
        async with db:
            with pytest.raises(Poison):
                async with db.transaction() as query:
                    left = asyncio.create_task(moves(query))
                    await rolled_back.wait()
                    raise Poison
            async with db.transaction() as other:
                go_on.set()
                assert isinstance(await outcome(left), RuntimeError)
                assert await other(SUM) == [(1000,)]
        async with db:
            for _ in range(2):
                with pytest.raises(RuntimeError):
                    await query(ADD, 10, 2)
                await transfer(db, 3, 4, 5)
            assert await db.query(SUM) == [(1000,)]

    database.run(main)


def test_what_stands_in_line_when_a_transaction_ends_is_not_written(database):
    """A bare gather, of which one fails: the others have been given to the database, and wait there for their turn."""

    async def main():
        async def fails(after):
            await asyncio.sleep(after)
            raise Poison

        async with database.Connection(database.address) as db:
            for milliseconds in range(10):
                with pytest.raises(Poison):
                    async with db.transaction() as query:
                        left = [asyncio.create_task(query(ADD, -1, 1)) for _ in range(50)]
                        await asyncio.gather(*left, fails(milliseconds / 1000))
                await asyncio.wait(left)
                assert (await db.query(SUM), (await database.balances())[1]) == ([(1000,)], 100)

    database.run(main)


@pytest.mark.parametrize("caught", [TimeoutError, Exception])
def test_who_catches_a_time_out_inside_a_transaction_writes_no_half(database, caught):
    """A database may have undone all of it when the query was stopped."""

    async def main():
        async with database.Connection(database.address) as db:
            with contextlib.suppress(RuntimeError, asyncpg.InFailedSQLTransactionError):
                async with db.transaction() as query:
                    await query(ADD, -10, 1)
                    with contextlib.suppress(caught):
                        async with asyncio.timeout(0.05):
                            await query(f"INSERT INTO debts SELECT NULL FROM ({ROWS}) AS endless")
                    await query(ADD, 10, 2)
            assert await db.query(SUM) == [(1000,)]
            await transfer(db, 1, 2, 10)

    database.run(main)


def test_side_by_side_in_a_transaction_a_cancelled_query_disturbs_no_other(sqlite):
    """The other runs while it waits in the line of the thread; it is not started once its time has come."""

    async def main():
        async with sqlite.Connection(sqlite.address) as db, db.transaction() as query:
            for _ in range(20):
                first = asyncio.create_task(query(f"{ROWS} LIMIT 100000"))
                second = asyncio.create_task(query(ENDLESS))
                await asyncio.sleep(0.005)
                second.cancel()
                assert len(await first) == 100_000
                assert isinstance(await outcome(second), asyncio.CancelledError)

    sqlite.run(main)


def test_who_is_in_a_transaction_when_the_block_is_left_hears_of_it_and_can_be_cancelled(database):
    async def main():
        async def user():
            async with db.transaction() as query:
                await query(ADD, -10, 1)
                inside.set()
                await asyncio.sleep(HOUR if cancelled else 0.01)
                await query(ADD, 10, 2)

        for cancelled in (False, True):
            inside = asyncio.Event()
            async with database.Connection(database.address) as db:
                task = asyncio.create_task(user())
                waiting = asyncio.create_task(db.query(SUM))
                await inside.wait()
            if cancelled:
                task.cancel()
            assert isinstance(await outcome(task), asyncio.CancelledError if cancelled else RuntimeError)
            assert isinstance(await outcome(waiting), RuntimeError)
        assert sum((await database.balances()).values()) == 1000

    database.run(main)


def test_who_asks_during_the_transaction_of_another_task_waits_for_its_turn(database):
    async def main():
        async with database.Connection(database.address) as db:
            with pytest.raises(Poison):
                async with db.transaction() as query:
                    await query(ADD, -10, 1)
                    asked = [db.query(ADD, 5, 3), db.query_many([(ADD, (5, 4)), (SUM, ())]), transfer(db, 5, 6, 5)]
                    asked = [asyncio.create_task(each) for each in asked]
                    await query(SUM)
                    raise Poison
            assert (await asyncio.gather(*asked))[1] == [[], [(1010,)]]

    database.run(main)


def test_what_runs_yet_in_another_task_keeps_nobody_from_leaving_or_rolling_back(database):
    """Such as what a bare gather left: it is stopped."""

    async def main():
        async with database.Connection(database.address) as db:
            left = asyncio.create_task(db.query(ENDLESS))
            await asyncio.sleep(0.05)
        assert isinstance(await outcome(left), Exception)
        async with database.Connection(database.address) as db:
            with pytest.raises(Poison):
                async with db.transaction() as query:
                    await query(ADD, -10, 1)
                    left = [asyncio.create_task(query(ENDLESS)) for _ in range(2)]
                    await asyncio.sleep(0.05)
                    raise Poison
            assert [isinstance(await outcome(each), BaseException) for each in left] == [True, True]
        if database.notebook is SERVERS:  # a server that computes does not notice that we have hung up
            await database.look(f"SELECT pg_terminate_backend(pid) {database.others}")
        assert (await database.balances())[1] == 100

    database.run(main)


# ---------------------------------------------------------------- streams

NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1200) SELECT n FROM c"


@pytest.fixture
def streaming(tmp_path, monkeypatch):
    return SQLite(tmp_path, monkeypatch, "WAL", taught(STREAMS).AsyncDatabaseConnection)


def test_a_stream_gives_every_row_and_however_it_is_left_the_connection_works_on(streaming):
    async def main():
        async with streaming.Connection(streaming.address) as db:
            assert [row async for row in db.stream(f"{NUMBERS} WHERE n > ?", 7)] == [(n,) for n in range(8, 1201)]
            for enough in (1, 501):
                async with contextlib.aclosing(db.stream(NUMBERS)) as stream:
                    async for (number,) in stream:
                        if number == enough:
                            break
                await transfer(db, 1, 2, 1)
            with pytest.raises(Poison):
                async for _ in db.stream(NUMBERS):
                    raise Poison
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    _ = [row async for row in db.stream(ENDLESS)]
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                _ = [row async for row in db.stream("SELECT * FROM nowhere")]
            assert await db.query(SUM) == [(1000,)]

    streaming.run(main)


@any_second
def test_a_stream_that_is_cancelled_at_any_await_leaves_nothing(streaming, second):
    async def life():
        async with streaming.Connection(streaming.address) as db:
            async with contextlib.aclosing(db.stream(NUMBERS)) as stream:
                async for _ in stream:
                    pass
            await transfer(db, 1, 2, 1)

    streaming.run(lambda: cancelled_at_any_await(life, second, streaming.settled))


# ---------------------------------------------------------------- time-outs


def test_a_time_out_stops_the_query_and_the_next_one_is_answered(database):
    """An endless query would keep the thread, or the server's process, for good."""

    async def main():
        async with database.Connection(database.address) as db:
            for number in range(10):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await db.query(ENDLESS)
                assert await db.query("SELECT 1") == [(1,)]
                if database.notebook is SERVERS and number == 0:
                    assert await database.look(f"SELECT query {database.others} AND state = 'active'") == []
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), db.transaction() as query:
                    await query(ADD, 5, 1)
                    await query(ENDLESS)
            assert await db.query(SUM) == [(1000,)]

    database.run(main)


def test_a_cancelled_query_does_not_disturb_the_next_one(database):
    """Cancelled before its thread has begun, in the middle, and when it is just about to end."""

    async def main():
        async with database.Connection(database.address) as db:
            for number in range(100):
                first = asyncio.create_task(db.query(SUM))
                if number % 4:
                    await asyncio.sleep(number % 4 * 0.0002)
                else:
                    await asyncio.sleep(0)
                first.cancel()
                assert await db.query("SELECT id FROM accounts WHERE id = ?", number % 10 + 1) == [(number % 10 + 1,)]

    database.run(main)


def test_cancelled_again_and_again_it_waits_for_its_thread_all_the_same():
    async def main():
        leave = threading.Event()
        job = asyncio.get_running_loop().run_in_executor(None, leave.wait)
        task = asyncio.create_task(core.finish(job))
        for _ in range(3000):
            await asyncio.sleep(0)
            task.cancel()
        assert not task.done()
        leave.set()
        assert isinstance(await outcome(task), asyncio.CancelledError)
        assert job.done()

    asyncio.run(main())


# ---------------------------------------------------------------- readers and writers


def test_readers_are_answered_while_a_writer_is_busy_and_a_second_writer_waits(database):
    async def main():
        async with contextlib.AsyncExitStack() as stack:
            a, b, c, d = [await stack.enter_async_context(database.Connection(database.address)) for _ in range(4)]
            async with a.transaction() as query:
                await query(ADD, -10, 1)
                second = asyncio.create_task(transfer(b, 1, 2, 20))
                for _ in range(20):
                    for reader in (c, d):
                        assert await reader.query("SELECT balance FROM accounts WHERE id = 1") == [(100,)]
                assert not second.done()
                await query(ADD, 10, 2)
            await second
            assert await c.query("SELECT balance FROM accounts WHERE id < 3 ORDER BY id") == [(70,), (130,)]

    database.run(main)


def test_transactions_that_read_before_they_write_lose_nothing(sqlite):
    """They have the right to write from the beginning: a snapshot that is out of date could never be written on."""

    async def main():
        async def count_up(db):
            for _ in range(25):
                async with db.transaction() as query:
                    [(balance,)] = await query("SELECT balance FROM accounts WHERE id = 1")
                    await query("UPDATE accounts SET balance = ? WHERE id = 1", balance + 1)

        async with sqlite.Connection(sqlite.address) as a, sqlite.Connection(sqlite.address) as b:
            await asyncio.gather(count_up(a), count_up(b))
        assert (await sqlite.balances())[1] == 150

    sqlite.run(main)


WRITES = {
    "query": lambda db: db.query(ADD, 0, 1),
    "query_many": lambda db: db.query_many((ADD, (change, 1)) for change in (1, -1)),
    "transaction": lambda db: transfer(db, 1, 2, 10),
}


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("write", WRITES)
def test_it_waits_five_seconds_for_another_process_to_write_and_then_says_so(sqlite, write, patient):
    slept, sleep = 0, asyncio.sleep

    async def at_once(seconds):
        nonlocal slept
        slept += seconds
        if patient and slept > 2:
            other.rollback()
        await sleep(0)

    async def main():
        async with sqlite.Connection(sqlite.address) as db:
            other.execute("BEGIN IMMEDIATE")
            with mock.patch.object(asyncio, "sleep", at_once):
                if patient:
                    await WRITES[write](db)
                else:
                    with pytest.raises(sqlite3.OperationalError, match="^database is locked$"):
                        await WRITES[write](db)
                    other.rollback()
            await WRITES[write](db)
            assert await db.query(SUM) == [(1000,)]

    with contextlib.closing(sqlite.connect(sqlite.path, isolation_level=None)) as other:
        sqlite.run(main)
    assert slept == pytest.approx(2 if patient else 5, abs=0.1)


def test_cancelled_while_it_waits_for_another_writer_it_holds_nothing(database):
    async def main():
        async with database.Connection(database.address) as a, database.Connection(database.address) as b:
            async with a.transaction() as query:
                await query(ADD, -10, 1)
                for _ in range(5):
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.03):
                            await transfer(b, 1, 2, 20)
                    assert await b.query(SUM) == [(1000,)]
                await query(ADD, 10, 2)
            await transfer(b, 1, 2, 20)

    database.run(main)


# ---------------------------------------------------------------- in a process of its own

PREFIX = """
import asyncio, os, sys
address = sys.argv[2]
from asynclab.taught import taught
Connection = taught(sys.argv[1]).AsyncDatabaseConnection
def say(text):
    sys.stdout.write(f"{text}\\n")
    sys.stdout.flush()
"""


@contextlib.contextmanager
def child(database, script, *arguments, before=()):
    """A Python that runs `script`; killed in the end if it still runs."""
    command = [*before, sys.executable, "-W", "error", "-c", PREFIX + script, database.notebook, database.address]
    environment = os.environ | {"PYTHONPATH": str(NOTEBOOKS)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *arguments], env=environment, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


MOVES = """
async def main():
    add = "UPDATE accounts SET balance = balance + ? WHERE id = ?"
    async with Connection(address) as db:
        await db.query("UPDATE accounts SET balance = 100")
        number = 100
        while True:
            async with db.transaction() as query:
                await query(add, -1, 1)
                await query(add, 1, 2)
            await db.query_many([(add, (-1, 3)), (add, (1, 4))])
            say(number := number + 1)

asyncio.run(main())
"""


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
def test_kill_9_in_the_middle_of_transactions_loses_and_halves_nothing(database, kills):
    async def main():
        for _ in range(kills):
            with child(database, MOVES) as process:
                said = process.stdout.readline()
                assert said, process.stderr.read()
                time.sleep(random.uniform(0, 0.03))
                process.kill()
                said += process.stdout.read()
            committed = int(said[: said.rindex("\n")].split()[-1])
            await database.settled()
            balances = await database.balances()
            assert committed <= balances[4] <= balances[2] <= committed + 1
            assert [balances[1] + balances[2], balances[3] + balances[4]] == [200, 200]

    database.run(main)


LEAKS = """
async def main():
    global db
    db = Connection(address)
    await db.__aenter__()
    say(await db.query("SELECT 1"))

asyncio.run(main())
"""


def test_a_process_that_left_a_connection_open_ends_all_the_same(database):
    with child(database, LEAKS) as process:
        said, complaint = process.communicate(timeout=60)
    assert (said, process.returncode) == ("[(1,)]\n", 0), complaint


INTERRUPTED = """
async def main():
    try:
        async with Connection(address) as db, db.transaction() as query:
            await query("UPDATE accounts SET balance = 0")
            say("begun")
            await query(sys.argv[3])
    finally:
        say("closed")

asyncio.run(main())
"""


@posix
def test_ctrl_c_stops_the_query_and_closes_the_connection(database):
    with child(database, INTERRUPTED, ENDLESS) as process:
        assert process.stdout.readline() == "begun\n", process.stderr.read()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=60)
    assert said == "closed\n" and complaint.endswith("KeyboardInterrupt\n"), complaint

    async def main():
        await database.settled()
        assert set((await database.balances()).values()) == {100}

    database.run(main)


FILLS = """
import contextlib, sqlite3
if sys.argv[3] == "limit":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

async def main():
    async with Connection(address) as db:
        await db.query("CREATE TABLE log (number integer, filler blob)")
        for number in range(100):
            try:
                async with db.transaction() as query:
                    await query("INSERT INTO log VALUES (?, NULL)", number)
                    await query("INSERT INTO log VALUES (?, zeroblob(10000))", number)
            except sqlite3.OperationalError as error:
                say(error)
                break
        assert await db.query("SELECT count(*) FROM log") == [(2 * number,)]
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as db:
        say(number > 3 and db.execute("SELECT count(*) FROM log").fetchall() == [(2 * number,)])

asyncio.run(main())
"""
IN_SMALL = ["unshare", "--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs -o size=300k tmpfs "$0" && exec "$@"']


@posix
@pytest.mark.parametrize("how", ["disk", "limit"])
def test_on_a_full_disk_it_says_so_and_keeps_what_was_committed(sqlite, tmp_path, how):
    (small := tmp_path / "small").mkdir()
    before = [*IN_SMALL, small] if how == "disk" else []
    if before and (not shutil.which("unshare") or subprocess.run([*before, "true"], capture_output=True).returncode):
        pytest.skip("no small disk can be mounted here")
    sqlite.address = f"sqlite:///{(small / 'full.db').as_posix()}"
    with child(sqlite, FILLS, how, before=before) as process:
        said, complaint = process.communicate(timeout=60)
    error, kept = said.splitlines()
    assert error == {"disk": "database or disk is full", "limit": "disk I/O error"}[how], complaint
    assert (kept, complaint, process.returncode) == ("True", "", 0)


# ---------------------------------------------------------------- what is no database, and what goes away


NO_SQLITE = {  # what is there under the name "bad", and what is said of it
    "no database": (lambda path: path.write_text("not one" * 1000), "file is not a database"),
    "a folder": (lambda path: path.mkdir(), "unable to open database file"),
    "below a file": (lambda path: path.parent.write_text(""), "unable to open database file"),
    "read-only": (lambda path: (path.touch(), path.chmod(0o444)), "readonly database|unable to open"),
    "locked away": (lambda path: (path.touch(), path.chmod(0)), "unable to open database file"),
}


@posix
@pytest.mark.parametrize("what", NO_SQLITE)
def test_what_is_no_database_gets_a_clear_error_and_nothing_is_open(sqlite, what):
    make, words = NO_SQLITE[what]

    async def main():
        with powerless(), pytest.raises(sqlite3.DatabaseError, match=words):
            async with sqlite.Connection(f"sqlite:///{path}") as db:
                await db.query("CREATE TABLE notes (text text)")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "bad"
        if what != "below a file":
            path.parent.mkdir()
        os.chmod(folder, 0o755)
        make(path)
        sqlite.run(main)


def test_a_folder_that_is_missing_gets_a_clear_error(sqlite):
    async def main():
        with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
            async with sqlite.Connection(f"{sqlite.address}/missing/x.db"):
                pass

    sqlite.run(main)


@pytest.mark.parametrize(
    "change, error",
    [
        (lambda address: f"{address}_of_nobody", asyncpg.InvalidCatalogNameError),
        (lambda address: address.replace("postgres:", "postgres:wrong"), asyncpg.InvalidPasswordError),
        (lambda address: "postgresql://postgres@127.0.0.1:1/postgres", OSError),
    ],
)
def test_a_server_that_does_not_let_us_in_gets_a_clear_error(postgres, change, error):
    async def main():
        with pytest.raises(error):
            async with postgres.Connection(change(postgres.address)):
                pass

    postgres.run(main)


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_server_that_goes_away_amid_a_query_gets_a_clear_error(postgres, in_transaction):
    async def main():
        async def use():
            with pytest.raises(postgres.ended):
                async with db.transaction() if in_transaction else contextlib.nullcontext(db.query) as query:
                    await query("SELECT pg_sleep(3600)")
            with pytest.raises(postgres.ended):
                await db.query(SUM)

        async with postgres.Connection(postgres.address) as db:
            task = asyncio.create_task(use())
            while not await postgres.look(f"SELECT 1 {postgres.others} AND query LIKE '%pg_sleep%'"):
                assert not task.done()
                await asyncio.sleep(0.001)
            await postgres.look(f"SELECT pg_terminate_backend(pid) {postgres.others}")
            await task

    postgres.run(main)


# ---------------------------------------------------------------- left open


def test_a_connection_that_is_left_open_is_named_once(database):
    async def main():
        begin()
        db = database.Connection(database.address)
        await db.__aenter__()
        await db.query(SUM)
        with pytest.raises(Unfinished) as caught:
            await end()
        [words] = caught.value.leftovers
        assert "sqlite3 is still open" in words or "asyncpg connection is still open" in words
        await end()

    asyncio.run(main())
    gc.collect()
    database.run(database.settled)
