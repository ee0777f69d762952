"""Answers to exercise 8.2: a function with a docstring is wrong, and the docstring is in the message it gets."""

import asyncio
import contextlib
import sqlite3
import time

import aiosqlite

_BEFORE = "SELECT price FROM prices WHERE source = ?"
_STORE = "INSERT OR REPLACE INTO prices VALUES (?, ?)"
_WARN = "INSERT INTO mails (text) VALUES (?)"


def _open(path, **options):
    return contextlib.closing(sqlite3.connect(path, **({"isolation_level": None} | options)))


def _falls(before, price, limit):
    return price < limit and (before is None or before[0] >= limit)


def _write(database, source, price, limit):
    before = database.execute(_BEFORE, [source]).fetchone()
    database.execute(_STORE, [source, price])
    if _falls(before, price, limit):
        database.execute(_WARN, [f"{source} costs {price}"])


def _keep(path, source, price, limit, begin="BEGIN IMMEDIATE"):
    with _open(path) as database, database:
        database.execute(begin)
        _write(database, source, price, limit)


async def right_but_on_the_loop(path, source, price, limit):
    """held the event loop"""
    _keep(path, source, price, limit)


async def each_statement_for_itself(path, source, price, limit):
    """once due as a mail, and never stored. Write both in one transaction"""

    def store():
        with _open(path) as database:
            _write(database, source, price, limit)

    await asyncio.to_thread(store)


async def reads_before_the_transaction(path, source, price, limit):
    """Others may write after you have read"""

    def store():
        with _open(path, isolation_level="IMMEDIATE") as database, database:
            _write(database, source, price, limit)

    await asyncio.to_thread(store)


async def begins_to_write_too_late(path, source, price, limit):
    """“database is locked” came out. A transaction that has read"""
    await asyncio.to_thread(_keep, path, source, price, limit, begin="BEGIN")


async def no_error_gets_out(path, source, price, limit):
    """change no other, and let errors out"""
    with contextlib.suppress(sqlite3.Error):
        await asyncio.to_thread(_keep, path, source, price, limit)


_lock = asyncio.Lock()


async def lock_that_other_processes_do_not_know(path, source, price, limit):
    """Others may write after you have read"""

    def store():
        with contextlib.closing(sqlite3.connect(path)) as database:
            _write(database, source, price, limit)
            database.commit()

    async with _lock:
        storing = asyncio.create_task(asyncio.to_thread(store))
        try:
            await asyncio.shield(storing)
        finally:
            await asyncio.wait([storing])


async def does_not_wait_for_the_others(path, source, price, limit):
    """“database is locked” came out"""

    def store():
        with _open(path, timeout=0) as database, database:
            database.execute("BEGIN IMMEDIATE")
            _write(database, source, price, limit)

    await asyncio.to_thread(store)


async def closed_if_all_went_well(path, source, price, limit):
    """a connection stayed open"""

    def store():
        database = sqlite3.connect(path, isolation_level=None)
        with database:
            database.execute("BEGIN IMMEDIATE")
            _write(database, source, price, limit)
        database.close()

    await asyncio.to_thread(store)


async def commits_what_failed(path, source, price, limit):
    """statement failed: `"""

    def store():
        with _open(path) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                _write(database, source, price, limit)
            finally:
                database.execute("COMMIT")

    await asyncio.to_thread(store)


async def swallows_its_cancellation(path, source, price, limit):
    """caught its cancellation and returned as if done"""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.to_thread(_keep, path, source, price, limit)


async def leaves_a_task_when_cancelled(path, source, price, limit):
    """still running"""
    await asyncio.shield(asyncio.create_task(asyncio.to_thread(_keep, path, source, price, limit)))


async def _with_rule(path, source, price, limit, is_due, text="{} costs {}"):
    def keep():
        with _open(path) as database, database:
            database.execute("BEGIN IMMEDIATE")
            before = database.execute(_BEFORE, [source]).fetchone()
            database.execute(_STORE, [source, price])
            if is_due(before, database):
                database.execute(_WARN, [text.format(source, price)])

    await asyncio.to_thread(keep)


async def warns_each_time(path, source, price, limit):
    """stored. A mail is due when"""
    await _with_rule(path, source, price, limit, lambda before, _: price < limit)


async def warns_at_the_limit(path, source, price, limit):
    """stored. A mail is due when"""
    await _with_rule(path, source, price, limit, lambda before, _: price <= limit and (not before or before[0] > limit))


async def says_nothing_of_the_first(path, source, price, limit):
    """and never stored. A mail is due when"""
    await _with_rule(path, source, price, limit, lambda before, _: before and _falls(before, price, limit))


async def looks_for_a_mail_that_may_be_sent(path, source, price, limit):
    """A mail is due when"""
    any_mail = "SELECT 1 FROM mails WHERE text LIKE ?"
    await _with_rule(
        path,
        source,
        price,
        limit,
        lambda _, database: price < limit and not database.execute(any_mail, [f"{source} costs%"]).fetchone(),
    )


async def other_words(path, source, price, limit):
    """once due as a mail, and never stored"""
    await _with_rule(path, source, price, limit, lambda b, _: _falls(b, price, limit), "{} costs {:.2f}")


async def empties_the_table(path, source, price, limit):
    """Wait until it is in the row of its source, change no other"""

    def store():
        with _open(path) as database, database:
            database.execute("BEGIN IMMEDIATE")
            before = database.execute(_BEFORE, [source]).fetchone()
            database.execute("DELETE FROM prices")
            database.execute(_STORE, [source, price])
            if _falls(before, price, limit):
                database.execute(_WARN, [f"{source} costs {price}"])

    await asyncio.to_thread(store)


async def writes_before_it_reads(path, source, price, limit):
    was_above = "SELECT ? WHERE ? < ? AND NOT EXISTS (SELECT 1 FROM prices WHERE source = ? AND price < ?)"

    def store():
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            values = f"{source} costs {price}", price, limit, source, limit
            database.execute(f"INSERT INTO mails (text) {was_above}", values)
            database.execute(_STORE, (source, price))

    await asyncio.to_thread(store)


async def each_step_by_hand(path, source, price, limit):
    def store():
        database = sqlite3.connect(path, timeout=60, isolation_level=None)
        try:
            database.execute("BEGIN EXCLUSIVE")
            try:
                _write(database, source, price, limit)
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
        finally:
            database.close()

    await asyncio.get_running_loop().run_in_executor(None, store)


async def tries_again_when_locked(path, source, price, limit):
    def store():
        while True:
            try:
                return _keep(path, source, price, limit, begin="BEGIN")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
            time.sleep(0.01)

    await asyncio.to_thread(store)


async def stays_until_its_thread_has_ended(path, source, price, limit):
    storing = asyncio.create_task(asyncio.to_thread(_keep, path, source, price, limit))
    try:
        await asyncio.shield(storing)
    finally:
        await asyncio.wait([storing])


async def aiosqlite_does_it(path, source, price, limit):
    async with aiosqlite.connect(path, isolation_level=None) as database:
        await database.execute("BEGIN IMMEDIATE")
        async with database.execute(_BEFORE, [source]) as cursor:
            before = await cursor.fetchone()
        await database.execute(_STORE, [source, price])
        if _falls(before, price, limit):
            await database.execute(_WARN, [f"{source} costs {price}"])
        await database.commit()
