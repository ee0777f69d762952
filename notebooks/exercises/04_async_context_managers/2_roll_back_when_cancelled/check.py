"""The check of exercise 4.2: a real database, whose statements raise or are cancelled, before or after their work."""

import asyncio
import sqlite3

from asynclab.checking.expect import NotYet, expect, expect_all_awaited, expect_nothing_left
from asynclab.checking.work import Work

ERROR_MESSAGES = {
    "OperationalError: cannot rollback": (
        "`ROLLBACK` found no transaction, and its own error hides what went before. Roll back only if "
        "`db.in_transaction`."
    ),
    "OperationalError: cannot commit": "`COMMIT` found no transaction. Commit once, after `BEGIN` and both updates.",
    "OperationalError: cannot start a transaction": "`BEGIN` found a transaction open already. Begin one, once.",
    "(?:InterfaceError|ProgrammingError): .*binding": (
        "the parameters do not fit the statement. Give each by itself: `db.execute(take, amount, source)`."
    ),
    "AttributeError: 'Database' object has no attribute '(\\w+)'": (
        "`db` has no `{0}`. It has `execute` and `in_transaction`: commit and roll back by executing a statement."
    ),
    "TypeError: 'bool' object is not callable": "`db.in_transaction` is a value, no function. Leave out the brackets.",
}
SHORT = 0.0005  # seconds: less than passes until a statement is executed
WELL = "every statement succeeded"
ACCOUNTS = "Ada", "Grace", "Joan", "Radia", "Miles O'Brien"
FAULTS = (  # the kind of statement that raises, the how manyth of them, and the error; or an account has too little
    ("UPDATE", 2, "disk I/O error"),
    ("BEGIN", 1, "database is locked"),
    ("UPDATE", 2, "database or disk is full"),  # it ends the transaction
    ("COMMIT", 1, "database is locked"),
    ("UPDATE", 1, "disk I/O error"),
    None,
)


class Database:
    """Accounts in SQLite. A statement takes a while, is executed, and takes another while."""

    def __init__(self, accounts, pause, fault, on_rollback):
        self.statements, self.error = Work("execute", {}), None  # what a statement raised, by no mistake in it
        self._pause, self._fault, self._on_rollback = pause, fault, on_rollback
        self._sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self._sqlite.execute("CREATE TABLE accounts (name PRIMARY KEY, balance INTEGER CHECK (balance >= 0))")
        self._sqlite.executemany("INSERT INTO accounts VALUES (?, ?)", accounts.items())

    @property
    def in_transaction(self):
        """Whether a transaction is open."""
        return self._sqlite.in_transaction

    async def execute(self, sql, *parameters):
        """Execute a statement, and return the rows that it gives."""
        kind = sql.split()[0].upper().strip(";")
        with self.statements.noted(kind):
            if kind == "ROLLBACK":
                self._on_rollback()
            number = len(self.all_of(kind))
            await asyncio.sleep(self._pause())
            if self._fault and self._fault[:2] == (kind, number):
                self.error = sqlite3.OperationalError(self._fault[2])
                if "full" in self._fault[2] and self.in_transaction:
                    self._sqlite.execute("ROLLBACK")
                raise self.error
            try:
                rows = self._sqlite.execute(sql, parameters).fetchall()
            except sqlite3.IntegrityError as error:
                self.error = error
                raise
            await asyncio.sleep(self._pause())
            return rows

    def all_of(self, kind):
        """Return the statements of this kind."""
        return [call for call in self.statements.calls if call.item == kind]

    def balances(self):
        """Return what is in each account."""
        return dict(self._sqlite.execute("SELECT name, balance FROM accounts"))


