"""What a learner has done so far: kept in one file, on this machine only.

The file lies in the user's data folder, or in the folder that the environment variable ASYNCIO_GUIDE_DATA
names. It is small, so every change reads it, adds to it and replaces it as a whole, under a lock: whoever reads
finds either the old one or the new one, and two notebooks that are open at once lose nothing of each other's.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import IO

import platformdirs

from ..page.style import GREEN, RULE

VARIABLE = "ASYNCIO_GUIDE_DATA"
_PATIENCE = 1.0  # seconds to wait for another notebook that is writing; it needs a few milliseconds


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
        self.folder = folder
        self.file = folder / "progress.json"
        self._unsaved: dict[str, Record] = {}
        self._news: list[str] = []
        self._told: set[str] = set()

    def add(self, identifier: str, correct: bool) -> None:
        """Count one more attempt at the exercise `identifier`."""
        _merge(self._unsaved, {identifier: Record(1, correct)})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                records = self._read()
                _merge(records, self._unsaved)
                self._write(records)
        except OSError as error:
            self._tell("not kept", f"Your progress is not kept: {_reason(error)} ({self.folder}).")
        else:
            self._unsaved.clear()

    def records(self) -> dict[str, Record]:
        """Return what was done so far, by identifier."""
        records: dict[str, Record] = {}
        try:
            if self.file.exists():
                with self._locked():
                    records = self._read()
        except OSError:
            try:
                records = _parse(self.file.read_bytes())  # a folder that only lets us read has no place for a lock
            except (OSError, ValueError) as error:
                self._tell("not read", f"Your progress cannot be read: {_reason(error)} ({self.file}).")
        _merge(records, self._unsaved)
        return records

    def reset(self) -> None:
        """Forget everything."""
        self._unsaved.clear()
        try:
            if self.file.exists():
                with self._locked():
                    self._write({})
        except OSError as error:
            self._news.append(f"Your progress is not reset: {_reason(error)} ({self.file}).")

    def news(self) -> str:
        """Return what the learner should hear about the file, and has not heard yet; usually ""."""
        news, self._news = " ".join(self._news), []
        return news

    def _tell(self, subject: str, text: str) -> None:
        if subject not in self._told:
            self._told.add(subject)
            self._news.append(text)

    def _read(self) -> dict[str, Record]:
        """Return what the file holds; put a damaged one aside. Needs the lock."""
        try:
            return _parse(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            names = (self.folder / f"progress-damaged-{n}.json" for n in itertools.count(1))
            aside = next(path for path in names if not path.exists())
            os.replace(self.file, aside)
            self._news.append(f"The file with your progress was damaged. It is kept as {aside}; we start afresh.")
            return {}

    def _write(self, records: Mapping[str, Record]) -> None:
        """Replace the file as a whole: nobody ever reads half of it, even if this process is killed."""
        content = {"format": 1, "exercises": {key: asdict(records[key]) for key in sorted(records)}}
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="progress-", suffix=".tmp")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock in the block. Raises TimeoutError (an OSError) if somebody else has it for too long.

        The operating system gives a lock back when its process ends, however it ends.
        """
        with open(self.folder / "progress.lock", "ab") as file:
            end = time.monotonic() + _PATIENCE
            while not _try_to_lock(file):
                if time.monotonic() > end:
                    raise TimeoutError("another notebook is writing it")
                time.sleep(0.01)  # the loop waits with us, for milliseconds: a lock is held no longer
            try:
                yield
            finally:
                _unlock(file)


def store() -> Store:
    """Return the store of the folder that counts now; always the same one for the same folder."""
    return _store_in(Path(os.environ.get(VARIABLE) or platformdirs.user_data_path("asyncio-guide", appauthor=False)))


@functools.cache
def _store_in(folder: Path) -> Store:
    return Store(folder)


def _merge(records: dict[str, Record], more: Mapping[str, Record]) -> None:
    for key, record in more.items():
        records[key] = records.get(key, Record()) + record


def _parse(content: bytes) -> dict[str, Record]:
    """Return the records in a file's `content`. Raises ValueError if it is not a file of ours."""
    try:
        found = json.loads(content)["exercises"]
        records = {key: Record(value["attempts"], value["correct"]) for key, value in found.items()}
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a file of ours") from error
    if any(type(each.attempts) is not int or type(each.correct) is not bool for each in records.values()):
        raise ValueError("not a file of ours")
    return records


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


if os.name == "nt":
    import msvcrt

    def _try_to_lock(file: IO[bytes]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_to_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: merging at every write loses almost nothing even so
            return True
        return True

    def _unlock(file: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


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
            *(f'<th scope="col" {left}>{head}</th>' for head in ("Chapter", "Done", "", "Exercises")),
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
