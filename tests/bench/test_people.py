"""The database that `asynclab.people` builds holds the tables of `data/`."""

import contextlib
import csv
import sqlite3
from pathlib import Path

import pytest

from asynclab.people import build_database, orders, people

DATA = Path(__file__).parents[2] / "data"


def asked(address, sql):
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as db:
        return db.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("name", "rows", "types"),
    [("people", people, (int, str, str, str, str)), ("orders", orders, (str, int, float, str, str))],
)
def test_a_table_holds_the_rows_of_its_file(tmp_path, name, rows, types):
    address = build_database(tmp_path / "people.db")
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        expected = [list(row.values()) for row in csv.DictReader(file)]
    found = asked(address, f"SELECT * FROM {name} ORDER BY rowid")
    assert found == rows()
    assert [[f"{v:.2f}" if isinstance(v, float) else str(v) for v in row] for row in found] == expected
    assert {tuple(map(type, row)) for row in found} == {types}


def test_building_again_gives_a_fresh_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect(build_database("people.db").removeprefix("sqlite:///"))) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("DELETE FROM people")
        db.commit()
        kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for path, content in kept.items():  # as after kill -9: all of it is still there
        path.write_bytes(content)
    address = build_database("people.db")
    assert asked(address, "SELECT count(*), (SELECT count(*) FROM orders) FROM people") == [(100, len(orders()))]
    assert [path.name for path in tmp_path.iterdir()] == ["people.db"]
