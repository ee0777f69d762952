"""What a learner has done so far: kept in one file, on this machine only.

The file lies in the user's data folder, or in the folder that the environment variable ASYNCIO_GUIDE_DATA names. Each
attempt adds a line to it, so that two notebooks that are open at once lose nothing of each other's, and a line that
was cut short by a crash spoils no other.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import platformdirs

from ..page.style import GREEN, RULE

VARIABLE = "ASYNCIO_GUIDE_DATA"


@dataclass(frozen=True)
class Record:
    """What was done on one exercise: how many `attempts` were checked, and whether one was ever `correct`."""

    attempts: int = 0
    correct: bool = False

    def __add__(self, other: Record) -> Record:
        return Record(self.attempts + other.attempts, self.correct or other.correct)


class Store:
    """The file in `folder`. No method raises an exception if the file or the folder is unfit: see `news`.

    What could not be written is kept until the kernel ends, and written as soon as that is possible.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "progress.jsonl"
        self._unsaved: list[bytes] = []  # lines, each after its line break, which ends what was cut short
        self._news = ""
        self._told = False

    def add(self, identifier: str, correct: bool) -> None:
        """Count one more attempt at the exercise `identifier`."""
        self._unsaved.append(b"\n" + json.dumps({"exercise": identifier, "correct": correct}).encode())
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab", buffering=0) as file:
                while self._unsaved:
                    written = file.write(self._unsaved[0])
                    if written == len(self._unsaved[0]):  # else the disk is full, which the next turn says
                        del self._unsaved[0]
        except OSError as error:
            self._tell(
                f"Your progress is not kept: {_reason(error)} ({self.file.parent}). It counts until this kernel ends, "
                f"and is kept as soon as it can be. The environment variable {VARIABLE} can name another folder."
            )

    def records(self) -> dict[str, Record]:
        """Return what was done so far, by identifier."""
        try:
            text = self.file.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        except OSError as error:
            text = ""
            if self.file.exists():
                self._tell(f"Your progress cannot be read: {_reason(error)} ({self.file}).")
        records: dict[str, Record] = {}
        for line in (text + b"".join(self._unsaved).decode()).splitlines():
            try:
                entry = json.loads(line)
                key, correct = str(entry["exercise"]), entry["correct"] is True
            except (ValueError, TypeError, KeyError, RecursionError):  # a line that was cut short
                continue
            records[key] = records.get(key, Record()) + Record(1, correct)
        return records

    def reset(self) -> None:
        """Forget everything."""
        self._unsaved.clear()
        try:
            self.file.unlink(missing_ok=True)
        except OSError as error:
            self._news = f"Your progress is not reset: {_reason(error)} ({self.file})."

    def news(self) -> str:
        """Return what the learner should hear about the file, and has not heard yet; usually ""."""
        news, self._news = self._news, ""
        return news

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told, self._news = True, text


def store() -> Store:
    """Return the store of the folder that counts now; always the same one for the same folder."""
    return _store_in(Path(os.environ.get(VARIABLE) or platformdirs.user_data_path("asyncio-guide", appauthor=False)))


@functools.cache
def _store_in(folder: Path) -> Store:
    return Store(folder)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")


MARKS = {"correct": "✓", "not yet": "✕", "not attempted": "–"}


@dataclass(frozen=True)
class Report:
    """What is done in every chapter, shown by being a cell's last expression.

    `chapters` are pairs of a chapter's title and its exercises, each with its status, by identifier.
    """

    chapters: Sequence[tuple[str, Mapping[str, str]]]
    news: str = ""
    done: int = field(init=False)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "done", sum(_done(statuses) for _, statuses in self.chapters))
        object.__setattr__(self, "total", sum(len(statuses) for _, statuses in self.chapters))

    def __str__(self) -> str:
        title = max((len(title) for title, _ in self.chapters), default=0)
        lines = [self._title(), ""]
        for name, statuses in self.chapters:
            filled = round(10 * _done(statuses) / len(statuses))
            bar = "█" * filled + "░" * (10 - filled)
            lines.append(f"{name:<{title}}  {bar}  {_done(statuses)} of {len(statuses)}   {_listed(statuses)}")
        return "\n".join([*lines, "", _LEGEND, *[self.news] * bool(self.news)])

    __repr__ = __str__

    def _title(self) -> str:
        return f"Your progress: {self.done} of {self.total} exercises are correct."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        left = 'style="text-align:left"'  # JupyterLab sets tables to the right
        lines = [
            "<!-- run this cell to see what you have done -->",
            f"<table><caption {left}><strong>{self._title()}</strong><br>{_LEGEND}</caption>",
            "<tr>",
            f'<th scope="col" {left}>Chapter</th><th scope="colgroup" colspan="2" {left}>Done</th>',
            f'<th scope="col" {left}>Exercises</th>',
            "</tr>",
        ]
        for name, statuses in self.chapters:
            share = 100 * _done(statuses) / len(statuses)
            bar = (  # the number beside it says the same
                f'<div aria-hidden="true" style="width:160px;height:12px;border:1px solid {RULE};background:#fff">'
                f'<div style="width:{share:.0f}%;height:100%;background:{GREEN}"></div></div>'
            )
            cells = (f"{_done(statuses)} of {len(statuses)}", bar, _listed(statuses))
            lines += ["<tr>", f'<th scope="row" {left}>{escape(name)}</th>', *(f"<td {left}>{c}</td>" for c in cells)]
            lines += ["</tr>"]
        news = [f"<p>{escape(self.news)}</p>"] if self.news else []
        return {"text/html": "\n".join([*lines, "</table>", *news]), "text/plain": str(self)}


_LEGEND = " · ".join(f"{mark} {status}" for status, mark in MARKS.items())


def _done(statuses: Mapping[str, str]) -> int:
    return sum(status == "correct" for status in statuses.values())


def _listed(statuses: Mapping[str, str]) -> str:
    return " · ".join(f"{MARKS[status]} {identifier}" for identifier, status in statuses.items())


def status_of(record: Record | None) -> str:
    """Return the status of an exercise with this record: "correct", "not yet" or "not attempted"."""
    if record is None or not record.attempts:
        return "not attempted"
    return "correct" if record.correct else "not yet"
