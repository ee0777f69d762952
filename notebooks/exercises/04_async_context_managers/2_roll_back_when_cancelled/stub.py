async def transfer(db, source, target, amount):
    await db.execute("UPDATE accounts SET balance = balance - ? WHERE name = ?", amount, source)
    await db.execute("UPDATE accounts SET balance = balance + ? WHERE name = ?", amount, target)
