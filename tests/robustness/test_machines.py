"""Bad days of a machine: what they leave as it is, and what is said where that cannot be.

The days stand in tests/tools/conditions.py. Here a short session is held on each; `make soak` runs every notebook.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import conditions
import kernels
import notebook_file
from conditions import Condition

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the days are made with Linux's own means")

# Servers asked by aiohttp and, in threads, by urllib; a trace, drawn; a check in its process; what is left at the end.
SESSION = """
import asyncio
from asynclab import Services, begin, end, exercise, trace
from asynclab.work import fetch_in_threads

begin()
web = await Services().start()
with trace("Three “people”") as seen:
    async with web.asking("/{}", delay=0.05) as ask:
        index, *people = await asyncio.gather(*map(ask, ("", "users/101", "users/102")))
print("Admit" in str(index), people[0]["city"], await fetch_in_threads([web.url("/users/101")]))
print("<img" in seen._repr_mimebundle_()["text/html"], 0.05 <= seen.duration < 20)
ex = exercise("1.3")
print(await ex.check(ex.solution_function))
await web.stop()
await end()
"""
SHOWN = """\
True मुंबई [126]
True True
✓ Correct. All pages were being read at once, and the texts are in the order of the pages.
Tried in 400 worlds, with other times, values and lengths in each.
See how we would do it: `ex.solution()`.
{news}All clear: no task, thread, process, server or connection is left, no exception lost, no coroutine forgotten.
"""
NEWS = """
Your progress is not kept: {reason} ({folder}). It counts until this kernel ends, and is kept as soon as it can be. \
The environment variable ASYNCIO_GUIDE_DATA can name another folder.
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter, too: as root's child, PostgreSQL runs as nobody."""
    with tempfile.TemporaryDirectory(prefix="bad-day-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def kernel_on(day: Condition, folder: Path) -> Iterator[kernels.Kernel]:
    """Give a kernel that is under the condition, and nothing else of this process."""
    day = day.prepare(folder)
    with pytest.MonkeyPatch.context() as patch:
        conditions.impose(day, patch)
        with kernels.Kernel(day.notebooks) as kernel:
            yield kernel


@pytest.mark.parametrize("day", conditions.DAYS)
def test_a_session(day: str, folder: Path) -> None:
    with kernel_on(conditions.DAYS[day], folder) as kernel:
        reply = kernel.run(SESSION, 120)
        assert (reply.problem, reply.text, reply.stderr, kernel.log) == ("", SHOWN.format(news=""), "", "")


def test_a_home_that_nobody_can_write_in(folder: Path) -> None:
    """The check of the machine names what to set, a session is held all the same, and says what it cannot keep."""
    names = ("IPYTHONDIR", "MPLCONFIGDIR", "ASYNCIO_GUIDE_DATA", "XDG_DATA_HOME", "JUPYTER_RUNTIME_DIR")
    with kernel_on(Condition(dict.fromkeys(names) | {"HOME": "/proc/nobody"}), folder) as kernel:
        faults = kernel.run("from asynclab.environment import check; print(*check().faults)").text
        assert faults.count("fault") == 1 and "(JUPYTER_RUNTIME_DIR)" in faults, faults
        reply = kernel.run(SESSION, 120)
        news = NEWS.format(reason="No such file or directory", folder="/proc/nobody/.local/share/asyncio-guide")
        assert (reply.problem, reply.text) == ("", SHOWN.format(news=news))
        assert "set the MPLCONFIGDIR environment variable to a writable directory" in reply.stderr, "matplotlib's words"


FILLED = """
import asyncio, os, tempfile
from pathlib import Path
from asynclab import begin, end, exercise
from asynclab.checking.progress import Store
from asynclab.environment import check
from asynclab.services import ServicesError
from asynclab.services.postgresql import PostgreSQL

begin()
ex, folder = exercise("1.3"), Path(tempfile.gettempdir())
try:
    async with PostgreSQL():  # needs more than there is
        pass
except ServicesError as error:
    print(error)
print(os.listdir(folder))
await ex.check(ex.solution_function)
kept = folder / "data/progress.jsonl"
with kept.open("ab", 0) as file:
    file.write(b"\\n" * (4096 - 20 - kept.stat().st_size))  # its last page has room for a part of a line
with (folder / "rest").open("wb", 0) as rest:
    try:
        while rest.write(bytes(4096)):
            pass
    except OSError:
        pass
for _ in range(2):
    print(await ex.check(ex.solution_function))
print(*check().faults)
os.unlink(folder / "rest")
await ex.check(ex.solution_function)
print(Store(folder / "data").records())
await end()
"""


def test_a_disk_that_fills_up(folder: Path) -> None:
    """What cannot be kept is said once and caught up later, in whole lines; what cannot start says why, and is gone."""
    day = Condition(
        {"TMPDIR": "@/disk", "ASYNCIO_GUIDE_DATA": "@/disk/data"},
        "mount -t tmpfs -o size=24m,mode=1777 tmpfs @/disk",
        conditions.APART,
        ("mkdir @/disk",),
    )
    with kernel_on(day, folder) as kernel:
        reply = kernel.run(FILLED, 120)
    assert not reply.problem, reply
    full = "No space left on device"
    assert reply.text.count(NEWS.format(reason=full, folder=folder / "disk/data")) == 1, reply.text
    database = rf"the servers did not start: a database needs 128 MB, and {folder}/disk has 2\d left\. .*\n.*\n\[\]\n"
    assert re.search(database, reply.text), reply.text
    assert f"a temporary folder to write in: [Errno 28] {full}. Free some space there, or set" in reply.text, reply.text
    assert "{'1.3': Record(attempts=4, correct=True)}\n" in reply.text, reply.text


TOO_FEW_FILES = """
import os, resource
from asynclab import Services, begin, end, exercise

begin()
ex = exercise("1.3")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 2, hard))
for start in (Services().start(), ex.check(ex.solution_function)):
    try:
        await start
    except RuntimeError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(await ex.check(ex.solution_function))
await end()
"""


def test_too_few_open_files() -> None:
    with kernels.Kernel(notebook_file.ROOT / "notebooks") as kernel:
        reply = kernel.run(TOO_FEW_FILES, 120)
    assert not reply.problem, reply
    servers, check, later, *_, last = reply.text.splitlines()
    assert servers.startswith("the servers cannot start: [Errno 24] Too many open files. Shut down kernels that you do")
    assert "`ulimit -n 4096`" in servers
    assert check.startswith("nothing is checked: [Errno 24] Too many open files. Shut down kernels that you do")
    assert later.startswith("✓ Correct.") and last.startswith("All clear")


# Where the wall clock is read, and how often: a date of HTTP's is one, the guide's own code is shown as it is, and a
# number to divide by is as good as any.
READS_THE_WALL_CLOCK = {
    "asynclab/services/api.py": 1,
    "02_async_http_requests_deeper.ipynb[retry-after]": 1,
    "07_performance_comparison.ipynb[guide-io-operations]": 4,
    "08_patterns_summary.ipynb[retry]": 1,
}


def test_no_duration_is_taken_from_the_wall_clock() -> None:
    folder = notebook_file.ROOT / "notebooks"
    sources = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.py")}
    sources = {name: text for name, text in sources.items() if not name.endswith(("/answers.py", "/virtual_time.py"))}
    for path in notebook_file.paths():
        cells = notebook_file.code_cells(notebook_file.read(path))
        sources |= {f"{path.name}[{cell.id}]": cell.source for cell in cells}
    wall = re.compile(
        r"\btime\.(?:time|ctime|localtime|gmtime|strftime)\b|\bfrom time import\b.*\btime\b"
        r"|\b(?:datetime|date)\.(?:utc)?(?:now|today)\("
    )
    found = {name: len(wall.findall(text)) for name, text in sources.items()}
    assert {name: count for name, count in found.items() if count} == READS_THE_WALL_CLOCK


@pytest.mark.soak
@pytest.mark.parametrize("day", conditions.DAYS)
def test_every_notebook(day: str, folder: Path) -> None:
    done = run_notebooks(conditions.DAYS[day].prepare(folder))
    assert done.returncode == 0, done.stdout


def run_notebooks(day: Condition, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the notebooks with their kernels under a prepared condition: strictly, or only Run All."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment[conditions.VARIABLE] = conditions.as_text(day)
    ways = [f"notebooks/{path.name}{'' if day.same else '::run_all'}" for path in notebook_file.paths()]
    ways += [f"--deselect={cell}" for cell in day.differing]
    command = [sys.executable, "-m", "pytest", "-p", "conditions", "-p", "no:cacheprovider", "-q", *arguments, *ways]
    root = day.notebooks.parent
    return subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8")
