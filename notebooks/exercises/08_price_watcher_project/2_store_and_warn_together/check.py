"""The check of exercise 8.2: a real file, in which we look before each statement for what a kill would leave there."""

import asyncio
import contextlib
import math
import sqlite3
import tempfile
import threading
from collections import Counter
from unittest import mock

from asynclab.checking import virtual_time
from asynclab.checking.expect import expect, expect_cancelled, expect_free_loop, expect_nothing_left, often, said

WORLDS = 24
ERROR_MESSAGES = {
    "OperationalError: database is locked": "“database is locked” came out. A transaction that has read cannot write "
    "once another one has: begin it with `BEGIN IMMEDIATE`, which waits for its turn (see `timeout` of `connect`).",
}
TABLES = """PRAGMA synchronous = OFF;
CREATE TABLE prices (source TEXT PRIMARY KEY, price REAL);
CREATE TABLE mails (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT);
CREATE TABLE written (source, price, text);
CREATE TRIGGER a AFTER INSERT ON prices BEGIN INSERT INTO written VALUES (new.source, new.price, NULL); END;
CREATE TRIGGER b AFTER UPDATE ON prices BEGIN INSERT INTO written VALUES (new.source, new.price, NULL); END;
CREATE TRIGGER c AFTER INSERT ON mails BEGIN INSERT INTO written VALUES (NULL, NULL, new.text); END;"""
FULL = "CREATE TRIGGER full BEFORE INSERT ON mails BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
WRITTEN = "SELECT * FROM written ORDER BY rowid"
RULE = "A mail is due when the price is below `limit`, and the one stored before was not, or there was none."
ALONE = "Others may write after you have read: let the transaction begin with `BEGIN IMMEDIATE`, then read."
BOTH = "Write both in one transaction, which is committed at its end, or not at all."


async def check(keep_price, world):
    """Both or neither, whenever it is killed or cancelled or fails; no mail twice and none missed, if others write."""
    pick, limit = world.pick, world.pick(90.0, 20.0, 0.5)
    sources = world.rng.sample(["tea", "", "O'Brien's \"best\"", "crème fraîche"], pick(1, 2))
    calls = [(pick(*sources), pick(0.0, limit / 2, limit - 0.25, limit, limit + 1, 3.5 * limit)) for _ in range(8)]
    is_full, is_shared = world.fails and world.number > 5, world.number > 5 and not world.fails
    others = [pick(None, *sources) for _ in range(20 * is_shared)]  # what another process writes before a statement
    world.facts += [f"limit {limit}"] + ["a mail cannot be stored"] * is_full + ["another process writes"] * is_shared
    ended, kills, opened, pause = [], [], [], threading.Lock()
    pause.acquire()

    def look(sql):
        if sql.startswith("--"):  # in a trigger
            return
        virtual_time.block(0.001, said(sql))
        with contextlib.suppress(sqlite3.OperationalError):  # it may be locked just now
            kills.append((f"Killed before {said(sql)}: ", ours.execute(WRITTEN).fetchall(), BOTH))
            ours.commit()
            if others and (source := others.pop()) is not None:
                ours.execute("BEGIN IMMEDIATE")
                ours.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", [source, limit])
                threading.Thread(target=commit, args=[0.01]).start()

    def commit(seconds=0.0):
        pause.acquire(timeout=seconds)  # in real time: the lock of a file knows no other
        with contextlib.suppress(sqlite3.OperationalError):
            ours.commit()

    class Connection(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.number = len(opened)
            opened.append(True)
            commit()  # or what we have begun would keep the next line waiting
            self.execute("PRAGMA synchronous = OFF")
            self.set_trace_callback(look)

        def close(self):
            super().close()
            opened[self.number] = False

    async def keep_all():
        for each in calls:
            with contextlib.suppress(*[sqlite3.IntegrityError] * is_full):
                await keep_price(path, *each, limit)
                if asyncio.current_task().cancelling():
                    return
                ended.append((each, ours.execute("SELECT * FROM prices").fetchall(), ours.execute(WRITTEN).fetchall()))
            with contextlib.suppress(sqlite3.OperationalError):
                ours.execute("DELETE FROM mails")  # they were sent

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path, options = f"{folder}/prices.db", {"isolation_level": None, "check_same_thread": False}
        with contextlib.closing(sqlite3.connect(path, timeout=0, **options)) as ours:
            ours.executescript(TABLES + FULL * is_full)
            with mock.patch("sqlite3.connect", Connection):
                run = await world.watch(function=keep_all)
            written = ours.execute(WRITTEN).fetchall()
    expect_free_loop(run)
    expect_cancelled(run)
    expect_nothing_left(run)
    for each, prices, rows in ended:
        latest = {source: price for source, price, text in rows if text is None}
        it = f"`keep_price` of {said(each)} ended, and `prices` has {said(dict(prices))}"
        is_kept = (*each, None) in rows and dict(prices) == latest
        expect(is_kept, f"{it}. Wait until it is in the row of its source, change no other, and let errors out.")
    what = "Cancelled: " if run.cancelled else "A statement failed: " if is_full else ""
    for moment in [(what, written, BOTH if what else ALONE if is_shared else RULE), *kills]:
        expect_due(*moment, limit)
    stays = "a connection stayed open: `with` commits, and does not close it. Close it in any case."
    expect(run.cancelled or not any(opened), stays)  # cancelled, a thread may have yet to close it


def expect_due(when, written, advice, limit):
    """Expect a mail for each price that fell below the limit, as they were written one after another, and no other."""
    last, due, kept = {}, Counter(), Counter()
    for source, price, text in written:
        if text is None:
            due[f"{source} costs {price}"] += price < limit <= last.get(source, math.inf)
            last[source] = price
        else:
            kept[text] += 1
    for text in (due - kept) + (kept - due):
        times = f"was {often(due[text])} due as a mail, and {often(kept[text])} stored"
        expect(False, f"{when}{said(text)} {times}. {advice}")
