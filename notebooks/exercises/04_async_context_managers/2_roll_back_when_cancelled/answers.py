"""Answers to exercise 4.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

_TAKE = "UPDATE accounts SET balance = balance - ? WHERE name = ?"
_GIVE = "UPDATE accounts SET balance = balance + ? WHERE name = ?"


async def _to_its_end(coroutine):
    task, cancelled = asyncio.create_task(coroutine), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()


async def _move(db, source, target, amount):
    await db.execute(_TAKE, amount, source)
    await db.execute(_GIVE, amount, target)


async def errors_alone(db, source, target, amount):
    """cancelled during `BEGIN`, and the transaction stayed open, which locks out all others. Roll back in `finally`"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except Exception:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise


async def cancellation_alone(db, source, target, amount):
    """`UPDATE` raised OperationalError, and the transaction stayed open"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except asyncio.CancelledError:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise


async def no_commit(db, source, target, amount):
    """every statement succeeded, and the transaction was not committed"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
    except BaseException:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise


async def always_rolled_back(db, source, target, amount):
    """every statement succeeded, and no money has moved"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def commits_in_finally(db, source, target, amount):
    """`UPDATE` raised OperationalError, and all accounts together had"""
    await db.execute("BEGIN")
    try:
        await _move(db, source, target, amount)
    finally:
        if db.in_transaction:
            await db.execute("COMMIT")


async def no_transaction_at_all(db, source, target, amount):
    """`UPDATE` raised OperationalError, and all accounts together had"""
    await _move(db, source, target, amount)


async def gives_back_by_itself(db, source, target, amount):
    """and all accounts together had"""
    await db.execute(_TAKE, amount, source)
    try:
        await db.execute(_GIVE, amount, target)
    except BaseException:
        await db.execute(_GIVE, amount, source)
        raise


async def rolls_back_after_commit(db, source, target, amount):
    """`ROLLBACK` found no transaction, and its own error hides what went before"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        await _to_its_end(db.execute("ROLLBACK"))


async def does_not_ask(db, source, target, amount):
    """`ROLLBACK` found no transaction, and its own error hides what went before"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        await _to_its_end(db.execute("ROLLBACK"))
        raise


async def does_not_ask_after_begin(db, source, target, amount):
    """`ROLLBACK` found no transaction, and its own error hides what went before"""
    await db.execute("BEGIN")
    try:
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        await _to_its_end(db.execute("ROLLBACK"))
        raise


async def begin_before_the_try(db, source, target, amount):
    """cancelled during `BEGIN`, and the transaction stayed open"""
    await db.execute("BEGIN")
    try:
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise


async def commit_after_the_try(db, source, target, amount):
    """`COMMIT` raised OperationalError, and the transaction stayed open"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
    except BaseException:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise
    await db.execute("COMMIT")


async def rollback_can_be_cancelled(db, source, target, amount):
    """, and again during `ROLLBACK`, and the transaction stayed open, which locks out all others: `ROLLBACK` was cut"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await db.execute("ROLLBACK")
        raise


async def rollback_behind_a_shield_alone(db, source, target, amount):
    """and your function ended while `ROLLBACK` was under way. Await its task, not only a shield"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await asyncio.shield(db.execute("ROLLBACK"))
        raise


async def rollback_in_a_task_that_nobody_awaits(db, source, target, amount):
    """and your function ended while `ROLLBACK` was under way"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            asyncio.create_task(db.execute("ROLLBACK"))
            await asyncio.sleep(0)
        raise


async def rollback_not_awaited(db, source, target, amount):
    """called execute() and never awaited it"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


async def error_swallowed(db, source, target, amount):
    """`UPDATE` raised OperationalError, and that error was swallowed"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except asyncio.CancelledError:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise
    except Exception as error:
        print(error)
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def cancellation_swallowed(db, source, target, amount):
    """cancelled during `BEGIN`, and `CancelledError` was swallowed"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except Exception:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise
    except asyncio.CancelledError:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def error_replaced(db, source, target, amount):
    """function raised RuntimeError (no money was moved)"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise RuntimeError("no money was moved") from error


async def goes_on_when_cancelled(db, source, target, amount):
    """cancelled during `UPDATE`, and all accounts together had"""
    cancelled = None
    try:
        await db.execute("BEGIN")
        for sql, name in ((_TAKE, source), (_GIVE, target)):
            try:
                await db.execute(sql, amount, name)
            except asyncio.CancelledError as error:
                cancelled = error
                if not db.in_transaction:
                    raise
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
        raise
    if cancelled:
        raise cancelled


async def all_of_it_in_a_task(db, source, target, amount):
    """and the transfer was committed all the same"""

    async def all_of_it():
        try:
            await db.execute("BEGIN")
            await _move(db, source, target, amount)
            await db.execute("COMMIT")
        finally:
            if db.in_transaction:
                await db.execute("ROLLBACK")

    await _to_its_end(all_of_it())


async def tries_again(db, source, target, amount):
    """and the transfer was committed all the same"""
    for attempt in range(2):
        try:
            await db.execute("BEGIN")
            await _move(db, source, target, amount)
            await db.execute("COMMIT")
            return
        except Exception:
            if attempt:
                raise
        finally:
            if db.in_transaction:
                await _to_its_end(db.execute("ROLLBACK"))


async def both_updates_at_once(db, source, target, amount):
    """still running"""
    try:
        await db.execute("BEGIN")
        await asyncio.gather(db.execute(_TAKE, amount, source), db.execute(_GIVE, amount, target))
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def calls_a_method_that_is_not_there(db, source, target, amount):
    """`db` has no `rollback`. It has `execute` and `in_transaction`"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.commit()
    except BaseException:
        await db.rollback()
        raise


