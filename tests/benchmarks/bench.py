"""What the benchmarks share: peers that may not be installed, runs that do not disturb each other, sections of a table.

A section measures one thing (say, rate limiters): its rows are ours and its peers, its columns what was measured. A
column may have a goal that ours is to reach, and a best: the lowest or the highest.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))

from asynclab.page.numbers import duration
from asynclab.page.table import table

ROOT = Path(__file__).parents[2]
# What takes minutes; what `make bench` does; the same in a hurry; and only whether it runs.
EFFORTS = ("long", "usual", "quick", "tiny")
NOTHING = "–"
TESTS: dict[str, Callable[[float, float], bool]] = {
    "≤": lambda value, limit: value <= limit,
    "<": lambda value, limit: value < limit,
    "≥": lambda value, limit: value >= limit,
    "=": lambda value, limit: value == limit,
}

Row = dict[str, float | None]  # by the name of a column; None: cannot be measured


def count(value: float) -> str:
    """Return a whole number, such as "4,096"."""
    return f"{value:,.0f}"


def share(value: float) -> str:
    """Return a number near 1 with three digits behind the point, such as "0.997"."""
    return f"{value:.3f}"


@dataclass(frozen=True)
class Column:
    """What was measured: how it is printed, which is best (min, max or None), the goal, such as ("≤", 1e-5)."""

    name: str
    show: Callable[[float], str]
    best: Callable[[Iterable[float]], float] | None = min
    goal: tuple[str, float] | None = None
    log: bool = False  # the scale of its picture
    drawn: bool = True  # whether it is in the picture at all

    def reached(self, value: float) -> bool:
        """Return whether `value` is as good as the goal."""
        return self.goal is None or TESTS[self.goal[0]](value, self.goal[1])


@dataclass
class Section:
    """One kind of thing, measured: `rows` by name in the order of the table; `ours` are the rows that are taught."""

    title: str
    columns: Sequence[Column]
    ours: Sequence[str]
    rows: dict[str, Row] = field(default_factory=dict)
    beside: Sequence[str] = ()  # rows that are no peers, such as what the work costs by itself
    absent: Sequence[str] = ()  # peers that are not installed
    notes: Sequence[str] = ()

    def best(self, column: Column) -> float | None:
        """Return the best value of a column among ours and the peers."""
        values = [row.get(column.name) for name, row in self.rows.items() if name not in self.beside]
        known = [value for value in values if value is not None]
        return column.best(known) if column.best and known else None

    def mark(self, column: Column, name: str) -> str:
        """Return "*" for the best of a column, "!" for what breaks the limit of a column that has no best."""
        value = self.rows[name].get(column.name)
        if value is None or name in self.beside:
            return " "
        if column.best is None:
            return " " if column.reached(value) else "!"
        return "*" if column.show(value) == column.show(self.best(column)) else " "

    def text(self) -> str:
        """Return the section as a table, with what ours misses below it."""

        def cell(column: Column, name: str) -> str:
            value = self.rows[name].get(column.name)
            return (NOTHING if value is None else column.show(value)) + self.mark(column, name)

        goals = [f"{each.goal[0]} {each.show(each.goal[1])} " if each.goal else "" for each in self.columns]
        lines = [(name, *[cell(column, name) for column in self.columns]) for name in self.rows]
        header = ("", *[f"{column.name} " for column in self.columns])
        said = [f"Not installed, so left out: {', '.join(self.absent)}."] if self.absent else []
        rows = table(header, [("(to reach)", *goals), *lines], textwrap.fill(self.title, 110))
        return "\n".join([rows, "", *self.notes, *said, *self.verdict()])

    def verdict(self) -> list[str]:
        """Return what ours misses: goals, and columns in which a peer is better."""
        said = []
        for name in self.ours:
            values = {column: self.rows[name].get(column.name) for column in self.columns}
            known = {column: value for column, value in values.items() if value is not None}
            missed = [
                f"{column.name} {column.show(value)}, not {column.goal[0]} {column.show(column.goal[1])}"
                for column, value in known.items()
                if not column.reached(value)
            ]
            said.append(f"{name}: " + (f"misses {'; '.join(missed)}." if missed else "reaches every goal."))
            if ahead := [words for column, value in known.items() if (words := self._ahead(column, value))]:
                said.append(f"Ahead of {name}: {'; '.join(ahead)}.")
        return said

    def _ahead(self, column: Column, value: float) -> str:
        best = self.best(column)
        if best is None or column.show(best) == column.show(value):
            return ""
        peers = [name for name in self.rows if name not in (*self.ours, *self.beside)]
        names = [name + self._but(name) for name in peers if self.rows[name].get(column.name) == best]
        return f"{', '.join(names)} in {column.name}, {column.show(best)}" if names else ""

    def _but(self, name: str) -> str:
        return " (breaks the limit)" if any(self.mark(column, name) == "!" for column in self.columns) else ""


def peer(name: str) -> ModuleType | None:
    """Return the module `name`, or None if it is not installed: only `make bench` brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def run(main: Coroutine) -> Any:
    """Run `main` on a loop of its own; the collector of garbage ignores all that existed before, for good."""
    gc.collect()
    gc.freeze()
    return asyncio.run(main)


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of those values that are known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def spread(values: Sequence[float]) -> float | None:
    """Return how far the slowest is from the fastest, as a share of the median."""
    return (max(values) - min(values)) / statistics.median(values) if len(values) > 1 else None


def against(rows: dict[str, Row], first: str, column: str) -> None:
    """Add to each row the column "to ours": `column` as a multiple of that of the row `first`."""
    for row in rows.values():
        value, base = row.get(column), rows[first].get(column)
        row["to ours"] = value / base if value and base else None


def absent(modules: Iterable[str]) -> list[str]:
    """Return those of `modules` that are not installed, in order, each once."""
    return [name for name in dict.fromkeys(modules) if not peer(name)]


def load() -> str:
    """Return how busy the machine is with everything, in words."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


async def _turns(count: int = 20_000) -> float:
    began = time.process_time()
    for _ in range(count):
        await asyncio.sleep(0)
    return (time.process_time() - began) / count


def conditions() -> str:
    """Return in one line what the figures depend on: among it how long the loop needs for one turn just now."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    turn = duration(statistics.median(asyncio.run(_turns()) for _ in range(5)))
    return f"{python}, {platform.system()}, {os.cpu_count()} cores, {load()}, one turn of the event loop {turn}"


def alone(measure: Callable[[str], Section]) -> None:
    """Measure and print one section: what a file of benchmarks does when it is run by itself."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.partition("\n")[0])
    parser.add_argument("--effort", choices=EFFORTS, default="usual")
    print(conditions(), "\n", measure(parser.parse_args().effort).text(), sep="\n")
