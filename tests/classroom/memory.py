"""How much memory a class takes: what several processes share counts once, not in each (PSS, which Linux tells)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil


@dataclass
class Peaks:
    """The most that was seen at one time, in MB."""

    total: float = 0  # hub, proxy and all students
    servers: dict[str, float] = field(default_factory=dict)  # by student
    students: dict[str, float] = field(default_factory=dict)  # server, kernel and the services of the demos

    def look(self, hub: int) -> None:
        """Measure the processes of the class whose hub has the process id `hub`."""
        total = pss(hub)
        for student, family in families(hub).items():
            sizes = [pss(process.pid) for process in family]
            total += sum(sizes)
            if student:
                self.servers[student] = max(self.servers.get(student, 0), sizes[0])
                self.students[student] = max(self.students.get(student, 0), sum(sizes))
        self.total = max(self.total, total)


@contextlib.contextmanager
def watching(hub: int) -> Iterator[Peaks]:
    """Measure every 3 seconds, or less often where it would take more than a twentieth of the time."""
    peaks, stop = Peaks(), threading.Event()

    def watch() -> None:
        pause = 0.0
        while not stop.wait(pause):
            began = time.monotonic()
            with contextlib.suppress(psutil.Error):  # the hub has ended: then the rehearsal fails by itself
                peaks.look(hub)
            pause = max(3, 20 * (time.monotonic() - began))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        stop.set()
        thread.join()


def families(hub: int) -> dict[str, list[psutil.Process]]:
    """Return the processes below the hub by student, each server first; those of the hub itself, its proxy, by ""."""
    owner: dict[int, str] = {}
    found: dict[str, list[psutil.Process]] = defaultdict(list)
    for process in psutil.Process(hub).children(recursive=True):  # parents come before their children
        with contextlib.suppress(psutil.Error, KeyError):  # it, or its parent, has just ended
            parent = process.ppid()
            name = process.environ().get("JUPYTERHUB_USER", "") if parent == hub else owner[parent]
            owner[process.pid] = name
            found[name].append(process)
    return found


def pss(pid: int) -> float:
    """Return the MB of a process, of shared pages its part; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 / 1e6 for line in file if line.startswith("Pss:"))
    except OSError:
        return 0.0