async def check(transfer, world):
    """All is moved and committed, or nothing, and then no transaction is open; and what went wrong gets out."""
    before = {name: world.rng.randrange(100, 1000) for name in world.rng.sample(ACCOUNTS, world.pick(2, 3, 5))}
    (source, target), amount = world.rng.sample(sorted(before), 2), world.rng.randrange(1, 100)
    fault = FAULTS[world.number // 3 % 6] if world.number % 3 else None
    if fault:
        world.facts.append(f"`{fault[0]}` raises “{fault[2]}”")
    elif world.number % 3:
        amount += before[source]
        world.facts.append("there is too little money")
    caller, is_hit_again, open_then = None, False, []

    def on_rollback():
        nonlocal is_hit_again
        if world.cancel_at and world.number % 2 and any(call.outcome == "cancelled" for call in db.statements.calls):
            is_hit_again = True
            asyncio.get_running_loop().call_later(SHORT, caller.cancel)

    async def run_transfer():
        nonlocal caller
        caller = asyncio.current_task()
        try:
            return await transfer(db, source, target, amount)
        finally:
            if db.in_transaction:
                open_then.append(next((call.outcome for call in db.all_of("ROLLBACK")), ""))

    db = Database(before, world.delay, fault, on_rollback)
    run = await world.watch(function=run_transfer, may_raise=sqlite3.Error)
    expect_all_awaited(run)
    if run.error not in (None, db.error) and not isinstance(run.error, asyncio.CancelledError):
        raise NotYet(world.explain(run.error))
    what, ends = WELL, {call.outcome: f"`{call.item}`" for call in reversed(db.statements.calls)}
    if run.cancelled:
        what = f"cancelled during {ends['cancelled']}" if "cancelled" in ends else "cancelled"
        what += ", and again during `ROLLBACK`" if is_hit_again else ""
    elif db.error:
        what = f"{ends['failed']} raised {type(db.error).__name__}"
    expect_closed(open_then, what)
    moved = before | {source: before[source] - amount, target: before[target] + amount}
    expect_all_or_nothing(run, db, before, moved, what)
    thing = "`CancelledError`" if run.cancelled else "that error"
    expect(what == WELL or run.error, f"{what}, and {thing} was swallowed. Let it out: `raise`, with nothing after it.")
    expect_nothing_left(run)


def expect_closed(open_then, what):
    """Expect that no transaction was open when the function had ended; otherwise it says what became of `ROLLBACK`."""
    if not open_then:
        return
    expect(what != WELL, f"{what}, and the transaction was not committed. Execute `COMMIT`.")
    stays = f"{what}, and the transaction stayed open, which locks out all others"
    always = "Roll back in `finally`, or in `except BaseException`, `if db.in_transaction`."
    expect(open_then[0], f"{stays}. {always}")
    own = "Let it run in a task of its own, and wait until that has ended, even if you are cancelled meanwhile."
    expect(open_then[0] == "pending", f"{stays}: `ROLLBACK` was cut short. {own}")
    raise NotYet(f"{what}, and your function ended while `ROLLBACK` was under way. Await its task, not only a shield.")


def expect_all_or_nothing(run, db, before, moved, what):
    """Expect that the money has moved if all went well, and otherwise that nothing has: all of it or nothing."""
    after = db.balances()
    if after == moved:
        late = run.cancelled and any(call.start > run.cancelled_at + SHORT for call in db.all_of("COMMIT"))
        is_wrong = late or (db.error and not run.cancelled)
        expect(not is_wrong, f"{what}, and the transfer was committed all the same. Roll back, and commit nothing.")
        return
    if after == before:
        expect(what != WELL, f"{what}, and no money has moved. Execute both updates, and `COMMIT` at their end.")
        return
    total, now = sum(before.values()), sum(after.values())
    wrong = f"all accounts together had {total}, and have {now} now"
    if now == total:
        name = next(name for name in before if after[name] != moved[name])
        wrong = f"{name} has {after[name]}, and should have {moved[name]}"
    raise NotYet(f"{what}, and {wrong}. Execute both updates in one transaction, and commit all of it or nothing.")
