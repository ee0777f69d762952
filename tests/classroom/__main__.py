"""Rehearse a class: a JupyterHub, many students at once, and every cell of the chapters. No failure, or exit 1.

    python tests/classroom [--students 30] [--hub 5|6] [--chapters 1-5]

Everything is on 127.0.0.1 and in a temporary folder. What was measured is printed, and is in build/classroom.md.
All students run their cells at the same time and without a pause: a real class asks less of a machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil

import hub
import install
from memory import watching
from report import Rehearsal
from student import GUIDE, Student

ROOT = Path(__file__).resolve().parents[2]
HANDED_OUT = ("notebooks", "data", ".jupyter", "pyproject.toml", "requirements.txt")
NEWS = 30  # seconds between two lines that say how far the class is


def main() -> int:
    """Rehearse, report, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python tests/classroom", description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--hub", choices=install.VERSIONS, default="6", help="the major version of JupyterHub")
    parser.add_argument("--chapters", type=_chapters, default="1-5", metavar="1-5", help="from which to which, or one")
    asked = parser.parse_args()
    if asked.students < 1:
        parser.error("a class has a student at least")
    if sys.platform != "linux":
        parser.error("this needs Linux: it measures memory as only Linux tells it")
    overlay, proxy = install.hub(asked.hub), install.proxy()
    # Not in TMPDIR: the path of a kernel's sockets may be 107 characters long, see hub_config.py.
    with tempfile.TemporaryDirectory(prefix="class-", dir="/tmp") as folder:
        rehearsal = asyncio.run(rehearse(Path(folder), overlay, proxy, asked.students, asked.chapters))
    text = rehearsal.text()
    file = ROOT / "build/classroom.md"
    file.write_text(text, "utf-8")
    print(f"\n{text}\nThis is {file.relative_to(ROOT)} now.")
    return 1 if rehearsal.faults else 0


async def rehearse(folder: Path, overlay: Path, proxy: list[str], count: int, chapters: list[str]) -> Rehearsal:
    """Let `count` students run the notebooks `chapters` through a hub, and return what was measured."""
    names = [f"student-{number:02}" for number in range(1, count + 1)]
    for name in names:
        hand_out(folder / name / GUIDE)
    async with hub.running(folder, overlay, proxy) as running, contextlib.AsyncExitStack() as stack:
        tokens = await running.add(names)
        sessions = [await stack.enter_async_context(running.session(tokens[name])) for name in names]
        students = [Student(name, session) for name, session in zip(names, sessions, strict=True)]
        peaks = stack.enter_context(watching(running.pid))
        began = time.monotonic()
        async with _news(lambda: f"{sum(student.is_up for student in students)} of {count} servers are up"):
            await asyncio.gather(*(student.start() for student in students))
        started = time.monotonic()
        async with _news(lambda: f"{sum(student.cells for student in students)} cells have run"):
            await asyncio.gather(*(_run_all(student, chapters) for student in students if student.is_up))
        ended = time.monotonic()
        await asyncio.gather(*(student.stop() for student in students if student.is_up))
        left = await asyncio.to_thread(_left, folder)
    package = Path(proxy[-1]).parents[1] / "package.json"
    versions = {
        "JupyterHub": running.version,
        "configurable-http-proxy": json.loads(package.read_text("utf-8"))["version"],
        "Python": ".".join(map(str, sys.version_info[:3])),
    }
    cores = len(os.sched_getaffinity(0))
    return Rehearsal(versions, cores, students, started - began, ended - started, peaks, left)


def hand_out(folder: Path) -> None:
    """Copy the guide to `folder`, as a student gets it."""
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", ".ruff_cache")
    folder.mkdir(parents=True)
    for name in HANDED_OUT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder)


async def _run_all(student: Student, notebooks: list[str]) -> None:
    for notebook in notebooks:
        await student.run(notebook)


def _chapters(asked: str) -> list[str]:
    """Return the names of the notebooks of "1-5" or "3", without those that go deeper."""
    first, _, last = asked.partition("-")
    wanted = range(int(first), int(last or first) + 1)
    every = [path.name for path in sorted((ROOT / "notebooks").glob("0*.ipynb")) if "deeper" not in path.name]
    if not (chosen := [name for name in every if int(name[:2]) in wanted]):
        raise argparse.ArgumentTypeError(f"there is no chapter {asked}")
    return chosen


@contextlib.asynccontextmanager
async def _news(state: Callable[[], str]) -> AsyncIterator[None]:
    """Print the `state` every `NEWS` seconds, and at the end."""
    began = time.monotonic()

    def tell() -> None:
        print(f"{time.monotonic() - began:4.0f} s: {state()}", flush=True)

    async def repeat() -> None:
        while True:
            await asyncio.sleep(NEWS)
            tell()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        tell()


def _left(folder: Path) -> list[str]:
    """Return the commands of processes of students that run 10 seconds after their servers stopped, and end them."""
    homes, own = tuple(map(str, folder.glob("student-*"))), []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME", "").startswith(homes):
                own.append(process)
    commands = []
    for process in psutil.wait_procs(own, timeout=10)[1]:
        with contextlib.suppress(psutil.Error):
            commands.append(" ".join(process.cmdline())[:200])
            process.kill()
    return commands


if __name__ == "__main__":
    sys.exit(main())
