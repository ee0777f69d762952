async def transfer(db, source, target, amount):
    take = "UPDATE accounts SET balance = balance - ? WHERE name = ?"
    give = "UPDATE accounts SET balance = balance + ? WHERE name = ?"
    await db.execute("BEGIN")
    await db.execute(take, amount, source)
    await db.execute(give, amount, target)
    await db.execute("COMMIT")
