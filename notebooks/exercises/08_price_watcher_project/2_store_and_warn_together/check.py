"""The check of exercise 8.2: a real file, in which we look before each statement for what a kill would leave there."""

import asyncio
import contextlib
import math
import sqlite3
import tempfile
import threading
from collections import Counter
from pathlib import Path
from unittest import mock

from asynclab.checking import virtual_time
from asynclab.checking.expect import expect, expect_all_awaited, expect_free_loop, expect_nothing_left, said

WORLDS = 30
ERROR_MESSAGES = {
    "OperationalError: database is locked": "“database is locked” came out. A transaction that has read cannot write "
    "once another one has: begin it with `BEGIN IMMEDIATE`, which waits for its turn (see `timeout` of `connect`).",
    "SQLite objects created in a thread": "the connection was used in another thread than the one that opened it. "
    "Open, use and close it in one function, and hand that to `asyncio.to_thread`.",
}
TABLES = """PRAGMA synchronous = OFF;
CREATE TABLE prices (source TEXT PRIMARY KEY, price REAL);
CREATE TABLE mails (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT);
CREATE TABLE written (source, price, text);
CREATE TRIGGER a AFTER INSERT ON prices BEGIN INSERT INTO written VALUES (new.source, new.price, NULL); END;
CREATE TRIGGER b AFTER UPDATE ON prices BEGIN INSERT INTO written VALUES (new.source, new.price, NULL); END;
CREATE TRIGGER c AFTER INSERT ON mails BEGIN INSERT INTO written VALUES (NULL, NULL, new.text); END;"""
FULL = "CREATE TRIGGER full BEFORE INSERT ON mails BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
RULE = "A mail is due when the price is below `limit`, and the one stored before was not, or there was none."
ALONE = "Another task may write after you have read: let the transaction begin with `BEGIN IMMEDIATE`, then read."
BOTH = "Write both in one transaction, which is committed at its end, or not at all."
NEVER = threading.Lock()  # that it is free
NEVER.acquire()


async def check(keep_price, world):
    """Both or neither, whenever it is killed or cancelled or fails; no alarm twice, and none missed."""
    rng, pick, kind = world.rng, world.pick, world.number % 6 if world.number > 5 else 0
    limit, sources = pick(90, 20, 0.5), rng.sample(["tea", "", "O'Brien's \"best\"", "crème fraîche"], pick(1, 2))
    size, most = {1: (8, pick(2, 4)), 4: (24, 12), 5: (2, 2)}.get(kind, (8, 1))
    calls = [(pick(*sources), pick(0, limit / 2, limit - 0.25, limit, limit + 1, 3.5 * limit)) for _ in range(size)]
    stalls = world.fails and world.number % 12 == 11  # the first call, which is cancelled meanwhile
    is_full = world.fails and not stalls
    world.facts += [f"{size} prices", f"{most} at once", f"limit {limit}"] + ["one is cancelled"] * stalls
    world.facts += ["a mail cannot be stored"] * is_full
    looks, done, swallowed, still_open, pauses, lock = [], [], [], set(), [0.4, 0.001] * stalls, threading.Lock()

    def read(sql):
        with lock, contextlib.suppress(sqlite3.OperationalError):  # it may be locked just now
            return ours.execute(sql).fetchall()

    def look(sql):
        if sql.startswith(("--", "PRAGMA")):  # in a trigger, or ours
            return
        looks.append((sql, read("SELECT * FROM written ORDER BY rowid")))
        if most == 1 or threading.current_thread() is threading.main_thread():
            virtual_time.block(0.001, said(sql))
        elif kind != 4:  # real time: the lock of a file knows no other
            is_write = not sql.upper().startswith(("BEGIN", "SELECT"))
            NEVER.acquire(timeout=pauses.pop() if pauses and is_write else 0.001)

    class Connection(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.mark = object()
            still_open.add(self.mark)
            self.execute("PRAGMA synchronous = OFF")
            self.set_trace_callback(look)

        def execute(self, sql, *values):
            is_first = not self.in_transaction  # of a transaction: those that follow wait for nothing, or fail
            (patience,) = super().execute("PRAGMA busy_timeout").fetchone()
            while patience and is_first:
                try:  # and wait in virtual time, not in SQLite, so that the loop goes on
                    super().execute("PRAGMA busy_timeout = 0")
                    return super().execute(sql, *values)
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error):
                        raise
                    self.rollback()
                finally:
                    super().execute(f"PRAGMA busy_timeout = {patience}")
                virtual_time.block(0.001, said(sql))
            return super().execute(sql, *values)

        def close(self):
            super().close()
            still_open.discard(self.mark)

    async def call(source, price):
        try:
            await keep_price(path, source, price, limit)
            (swallowed if asyncio.current_task().cancelling() else done).append((source, price))
        except sqlite3.IntegrityError:
            if not is_full:
                raise
            read("DROP TRIGGER IF EXISTS full")

    async def keep_all():
        for first in range(0, size, most):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(call(*each)) for each in calls[first : first + most]]
                await asyncio.sleep(0)
                if stalls and not first:
                    tasks[0].cancel()
            read("DELETE FROM mails WHERE number % 3 = 0")  # they were sent

    options = {"timeout": 0, "isolation_level": None, "check_same_thread": False}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = str(Path(folder, "prices.db"))
        with contextlib.closing(sqlite3.connect(path, **options)) as ours:
            ours.executescript(TABLES + FULL * is_full)
            with mock.patch("sqlite3.connect", Connection):
                run = await world.watch(function=keep_all)
            stored, written = dict(read("SELECT * FROM prices")), read("SELECT * FROM written ORDER BY rowid")
    expect_free_loop(run)
    expect(not swallowed, "cancelled, your function returned as if done. Let the CancelledError out.")
    expect_nothing_left(run)
    if not run.cancelled:
        expect_all_awaited(run)
    is_right = run.cancelled or is_full or most > 1 or stored == dict(done)
    latest = f"`prices` has {said(stored)}, and the latest were {said(dict(done))}"
    expect(is_right, f"{latest}. Store each price in the row of its source, and change no other.")
    for each in done:
        it = f"`keep_price` ended, and the price {said(each[1])} of {said(each[0])} was not stored"
        expect(each in [row[:2] for row in written], f"{it}. Store each, and let errors out.")
    texts = {each: "{} costs {}".format(*each) for each in calls}
    what = "Cancelled, and " if run.cancelled else "A statement failed, and " if is_full else ""
    moments = [(what, written)] + [(f"Killed before {said(sql)}, and ", rows or []) for sql, rows in looks]
    for what, rows in moments if most == 1 else []:
        expect_due(rows, limit, texts, what, BOTH if what else RULE)
    for _, rows in moments if most > 1 else []:
        expect_due(rows, limit, texts, "", ALONE)
    is_closed = not still_open or run.cancelled or stalls  # then it may be closed by the thread that goes on
    expect(is_closed, "a connection stayed open: `with` commits, and does not close it. Close it in any case.")


def expect_due(written, limit, texts, what, advice):
    """Expect a mail for each price that fell below the limit, as they were written one after another, and no other."""
    last, due = {}, Counter()
    for source, price, text in written:
        if text is None:
            due[texts.get((source, price), f"{source} costs {price}")] += price < limit <= last.get(source, math.inf)
            last[source] = price
    sent = Counter(text for *_, text in written if text is not None)
    for text in due - sent:
        expect(False, f"{what}the price of {said(text)} is stored, but not this mail. {advice}")
    for text in sent - due:
        expect(False, f"{what}{said(text)} is stored as a mail, and is not due. {advice}")
