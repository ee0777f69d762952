import sqlite3


async def keep_price(path, source, price, limit):
    with sqlite3.connect(path) as database:
        row = database.execute("SELECT price FROM prices WHERE source = ?", [source]).fetchone()
        database.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", [source, price])
        database.commit()
        if price < limit and (row is None or row[0] >= limit):
            database.execute("INSERT INTO mails (text) VALUES (?)", [f"{source} costs {price}"])