async def calls_in_transaction(db, source, target, amount):
    """`db.in_transaction` is a value, no function"""
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction():
            await _to_its_end(db.execute("ROLLBACK"))


async def parameters_in_a_tuple(db, source, target, amount):
    """the parameters do not fit the statement. Give each by itself"""
    try:
        await db.execute("BEGIN")
        await db.execute(_TAKE, (amount, source))
        await db.execute(_GIVE, (amount, target))
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def only_one_account(db, source, target, amount):
    """every statement succeeded, and all accounts together had"""
    try:
        await db.execute("BEGIN")
        await db.execute(_GIVE, amount, target)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def wrong_way_round(db, source, target, amount):
    """and should have"""
    try:
        await db.execute("BEGIN")
        await _move(db, target, source, amount)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def commits_when_cancelled_at_the_end(db, source, target, amount):
    """and the transfer was committed all the same"""
    is_done = False
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        is_done = True
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("COMMIT" if is_done else "ROLLBACK"))


async def task_left_when_rolled_back(db, source, target, amount):
    """still running"""

    async def report():
        await asyncio.sleep(1)

    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
            db.report = asyncio.create_task(report())


async def _finish(job, stop=lambda: None):
    """Return what the job gives, when it has ended: as chapter 4 does it."""
    try:
        await asyncio.wait([job])
    finally:
        while not job.done():
            stop()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        job.exception()
    return job.result()


async def finish_as_in_the_chapter(db, source, target, amount):
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _finish(asyncio.create_task(db.execute("ROLLBACK")))


async def finish_for_each_statement(db, source, target, amount):
    async def execute(sql, *parameters):
        return await _finish(asyncio.create_task(db.execute(sql, *parameters)))

    try:
        await execute("BEGIN")
        await execute(_TAKE, amount, source)
        await execute(_GIVE, amount, target)
        await execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await execute("ROLLBACK")
        raise


async def rolled_back_in_finally(db, source, target, amount):
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))


async def shield_and_one_more_wait(db, source, target, amount):
    try:
        await db.execute("BEGIN IMMEDIATE")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except (Exception, asyncio.CancelledError):
        if db.in_transaction:
            rollback = asyncio.create_task(db.execute("ROLLBACK"))
            try:
                await asyncio.shield(rollback)
            except asyncio.CancelledError:
                await rollback
        raise


async def own_transaction(db, source, target, amount):
    @asynccontextmanager
    async def transaction():
        try:
            await db.execute("BEGIN")
            yield
            await db.execute("COMMIT")
        finally:
            if db.in_transaction:
                await _to_its_end(db.execute("ROLLBACK"))

    async with transaction():
        await _move(db, source, target, amount)


class _Transaction:
    def __init__(self, db):
        self.db = db

    async def __aenter__(self):
        try:
            await self.db.execute("begin")
        except BaseException:
            await self.undo()
            raise

    async def __aexit__(self, exc_type, error, traceback):
        try:
            if exc_type is None:
                await self.db.execute("commit")
        finally:
            await self.undo()

    async def undo(self):
        if self.db.in_transaction:
            await _to_its_end(self.db.execute("rollback"))


async def class_for_it(db, source, target, amount):
    async with _Transaction(db):
        await _move(db, source, target, amount)


async def exit_stack(db, source, target, amount):
    async def undo():
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(undo)
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")


async def rolls_back_anyway_and_hears_no_complaint(db, source, target, amount):
    try:
        await db.execute("BEGIN")
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):
            await _to_its_end(db.execute("ROLLBACK"))
        raise


async def gives_first(db, source, target, amount):
    try:
        await db.execute("BEGIN")
        await db.execute(_GIVE, amount, target)
        await db.execute(_TAKE, amount, source)
        await db.execute("COMMIT;")
    finally:
        if db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK;"))


async def one_statement_for_both(db, source, target, amount):
    both = "UPDATE accounts SET balance = balance + CASE name WHEN ? THEN -? ELSE ? END WHERE name IN (?, ?)"
    await db.execute(both, source, amount, amount, source, target)


async def looks_first(db, source, target, amount):
    try:
        await db.execute("BEGIN")
        rows = await db.execute("SELECT balance FROM accounts WHERE name IN (?, ?)", source, target)
        assert len(rows) == 2
        await _move(db, source, target, amount)
        await db.execute("COMMIT")
    finally:
        while db.in_transaction:
            await _to_its_end(db.execute("ROLLBACK"))
