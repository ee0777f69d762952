"""The tables of `data/`, row by row, with numbers as numbers and the two values of a switch as true and false."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

_DATA = Path(__file__).resolve().parents[3] / "data"


def people() -> list[dict[str, Any]]:
    """Return the hundred people: user_id, name, email, city, joined."""
    return [{**row, "user_id": int(row["user_id"])} for row in _rows("people")]


def orders() -> list[dict[str, Any]]:
    """Return their orders, oldest first of each: order_id, user_id, amount, item, date."""
    return [{**row, "user_id": int(row["user_id"]), "amount": float(row["amount"])} for row in _rows("orders")]


def preferences() -> list[dict[str, Any]]:
    """Return what each has chosen: user_id, theme, notifications, language."""
    return [
        {**row, "user_id": int(row["user_id"]), "notifications": row["notifications"] == "true"}
        for row in _rows("preferences")
    ]


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
