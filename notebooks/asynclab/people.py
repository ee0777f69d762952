"""The people of `data/` and their orders: as an SQLite database, and as the rows to fill any other database with."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from .services import tables

__all__ = ["ENDLESS", "SCHEMA", "build_database", "count_to", "orders", "people"]

# SQLite and PostgreSQL both understand it. Dates are text (2020-02-15): SQLite has no type for them.
SCHEMA = (
    """CREATE TABLE people (
        user_id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, city text NOT NULL,
        joined text NOT NULL)""",
    """CREATE TABLE orders (
        order_id text PRIMARY KEY, user_id integer NOT NULL REFERENCES people, amount double precision NOT NULL,
        item text NOT NULL, date text NOT NULL)""",
)


def count_to(number: int) -> str:
    """Return a query that counts to `number`: work for the database, as long as you like. -1 is for ever, in SQLite."""
    numbers = f"SELECT 1 UNION ALL SELECT i + 1 FROM numbers LIMIT {number}"
    return f"WITH RECURSIVE numbers(i) AS ({numbers}) SELECT max(i) FROM numbers"


ENDLESS = count_to(-1)


def people() -> list[tuple[int, str, str, str, str]]:
    """Return the rows of `people`: user_id, name, email, city, joined."""
    return [tuple(row.values()) for row in tables.people()]


def orders() -> list[tuple[str, int, float, str, str]]:
    """Return the rows of `orders`: order_id, user_id, amount, item, date."""
    return [tuple(row.values()) for row in tables.orders()]


def build_database(path: str | Path) -> str:
    """Make an SQLite database with the tables `people` and `orders` at `path`, and return its address.

    The address is `sqlite:///` and the absolute path. A file that is there already makes way, with what SQLite keeps
    beside it: nobody may have it open. Its journal is a WAL, so that who reads need not wait for who writes.
    """
    path = Path(path).absolute()
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")  # the file remembers it
        db.execute("BEGIN")
        for statement in SCHEMA:
            db.execute(statement)
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", people())
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders())
        db.execute("COMMIT")
    return f"sqlite:///{path.as_posix()}"
