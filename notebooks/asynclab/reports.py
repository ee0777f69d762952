"""The plain halves of a shop's background jobs: a letter, a report, a copy of a database. They block, or compute.

They know nothing of asyncio. `report` is for a process of its own, which finds only what it can import; `process` keeps
one ready. This module imports nothing heavy: that process imports matplotlib, and whoever waits for it does not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import tempfile
from concurrent.futures import ProcessPoolExecutor
from email.message import EmailMessage
from pathlib import Path

from .work import follow_parent

KINDS = {  # by the report's name, what its orders are grouped by
    "Daily Sales": "date",
    "Monthly Sales": "substr(date, 1, 7)",
    "Yearly Sales": "substr(date, 1, 4)",
    "Sales by Item": "item",
}
_SENDER = "shop@example.com"


def letter(recipient: str, subject: str) -> EmailMessage:
    """Return an e-mail from the shop. Raises ValueError if a header would have more than one line."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = _SENDER, recipient, subject
    message.set_content(f"{subject}!\n\nYour shop\n")
    return message


def report(report_type: str, database: str, picture: str | Path | None = None) -> dict:
    """Return the totals of the orders in `database`, and draw them into the PNG file `picture`, if one is named.

    `database` is the path of what `people.build_database` has made. The result is {"report": …, "orders": how many,
    "total": the sum of their amounts, "totals": {group: the sum of its amounts}}, the groups in order. Raises
    ValueError for a report that nobody knows, sqlite3.Error if there is no such database.
    """
    if report_type not in KINDS:
        raise ValueError(f"no report is called {report_type!r}: there are {', '.join(KINDS)}")
    sql = f"SELECT {KINDS[report_type]}, count(*), sum(amount) FROM orders GROUP BY 1"
    with contextlib.closing(_connect(database)) as db:
        rows = sorted(db.execute(sql))
    totals = {group: round(amount, 2) for group, _, amount in rows}
    if picture is not None:
        _draw(report_type, totals, picture)
    orders = sum(count for _, count, _ in rows)
    return {"report": report_type, "orders": orders, "total": round(sum(totals.values()), 2), "totals": totals}


def back_up(folder: str | Path, name: str) -> None:
    """Copy the SQLite database `name` in `folder` to `name`.backup beside it, while others read and write it.

    The copy is made and verified in a folder of its own, `.part-…`, and then takes the place of the one before: there
    is a whole copy at any time. Raises sqlite3.Error if there is no such database, if it is damaged, or if the disk is
    full.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as beside:
        part = Path(beside, name)
        with contextlib.closing(_connect(f"{folder}/{name}")) as old, contextlib.closing(sqlite3.connect(part)) as new:
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master")  # fails if it is locked; backup() would wait for ever
            old.backup(new)  # all pages in one go: in pieces, each write of others would begin it anew
            new.execute("PRAGMA journal_mode = DELETE")  # one file, even where the database has a WAL beside it
            if (found := new.execute("PRAGMA integrity_check").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(f"{name} is damaged: {found[0]}")
        part.replace(f"{folder}/{name}.backup")


def _connect(database: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(database).absolute().as_uri()}?mode=rw", uri=True)  # never a new, empty one


def _draw(title: str, totals: dict[str, float], picture: str | Path) -> None:
    from matplotlib.figure import Figure  # without pyplot: no window, and nothing to close

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(totals)), totals.values(), color="#0072B2")
    shown = range(0, len(totals), max(1, len(totals) // 8))
    axes.set_xticks(shown, [list(totals)[position] for position in shown])
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, format="png")


_pools: list[ProcessPoolExecutor] = []  # the one that is in use, if there is one


def process() -> ProcessPoolExecutor:
    """Return an executor with one process: the one there is, or a new one if there is none, or if it has died.

    A new one needs a second or two, in which it imports matplotlib: call this early, and it has done so by the time
    you need it. It is spawned, because a fork of a process with threads, such as a kernel, may hang. `shutdown()` it.
    """
    try:
        _pools[-1].submit(int)
    except (IndexError, RuntimeError):  # there is none; its process has died, or it was shut down
        _pools[:] = [ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_prepare)]
        _pools[-1].submit(int)  # starts the process
    return _pools[-1]


def _prepare() -> None:
    follow_parent()
    import matplotlib.figure  # noqa: F401
