"""Our way to do exercise 4.2."""

import asyncio


async def transfer(db, source, target, amount):
    """Move an amount from one account to another: all of it or nothing, even when cancelled."""
    take = "UPDATE accounts SET balance = balance - ? WHERE name = ?"
    give = "UPDATE accounts SET balance = balance + ? WHERE name = ?"
    try:
        await db.execute("BEGIN")
        await db.execute(take, amount, source)
        await db.execute(give, amount, target)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            undoing = asyncio.create_task(db.execute("ROLLBACK"))
            try:
                await asyncio.shield(undoing)
            finally:
                await undoing
        raise
